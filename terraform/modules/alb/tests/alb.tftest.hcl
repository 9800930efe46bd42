mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name = "connect2-api-alb-prod"

  network = {
    vpc_id     = "vpc-0123456789abcdef0"
    vpc_cidr   = "10.1.0.0/16"
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  }

  https = { certificate_arn = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555" }
}

run "https_is_the_default_and_http_leads_there" {
  command = plan

  override_resource {
    target          = aws_lb_listener.https
    values          = { arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/mock/0123456789abcdef/443" }
    override_during = plan
  }

  assert {
    condition     = aws_lb_listener.https[0].port == 443 && aws_lb_listener.https[0].protocol == "HTTPS"
    error_message = "HTTPS is served"
  }

  assert {
    condition     = aws_lb_listener.http[0].default_action[0].type == "redirect" && aws_lb_listener.http[0].default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http[0].default_action[0].redirect[0].status_code == "HTTP_301" && aws_lb_listener.http[0].default_action[0].redirect[0].port == "443" && aws_lb_listener.http[0].port == 80 && aws_lb_listener.http[0].protocol == "HTTP"
    error_message = "HTTP redirects for good, from 80 to 443"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.this)) == toset(["80 from 0.0.0.0/0", "443 from 0.0.0.0/0"])
    error_message = "both ports are open"
  }

  assert {
    condition     = aws_lb_listener_rule.production.listener_arn == "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/mock/0123456789abcdef/443"
    error_message = "traffic is taken from the HTTPS listener"
  }

  assert {
    condition     = aws_lb_listener.https[0].certificate_arn == var.https.certificate_arn
    error_message = "with the certificate that was given"
  }

  assert {
    condition     = aws_lb.this[0].internal == false && aws_lb.this[0].load_balancer_type == "application" && aws_lb.this[0].subnets == toset(var.network.subnet_ids) && aws_lb.this[0].security_groups == toset([aws_security_group.this[0].id])
    error_message = "the load balancer stands in the public subnets, behind its security group"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.targets[0].cidr_ipv4 == "10.1.0.0/16" && aws_vpc_security_group_egress_rule.targets[0].from_port == 8000 && aws_vpc_security_group_egress_rule.targets[0].to_port == 8000
    error_message = "it reaches the targets' port inside the VPC, and nothing else"
  }
}

run "plain_http_when_asked" {
  command = plan

  variables {
    https = { enabled = false }
  }

  assert {
    condition     = length(aws_lb_listener.https) == 0 && aws_lb_listener.http[0].default_action[0].type == "fixed-response"
    error_message = "HTTP serves"
  }

  assert {
    condition     = aws_lb_listener_rule.production.listener_arn == aws_lb_listener.http[0].arn && output.shape.listeners == { "80" = "serve" }
    error_message = "traffic is taken from the HTTP listener"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.this)) == toset(["80 from 0.0.0.0/0"])
    error_message = "only port 80 is open"
  }
}

run "targets_are_checked_and_leave_quickly" {
  command = plan

  assert {
    condition     = aws_lb_target_group.this["blue"].health_check[0].path == "/health" && aws_lb_target_group.this["blue"].health_check[0].interval == 30 && aws_lb_target_group.this["blue"].health_check[0].matcher == "200" && aws_lb_target_group.this["blue"].health_check[0].protocol == "HTTP"
    error_message = "GET /health every 30 s, and 200 is healthy"
  }

  assert {
    condition     = tonumber(aws_lb_target_group.this["blue"].deregistration_delay) == 30
    error_message = "a leaving target gets 30 s, not the default 300"
  }

  assert {
    condition     = aws_lb_target_group.this["blue"].target_type == "ip" && aws_lb_target_group.this["blue"].port == 8000
    error_message = "Fargate tasks are targets by address"
  }
}

run "rolling_needs_one_group" {
  command = plan

  assert {
    condition     = keys(aws_lb_target_group.this) == ["blue"] && length(aws_lb_listener_rule.test) == 0
    error_message = "no second group, no test rule"
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.production.action).forward[0].target_group).arn == aws_lb_target_group.this["blue"].arn && output.alternate_target_group_arn == null && output.test_listener_rule == null
    error_message = "the rule leads to the one group"
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.production.condition).path_pattern).values == toset(["/*"])
    error_message = "every request matches the rule: the listener's own answer is 404"
  }

  assert {
    condition     = aws_lb_listener_rule.production.priority == 100
    error_message = "the rule has its place"
  }
}

run "shifting_traffic_needs_two_groups_and_a_test_rule" {
  command = plan

  variables {
    shifts_traffic = true
  }

  override_resource {
    target          = aws_lb_target_group.this["green"]
    values          = { arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/green/0123456789abcdef" }
    override_during = plan
  }

  assert {
    condition     = keys(aws_lb_target_group.this) == ["blue", "green"]
    error_message = "there are two groups"
  }

  assert {
    condition     = length(aws_lb_listener_rule.test) == 1 && aws_lb_listener_rule.test[0].priority < aws_lb_listener_rule.production.priority
    error_message = "the test rule is asked first"
  }

  assert {
    condition     = aws_lb_listener_rule.production.priority == 90
    error_message = "another priority than the rolling rule's, so that both can stand for a moment when the strategy changes"
  }

  assert {
    condition     = alltrue([for rule in [aws_lb_listener_rule.production, aws_lb_listener_rule.test[0]] : one([for g in rule.action[0].forward[0].target_group : g.weight if g.arn == aws_lb_target_group.this["blue"].arn]) == 100 && one([for g in rule.action[0].forward[0].target_group : g.weight if g.arn == aws_lb_target_group.this["green"].arn]) == 0])
    error_message = "all traffic starts on blue, by both rules"
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.test[0].condition).http_header).http_header_name == "X-Connect2-Test" && one(one(aws_lb_listener_rule.test[0].condition).http_header).values == toset(["next"])
    error_message = "the test rule is for requests with the header"
  }

  assert {
    condition     = output.alternate_target_group_arn == aws_lb_target_group.this["green"].arn && output.production_listener_rule == aws_lb_listener_rule.production.arn && output.test_listener_rule == aws_lb_listener_rule.test[0].arn
    error_message = "the service is told of group and rules"
  }
}

run "no_waf_unless_asked" {
  command = plan

  assert {
    condition     = length(aws_wafv2_web_acl.this) == 0 && length(aws_wafv2_web_acl_association.this) == 0
    error_message = "a web ACL costs by the month"
  }
}

run "waf_is_a_choice" {
  command = plan

  variables {
    waf = { enabled = true, rate_limit = 1000 }
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this[0].resource_arn == aws_lb.this[0].arn && aws_wafv2_web_acl_association.this[0].web_acl_arn == aws_wafv2_web_acl.this[0].arn
    error_message = "the web ACL is in front of the load balancer"
  }

  assert {
    condition     = length([for r in aws_wafv2_web_acl.this[0].rule : r if r.name == "rate-limit"]) == 1 && length(aws_wafv2_web_acl.this[0].rule) == 3
    error_message = "it has AWS's two rule sets and the limit"
  }

  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.this[0].rule : r.name == "rate-limit" ? length(r.action[0].block) == 1 : length(r.override_action[0].none) == 1]) && length(aws_wafv2_web_acl_logging_configuration.this) == 0
    error_message = "it blocks unless it is to count, and logs nothing unless asked"
  }

  assert {
    condition     = length(aws_wafv2_web_acl.this[0].rule) > 0
    error_message = "[WAF.10] the web ACL has rules, where there is one"
  }

  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.this[0].rule : alltrue([for v in r.visibility_config : v.cloudwatch_metrics_enabled])])
    error_message = "[WAF.12] every rule has metrics, where there is a web ACL"
  }
}

run "a_web_acl_begins_by_counting" {
  command = plan

  variables {
    waf = { enabled = true, count = true, log_retention_days = 30, count_rules = { AWSManagedRulesCommonRuleSet = ["SizeRestrictions_BODY"] }, log_kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.this[0].rule : r.name == "rate-limit" ? length(r.action[0].count) == 1 && length(r.action[0].block) == 0 : length(r.override_action[0].count) == 1 && length(r.override_action[0].none) == 0])
    error_message = "no rule blocks anything"
  }

  assert {
    condition = jsonencode({ for r in aws_wafv2_web_acl.this[0].rule : r.name => [for o in one(one(r.statement).managed_rule_group_statement).rule_action_override : o.name] if r.name != "rate-limit" }) == jsonencode({
      AWSManagedRulesCommonRuleSet = ["SizeRestrictions_BODY"], AWSManagedRulesKnownBadInputsRuleSet = []
    })
    error_message = "single rules are overridden in their own group"
  }

  assert {
    condition     = aws_cloudwatch_log_group.waf[0].name == "aws-waf-logs-${var.name}" && aws_cloudwatch_log_group.waf[0].retention_in_days == 30 && aws_cloudwatch_log_group.waf[0].kms_key_id == var.waf.log_kms_key_arn && toset([for f in aws_wafv2_web_acl_logging_configuration.this[0].redacted_fields : f.single_header[0].name]) == toset(["authorization", "cookie"])
    error_message = "what matched is logged, without cookies and credentials"
  }
}

run "logs_can_be_deleted_where_the_environment_can" {
  command = plan

  variables {
    deletion_protection = false
    delete_logs         = true
  }

  assert {
    condition     = aws_s3_bucket.logs[0].force_destroy && aws_lb.this[0].enable_deletion_protection == false
    error_message = "destroy leaves nothing behind"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.logs[0].statement : s.effect == "Deny" || alltrue([for p in s.principals : p.type == "Service"])])
    error_message = "[S3.6] the log bucket gives no other account anything"
  }

  assert {
    condition     = aws_lb_listener.http[0].default_action[0].type == "redirect"
    error_message = "[ELB.1] HTTP is redirected to HTTPS"
  }

  assert {
    condition     = aws_lb.this[0].drop_invalid_header_fields
    error_message = "[ELB.4] invalid headers are dropped"
  }

  assert {
    condition     = aws_lb.this[0].access_logs[0].enabled && aws_lb.this[0].access_logs[0].bucket == aws_s3_bucket.logs[0].bucket
    error_message = "[ELB.5] access is logged"
  }

  assert {
    condition     = aws_lb.this[0].enable_deletion_protection
    error_message = "[ELB.6] deletion protection is on"
  }

  assert {
    condition     = aws_lb.this[0].desync_mitigation_mode == "defensive"
    error_message = "[ELB.12] request smuggling is mitigated"
  }

  assert {
    condition     = length(aws_lb.this[0].subnets) >= 2
    error_message = "[ELB.13] at least two zones"
  }

  assert {
    condition     = startswith(aws_lb_listener.https[0].ssl_policy, "ELBSecurityPolicy-TLS13-1-2-") && !strcontains(aws_lb_listener.https[0].ssl_policy, "Ext")
    error_message = "[ELB.17] TLS 1.2 and 1.3 alone"
  }

  assert {
    condition     = aws_lb_listener.https[0].protocol == "HTTPS"
    error_message = "[ELB.18] the listener that serves is a secure one"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.logs[0].block_public_acls && aws_s3_bucket_public_access_block.logs[0].block_public_policy && aws_s3_bucket_public_access_block.logs[0].ignore_public_acls && aws_s3_bucket_public_access_block.logs[0].restrict_public_buckets
    error_message = "[S3.8] the log bucket blocks public access"
  }

  assert {
    condition     = contains([for s in data.aws_iam_policy_document.logs[0].statement : s.effect if s.sid == "TLSOnly"], "Deny")
    error_message = "[S3.5] the log bucket refuses requests without TLS"
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.logs[0].rule).object_ownership == "BucketOwnerEnforced"
    error_message = "[S3.12] the log bucket has no ACLs"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.logs[0].rule).expiration[0].days == 90
    error_message = "[S3.13] access logs expire"
  }
}

run "https_without_a_certificate_is_refused" {
  command = plan

  variables {
    https = {}
  }

  expect_failures = [aws_lb.this]
}

run "an_old_tls_policy_is_refused" {
  command = plan

  variables {
    https = { enabled = false, ssl_policy = "ELBSecurityPolicy-2016-08" }
  }

  expect_failures = [var.https]
}

run "a_name_too_long_for_its_groups_is_refused" {
  command = plan

  variables {
    name = "connect2-api-load-balancer-production"
  }

  expect_failures = [var.name]
}
