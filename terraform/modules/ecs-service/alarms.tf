locals {
  alarm_dimensions = { ClusterName = var.cluster.name, ServiceName = var.service_name }

  # CPU and memory near their end although tasks could be added, or although there are as many as there may be.
  usage_alarms = var.alarms == null ? {} : { for name, alarm in {
    cpu    = { metric = "CPUUtilization", threshold = var.alarms.cpu_percent }
    memory = { metric = "MemoryUtilization", threshold = var.alarms.memory_percent }
  } : name => alarm if alarm.threshold > 0 }
}

resource "aws_cloudwatch_metric_alarm" "usage" {
  for_each = local.usage_alarms

  alarm_name          = "${var.alarms.prefix}-${each.key}"
  alarm_description   = "${var.service_name} uses more than ${each.value.threshold} % of its ${each.key == "cpu" ? "CPU" : "memory"}, for fifteen minutes"
  namespace           = "AWS/ECS"
  metric_name         = each.value.metric
  dimensions          = local.alarm_dimensions
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
}

# Ten minutes: a deployment that goes well starts its tasks sooner.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  count = var.alarms == null ? 0 : 1

  alarm_name          = "${var.alarms.prefix}-tasks-missing"
  alarm_description   = "Fewer tasks of ${var.service_name} run than should, for ten minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns

  metric_query {
    id          = "missing"
    label       = "tasks that should run and do not"
    expression  = "desired - running"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { desired = "DesiredTaskCount", running = "RunningTaskCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "ECS/ContainerInsights"
        metric_name = metric_query.value
        dimensions  = local.alarm_dimensions
        stat        = "Average"
        period      = 60
      }
    }
  }
}

# The queue is longer than somebody wants to wait for. Nothing reported is bad here: whoever measures it has stopped, or the queue is gone.
resource "aws_cloudwatch_metric_alarm" "queue" {
  count = try(var.alarms.queue_length, 0) > 0 ? 1 : 0

  alarm_name          = "${var.alarms.prefix}-queue"
  alarm_description   = "More than ${var.alarms.queue_length} wait for ${var.service_name}, for fifteen minutes"
  namespace           = var.capacity.queue.namespace
  metric_name         = var.capacity.queue.metric
  dimensions          = var.capacity.queue.dimensions
  statistic           = var.capacity.queue.statistic
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.queue_length
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
}
