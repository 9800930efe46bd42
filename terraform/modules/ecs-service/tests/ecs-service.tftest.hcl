mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name         = "connect2-api-dev"
  service_name = "connect2-api-service-dev"

  cluster = {
    name               = "connect2-api-cluster-dev"
    arn                = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev"
    exec_log_group_arn = "arn:aws:logs:us-west-2:123456789012:log-group:exec"
    kms_key_arn        = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  repository = {
    url = "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev"
    arn = "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-dev"
  }

  network = {
    vpc_id                = "vpc-0123456789abcdef0"
    vpc_cidr              = "10.1.0.0/16"
    subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    alb_security_group_id = "sg-0123456789abcdef1"
  }

  load_balancer = {
    target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
  }

  task     = { cpu = 256, memory = 512 }
  capacity = { min = 2, max = 6 }

  secrets = {
    DATABASE_URL = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/rds-credentials-AbCdEf:url::"
    REDIS_URL    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/redis-credentials-GhIjKl:url::"
  }
}

run "a_service_is_born_empty" {
  command = plan

  assert {
    condition     = aws_ecs_service.this.desired_count == 0
    error_message = "nothing runs before the first release: there is no image"
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 0
    error_message = "a lower bound above 0 would start tasks from the template at once"
  }

  assert {
    condition     = aws_appautoscaling_target.this.suspended_state[0].dynamic_scaling_in_suspended
    error_message = "nothing may scale in to 0 between the first release and the next apply"
  }

  assert {
    condition     = aws_ecs_service.this.tags["connect2-first-count"] == "2"
    error_message = "the first release finds here how many tasks to start"
  }

  assert {
    condition     = output.released == false
    error_message = "the template is no release"
  }

  assert {
    condition     = aws_ecs_service.this.task_definition == aws_ecs_task_definition.template.arn && endswith(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].image, ":unreleased")
    error_message = "it points at the template, whose image nobody pushes"
  }

  assert {
    condition     = aws_ecs_task_definition.template.skip_destroy
    error_message = "a service that was never released points at an older revision of the template: that must stay"
  }
}

run "a_released_service_has_its_bounds" {
  command = plan

  variables {
    capacity = { min = 3, max = 20 }
  }

  # What the service points at after a release: a revision of NAME.
  override_resource {
    target          = aws_ecs_task_definition.template
    override_during = plan
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev:5" }
  }

  assert {
    condition     = output.released
    error_message = "a revision of another family than the template's is a release"
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 3 && aws_appautoscaling_target.this.max_capacity == 20
    error_message = "after a release the bounds are those of the variables"
  }

  assert {
    condition     = aws_appautoscaling_target.this.suspended_state[0].dynamic_scaling_in_suspended == false
    error_message = "after a release the service may scale in"
  }
}

run "a_changed_count_takes_effect_without_autoscaling" {
  command = plan

  variables {
    capacity = { min = 2, max = 2, autoscaling = false }
  }

  override_resource {
    target          = aws_ecs_task_definition.template
    override_during = plan
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev:5" }
  }

  assert {
    condition     = output.shape.scalable_target == "2-2" && length(aws_appautoscaling_policy.this) == 0
    error_message = "2-2 and no policy: registering the bounds moves the count into them"
  }

  assert {
    condition     = aws_appautoscaling_target.this.resource_id == "service/connect2-api-cluster-dev/connect2-api-service-dev" && aws_appautoscaling_target.this.scalable_dimension == "ecs:service:DesiredCount"
    error_message = "the bounds are those of this service's count"
  }
}

run "the_template_is_what_deploys_start_from" {
  command = plan

  assert {
    condition     = aws_ecs_task_definition.template.family == "connect2-api-dev-template"
    error_message = "the family is NAME-template"
  }

  assert {
    condition     = aws_ecs_task_definition.template.cpu == "256" && aws_ecs_task_definition.template.memory == "512"
    error_message = "CPU and memory are the task's"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].name == "connect2-api"
    error_message = "the container has the name that deploys look for"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].portMappings[0].containerPort == 8000
    error_message = "it listens on 8000"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].secrets == [{ name = "DATABASE_URL", valueFrom = var.secrets["DATABASE_URL"] }, { name = "REDIS_URL", valueFrom = var.secrets["REDIS_URL"] }]
    error_message = "secrets come by valueFrom with their JSON key"
  }

  assert {
    condition     = startswith(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].image, "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:")
    error_message = "the image names the repository, so that a deploy can complete a tag or a digest"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command[1] == "python" && length(regexall("curl", join(" ", jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command))) == 0
    error_message = "the health check needs no curl: slim images have none"
  }

  assert {
    condition     = strcontains(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command[3], "http://127.0.0.1:8000/health") && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command[0] == "CMD"
    error_message = "it asks the application's own port and path, without a shell"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].linuxParameters.tmpfs[0].containerPath == "/tmp" && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].linuxParameters.tmpfs[0].size == 64
    error_message = "/tmp is a tmpfs"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].linuxParameters.tmpfs[0].mountOptions, "mode=1777")
    error_message = "a user other than root can write there"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].linuxParameters.initProcessEnabled && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "an init process, and no Linux capability"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/ecs/connect2-api-dev" && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].logConfiguration.options["awslogs-group"] == "/ecs/connect2-api-dev"
    error_message = "the log group is the one of the runbooks"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "it is kept for as long as said"
  }

  assert {
    condition     = aws_ecs_task_definition.template.execution_role_arn == aws_iam_role.execution.arn && aws_ecs_task_definition.template.task_role_arn == aws_iam_role.task.arn && contains(aws_ecs_task_definition.template.requires_compatibilities, "FARGATE")
    error_message = "it runs on Fargate, with its two roles"
  }
}

run "a_failed_release_is_undone" {
  command = plan

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "the circuit breaker rolls back"
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "a rollout never has fewer tasks than before"
  }

  assert {
    condition     = aws_ecs_service.this.deployment_configuration[0].strategy == "ROLLING" && length(aws_iam_role.infrastructure) == 0
    error_message = "rolling is the default and needs no further role"
  }

  assert {
    condition     = length(aws_ecs_service.this.alarms) == 0
    error_message = "without names there is no block: the API wants names in one"
  }
}

run "alarms_undo_a_release" {
  command = plan

  variables {
    deployment = { alarm_names = ["blue-5xx"] }
  }

  assert {
    condition     = aws_ecs_service.this.alarms[0].enable && aws_ecs_service.this.alarms[0].rollback && aws_ecs_service.this.alarms[0].alarm_names == toset(["blue-5xx"])
    error_message = "the alarm is watched during the rollout"
  }
}

run "on_demand_by_default" {
  command = plan

  assert {
    condition     = [for s in aws_ecs_service.this.capacity_provider_strategy : s.capacity_provider] == ["FARGATE"]
    error_message = "without Spot everything runs on demand"
  }

  assert {
    condition     = aws_ecs_service.this.force_new_deployment
    error_message = "without it a change between Spot and on demand replaces the service"
  }
}

run "spot_when_asked" {
  command = plan

  variables {
    capacity = { min = 2, max = 2, use_spot = true, on_demand = 1, autoscaling = false }
  }

  assert {
    condition     = one([for s in aws_ecs_service.this.capacity_provider_strategy : s.weight if s.capacity_provider == "FARGATE_SPOT"]) == 1
    error_message = "tasks go to Spot"
  }

  assert {
    condition     = one([for s in aws_ecs_service.this.capacity_provider_strategy : s.base if s.capacity_provider == "FARGATE"]) == 1 && one([for s in aws_ecs_service.this.capacity_provider_strategy : s.weight if s.capacity_provider == "FARGATE"]) == 0
    error_message = "but for the ones that stay on demand"
  }

  assert {
    condition     = length(aws_appautoscaling_policy.this) == 0 && aws_appautoscaling_target.this.max_capacity == 2
    error_message = "without autoscaling there is still a scalable target, so that a changed count takes effect"
  }
}

run "cpu_and_memory_are_tracked" {
  command = plan

  variables {
    capacity = { min = 3, max = 20, cpu_target = 60, memory_target = 70 }
  }

  assert {
    condition     = aws_appautoscaling_policy.this["cpu"].target_tracking_scaling_policy_configuration[0].target_value == 60 && aws_appautoscaling_policy.this["cpu"].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageCPUUtilization"
    error_message = "CPU aims at 60 %"
  }

  assert {
    condition     = aws_appautoscaling_policy.this["memory"].target_tracking_scaling_policy_configuration[0].target_value == 70 && aws_appautoscaling_policy.this["memory"].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageMemoryUtilization"
    error_message = "memory aims at 70 %"
  }

  assert {
    condition     = alltrue([for p in aws_appautoscaling_policy.this : p.policy_type == "TargetTrackingScaling" && p.resource_id == aws_appautoscaling_target.this.resource_id]) && output.shape.policies == { cpu = 60, memory = 70 }
    error_message = "both track this service's target"
  }
}

run "roles_may_do_just_what_they_need" {
  command = plan

  assert {
    condition     = aws_iam_role.execution.name == "connect2-api-dev-execution" && aws_iam_role.task.name == "connect2-api-dev-task"
    error_message = "the names by which the environment lets the deploy role pass them"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Secrets"]) == toset(["arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/rds-credentials-AbCdEf", "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/redis-credentials-GhIjKl"])
    error_message = "exactly these secrets, without the key behind the ARN"
  }

  assert {
    condition = jsonencode({ for s in data.aws_iam_policy_document.execution.statement : s.sid => sort(s.actions) }) == jsonencode({
      Login   = ["ecr:GetAuthorizationToken"]
      Pull    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Log     = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Secrets = ["secretsmanager:GetSecretValue"]
    })
    error_message = "the execution role pulls, logs and reads secrets, and does nothing else"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Log"]) == toset(["${aws_cloudwatch_log_group.this.arn}:*"])
    error_message = "it writes to this service's log alone"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Pull"]) == toset([var.repository.arn])
    error_message = "images of this repository alone"
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0 && length(aws_iam_role_policy.exec) == 0
    error_message = "the application itself may do nothing in AWS until somebody says what"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.tasks_assume.statement).condition).variable == "aws:SourceAccount"
    error_message = "only this account's ECS may use the roles"
  }
}

run "the_application_may_do_what_is_said" {
  command = plan

  variables {
    task_policy_json    = jsonencode({ Version = "2012-10-17", Statement = [] })
    secrets_kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    iam                 = { path = "/connect2-api/dev/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = aws_iam_role_policy.task[0].policy == var.task_policy_json && aws_iam_role_policy.task[0].role == aws_iam_role.task.id
    error_message = "the policy is the task role's"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "DecryptSecrets"]) == toset([var.secrets_kms_key_arn])
    error_message = "the execution role can open the secrets' key"
  }

  assert {
    condition     = alltrue([for r in [aws_iam_role.execution, aws_iam_role.task] : r.path == "/connect2-api/dev/" && r.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "both roles lie under the environment's path and boundary, or the apply role could not make them"
  }
}

run "without_secrets_none_can_be_read" {
  command = plan

  variables {
    secrets = {}
  }

  assert {
    condition     = !contains(data.aws_iam_policy_document.execution.statement[*].sid, "Secrets")
    error_message = "no statement about secrets"
  }
}

run "only_the_load_balancer_comes_in" {
  command = plan

  assert {
    condition     = aws_vpc_security_group_ingress_rule.alb[0].referenced_security_group_id == "sg-0123456789abcdef1" && aws_vpc_security_group_ingress_rule.alb[0].from_port == 8000 && aws_vpc_security_group_ingress_rule.alb[0].to_port == 8000
    error_message = "one rule, one group, one port"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.alb[0].cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.alb[0].cidr_ipv6 == null && aws_vpc_security_group_ingress_rule.alb[0].prefix_list_id == null
    error_message = "no address range comes in"
  }

  assert {
    condition     = one(aws_ecs_service.this.network_configuration).security_groups == toset([aws_security_group.this.id]) && one(aws_ecs_service.this.network_configuration).subnets == toset(var.network.subnet_ids)
    error_message = "the tasks have this security group and no other, in the private subnets"
  }

  assert {
    condition = jsonencode({
      for name, r in aws_vpc_security_group_egress_rule.this : name => [r.cidr_ipv4, r.from_port, r.to_port]
      }) == jsonencode({
      https      = ["0.0.0.0/0", 443, 443]
      postgresql = ["10.1.0.0/16", 5432, 5432]
      redis      = ["10.1.0.0/16", 6379, 6379]
    })
    error_message = "they go out by HTTPS, and to database and cache inside the VPC"
  }
}

run "blue_green" {
  command = plan

  variables {
    deployment = { strategy = "blue_green", bake_minutes = 7 }
    load_balancer = {
      test_listener_rule         = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/a/0123456789abcdef/0123456789abcdef/fedcba9876543210"
      target_group_arn           = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
      alternate_target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/0123456789abcdef"
      production_listener_rule   = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/a/0123456789abcdef/0123456789abcdef/0123456789abcdef"
    }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_configuration[0].strategy == "BLUE_GREEN" && aws_ecs_service.this.deployment_configuration[0].bake_time_in_minutes == "7"
    error_message = "strategy and bake time arrive"
  }

  assert {
    condition     = length(aws_iam_role.infrastructure) == 1 && one(aws_ecs_service.this.load_balancer).advanced_configuration[0].production_listener_rule == var.load_balancer.production_listener_rule
    error_message = "ECS gets the rule and a role to change it"
  }

  assert {
    condition     = one(aws_ecs_service.this.load_balancer).target_group_arn == var.load_balancer.target_group_arn && one(aws_ecs_service.this.load_balancer).advanced_configuration[0].alternate_target_group_arn == var.load_balancer.alternate_target_group_arn && one(aws_ecs_service.this.load_balancer).advanced_configuration[0].test_listener_rule == var.load_balancer.test_listener_rule
    error_message = "it knows both target groups and the test rule"
  }

  assert {
    condition     = one(aws_ecs_service.this.load_balancer).advanced_configuration[0].role_arn == aws_iam_role.infrastructure[0].arn && aws_iam_role_policy_attachment.infrastructure[0].policy_arn == "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers" && aws_iam_role_policy_attachment.infrastructure[0].role == aws_iam_role.infrastructure[0].name
    error_message = "the role has AWS's policy for it"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.infrastructure_assume.statement).principals).identifiers == toset(["ecs.amazonaws.com"])
    error_message = "ECS alone takes that role"
  }
}

run "canary" {
  command = plan

  variables {
    deployment = { strategy = "canary", step_percent = 5, step_minutes = 3 }
    load_balancer = {
      target_group_arn           = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
      alternate_target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/0123456789abcdef"
      production_listener_rule   = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/a/0123456789abcdef/0123456789abcdef/0123456789abcdef"
    }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_configuration[0].strategy == "CANARY" && aws_ecs_service.this.deployment_configuration[0].canary_configuration[0].canary_percent == 5 && aws_ecs_service.this.deployment_configuration[0].canary_configuration[0].canary_bake_time_in_minutes == "3" && length(aws_ecs_service.this.deployment_configuration[0].linear_configuration) == 0
    error_message = "the first step has its percentage and its minutes"
  }
}

run "linear" {
  command = plan

  variables {
    deployment = { strategy = "linear", step_percent = 20 }
    load_balancer = {
      target_group_arn           = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
      alternate_target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/0123456789abcdef"
      production_listener_rule   = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/a/0123456789abcdef/0123456789abcdef/0123456789abcdef"
    }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_configuration[0].strategy == "LINEAR" && aws_ecs_service.this.deployment_configuration[0].linear_configuration[0].step_percent == 20 && aws_ecs_service.this.deployment_configuration[0].linear_configuration[0].step_bake_time_in_minutes == "5" && length(aws_ecs_service.this.deployment_configuration[0].canary_configuration) == 0
    error_message = "every step has its percentage and its minutes"
  }
}

run "exec_with_a_writable_root" {
  command = plan

  variables {
    enable_execute_command   = true
    readonly_root_filesystem = false
  }

  assert {
    condition     = aws_ecs_service.this.enable_execute_command && contains(flatten([for s in data.aws_iam_policy_document.exec[0].statement : tolist(s.actions)]), "ssmmessages:OpenDataChannel")
    error_message = "the task role may open a session"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_ecs_task_definition.template.network_mode == "awsvpc"
    error_message = "[ECS.1] the network is the task's own"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.execution.statement : !contains(s.resources, "*") || alltrue([for a in s.actions : !startswith(a, "kms:")])])
    error_message = "[KMS.2] the execution role decrypts with the secrets' key alone"
  }

  assert {
    condition     = one(aws_ecs_service.this.network_configuration).assign_public_ip == false
    error_message = "[ECS.2] tasks have no public address"
  }

  assert {
    condition     = aws_ecs_task_definition.template.pid_mode == null
    error_message = "[ECS.3] tasks do not share a host's processes"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].privileged == false
    error_message = "[ECS.4] the container is not privileged"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].readonlyRootFilesystem
    error_message = "[ECS.5] the root filesystem is read-only"
  }

  assert {
    condition     = alltrue([for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECS_ENGINE_AUTH_DATA", "DATABASE_URL", "REDIS_URL"] : !contains([for e in jsondecode(aws_ecs_task_definition.template.container_definitions)[0].environment : e.name], name)])
    error_message = "[ECS.8] no secret is an environment variable"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].logConfiguration.logDriver == "awslogs"
    error_message = "[ECS.9] the container's output is kept"
  }

  assert {
    condition     = aws_ecs_service.this.platform_version == "LATEST"
    error_message = "[ECS.10] the newest Fargate platform"
  }

  assert {
    condition     = aws_ecs_task_definition.template.network_mode == "awsvpc"
    error_message = "[ECS.17] not the host's network"
  }

  assert {
    condition     = !startswith(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].user, "0") && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].user != "root"
    error_message = "[ECS.20] the container does not run as root"
  }
}

run "exec_with_a_readonly_root_is_refused" {
  command = plan

  variables {
    enable_execute_command = true
  }

  expect_failures = [var.enable_execute_command]
}

run "a_fargate_size_that_does_not_exist_is_refused" {
  command = plan

  variables {
    task = { cpu = 256, memory = 4096 }
  }

  expect_failures = [var.task]
}

run "a_cpu_that_does_not_exist_is_refused" {
  command = plan

  variables {
    task = { cpu = 300, memory = 512 }
  }

  expect_failures = [var.task]
}

run "min_above_max_is_refused" {
  command = plan

  variables {
    capacity = { min = 4, max = 3 }
  }

  expect_failures = [var.capacity]
}

run "min_of_nothing_is_refused" {
  command = plan

  variables {
    capacity = { min = 0, max = 3 }
  }

  expect_failures = [var.capacity]
}

run "a_range_without_autoscaling_is_refused" {
  command = plan

  variables {
    capacity = { min = 2, max = 3, autoscaling = false }
  }

  expect_failures = [var.capacity]
}

run "an_unknown_retention_is_refused" {
  command = plan

  variables {
    log_retention_days = 8
  }

  expect_failures = [var.log_retention_days]
}

run "an_unknown_strategy_is_refused" {
  command = plan

  variables {
    deployment = { strategy = "bluegreen" }
  }

  expect_failures = [var.deployment]
}

run "shifting_traffic_without_a_second_group_is_refused" {
  command = plan

  variables {
    deployment = { strategy = "blue_green" }
  }

  expect_failures = [var.deployment]
}

run "root_is_refused" {
  command = plan

  variables {
    container = { user = "0" }
  }

  expect_failures = [var.container]
}

run "a_name_that_is_secret_and_plain_is_refused" {
  command = plan

  variables {
    environment = { DATABASE_URL = "x" }
  }

  expect_failures = [var.secrets]
}
