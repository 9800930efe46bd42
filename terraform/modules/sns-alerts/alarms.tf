locals {
  target_alarms = var.load_balancer == null ? {} : merge([
    for colour, suffix in var.load_balancer.target_arn_suffixes : {
      "${colour}-5xx" = {
        description = "The service answers with 5xx ${var.load_balancer.errors_5xx} times a minute or more"
        metric      = "HTTPCode_Target_5XX_Count"
        statistic   = "Sum"
        threshold   = var.load_balancer.errors_5xx
        suffix      = suffix
      }
      "${colour}-unhealthy" = {
        description = "The load balancer finds targets of the service unhealthy"
        metric      = "UnHealthyHostCount"
        statistic   = "Maximum"
        threshold   = var.load_balancer.unhealthy_host_count
        suffix      = suffix
      }
    }
  ]...)

  database_alarms = var.database == null ? {} : {
    database-cpu = {
      description = "The database's CPU is above ${var.database.cpu_percent} %"
      metric      = "CPUUtilization"
      comparison  = "GreaterThanThreshold"
      threshold   = var.database.cpu_percent
    }
    database-storage = {
      description = "The database has less than ${var.database.free_storage_gib} GiB of storage left"
      metric      = "FreeStorageSpace"
      comparison  = "LessThanThreshold"
      threshold   = var.database.free_storage_gib * 1024 * 1024 * 1024
    }
  }
}

# The unhealthy alarm needs three minutes out of three: a rollout makes single minutes red. Both treat missing data as
# good, since a target group without traffic or targets reports nothing.
resource "aws_cloudwatch_metric_alarm" "target" {
  for_each = local.target_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = each.value.suffix }
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}
