data "aws_region" "current" {}

locals {
  shifts_traffic = var.deployment.strategy != "rolling"

  listens = var.container.port > 0

  # What listens nowhere has a health check only where its command is given: its essential process is what tells.
  health_check = var.container.health_check != null || !local.listens ? var.container.health_check : [
    "CMD", "python", "-c",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${var.container.port}${var.container.health_path}', timeout=3)",
  ]

  log_configuration = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = data.aws_region.current.region
      awslogs-stream-prefix = "ecs"
      # A full log buffer drops lines; it never stops the application.
      mode            = "non-blocking"
      max-buffer-size = "25m"
    }
  }

  container = {
    name      = var.container.name
    image     = "${var.repository.url}:${var.repository.tag}"
    essential = true
    command   = var.container.command
    user      = var.container.user

    readonlyRootFilesystem = var.readonly_root_filesystem
    privileged             = false

    portMappings = !local.listens ? null : [{ for key, value in {
      name          = "http"
      containerPort = var.container.port
      hostPort      = var.container.port
      protocol      = "tcp"
      # Service Connect's proxy retries, and counts answers, where it knows that they are HTTP.
      appProtocol = var.service_connect == null ? null : "http"
    } : key => value if value != null }]

    environment = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
    secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]

    healthCheck = local.health_check == null ? null : {
      command     = local.health_check
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }

    dependsOn   = length(local.waits_for) == 0 ? null : local.waits_for
    mountPoints = length(local.mounts) == 0 ? null : local.mounts

    # An init process reaps what the application leaves behind and passes SIGTERM on. /tmp is a tmpfs because a Fargate
    # volume belongs to root and the container does not run as root.
    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { drop = ["ALL"] }
      tmpfs = [{
        containerPath = "/tmp"
        size          = var.container.tmp_size
        mountOptions  = ["rw", "noexec", "nosuid", "nodev", "mode=1777"]
      }]
    }

    stopTimeout = var.container.stop_timeout

    logConfiguration = local.log_configuration
  }

  # The application waits for the sidecars that say so.
  waits_for = [for name, sidecar in var.sidecars : { containerName = name, condition = sidecar.before } if sidecar.before != null]
  mounts    = [for name, volume in var.volumes : { sourceVolume = name, containerPath = volume.path, readOnly = volume.readonly } if volume.path != null]

  sidecars = [for name, sidecar in var.sidecars : { for key, value in {
    name      = name
    image     = sidecar.image
    essential = sidecar.essential
    command   = sidecar.command
    user      = sidecar.user

    cpu               = sidecar.cpu
    memoryReservation = sidecar.memory

    readonlyRootFilesystem = sidecar.readonly_root_filesystem
    privileged             = false

    portMappings = sidecar.port == null ? null : [{ name = name, containerPort = sidecar.port, hostPort = sidecar.port, protocol = "tcp" }]
    environment  = [for variable in sort(keys(sidecar.environment)) : { name = variable, value = sidecar.environment[variable] }]
    secrets      = [for variable in sort(keys(sidecar.secrets)) : { name = variable, valueFrom = sidecar.secrets[variable] }]
    healthCheck  = sidecar.health_check == null ? null : { command = sidecar.health_check, interval = 10, timeout = 5, retries = 3, startPeriod = 30 }
    mountPoints  = [for volume in sort(keys(sidecar.mounts)) : { sourceVolume = volume, containerPath = sidecar.mounts[volume], readOnly = false }]

    linuxParameters  = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    logConfiguration = local.log_configuration
  } : key => value if value != null }]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

# What a release is made from. A deploy takes the newest revision of this family, puts its image in and registers the
# result in the family NAME; no task ever runs from the template itself, and its image tag never exists.
resource "aws_ecs_task_definition" "template" {
  family                   = "${var.name}-template"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task.cpu
  memory                   = var.task.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.task.architecture
  }

  # The application first: it is what releases put their image into.
  container_definitions = jsonencode(concat([{ for key, value in local.container : key => value if value != null }], local.sidecars))

  dynamic "volume" {
    for_each = var.volumes

    content {
      name = volume.key

      dynamic "efs_volume_configuration" {
        for_each = volume.value.efs[*]

        content {
          file_system_id     = efs_volume_configuration.value.file_system_id
          root_directory     = efs_volume_configuration.value.access_point_id == null ? efs_volume_configuration.value.root_directory : null
          transit_encryption = "ENABLED"

          authorization_config {
            access_point_id = efs_volume_configuration.value.access_point_id
            iam             = "ENABLED"
          }
        }
      }
    }
  }

  dynamic "ephemeral_storage" {
    for_each = var.task.ephemeral_storage_gib[*]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  # A service that has never been released still points at an older revision.
  skip_destroy = true
}

# The port that the service was made with.
resource "terraform_data" "port" {
  input = var.container.port

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_ecs_service" "this" {
  name             = var.service_name
  cluster          = var.cluster.arn
  task_definition  = aws_ecs_task_definition.template.arn
  platform_version = "LATEST"

  # Born empty: there is no image yet. See autoscaling.tf for who raises it, and when.
  desired_count = 0

  # Always a strategy, never a launch type: moving from one to the other replaces the service. An update of the strategy
  # in place needs force_new_deployment; without it the provider would replace the service as well.
  dynamic "capacity_provider_strategy" {
    for_each = var.capacity.use_spot ? { FARGATE_SPOT = 0, FARGATE = var.capacity.on_demand } : { FARGATE = 0 }

    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value
      weight            = capacity_provider_strategy.key == "FARGATE_SPOT" || !var.capacity.use_spot ? 1 : 0
    }
  }
  force_new_deployment = true

  deployment_minimum_healthy_percent = var.deployment.minimum_percent
  deployment_maximum_percent         = var.deployment.maximum_percent
  availability_zone_rebalancing      = "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # Not even a disabled block without names: the API wants names where there is a block.
  dynamic "alarms" {
    for_each = length(var.deployment.alarm_names) > 0 ? [var.deployment.alarm_names] : []

    content {
      enable      = true
      rollback    = true
      alarm_names = alarms.value
    }
  }

  deployment_configuration {
    strategy             = upper(var.deployment.strategy)
    bake_time_in_minutes = local.shifts_traffic ? var.deployment.bake_minutes : null

    dynamic "linear_configuration" {
      for_each = var.deployment.strategy == "linear" ? [1] : []

      content {
        step_percent              = var.deployment.step_percent
        step_bake_time_in_minutes = var.deployment.step_minutes
      }
    }

    dynamic "canary_configuration" {
      for_each = var.deployment.strategy == "canary" ? [1] : []

      content {
        canary_percent              = var.deployment.step_percent
        canary_bake_time_in_minutes = var.deployment.step_minutes
      }
    }

    dynamic "lifecycle_hook" {
      for_each = var.deployment.hooks

      content {
        hook_target_arn  = lifecycle_hook.value.function_arn
        role_arn         = aws_iam_role.hooks[0].arn
        lifecycle_stages = lifecycle_hook.value.stages
        hook_details     = lifecycle_hook.value.details_json
      }
    }
  }

  network_configuration {
    subnets          = var.network.subnet_ids
    security_groups  = concat([aws_security_group.this.id], var.network.additional_security_group_ids)
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = var.container.name
      container_port   = var.container.port

      dynamic "advanced_configuration" {
        for_each = local.shifts_traffic ? [1] : []

        content {
          alternate_target_group_arn = var.load_balancer.alternate_target_group_arn
          production_listener_rule   = var.load_balancer.production_listener_rule
          test_listener_rule         = var.load_balancer.test_listener_rule
          role_arn                   = aws_iam_role.infrastructure[0].arn
        }
      }
    }
  }
  health_check_grace_period_seconds = one(var.load_balancer[*].health_check_grace_seconds)

  dynamic "service_connect_configuration" {
    for_each = var.service_connect[*]

    content {
      enabled   = true
      namespace = service_connect_configuration.value.namespace_arn

      dynamic "service" {
        for_each = service_connect_configuration.value.name[*]

        content {
          port_name      = "http"
          discovery_name = service.value

          client_alias {
            dns_name = service.value
            port     = coalesce(service_connect_configuration.value.port, var.container.port)
          }
        }
      }

      log_configuration {
        log_driver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = data.aws_region.current.region
          awslogs-stream-prefix = "service-connect"
        }
      }
    }
  }

  enable_execute_command  = var.enable_execute_command
  enable_ecs_managed_tags = true
  propagate_tags          = "TASK_DEFINITION"

  # How many tasks the first release starts. The deploy reads it where it finds the service empty; later releases leave
  # the count to autoscaling. It lies outside the prefix connect2:, which belongs to the deploys and which the provider ignores.
  tags = { "connect2-first-count" = tostring(var.capacity.min) }

  # Releases and autoscaling own these two.
  lifecycle {
    ignore_changes = [task_definition, desired_count]

    # ECS holds the port of an update against the task definition that runs, which has the old one.
    precondition {
      condition     = terraform_data.port.output == var.container.port
      error_message = "The port of a service that is there cannot change from ${terraform_data.port.output} to ${var.container.port}: ECS refuses it while the released task definition has the old one. Make the service anew, empty, in a quiet hour, and release to it: terraform apply -replace=ADDRESS.aws_ecs_service.this -replace=ADDRESS.terraform_data.port, where ADDRESS is this module's, such as module.environment.module.ecs_service."
    }
  }

  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy_attachment.infrastructure,
    aws_iam_role_policy.hooks,
    aws_vpc_security_group_ingress_rule.alb,
  ]
}
