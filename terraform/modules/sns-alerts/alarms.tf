locals {
  target_alarms = var.load_balancer == null ? {} : merge([
    for colour, suffix in var.load_balancer.target_arn_suffixes : {
      "${colour}-unhealthy" = {
        description = "The load balancer finds targets of the service unhealthy"
        metric      = "UnHealthyHostCount"
        statistic   = "Maximum"
        threshold   = var.load_balancer.unhealthy_host_count
        suffix      = suffix
      }
    }
  ]...)

  # What the whole load balancer says: answers that no target made, and how long the slowest take. One that others use as well says
  # the second of each target group, and the first of nobody in particular.
  balancer_alarms = var.load_balancer == null ? {} : merge(
    { for name in(var.load_balancer.shared ? [] : ["elb-5xx"]) : name => {
      description = "The load balancer itself answers with 5xx ${var.load_balancer.errors_elb} times a minute or more: no target took the request, or none answered in time"
      metric      = "HTTPCode_ELB_5XX_Count"
      statistic   = "Sum"
      extended    = null
      threshold   = var.load_balancer.errors_elb
      dimensions  = {}
    } },
    { for name, dimensions in(var.load_balancer.shared ? { for colour, suffix in var.load_balancer.target_arn_suffixes : "${colour}-latency" => { TargetGroup = suffix } } : { latency = {} }) : name => {
      description = "One answer in a hundred takes ${var.load_balancer.latency_seconds} s or more"
      metric      = "TargetResponseTime"
      statistic   = null
      extended    = "p99"
      threshold   = var.load_balancer.latency_seconds
      dimensions  = dimensions
    } },
  )

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

# A share and a number: ten errors a minute are an outage of a quiet service, and nothing in a busy one. Missing data is good:
# a target group without traffic reports nothing. It is these that undo a release.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = var.load_balancer == null ? {} : var.load_balancer.target_arn_suffixes

  alarm_name          = "${var.name}-${each.key}-5xx"
  alarm_description   = "${var.load_balancer.errors_percent} % of the service's answers or more are 5xx, at least ${var.load_balancer.errors_5xx} a minute"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.load_balancer.errors_percent
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "share"
    label       = "answers that are 5xx, in percent"
    expression  = "IF(errors >= ${var.load_balancer.errors_5xx}, 100 * errors / requests, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "HTTPCode_Target_5XX_Count", requests = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = each.value }
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "balancer" {
  for_each = local.balancer_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = merge({ LoadBalancer = var.load_balancer.arn_suffix }, each.value.dimensions)
  statistic           = each.value.statistic
  extended_statistic  = each.value.extended
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# Of all colours together: while traffic shifts, one of the two has none. With no healthy host left anywhere the metrics end, and
# that is the alarm that must not stay silent: missing data is bad here. Before the first release there is none either.
resource "aws_cloudwatch_metric_alarm" "healthy" {
  count = var.load_balancer == null ? 0 : 1

  alarm_name          = "${var.name}-no-healthy-host"
  alarm_description   = "The load balancer has no healthy target: the service is down"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "healthy"
    label       = "healthy targets"
    expression  = "SUM([${join(", ", keys(var.load_balancer.target_arn_suffixes))}])"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = var.load_balancer.target_arn_suffixes

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "HealthyHostCount"
        dimensions  = { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = metric_query.value }
        stat        = "Minimum"
        period      = 60
      }
    }
  }
}

# Ten minutes: a deployment that goes well starts its tasks sooner.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  count = var.tasks == null ? 0 : 1

  alarm_name          = "${var.name}-tasks-missing"
  alarm_description   = "Fewer tasks of ${var.tasks.service} run than should, for ten minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

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
        dimensions  = { ClusterName = var.tasks.cluster, ServiceName = var.tasks.service }
        stat        = "Average"
        period      = 60
      }
    }
  }
}

# The unhealthy alarm needs three minutes out of three: a rollout makes single minutes red.
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
