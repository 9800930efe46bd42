resource "aws_security_group" "this" {
  count = local.made

  name        = var.name
  description = "Load balancer ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  ingress = merge([
    for port in(var.https.enabled ? [80, 443] : [80]) : {
      for cidr in var.ingress_cidrs : "${port} from ${cidr}" => { port = port, cidr = cidr } if var.existing == null
    }
  ]...)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.ingress

  security_group_id = aws_security_group.this[0].id
  description       = "Clients on port ${each.value.port}"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  count = local.made

  security_group_id = aws_security_group.this[0].id
  description       = "Targets inside the VPC"
  cidr_ipv4         = var.network.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = var.target.port
  to_port           = var.target.port
}
