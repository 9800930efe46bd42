mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name = "connect2-api-vpc-dev"
}

run "the_default_is_two_zones_behind_one_nat_gateway" {
  command = plan

  assert {
    condition     = aws_vpc.this.cidr_block == "10.1.0.0/16"
    error_message = "the range is ${aws_vpc.this.cidr_block}"
  }

  assert {
    condition     = aws_vpc.this.enable_dns_hostnames && aws_vpc.this.enable_dns_support
    error_message = "interface endpoints need both DNS settings"
  }

  assert {
    condition     = length(aws_subnet.public) == 2 && length(aws_subnet.private) == 2 && length(aws_subnet.data) == 2
    error_message = "each tier has one subnet a zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 2
    error_message = "one NAT gateway serves both zones"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "the S3 gateway endpoint is always there, interface endpoints are a choice"
  }

  assert {
    condition     = length(distinct([for s in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.data)) : s.cidr_block])) == 6
    error_message = "no two subnets share a range"
  }
}

run "a_third_zone_renumbers_nothing" {
  command = plan

  variables {
    az_count = 3
  }

  assert {
    condition     = aws_subnet.private["us-west-2a"].cidr_block == "10.1.0.0/20" && aws_subnet.private["us-west-2b"].cidr_block == "10.1.16.0/20"
    error_message = "the first two zones keep their ranges"
  }

  assert {
    condition     = aws_subnet.data["us-west-2a"].cidr_block == "10.1.64.0/20" && aws_subnet.public["us-west-2a"].cidr_block == "10.1.128.0/20"
    error_message = "a tier's first range does not depend on the number of zones"
  }

  assert {
    condition     = length(aws_subnet.private) == 3
    error_message = "there are three zones"
  }
}

run "nat_in_every_zone" {
  command = plan

  variables {
    az_count = 3
    nat      = "per_zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3
    error_message = "every zone has its own way out"
  }
}

run "endpoints_instead_of_nat" {
  command = plan

  variables {
    nat                 = "none"
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "ssmmessages", "ecs"]
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "there is no way out"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 7 && alltrue([for e in aws_vpc_endpoint.interface : e.private_dns_enabled])
    error_message = "all seven services answer inside the VPC under their usual names"
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "ecr.api")
    error_message = "[EC2.55] an interface endpoint for ECR, where asked for"
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "ecr.dkr")
    error_message = "[EC2.56] an interface endpoint for the Docker registry, where asked for"
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "ssm")
    error_message = "[EC2.57] an interface endpoint for Systems Manager, where asked for"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.1.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "only the VPC reaches the endpoints"
  }
}

run "security_controls" {
  command = plan

  # Which table a subnet has can be told apart before there are any.
  override_resource {
    target          = aws_route_table.data
    values          = { id = "rtb-data" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.public
    values          = { id = "rtb-public" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.private
    values          = { id = "rtb-private" }
    override_during = plan
  }

  assert {
    condition     = alltrue([for a in aws_route_table_association.data : a.route_table_id == aws_route_table.data.id]) && aws_route.internet.route_table_id != aws_route_table.data.id && alltrue([for r in aws_route.nat : r.route_table_id != aws_route_table.data.id])
    error_message = "[RDS.46] the data subnets have no route out"
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "[EC2.2] the default security group lets nothing in or out"
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "[EC2.6] flow logs record everything"
  }

  assert {
    condition     = alltrue([for s in aws_subnet.public : s.map_public_ip_on_launch == false])
    error_message = "[EC2.15] no subnet hands out public addresses"
  }
}

run "no_way_out_is_refused" {
  command = plan

  variables {
    nat = "none"
  }

  expect_failures = [var.interface_endpoints]
}

run "endpoints_without_the_ones_that_tasks_need_are_refused" {
  command = plan

  variables {
    nat                 = "none"
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs"]
  }

  expect_failures = [var.interface_endpoints]
}

run "a_range_too_small_for_the_zones_is_refused" {
  command = plan

  variables {
    vpc_cidr = "10.1.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_range_larger_than_aws_has_is_refused" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/8"
  }

  expect_failures = [var.vpc_cidr]
}

run "one_zone_is_refused" {
  command = plan

  variables {
    az_count = 1
  }

  expect_failures = [var.az_count]
}

run "an_unknown_retention_is_refused" {
  command = plan

  variables {
    flow_log_retention_days = 10
  }

  expect_failures = [var.flow_log_retention_days]
}
