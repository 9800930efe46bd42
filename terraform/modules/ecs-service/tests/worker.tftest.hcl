# What is not the api: a service without a load balancer, and what a service may be given besides.
mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name         = "connect2-api-worker-dev"
  service_name = "connect2-api-worker-dev"

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
    vpc_id     = "vpc-0123456789abcdef0"
    vpc_cidr   = "10.1.0.0/16"
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  }

  container = { port = 0, command = ["python", "-m", "worker"] }

  task     = { cpu = 256, memory = 512 }
  capacity = { min = 2, max = 6 }

  secrets = {
    DATABASE_URL = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/rds-credentials-AbCdEf:url::"
    REDIS_URL    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/redis-credentials-GhIjKl:url::"
  }
}

run "a_worker_needs_no_load_balancer" {
  command = plan

  assert {
    condition     = length(aws_ecs_service.this.load_balancer) == 0 && aws_ecs_service.this.health_check_grace_period_seconds == null && length(aws_vpc_security_group_ingress_rule.alb) == 0 && length(aws_vpc_security_group_ingress_rule.client) == 0
    error_message = "no target group, no grace period for its checks, and nobody comes in"
  }

  assert {
    condition     = !can(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].portMappings) && !can(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck)
    error_message = "it listens nowhere, so that nothing can ask it"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].command == ["python", "-m", "worker"] && aws_ecs_task_definition.template.family == "connect2-api-worker-dev-template" && aws_cloudwatch_log_group.this.name == "/ecs/connect2-api-worker-dev"
    error_message = "the command, the template and the log are its own"
  }

  assert {
    condition     = length(jsondecode(aws_ecs_task_definition.template.container_definitions)) == 1 && length(aws_ecs_service.this.service_connect_configuration) == 0 && length(aws_ecs_task_definition.template.volume) == 0 && length(aws_ecs_task_definition.template.ephemeral_storage) == 0 && length(aws_iam_role.hooks) == 0 && length(aws_iam_role_policy.efs) == 0 && length(aws_cloudwatch_metric_alarm.tasks) == 0 && length(aws_cloudwatch_metric_alarm.usage) == 0 && length(aws_cloudwatch_metric_alarm.queue) == 0
    error_message = "nothing is there that was not asked for"
  }
}

run "what_waits_in_a_queue_is_tracked_for_each_task" {
  command = plan

  variables {
    capacity = { min = 1, max = 10, memory_target = 0, queue = { dimensions = { QueueName = "jobs" }, per_task = 50 } }
    alarms   = { prefix = "connect2-api-alerts-dev-worker", topic_arns = ["arn:aws:sns:us-west-2:123456789012:alerts"], queue_length = 1000 }
  }

  assert {
    condition     = output.shape.policies == { cpu = 60, queue = 50 }
    error_message = "CPU and the queue, and not memory, whose target is 0: ${jsonencode(output.shape.policies)}"
  }

  assert {
    condition = jsonencode({ for m in aws_appautoscaling_policy.this["queue"].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics : m.id => [
      m.return_data, m.expression, one([for s in m.metric_stat : "${one(s.metric).namespace} ${one(s.metric).metric_name} ${join(",", sort([for d in one(s.metric).dimensions : "${d.name}=${d.value}"]))}"]),
      ] }) == jsonencode({
      per_task = [true, "waiting / IF(tasks > 0, tasks, 1)", null]
      tasks    = [false, null, "ECS/ContainerInsights RunningTaskCount ClusterName=connect2-api-cluster-dev,ServiceName=connect2-api-worker-dev"]
      waiting  = [false, null, "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=jobs"]
    })
    error_message = "what waits, divided by the tasks that run"
  }

  assert {
    condition     = length(aws_appautoscaling_policy.this["queue"].target_tracking_scaling_policy_configuration[0].predefined_metric_specification) == 0 && length(aws_appautoscaling_policy.this["cpu"].target_tracking_scaling_policy_configuration[0].customized_metric_specification) == 0
    error_message = "each policy has the metric that it is for"
  }

  assert {
    condition     = toset([for a in concat(values(aws_cloudwatch_metric_alarm.usage), aws_cloudwatch_metric_alarm.tasks, aws_cloudwatch_metric_alarm.queue) : a.alarm_name]) == toset([for name in ["cpu", "memory", "tasks-missing", "queue"] : "connect2-api-alerts-dev-worker-${name}"])
    error_message = "four alarms, named so that the apply role may make them"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.queue[0].threshold == 1000 && aws_cloudwatch_metric_alarm.queue[0].dimensions == tomap({ QueueName = "jobs" }) && aws_cloudwatch_metric_alarm.queue[0].treat_missing_data == "breaching"
    error_message = "a queue that nobody measures is told too"
  }

  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.usage), aws_cloudwatch_metric_alarm.tasks, aws_cloudwatch_metric_alarm.queue) : a.alarm_actions == toset(["arn:aws:sns:us-west-2:123456789012:alerts"])])
    error_message = "all of them tell the topic"
  }
}

run "connections_go_where_they_are_let_go" {
  command = plan

  variables {
    egress = {
      https    = { port = 443 }
      mail     = { port = 587, cidr = "203.0.113.0/24", description = "the mail relay" }
      s3       = { port = 443, prefix_list_id = "pl-0123456789abcdef0" }
      partner  = { port = 8000, to_port = 8010, security_group_id = "sg-0123456789abcdef9" }
      anything = { protocol = "-1", cidr = "10.9.0.0/16" }
    }
  }

  assert {
    condition = jsonencode({ for name, r in aws_vpc_security_group_egress_rule.this : name => [r.cidr_ipv4, r.prefix_list_id, r.referenced_security_group_id, r.ip_protocol, r.from_port, r.to_port, r.description] }) == jsonencode({
      anything = ["10.9.0.0/16", null, null, "-1", null, null, "anything inside the VPC"]
      https    = ["10.1.0.0/16", null, null, "tcp", 443, 443, "https inside the VPC"]
      mail     = ["203.0.113.0/24", null, null, "tcp", 587, 587, "the mail relay"]
      partner  = [null, null, "sg-0123456789abcdef9", "tcp", 8000, 8010, "partner inside the VPC"]
      s3       = [null, "pl-0123456789abcdef0", null, "tcp", 443, 443, "s3 inside the VPC"]
    })
    error_message = "exactly these, and no longer the database: ${jsonencode(keys(aws_vpc_security_group_egress_rule.this))}"
  }
}

run "sidecars_and_volumes" {
  command = plan

  variables {
    secrets_kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    sidecars = {
      proxy = {
        image          = "123456789012.dkr.ecr.us-west-2.amazonaws.com/proxy:1"
        repository_arn = "arn:aws:ecr:us-west-2:123456789012:repository/proxy"
        before         = "HEALTHY"
        essential      = true
        port           = 8443
        health_check   = ["CMD", "/proxy", "check"]
        secrets        = { PROXY_KEY = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/proxy-AbCdEf:key::" }
        environment    = { LEVEL = "info" }
        mounts         = { shared = "/etc/proxy" }
      }
      seed = { image = "public.ecr.aws/docker/library/busybox:1.37", before = "SUCCESS", command = ["true"] }
    }
    volumes = {
      shared = { path = "/shared", readonly = true }
      files  = { path = "/files", efs = { file_system_id = "fs-0123456789abcdef0", access_point_id = "fsap-0123456789abcdef0" } }
      old    = { path = "/old", readonly = true, efs = { file_system_id = "fs-0123456789abcdef1", root_directory = "/exports" } }
    }
    task = { cpu = 256, memory = 512, ephemeral_storage_gib = 40 }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[*].name == ["connect2-api", "proxy", "seed"]
    error_message = "the application comes first"
  }

  assert {
    condition     = jsonencode(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].dependsOn) == jsonencode([{ condition = "HEALTHY", containerName = "proxy" }, { condition = "SUCCESS", containerName = "seed" }])
    error_message = "it waits for what says so"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[1].essential && !jsondecode(aws_ecs_task_definition.template.container_definitions)[2].essential && jsondecode(aws_ecs_task_definition.template.container_definitions)[1].portMappings[0].containerPort == 8443 && !can(jsondecode(aws_ecs_task_definition.template.container_definitions)[2].portMappings)
    error_message = "essential and port are each sidecar's"
  }

  assert {
    condition     = alltrue([for c in jsondecode(aws_ecs_task_definition.template.container_definitions) : !c.privileged && c.readonlyRootFilesystem && c.linuxParameters.capabilities.drop == ["ALL"] && c.logConfiguration.options["awslogs-group"] == "/ecs/connect2-api-worker-dev"])
    error_message = "sidecars are bounded as the application is, and their output is kept"
  }

  assert {
    condition     = contains(one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Secrets"]), "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/proxy-AbCdEf") && one([for s in data.aws_iam_policy_document.execution.statement : s.resources if s.sid == "Pull"]) == toset([var.repository.arn, "arn:aws:ecr:us-west-2:123456789012:repository/proxy"])
    error_message = "the execution role reads the sidecar's secret and pulls its image"
  }

  assert {
    condition     = jsonencode(jsondecode(aws_ecs_task_definition.template.container_definitions)[0].mountPoints) == jsonencode([{ containerPath = "/files", readOnly = false, sourceVolume = "files" }, { containerPath = "/old", readOnly = true, sourceVolume = "old" }, { containerPath = "/shared", readOnly = true, sourceVolume = "shared" }])
    error_message = "the application sees its volumes"
  }

  assert {
    condition     = alltrue([for v in aws_ecs_task_definition.template.volume : length(v.efs_volume_configuration) == (v.name == "shared" ? 0 : 1) && alltrue([for e in v.efs_volume_configuration : e.transit_encryption == "ENABLED" && e.authorization_config[0].iam == "ENABLED"])])
    error_message = "EFS is reached encrypted and by the task role"
  }

  assert {
    condition = jsonencode([for s in data.aws_iam_policy_document.efs[0].statement : [sort(s.actions), s.resources, length(s.condition)]]) == jsonencode([
      [["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], ["arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0123456789abcdef0"], 1],
      [["elasticfilesystem:ClientMount"], ["arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0123456789abcdef1"], 0],
    ])
    error_message = "the task role mounts these, and writes where it may"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.this["efs"].from_port == 2049 && aws_vpc_security_group_egress_rule.this["efs"].cidr_ipv4 == "10.1.0.0/16" && length(aws_vpc_security_group_egress_rule.this) == 4
    error_message = "and EFS can be reached"
  }

  assert {
    condition     = aws_ecs_task_definition.template.ephemeral_storage[0].size_in_gib == 40
    error_message = "the disk is as large as said"
  }
}

run "small_choices" {
  command = plan

  variables {
    container = { port = 0, health_check = ["CMD", "python", "-m", "worker", "--check"] }
    repository = {
      url = "123456789012.dkr.ecr.us-west-2.amazonaws.com/tools"
      arn = "arn:aws:ecr:us-west-2:123456789012:repository/tools"
      tag = "1.2.3"
    }
    alarms                           = { prefix = "x", cpu_percent = 0, memory_percent = 75 }
    service_connect                  = { namespace_arn = "arn:aws:servicediscovery:us-west-2:123456789012:namespace/ns-0123456789abcdef" }
    additional_task_policy_arns      = { xray = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess" }
    additional_execution_policy_arns = { registry = "arn:aws:iam::123456789012:policy/registry" }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].healthCheck.command == ["CMD", "python", "-m", "worker", "--check"]
    error_message = "it is asked as it says"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].image == "123456789012.dkr.ecr.us-west-2.amazonaws.com/tools:1.2.3"
    error_message = "repository and tag are what they were said to be"
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.usage) == ["memory"] && aws_cloudwatch_metric_alarm.usage["memory"].threshold == 75 && length(aws_cloudwatch_metric_alarm.queue) == 0
    error_message = "0 is no alarm"
  }

  assert {
    condition     = length(one(aws_ecs_service.this.service_connect_configuration).service) == 0
    error_message = "it only calls"
  }

  assert {
    condition     = aws_iam_role_policy_attachment.task["xray"].policy_arn == "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess" && aws_iam_role_policy_attachment.execution["registry"].role == aws_iam_role.execution.name
    error_message = "each is attached to its role"
  }
}

run "called_by_name_and_asked_by_hooks" {
  command = plan

  variables {
    container       = { port = 8000 }
    service_connect = { namespace_arn = "arn:aws:servicediscovery:us-west-2:123456789012:namespace/ns-0123456789abcdef", name = "prices", port = 80 }
    network = {
      vpc_id                        = "vpc-0123456789abcdef0"
      vpc_cidr                      = "10.1.0.0/16"
      subnet_ids                    = ["subnet-0123456789abcdef0"]
      alb_security_group_id         = "sg-0123456789abcdef1"
      client_security_group_ids     = { api = "sg-0123456789abcdef2" }
      additional_security_group_ids = ["sg-0123456789abcdef3"]
    }
    load_balancer = {
      target_group_arn           = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
      alternate_target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/0123456789abcdef"
      production_listener_rule   = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/a/0123456789abcdef/0123456789abcdef/0123456789abcdef"
    }
    deployment = {
      strategy = "blue_green"
      hooks    = { smoke = { function_arn = "arn:aws:lambda:us-west-2:123456789012:function:smoke", stages = ["POST_TEST_TRAFFIC_SHIFT"], details_json = "{\"depth\":1}" } }
    }
  }

  assert {
    condition     = one(aws_ecs_service.this.service_connect_configuration).service[0].port_name == "http" && one(aws_ecs_service.this.service_connect_configuration).service[0].client_alias[0].dns_name == "prices" && one(aws_ecs_service.this.service_connect_configuration).service[0].client_alias[0].port == 80 && jsondecode(aws_ecs_task_definition.template.container_definitions)[0].portMappings[0].appProtocol == "http"
    error_message = "others call it by its name and port"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.client["api"].referenced_security_group_id == "sg-0123456789abcdef2" && aws_vpc_security_group_ingress_rule.client["api"].from_port == 8000
    error_message = "its callers come in, to the container's own port"
  }

  assert {
    condition     = contains(one(aws_ecs_service.this.network_configuration).security_groups, "sg-0123456789abcdef3")
    error_message = "the tasks have the further group besides their own"
  }

  assert {
    condition     = one(aws_ecs_service.this.deployment_configuration[0].lifecycle_hook).hook_target_arn == "arn:aws:lambda:us-west-2:123456789012:function:smoke" && one(aws_ecs_service.this.deployment_configuration[0].lifecycle_hook).lifecycle_stages == tolist(["POST_TEST_TRAFFIC_SHIFT"]) && one(aws_ecs_service.this.deployment_configuration[0].lifecycle_hook).role_arn == aws_iam_role.hooks[0].arn
    error_message = "ECS asks the function after test traffic has shifted"
  }

  assert {
    condition     = jsonencode([for s in data.aws_iam_policy_document.hooks[0].statement : [s.actions, s.resources]]) == jsonencode([[["lambda:InvokeFunction"], ["arn:aws:lambda:us-west-2:123456789012:function:smoke"]]])
    error_message = "the role calls this function and nothing else"
  }
}

# Each run holds bad values of several variables, since a run costs a second and a half; each of them must be refused.

run "first_refusals" {
  command = plan

  variables {
    load_balancer   = { target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef" }
    egress          = { postgresql = { port = 5432 } }
    sidecars        = { connect2-api = { image = "x:1" } }
    service_connect = { namespace_arn = "arn:aws:servicediscovery:us-west-2:123456789012:namespace/ns-0123456789abcdef", name = "worker" }
    alarms          = { prefix = "x", queue_length = 5 }
    task            = { cpu = 256, memory = 512, ephemeral_storage_gib = 20 }
  }

  expect_failures = [var.load_balancer, var.egress, var.sidecars, var.service_connect, var.alarms, var.task]
}

run "second_refusals" {
  command = plan

  variables {
    container     = { port = 8000 }
    load_balancer = { target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef" }
    egress        = { https = { port = 443 }, all = {} }
    sidecars      = { proxy = { image = "x:1", port = 8000 } }
    capacity      = { min = 1, max = 2, queue = { per_task = 5 } }
    task          = { cpu = 256, memory = 512, ephemeral_storage_gib = 201 }
  }

  expect_failures = [var.load_balancer, var.egress, var.sidecars, var.capacity, var.task]
}

run "third_refusals" {
  command = plan

  variables {
    egress     = { https = { port = 443, cidr = "0.0.0.0/0", prefix_list_id = "pl-0123456789abcdef0" } }
    sidecars   = { seed = { image = "x:1", before = "SUCCESS", essential = true } }
    capacity   = { min = 1, max = 2, queue = { dimensions = { QueueName = "jobs" }, per_task = 0 } }
    deployment = { strategy = "canary" }
  }

  expect_failures = [var.egress, var.sidecars, var.capacity, var.deployment]
}

run "fourth_refusals" {
  command = plan

  variables {
    egress     = { https = { port = 443, protocol = "udp" } }
    sidecars   = { proxy = { image = "x:1", before = "HEALTHY" } }
    deployment = { hooks = { smoke = { function_arn = "arn:aws:lambda:us-west-2:123456789012:function:smoke", stages = ["PRE_SCALE_UP"] } } }
  }

  expect_failures = [var.egress, var.sidecars, var.deployment]
}

run "fifth_refusals" {
  command = plan

  variables {
    sidecars   = { proxy = { image = "x:1", mounts = { nowhere = "/x" } } }
    deployment = { minimum_percent = 100, maximum_percent = 100 }
  }

  expect_failures = [var.sidecars, var.deployment]
}

run "sixth_refusals" {
  command = plan

  variables {
    sidecars   = { proxy = { image = "x:1", before = "LATER" } }
    deployment = { strategy = "canary", hooks = { smoke = { function_arn = "f", stages = ["SOMETIME"] } } }
  }

  expect_failures = [var.sidecars, var.deployment]
}
