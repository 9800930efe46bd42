locals {
  events = {
    deployment-failed = {
      description = "A deployment of the service failed"
      type        = "ECS Deployment State Change"
      names       = ["SERVICE_DEPLOYMENT_FAILED"]
    }
    tasks-not-starting = {
      description = "Tasks of the service cannot be started or placed"
      type        = "ECS Service Action"
      names       = ["SERVICE_TASK_START_IMPAIRED", "SERVICE_TASK_PLACEMENT_FAILURE"]
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = var.service_arn == null ? {} : local.events

  name        = "${var.name}-${each.key}"
  description = each.value.description

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = [each.value.type]
    resources   = [var.service_arn]
    detail      = { eventName = each.value.names }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = aws_cloudwatch_event_rule.this

  rule      = each.value.name
  target_id = "alerts"
  arn       = aws_sns_topic.this.arn
}

# What the database does of itself: failures, failovers, a full disk, maintenance.
resource "aws_db_event_subscription" "this" {
  count = var.database == null ? 0 : 1

  name             = var.name
  sns_topic        = aws_sns_topic.this.arn
  source_type      = "db-instance"
  source_ids       = [var.database.identifier]
  event_categories = ["availability", "configuration change", "deletion", "failover", "failure", "low storage", "maintenance", "recovery"]

  depends_on = [aws_sns_topic_policy.this]
}
