mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name        = "connect2-api-alerts-prod"
  kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  service_arn = "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-prod/connect2-api-service-prod"

  load_balancer = {
    arn_suffix          = "app/mock/0123456789abcdef"
    target_arn_suffixes = { blue = "targetgroup/blue/0123456789abcdef", green = "targetgroup/green/0123456789abcdef" }
  }

  database = { identifier = "connect2-api-db-prod" }
}

run "failed_deployments_and_impaired_starts_are_told" {
  command = plan

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["deployment-failed"].event_pattern).detail.eventName == ["SERVICE_DEPLOYMENT_FAILED"]
    error_message = "a failed deployment"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["tasks-not-starting"].event_pattern).detail.eventName == ["SERVICE_TASK_START_IMPAIRED", "SERVICE_TASK_PLACEMENT_FAILURE"]
    error_message = "tasks that do not start"
  }

  assert {
    condition     = alltrue([for r in aws_cloudwatch_event_rule.this : jsondecode(r.event_pattern).resources == [var.service_arn]])
    error_message = "of this service alone"
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.this) == 2 && alltrue([for key, t in aws_cloudwatch_event_target.this : t.arn == aws_sns_topic.this.arn && t.rule == aws_cloudwatch_event_rule.this[key].name])
    error_message = "both lead to the topic"
  }

  assert {
    condition = jsonencode({ for key, r in aws_cloudwatch_event_rule.this : key => [jsondecode(r.event_pattern).source, jsondecode(r.event_pattern).detail-type] }) == jsonencode({
      deployment-failed  = [["aws.ecs"], ["ECS Deployment State Change"]]
      tasks-not-starting = [["aws.ecs"], ["ECS Service Action"]]
    })
    error_message = "the kinds of event that ECS sends these names with"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : one(s.principals).identifiers if s.sid == "Events"]) == toset(["events.amazonaws.com"])
    error_message = "EventBridge may publish"
  }
}

run "alarms_have_these_names_and_thresholds" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors["blue"].alarm_name == "connect2-api-alerts-prod-blue-5xx" && aws_cloudwatch_metric_alarm.errors["blue"].threshold == 5 && one([for q in aws_cloudwatch_metric_alarm.errors["blue"].metric_query : q.expression if q.id == "share"]) == "IF(errors >= 10, 100 * errors / requests, 0)"
    error_message = "five percent, of ten a minute at least"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.target["green-unhealthy"].threshold == 1 && aws_cloudwatch_metric_alarm.target["green-unhealthy"].evaluation_periods == 3
    error_message = "a host that is unhealthy for three minutes"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.database["database-cpu"].threshold == 80
    error_message = "database CPU above 80 %"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.database["database-storage"].threshold == 4294967296 && aws_cloudwatch_metric_alarm.database["database-storage"].comparison_operator == "LessThanThreshold"
    error_message = "less than 4 GiB of storage"
  }

  assert {
    condition     = toset(output.deployment_alarm_names) == toset(["connect2-api-alerts-prod-blue-5xx", "connect2-api-alerts-prod-green-5xx"])
    error_message = "the 5xx alarms undo a release"
  }

  assert {
    condition = jsonencode({ for key, a in merge(aws_cloudwatch_metric_alarm.target, aws_cloudwatch_metric_alarm.database) : key => [a.alarm_name, a.namespace, a.metric_name, a.comparison_operator, a.threshold] }) == jsonencode({
      blue-unhealthy   = ["connect2-api-alerts-prod-blue-unhealthy", "AWS/ApplicationELB", "UnHealthyHostCount", "GreaterThanOrEqualToThreshold", 1]
      green-unhealthy  = ["connect2-api-alerts-prod-green-unhealthy", "AWS/ApplicationELB", "UnHealthyHostCount", "GreaterThanOrEqualToThreshold", 1]
      database-cpu     = ["connect2-api-alerts-prod-database-cpu", "AWS/RDS", "CPUUtilization", "GreaterThanThreshold", 80]
      database-storage = ["connect2-api-alerts-prod-database-storage", "AWS/RDS", "FreeStorageSpace", "LessThanThreshold", 4294967296]
    })
    error_message = "each alarm with its metric and threshold"
  }

  assert {
    condition = jsonencode({ for key, a in aws_cloudwatch_metric_alarm.balancer : key => [a.metric_name, a.threshold, a.dimensions] }) == jsonencode({
      elb-5xx = ["HTTPCode_ELB_5XX_Count", 10, { LoadBalancer = "app/mock/0123456789abcdef" }]
      latency = ["TargetResponseTime", 5, { LoadBalancer = "app/mock/0123456789abcdef" }]
    }) && aws_cloudwatch_metric_alarm.balancer["latency"].extended_statistic == "p99"
    error_message = "what no target answered, and how long the slowest take"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.healthy[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.healthy[0].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.healthy[0].threshold == 1 && toset([for q in aws_cloudwatch_metric_alarm.healthy[0].metric_query : q.id]) == toset(["healthy", "blue", "green"])
    error_message = "no healthy host of either colour, or no metric at all, is an alarm"
  }

  assert {
    condition     = alltrue([for a in merge(aws_cloudwatch_metric_alarm.target, aws_cloudwatch_metric_alarm.database, aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.balancer, { healthy = aws_cloudwatch_metric_alarm.healthy[0] }) : a.alarm_actions == toset([aws_sns_topic.this.arn]) && a.ok_actions == toset([aws_sns_topic.this.arn])])
    error_message = "each tells the topic, of the end too"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.target["green-unhealthy"].dimensions == tomap({ LoadBalancer = "app/mock/0123456789abcdef", TargetGroup = "targetgroup/green/0123456789abcdef" }) && alltrue([for a in aws_cloudwatch_metric_alarm.database : a.dimensions == tomap({ DBInstanceIdentifier = "connect2-api-db-prod" })])
    error_message = "of this load balancer, target group and database"
  }
}

run "missing_tasks_ring" {
  command = plan

  variables {
    tasks = { cluster = "connect2-api-cluster-prod", service = "connect2-api-service-prod" }
  }

  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.tasks[0].metric_query : q.expression if q.id == "missing"]) == "desired - running" && aws_cloudwatch_metric_alarm.tasks[0].evaluation_periods == 10
    error_message = "fewer run than should, for ten minutes"
  }
}

run "thresholds_are_the_environments" {
  command = plan

  variables {
    load_balancer = {
      arn_suffix          = "app/mock/0123456789abcdef"
      target_arn_suffixes = { blue = "targetgroup/blue/0123456789abcdef" }
      errors_percent      = 1
      errors_5xx          = 200
      errors_elb          = 7
      latency_seconds     = 0.5
    }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors["blue"].threshold == 1 && one([for q in aws_cloudwatch_metric_alarm.errors["blue"].metric_query : q.expression if q.id == "share"]) == "IF(errors >= 200, 100 * errors / requests, 0)" && aws_cloudwatch_metric_alarm.balancer["elb-5xx"].threshold == 7 && aws_cloudwatch_metric_alarm.balancer["latency"].threshold == 0.5
    error_message = "a busy service has others than a quiet one"
  }
}

run "subscriptions_are_made" {
  command = plan

  variables {
    subscriptions = { on-call = { protocol = "email", endpoint = "on-call@example.com" } }
  }

  assert {
    condition     = aws_sns_topic_subscription.this["on-call"].endpoint == "on-call@example.com" && aws_sns_topic_subscription.this["on-call"].protocol == "email" && aws_sns_topic_subscription.this["on-call"].topic_arn == aws_sns_topic.this.arn
    error_message = "by name"
  }
}

run "nothing_to_watch_no_alarm" {
  command = plan

  variables {
    service_arn   = null
    load_balancer = null
    database      = null
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 0 && length(aws_cloudwatch_metric_alarm.target) == 0 && length(aws_cloudwatch_metric_alarm.database) == 0
    error_message = "the topic alone"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn
    error_message = "[SNS.1] messages are encrypted"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : length(s.condition) > 0])
    error_message = "[SNS.4] nobody publishes without a condition, everybody is no principal"
  }

  assert {
    condition     = contains([for s in data.aws_iam_policy_document.this.statement : s.effect if s.sid == "TLSOnly" && one(s.condition).variable == "aws:SecureTransport" && one(s.condition).values == tolist(["false"])], "Deny")
    error_message = "publishing without TLS is refused"
  }

  assert {
    condition     = contains(aws_db_event_subscription.this[0].event_categories, "failure") && aws_db_event_subscription.this[0].source_type == "db-instance"
    error_message = "[RDS.20] the database's failures are told"
  }
}

run "plain_http_is_refused" {
  command = plan

  variables {
    subscriptions = { hook = { protocol = "http", endpoint = "http://example.com" } }
  }

  expect_failures = [var.subscriptions]
}

run "of_a_load_balancer_that_others_use_only_its_own_rings" {
  command = plan

  variables {
    load_balancer = {
      arn_suffix          = "app/shared/0123456789abcdef"
      target_arn_suffixes = { blue = "targetgroup/blue/0123456789abcdef", green = "targetgroup/green/0123456789abcdef" }
      shared              = true
    }
  }

  assert {
    condition = jsonencode({ for key, a in aws_cloudwatch_metric_alarm.balancer : key => [a.alarm_name, a.metric_name, a.dimensions] }) == jsonencode({
      blue-latency  = ["connect2-api-alerts-prod-blue-latency", "TargetResponseTime", { LoadBalancer = "app/shared/0123456789abcdef", TargetGroup = "targetgroup/blue/0123456789abcdef" }]
      green-latency = ["connect2-api-alerts-prod-green-latency", "TargetResponseTime", { LoadBalancer = "app/shared/0123456789abcdef", TargetGroup = "targetgroup/green/0123456789abcdef" }]
    })
    error_message = "somebody else's slow answers wake nobody here"
  }
}
