locals {
  nodes = [for i in range(var.num_cache_clusters) : format("%s-%03d", var.name, i + 1)]

  alarms = var.alarms.enabled ? merge([
    for node in local.nodes : {
      "${node}-cpu" = { node = node, metric = "CPUUtilization", statistic = "Average", threshold = var.alarms.cpu_percent, unit = "%" }
      # A full cache is no fault: it forgets what was not used for longest. That it must forget, minute by minute, is the sign.
      "${node}-evictions" = { node = node, metric = "Evictions", statistic = "Sum", threshold = var.alarms.evictions, unit = "a minute" }
    }
  ]...) : {}
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.key
  alarm_description   = "${each.value.metric} of Redis node ${each.value.node} above ${each.value.threshold} ${each.value.unit}"
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = each.value.node }
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns

  depends_on = [aws_elasticache_replication_group.this]
}
