# A load balancer that is there: it is asked what it is. What does not fit is refused while planning, by the rule that would be made in
# it: a condition of these would put the reading off to the apply, since what it compares with comes with values of what is made.
data "aws_lb_listener" "existing" {
  count = var.existing == null ? 0 : 1

  arn = var.existing.listener_arn
}

data "aws_lb" "existing" {
  count = var.existing == null ? 0 : 1

  arn = data.aws_lb_listener.existing[0].load_balancer_arn
}

locals {
  balancer = one(concat([for lb in aws_lb.this : {
    arn = lb.arn, arn_suffix = lb.arn_suffix, dns_name = lb.dns_name, zone_id = lb.zone_id, protected = lb.enable_deletion_protection
    }], [for lb in data.aws_lb.existing : {
    arn = lb.arn, arn_suffix = lb.arn_suffix, dns_name = lb.dns_name, zone_id = lb.zone_id, protected = lb.enable_deletion_protection
  }]))

  found = one([for i, lb in data.aws_lb.existing : {
    name = lb.name, vpc_id = lb.vpc_id, groups = tolist(lb.security_groups), protocol = data.aws_lb_listener.existing[i].protocol
  }])

  security_group_id = var.existing == null ? one(aws_security_group.this[*].id) : var.existing.security_group_id != null ? var.existing.security_group_id : try(local.found.groups[0], null)
}

resource "aws_lb_listener_certificate" "this" {
  count = try(var.existing.add_certificate, false) ? 1 : 0

  listener_arn    = data.aws_lb_listener.existing[0].arn
  certificate_arn = var.existing.certificate_arn

  lifecycle {
    precondition {
      condition     = var.existing.certificate_arn != null
      error_message = "existing.add_certificate needs the certificate that is added: give existing.certificate_arn, or leave the listener with its own."
    }
  }
}

moved {
  from = aws_lb.this
  to   = aws_lb.this[0]
}

moved {
  from = aws_lb_listener.http
  to   = aws_lb_listener.http[0]
}

moved {
  from = aws_security_group.this
  to   = aws_security_group.this[0]
}

moved {
  from = aws_vpc_security_group_egress_rule.targets
  to   = aws_vpc_security_group_egress_rule.targets[0]
}

moved {
  from = aws_s3_bucket.logs
  to   = aws_s3_bucket.logs[0]
}

moved {
  from = aws_s3_bucket_public_access_block.logs
  to   = aws_s3_bucket_public_access_block.logs[0]
}

moved {
  from = aws_s3_bucket_ownership_controls.logs
  to   = aws_s3_bucket_ownership_controls.logs[0]
}

moved {
  from = aws_s3_bucket_server_side_encryption_configuration.logs
  to   = aws_s3_bucket_server_side_encryption_configuration.logs[0]
}

moved {
  from = aws_s3_bucket_versioning.logs
  to   = aws_s3_bucket_versioning.logs[0]
}

moved {
  from = aws_s3_bucket_lifecycle_configuration.logs
  to   = aws_s3_bucket_lifecycle_configuration.logs[0]
}

moved {
  from = aws_s3_bucket_policy.logs
  to   = aws_s3_bucket_policy.logs[0]
}
