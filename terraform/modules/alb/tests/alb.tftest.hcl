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

  assert {
    condition     = aws_lb_listener.https[0].port == 443 && aws_lb_listener.https[0].protocol == "HTTPS"
    error_message = "HTTPS is served"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTP redirects for good"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.this)) == toset(["80 from 0.0.0.0/0", "443 from 0.0.0.0/0"])
    error_message = "both ports are open"
  }

  assert {
    condition     = aws_lb_listener_rule.production.listener_arn == aws_lb_listener.https[0].arn
    error_message = "traffic is taken from the HTTPS listener"
  }
}

run "plain_http_when_asked" {
  command = plan

  variables {
    https = { enabled = false }
  }

  assert {
    condition     = length(aws_lb_listener.https) == 0 && aws_lb_listener.http.default_action[0].type == "fixed-response"
    error_message = "HTTP serves"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.this)) == toset(["80 from 0.0.0.0/0"])
    error_message = "only port 80 is open"
  }
}

run "targets_are_checked_and_leave_quickly" {
  command = plan

  assert {
    condition     = aws_lb_target_group.this["blue"].health_check[0].path == "/health" && aws_lb_target_group.this["blue"].health_check[0].interval == 30
    error_message = "GET /health every 30 s"
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
    condition     = aws_lb_listener_rule.production.priority == 100
    error_message = "the rule has its place"
  }
}

run "shifting_traffic_needs_two_groups_and_a_test_rule" {
  command = plan

  variables {
    shifts_traffic = true
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
    condition     = toset([for g in aws_lb_listener_rule.production.action[0].forward[0].target_group : g.weight]) == toset([100, 0])
    error_message = "all traffic starts on blue"
  }
}

run "waf_is_a_choice" {
  command = plan

  variables {
    waf = { enabled = true, rate_limit = 1000 }
  }

  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 1
    error_message = "the web ACL is in front of the load balancer"
  }

  assert {
    condition     = length([for r in aws_wafv2_web_acl.this[0].rule : r if r.name == "rate-limit"]) == 1 && length(aws_wafv2_web_acl.this[0].rule) == 3
    error_message = "it has AWS's two rule sets and the limit"
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

run "logs_can_be_deleted_where_the_environment_can" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = aws_s3_bucket.logs.force_destroy && aws_lb.this.enable_deletion_protection == false
    error_message = "destroy leaves nothing behind"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.logs.statement : s.effect == "Deny" || alltrue([for p in s.principals : p.type == "Service"])])
    error_message = "[S3.6] the log bucket gives no other account anything"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect"
    error_message = "[ELB.1] HTTP is redirected to HTTPS"
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields
    error_message = "[ELB.4] invalid headers are dropped"
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled
    error_message = "[ELB.5] access is logged"
  }

  assert {
    condition     = aws_lb.this.enable_deletion_protection
    error_message = "[ELB.6] deletion protection is on"
  }

  assert {
    condition     = aws_lb.this.desync_mitigation_mode == "defensive"
    error_message = "[ELB.12] request smuggling is mitigated"
  }

  assert {
    condition     = length(aws_lb.this.subnets) >= 2
    error_message = "[ELB.13] at least two zones"
  }

  assert {
    condition     = startswith(aws_lb_listener.https[0].ssl_policy, "ELBSecurityPolicy-TLS13-1-2-")
    error_message = "[ELB.17] TLS 1.2 and 1.3 alone"
  }

  assert {
    condition     = aws_lb_listener.https[0].protocol == "HTTPS"
    error_message = "[ELB.18] the listener that serves is a secure one"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.logs.block_public_acls && aws_s3_bucket_public_access_block.logs.block_public_policy && aws_s3_bucket_public_access_block.logs.ignore_public_acls && aws_s3_bucket_public_access_block.logs.restrict_public_buckets
    error_message = "[S3.8] the log bucket blocks public access"
  }

  assert {
    condition     = contains([for s in data.aws_iam_policy_document.logs.statement : s.effect if s.sid == "TLSOnly"], "Deny")
    error_message = "[S3.5] the log bucket refuses requests without TLS"
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.logs.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "[S3.12] the log bucket has no ACLs"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.logs.rule).expiration[0].days == 90
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
