resource "aws_wafv2_web_acl" "this" {
  count = var.waf.enabled ? 1 : 0

  name        = var.name
  description = "In front of ${var.name}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = { AWSManagedRulesCommonRuleSet = 10, AWSManagedRulesKnownBadInputsRuleSet = 20 }

    content {
      name     = rule.key
      priority = rule.value

      override_action {
        dynamic "none" {
          for_each = var.waf.count ? [] : [1]

          content {}
        }

        dynamic "count" {
          for_each = var.waf.count ? [1] : []

          content {}
        }
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key

          dynamic "rule_action_override" {
            for_each = lookup(var.waf.count_rules, rule.key, [])

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = rule.key
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "rate-limit"
    priority = 30

    action {
      dynamic "block" {
        for_each = var.waf.count ? [] : [1]

        content {}
      }

      dynamic "count" {
        for_each = var.waf.count ? [1] : []

        content {}
      }
    }

    statement {
      rate_based_statement {
        aggregate_key_type = "IP"
        limit              = var.waf.rate_limit
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate-limit"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.waf.enabled ? 1 : 0

  resource_arn = aws_lb.this[0].arn
  web_acl_arn  = aws_wafv2_web_acl.this[0].arn
}

# AWS wants the name to begin so.
resource "aws_cloudwatch_log_group" "waf" {
  count = var.waf.enabled && var.waf.log_retention_days > 0 ? 1 : 0

  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.waf.log_retention_days
  kms_key_id        = var.waf.log_kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  count = length(aws_cloudwatch_log_group.waf)

  resource_arn            = aws_wafv2_web_acl.this[0].arn
  log_destination_configs = [aws_cloudwatch_log_group.waf[0].arn]

  # What nobody should read in a log.
  dynamic "redacted_fields" {
    for_each = ["authorization", "cookie"]

    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }

  # What was let through is in the access log.
  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      dynamic "condition" {
        for_each = ["BLOCK", "COUNT", "EXCLUDED_AS_COUNT"]

        content {
          action_condition {
            action = condition.value
          }
        }
      }
    }
  }
}
