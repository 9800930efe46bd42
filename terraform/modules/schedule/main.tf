data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  arn     = "arn:${data.aws_partition.current.partition}"
  regions = "${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"

  # Of any revision: which one runs is the releases' to say.
  families = distinct(concat([var.task.family], var.task.template_arn == null ? [] : [split(":", reverse(split("/", var.task.template_arn))[0])[0]]))

  override = { for key, value in {
    name        = var.task.container
    command     = var.task.command
    environment = length(var.task.environment) == 0 ? null : [for name in sort(keys(var.task.environment)) : { name = name, value = var.task.environment[name] }]
    cpu         = var.task.cpu
    memory      = var.task.memory
  } : key => value if value != null }

  dead_letter_arn = var.dead_letter.create ? aws_sqs_queue.dead[0].arn : var.dead_letter.arn
}

resource "aws_scheduler_schedule" "this" {
  name        = var.name
  group_name  = var.group
  description = "Runs ${var.task.container} of ${var.task.family}: ${var.expression}, ${var.timezone}"
  state       = var.enabled ? "ENABLED" : "DISABLED"

  schedule_expression          = var.expression
  schedule_expression_timezone = var.timezone

  flexible_time_window {
    mode                      = var.window_minutes > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = var.window_minutes > 0 ? var.window_minutes : null
  }

  target {
    arn      = var.cluster_arn
    role_arn = aws_iam_role.this.arn
    input    = length(local.override) > 1 ? jsonencode({ containerOverrides = [local.override] }) : null

    ecs_parameters {
      # The template, whose image is none, until a release points the schedule at a revision of its own.
      task_definition_arn     = coalesce(var.task.template_arn, "${local.arn}:ecs:${local.regions}:task-definition/${var.task.family}")
      task_count              = var.task.count
      platform_version        = "LATEST"
      enable_ecs_managed_tags = true
      propagate_tags          = "TASK_DEFINITION"

      dynamic "capacity_provider_strategy" {
        for_each = var.task.use_spot ? ["FARGATE_SPOT"] : ["FARGATE"]

        content {
          capacity_provider = capacity_provider_strategy.value
          weight            = 1
        }
      }

      network_configuration {
        subnets          = var.network.subnet_ids
        security_groups  = var.network.security_group_ids
        assign_public_ip = false
      }
    }

    retry_policy {
      maximum_event_age_in_seconds = var.retry.seconds
      maximum_retry_attempts       = var.retry.attempts
    }

    dynamic "dead_letter_config" {
      for_each = var.dead_letter.create || var.dead_letter.arn != null ? [local.dead_letter_arn] : []

      content {
        arn = dead_letter_config.value
      }
    }
  }

  # Releases move the schedule to the revision that they have rolled out, and back with it.
  lifecycle {
    ignore_changes = [target[0].ecs_parameters[0].task_definition_arn]
  }

  # What it runs as must be allowed before it comes due.
  depends_on = [aws_iam_role_policy.this]
}

# What could not be started after every attempt.
resource "aws_sqs_queue" "dead" {
  count = var.dead_letter.create ? 1 : 0

  name                      = "${var.name}-dead"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  count = var.dead_letter.create && var.alarm != null ? 1 : 0

  alarm_name          = "${var.alarm.prefix}-dead"
  alarm_description   = "${var.name} could not start its task: what was asked, and the error, lie in the queue ${var.name}-dead"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead[0].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm.topic_arns
}
