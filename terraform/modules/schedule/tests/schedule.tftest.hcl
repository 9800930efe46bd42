mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name        = "connect2-api-digest-dev"
  expression  = "cron(0 6 ? * MON-FRI *)"
  timezone    = "Europe/Berlin"
  cluster_arn = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev"

  task = {
    family       = "connect2-api-dev"
    template_arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:3"
    container    = "connect2-api"
    command      = ["python", "-m", "digest"]
    environment  = { MODE = "digest" }
    role_arns    = ["arn:aws:iam::123456789012:role/connect2-api/dev/connect2-api-dev-execution", "arn:aws:iam::123456789012:role/connect2-api/dev/connect2-api-dev-task"]
  }

  network = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"] }
}

run "a_task_by_the_clock" {
  command = plan

  assert {
    condition     = jsonencode([aws_scheduler_schedule.this.name, aws_scheduler_schedule.this.group_name, aws_scheduler_schedule.this.schedule_expression, aws_scheduler_schedule.this.schedule_expression_timezone, aws_scheduler_schedule.this.state, aws_scheduler_schedule.this.flexible_time_window[0].mode]) == jsonencode(["connect2-api-digest-dev", "default", "cron(0 6 ? * MON-FRI *)", "Europe/Berlin", "ENABLED", "OFF"])
    error_message = "name, time, zone"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].arn == var.cluster_arn && aws_scheduler_schedule.this.target[0].role_arn == aws_iam_role.this.arn && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_definition_arn == var.task.template_arn && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_count == 1
    error_message = "it starts one task in the cluster, from the template to begin with"
  }

  assert {
    condition     = jsonencode(jsondecode(aws_scheduler_schedule.this.target[0].input)) == jsonencode({ containerOverrides = [{ name = "connect2-api", command = ["python", "-m", "digest"], environment = [{ name = "MODE", value = "digest" }] }] })
    error_message = "the container gets its command and variables: ${aws_scheduler_schedule.this.target[0].input}"
  }

  assert {
    condition     = one(aws_scheduler_schedule.this.target[0].ecs_parameters[0].capacity_provider_strategy).capacity_provider == "FARGATE" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].network_configuration[0].assign_public_ip == false && aws_scheduler_schedule.this.target[0].ecs_parameters[0].network_configuration[0].security_groups == toset(["sg-0123456789abcdef0"])
    error_message = "on demand, in the private subnets, with the service's group"
  }

  assert {
    condition = jsonencode({ for s in data.aws_iam_policy_document.this.statement : s.sid => [sort(s.actions), sort(s.resources), one(s.condition).variable, one(s.condition).values] }) == jsonencode({
      RunTask   = [["ecs:RunTask"], ["arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:*", "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev:*"], "ecs:cluster", [var.cluster_arn]]
      TagTask   = [["ecs:TagResource"], ["arn:aws:ecs:us-west-2:123456789012:task/connect2-api-cluster-dev/*"], "ecs:CreateAction", ["RunTask"]]
      PassRoles = [["iam:PassRole"], sort(var.task.role_arns), "iam:PassedToService", ["ecs-tasks.amazonaws.com"]]
    })
    error_message = "its role runs this family in this cluster, with these roles, and does nothing else"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == toset(["scheduler.amazonaws.com"]) && one(one(data.aws_iam_policy_document.assume.statement).condition).variable == "aws:SourceAccount"
    error_message = "this account's Scheduler alone takes it"
  }

  assert {
    condition     = length(aws_sqs_queue.dead) == 0 && length(aws_scheduler_schedule.this.target[0].dead_letter_config) == 0 && length(aws_cloudwatch_metric_alarm.dead) == 0
    error_message = "without a word there is no queue"
  }
}

run "choices" {
  command = plan

  variables {
    expression     = "rate(5 minutes)"
    enabled        = false
    window_minutes = 15
    group          = "jobs"
    dead_letter    = { create = true }
    alarm          = { prefix = "connect2-api-alerts-dev-digest", topic_arns = ["arn:aws:sns:us-west-2:123456789012:alerts"] }
    kms_key_arn    = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    iam            = { path = "/connect2-api/dev/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
    task = {
      family    = "connect2-api-worker-dev"
      container = "worker"
      count     = 2
      use_spot  = true
      role_arns = ["arn:aws:iam::123456789012:role/execution"]
    }
  }

  assert {
    condition     = aws_scheduler_schedule.this.state == "DISABLED" && aws_scheduler_schedule.this.flexible_time_window[0].maximum_window_in_minutes == 15 && aws_scheduler_schedule.this.group_name == "jobs" && aws_scheduler_schedule.this.target[0].input == null
    error_message = "switched off, within a quarter of an hour, and nothing is said to the container"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_definition_arn == "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-worker-dev" && one(aws_scheduler_schedule.this.target[0].ecs_parameters[0].capacity_provider_strategy).capacity_provider == "FARGATE_SPOT" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_count == 2
    error_message = "without a template the family's newest revision, twice, on Spot"
  }

  assert {
    condition     = aws_sqs_queue.dead[0].name == "connect2-api-digest-dev-dead" && aws_sqs_queue.dead[0].kms_master_key_id == var.kms_key_arn && aws_scheduler_schedule.this.target[0].dead_letter_config[0].arn == aws_sqs_queue.dead[0].arn && aws_cloudwatch_metric_alarm.dead[0].alarm_name == "connect2-api-alerts-dev-digest-dead"
    error_message = "what could not be started lies in the queue, and is told"
  }

  assert {
    condition     = toset(data.aws_iam_policy_document.this.statement[*].sid) == toset(["RunTask", "TagTask", "PassRoles", "DeadLetter", "DeadLetterKey"]) && aws_iam_role.this.path == "/connect2-api/dev/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "the role may put it there, within the boundary"
  }
}

# Each run holds bad values of several variables; each of them must be refused.
run "first_refusals" {
  command = plan

  variables {
    name           = "a/b"
    expression     = "cron(0 6 * * MON *)"
    timezone       = "+02:00"
    window_minutes = 1441
    retry          = { attempts = 186 }
    dead_letter    = { create = true, arn = "arn:aws:sqs:us-west-2:123456789012:dead" }
    task           = { family = "f", container = "c", count = 11, role_arns = ["r"] }
  }

  expect_failures = [var.name, var.expression, var.timezone, var.window_minutes, var.retry, var.dead_letter, var.task]
}

run "second_refusals" {
  command = plan

  variables {
    expression     = "rate(1 minutes)"
    timezone       = "CEST"
    window_minutes = 1.5
    task           = { family = "f", container = "c", role_arns = [] }
  }

  expect_failures = [var.expression, var.timezone, var.window_minutes, var.task]
}
