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
  security_group_id            = aws_security_group.this.id
  description                  = "The load balancer, and nobody else"
  referenced_security_group_id = var.network.alb_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.container.port
  to_port                      = var.container.port
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "AWS APIs, image layers and other people's APIs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "vpc" {
  for_each = { postgresql = 5432, redis = 6379 }

  security_group_id = aws_security_group.this.id
  description       = "${each.key} inside the VPC"
  cidr_ipv4         = var.network.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
