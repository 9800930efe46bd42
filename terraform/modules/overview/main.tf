data "aws_region" "current" {}

locals {
  # All that the load balancer says; of one that others use as well, what it says of these targets, which are not all of its answers.
  targets = length(try(var.load_balancer.target_arn_suffixes, {})) == 0 ? [[]] : [for suffix in values(var.load_balancer.target_arn_suffixes) : ["TargetGroup", suffix]]
  answers = concat(
    ["RequestCount", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"],
    length(try(var.load_balancer.target_arn_suffixes, {})) == 0 ? ["HTTPCode_ELB_5XX_Count"] : [],
  )

  # One graph: a title and its lines, each [namespace, metric, dimension, value, …].
  graphs = concat(
    var.load_balancer == null ? [] : [
      { title = "Answers a minute", stat = "Sum", lines = [for pair in setproduct(local.answers, local.targets) : concat(["AWS/ApplicationELB", pair[0], "LoadBalancer", var.load_balancer.arn_suffix], pair[1])] },
      { title = "Time to answer, 99th percentile, in seconds", stat = "p99", lines = [for target in local.targets : concat(["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer.arn_suffix], target)] },
    ],
    flatten([for name, service in var.services : [
      { title = "${name}: tasks", stat = "Average", lines = [for metric in ["DesiredTaskCount", "RunningTaskCount", "PendingTaskCount"] : ["ECS/ContainerInsights", metric, "ClusterName", var.cluster, "ServiceName", service]] },
      { title = "${name}: CPU and memory, in percent", stat = "Average", lines = [for metric in ["CPUUtilization", "MemoryUtilization"] : ["AWS/ECS", metric, "ClusterName", var.cluster, "ServiceName", service]] },
    ]]),
    var.database == null ? [] : [
      { title = "Database: CPU in percent, connections", stat = "Average", lines = [for metric in ["CPUUtilization", "DatabaseConnections"] : ["AWS/RDS", metric, "DBInstanceIdentifier", var.database]] },
      { title = "Database: free storage in bytes", stat = "Minimum", lines = [["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database]] },
    ],
    length(var.cache_nodes) == 0 ? [] : [
      { title = "Cache: CPU in percent", stat = "Average", lines = [for node in var.cache_nodes : ["AWS/ElastiCache", "CPUUtilization", "CacheClusterId", node]] },
      { title = "Cache: evictions a minute", stat = "Sum", lines = [for node in var.cache_nodes : ["AWS/ElastiCache", "Evictions", "CacheClusterId", node]] },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for i, graph in local.graphs : {
      type   = "metric"
      x      = (i % 2) * 12
      y      = floor(i / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = graph.title
        region  = data.aws_region.current.region
        view    = "timeSeries"
        stat    = graph.stat
        period  = 60
        metrics = graph.lines
      }
    }]
  })
}

resource "aws_budgets_budget" "this" {
  count = var.budget == null ? 0 : 1

  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget.usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:%s$%s", var.budget.tag.key, var.budget.tag.value)]
  }

  notification {
    notification_type          = "ACTUAL"
    comparison_operator        = "GREATER_THAN"
    threshold                  = var.budget.percent
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.budget.emails
  }

  notification {
    notification_type          = "FORECASTED"
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.budget.emails
  }
}
