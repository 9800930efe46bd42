resource "aws_security_group" "this" {
  name        = var.service_name
  description = "Tasks of ${var.service_name}"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.service_name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  count = var.load_balancer == null ? 0 : 1

  security_group_id            = aws_security_group.this.id
  description                  = "The load balancer, and nobody else"
  referenced_security_group_id = var.network.alb_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container.port
  to_port                      = var.container.port
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.network.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "From ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.container.port
  to_port                      = var.container.port
}

locals {
  # EFS is mounted before a container runs.
  egress = merge(var.egress, !anytrue([for volume in var.volumes : volume.efs != null]) ? {} : {
    efs = { port = 2049, to_port = null, protocol = "tcp", cidr = null, prefix_list_id = null, security_group_id = null, description = null }
  })
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.egress

  security_group_id            = aws_security_group.this.id
  description                  = coalesce(each.value.description, "${each.key} inside the VPC")
  cidr_ipv4                    = each.value.prefix_list_id == null && each.value.security_group_id == null ? coalesce(each.value.cidr, var.network.vpc_cidr) : null
  prefix_list_id               = each.value.prefix_list_id
  referenced_security_group_id = each.value.security_group_id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.port
  to_port                      = each.value.to_port == null ? each.value.port : each.value.to_port
}

# The rules had an address each before they were values.
moved {
  from = aws_vpc_security_group_ingress_rule.alb
  to   = aws_vpc_security_group_ingress_rule.alb[0]
}

moved {
  from = aws_vpc_security_group_egress_rule.https
  to   = aws_vpc_security_group_egress_rule.this["https"]
}

moved {
  from = aws_vpc_security_group_egress_rule.vpc["postgresql"]
  to   = aws_vpc_security_group_egress_rule.this["postgresql"]
}

moved {
  from = aws_vpc_security_group_egress_rule.vpc["redis"]
  to   = aws_vpc_security_group_egress_rule.this["redis"]
}
