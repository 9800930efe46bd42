mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name          = "connect2-api-dev"
  cluster       = "connect2-api-cluster-dev"
  services      = { api = "connect2-api-service-dev", worker = "connect2-api-worker-dev" }
  load_balancer = { arn_suffix = "app/connect2-api-alb-dev/0123456789abcdef" }
  database      = "connect2-api-db-dev"
  cache_nodes   = ["connect2-api-redis-dev-001", "connect2-api-redis-dev-002"]
}

run "everything_is_shown_once" {
  command = plan

  variables {
    budget = { usd = 200, emails = ["on-call@example.com"], tag = { key = "Environment", value = "dev" } }
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 10 && length(distinct([for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : "${w.x} ${w.y}"])) == 10
    error_message = "ten graphs, none over another"
  }

  assert {
    condition     = toset(flatten([for w in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [for m in w.properties.metrics : m[length(m) - 1]]])) == toset(concat(values(var.services), [var.load_balancer.arn_suffix, var.database], var.cache_nodes))
    error_message = "each thing is in it"
  }

  assert {
    condition     = aws_budgets_budget.this[0].limit_amount == "200" && one(aws_budgets_budget.this[0].cost_filter).values == tolist(["user:Environment$dev"]) && toset([for n in aws_budgets_budget.this[0].notification : "${n.notification_type} ${n.threshold}"]) == toset(["ACTUAL 80", "FORECASTED 100"])
    error_message = "the limit, whose cost it is, and the two moments at which it is told: ${jsonencode(one(aws_budgets_budget.this[0].cost_filter).values)}"
  }
}

run "little_is_little" {
  command = plan

  variables {
    dashboard     = false
    services      = {}
    load_balancer = null
    database      = null
    cache_nodes   = []
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0 && length(aws_budgets_budget.this) == 0 && length(local.graphs) == 0
    error_message = "nothing is made that was not asked for"
  }
}

run "of_a_load_balancer_that_others_use_only_its_own_is_shown" {
  command = plan

  variables {
    load_balancer = { arn_suffix = "app/shared/0123456789abcdef", target_arn_suffixes = { blue = "targetgroup/blue/0123456789abcdef", green = "targetgroup/green/0123456789abcdef" } }
  }

  assert {
    condition = toset([for m in local.graphs[0].lines : jsonencode(m)]) == toset([for pair in setproduct(["RequestCount", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"], ["blue", "green"]) :
      jsonencode(["AWS/ApplicationELB", pair[0], "LoadBalancer", "app/shared/0123456789abcdef", "TargetGroup", "targetgroup/${pair[1]}/0123456789abcdef"])
    ]) && length(local.graphs[1].lines) == 2
    error_message = "the answers of each target group, and no others: ${jsonencode(local.graphs[0].lines)}"
  }
}
