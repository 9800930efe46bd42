locals {
  # Colours only where traffic shifts: a rolling service needs no second group.
  colours = var.shifts_traffic ? ["blue", "green"] : ["blue"]

  # The load balancer that is made here, with all that belongs to it; 0 where one that is there is used.
  made = var.existing == null ? 1 : 0
}

resource "aws_lb" "this" {
  count = local.made

  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.network.subnet_ids
  security_groups    = [aws_security_group.this[0].id]

  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"

  access_logs {
    enabled = true
    bucket  = aws_s3_bucket.logs[0].bucket
  }

  lifecycle {
    precondition {
      condition     = !var.https.enabled || var.https.certificate_arn != null
      error_message = "HTTPS needs a certificate: give https.certificate_arn, or say https.enabled = false to serve plain HTTP."
    }
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_target_group" "this" {
  for_each = toset(local.colours)

  name                 = "${var.name}-${each.key}"
  vpc_id               = var.network.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.target.port
  deregistration_delay = var.target.deregistration_delay

  # A new target serves after one passed check whatever healthy_threshold says; the threshold counts for one that had failed.
  health_check {
    path                = var.target.health_path
    protocol            = "HTTP"
    matcher             = "200"
    interval            = 30
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  # ECS registers each task with the port of its container, and health checks go there; this one is for targets that name none. A
  # change would replace the group, which AWS refuses while the first one of that name is in use.
  lifecycle {
    ignore_changes = [port]
  }
}

resource "aws_lb_listener" "http" {
  count = local.made

  load_balancer_arn = aws_lb.this[0].arn
  port              = 80
  protocol          = "HTTP"

  dynamic "default_action" {
    for_each = var.https.enabled ? [1] : []

    content {
      type = "redirect"

      redirect {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }

  dynamic "default_action" {
    for_each = var.https.enabled ? [] : [1]

    content {
      type = "fixed-response"

      fixed_response {
        content_type = "text/plain"
        status_code  = "404"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = var.https.enabled ? local.made : 0

  load_balancer_arn = aws_lb.this[0].arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.https.certificate_arn
  ssl_policy        = var.https.ssl_policy

  routing_http_response_strict_transport_security_header_value = "max-age=31536000"

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

locals {
  listener_arn = var.existing != null ? var.existing.listener_arn : var.https.enabled ? aws_lb_listener.https[0].arn : aws_lb_listener.http[0].arn

  # Of a listener that others use as well, the service has what is sent to its names and paths, in the places that it is given.
  hosts      = try(var.existing.hosts, [])
  paths      = try(var.existing.paths, ["/*"])
  priorities = var.existing == null ? { rolling = 100, shifting = 90, test = 10 } : { for place, beside in { rolling = 0, shifting = 1, test = -1 } : place => var.existing.priority + beside }
}

# What the rules below were made for. The action of a rule is ignored, so a change of the groups must replace the rule.
resource "terraform_data" "targets" {
  input = { for colour, group in aws_lb_target_group.this : colour => group.arn }
}

# Traffic goes by a rule, never by the listener's default action: a deployment that shifts traffic rewrites the rule's
# action, and an apply after it must leave that alone.
resource "aws_lb_listener_rule" "production" {
  listener_arn = local.listener_arn
  priority     = var.shifts_traffic ? local.priorities.shifting : local.priorities.rolling

  dynamic "condition" {
    for_each = length(local.hosts) == 0 ? [] : [local.hosts]

    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = [local.paths]

    content {
      path_pattern {
        values = condition.value
      }
    }
  }

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = aws_lb_target_group.this

        content {
          arn    = target_group.value.arn
          weight = target_group.key == "blue" ? 100 : 0
        }
      }
    }
  }

  # The new rule stands before the old one goes: they have different priorities when the strategy changes.
  lifecycle {
    ignore_changes        = [action]
    replace_triggered_by  = [terraform_data.targets]
    create_before_destroy = true

    precondition {
      condition     = var.existing == null || try(local.found.protocol == (var.https.enabled ? "HTTPS" : "HTTP"), false)
      error_message = "The listener ${local.listener_arn} serves ${try(local.found.protocol, "nothing")}, and HTTPS is ${var.https.enabled ? "on" : "off"}: name the listener that carries the traffic, or change the one line."
    }

    precondition {
      condition     = var.existing == null || try(local.found.vpc_id == var.network.vpc_id, false)
      error_message = "The load balancer ${try(local.found.name, "of existing")} is in ${try(local.found.vpc_id, "no VPC")}, and the service in ${var.network.vpc_id}: a load balancer reaches the targets of its own VPC alone."
    }

    precondition {
      condition     = var.existing == null || try(var.existing.security_group_id == null ? length(local.found.groups) == 1 : contains(local.found.groups, var.existing.security_group_id), false)
      error_message = "The load balancer ${try(local.found.name, "of existing")} has the security groups ${join(", ", try(local.found.groups, []))}: existing.security_group_id must name one of them."
    }
  }
}

# Lets a release be tried before it gets traffic: requests with this header go to the new tasks during the test stages.
resource "aws_lb_listener_rule" "test" {
  count = var.shifts_traffic ? 1 : 0

  listener_arn = local.listener_arn
  priority     = local.priorities.test

  condition {
    http_header {
      http_header_name = "X-Connect2-Test"
      values           = ["next"]
    }
  }

  dynamic "condition" {
    for_each = length(local.hosts) == 0 ? [] : [local.hosts]

    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = var.existing == null ? [] : [local.paths]

    content {
      path_pattern {
        values = condition.value
      }
    }
  }

  action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.this["blue"].arn
        weight = 100
      }

      target_group {
        arn    = aws_lb_target_group.this["green"].arn
        weight = 0
      }
    }
  }

  lifecycle {
    ignore_changes       = [action]
    replace_triggered_by = [terraform_data.targets]
  }
}
