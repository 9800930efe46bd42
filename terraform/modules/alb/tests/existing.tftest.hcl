# A load balancer that is there, with a listener that others use as well.
mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name    = "connect2-api-alb-prod"
  network = { vpc_id = "vpc-0123456789abcdef0" }
  https   = { enabled = true }

  existing = {
    listener_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"
    hosts        = ["api.connect.com"]
    priority     = 500
  }
}

run "only_groups_and_rules_are_made" {
  command = plan

  assert {
    condition     = length(aws_lb.this) + length(aws_lb_listener.http) + length(aws_lb_listener.https) + length(aws_security_group.this) + length(aws_vpc_security_group_ingress_rule.this) + length(aws_vpc_security_group_egress_rule.targets) + length(aws_s3_bucket.logs) + length(aws_lb_listener_certificate.this) == 0
    error_message = "nothing is made that the load balancer has"
  }

  assert {
    condition     = aws_lb_listener_rule.production.listener_arn == var.existing.listener_arn && aws_lb_listener_rule.production.priority == 500
    error_message = "the rule is where it is said"
  }

  assert {
    condition = toset([for c in aws_lb_listener_rule.production.condition : jsonencode(concat([for h in c.host_header : tolist(h.values)], [for p in c.path_pattern : tolist(p.values)]))]) == toset([
      jsonencode([["api.connect.com"]]), jsonencode([["/*"]]),
    ])
    error_message = "it takes what is sent to the service's own name"
  }

  assert {
    condition     = output.arn_suffix == "app/shared/fedcba9876543210" && output.security_group_id == "sg-0fedcba9876543210" && output.dns_name == "shared-123.us-west-2.elb.amazonaws.com" && output.listener_arn == var.existing.listener_arn && endswith(output.certificate_arn, "99999999-2222-3333-4444-555555555555")
    error_message = "the outputs are those of the load balancer that is there"
  }

  assert {
    condition     = output.shape == { listeners = { "443" = "serve" }, deletion_protection = true, web_acl = "none" }
    error_message = "the shape is ${jsonencode(output.shape)}"
  }
}

run "shifting_traffic_takes_the_places_beside" {
  command = plan

  variables {
    shifts_traffic = true
  }

  assert {
    condition     = aws_lb_listener_rule.production.priority == 501 && aws_lb_listener_rule.test[0].priority == 499
    error_message = "the test rule is asked first, and the rule of a rolling service can stand beside for a moment"
  }

  assert {
    condition     = contains(flatten([for c in aws_lb_listener_rule.test[0].condition : [for h in c.host_header : tolist(h.values)]]), "api.connect.com")
    error_message = "the header tries this service's release and nobody else's"
  }
}

run "a_path_of_its_own_needs_no_name_and_a_certificate_is_added" {
  command = plan

  variables {
    existing = {
      listener_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"
      paths        = ["/orders", "/orders/*"]
      priority     = 500

      add_certificate = true
      certificate_arn = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
    }
  }

  assert {
    condition     = aws_lb_listener_certificate.this[0].certificate_arn == var.existing.certificate_arn && aws_lb_listener_certificate.this[0].listener_arn == var.existing.listener_arn
    error_message = "the listener has the service's certificate besides its own"
  }

  assert {
    condition     = jsonencode(flatten([for c in aws_lb_listener_rule.production.condition : [for p in c.path_pattern : tolist(p.values)]])) == jsonencode(["/orders", "/orders/*"])
    error_message = "it takes its paths alone"
  }
}

run "a_certificate_that_is_not_there_is_refused" {
  command = plan

  variables {
    existing = {
      listener_arn    = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"
      hosts           = ["api.connect.com"]
      priority        = 500
      add_certificate = true
    }
  }

  expect_failures = [aws_lb_listener_certificate.this]
}

run "another_vpc_is_refused" {
  command = plan

  variables {
    network = { vpc_id = "vpc-0fedcba9876543210" }
  }

  expect_failures = [aws_lb_listener_rule.production]
}

run "several_groups_and_none_named_is_refused" {
  command = plan

  override_data {
    target          = data.aws_lb.existing[0]
    values          = { vpc_id = "vpc-0123456789abcdef0", name = "shared", security_groups = ["sg-1", "sg-2"] }
    override_during = plan
  }

  expect_failures = [aws_lb_listener_rule.production]
}

run "a_new_one_needs_its_network" {
  command = plan

  variables {
    existing = null
  }

  expect_failures = [var.network]
}
