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

run "each_tier_has_a_zone_of_its_own_and_its_own_way_out" {
  command = plan

  variables {
    az_count = 3
    nat      = "per_zone"
  }

  # In a plan the real ids are not known yet.
  override_resource {
    target          = aws_internet_gateway.this
    values          = { id = "igw-0" }
    override_during = plan
  }

  override_resource {
    target          = aws_subnet.public
    values          = { id = "subnet-public" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.public
    values          = { id = "rtb-public" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.private["us-west-2a"]
    values          = { id = "rtb-private-a" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.private["us-west-2b"]
    values          = { id = "rtb-private-b" }
    override_during = plan
  }

  override_resource {
    target          = aws_route_table.private["us-west-2c"]
    values          = { id = "rtb-private-c" }
    override_during = plan
  }

  override_resource {
    target          = aws_nat_gateway.this["us-west-2a"]
    values          = { id = "nat-a" }
    override_during = plan
  }

  override_resource {
    target          = aws_nat_gateway.this["us-west-2b"]
    values          = { id = "nat-b" }
    override_during = plan
  }

  override_resource {
    target          = aws_nat_gateway.this["us-west-2c"]
    values          = { id = "nat-c" }
    override_during = plan
  }

  assert {
    condition     = alltrue([for tier in [aws_subnet.public, aws_subnet.private, aws_subnet.data] : toset([for s in tier : s.availability_zone]) == toset(["us-west-2a", "us-west-2b", "us-west-2c"])])
    error_message = "the subnets of a tier lie in three zones"
  }

  assert {
    condition     = aws_route.internet.gateway_id == "igw-0" && aws_route.internet.destination_cidr_block == "0.0.0.0/0" && aws_route.internet.route_table_id == "rtb-public"
    error_message = "the public table leads to the internet gateway"
  }

  assert {
    condition     = length(aws_route_table_association.public) == 3 && alltrue([for a in aws_route_table_association.public : a.route_table_id == "rtb-public" && a.subnet_id == "subnet-public"])
    error_message = "all public subnets have the public table"
  }

  assert {
    condition     = alltrue([for n in aws_nat_gateway.this : n.subnet_id == "subnet-public"])
    error_message = "a NAT gateway stands in a public subnet, or it reaches nothing"
  }

  assert {
    condition = { for zone, r in aws_route.nat : zone => [r.route_table_id, r.nat_gateway_id, r.destination_cidr_block] } == {
      us-west-2a = ["rtb-private-a", "nat-a", "0.0.0.0/0"]
      us-west-2b = ["rtb-private-b", "nat-b", "0.0.0.0/0"]
      us-west-2c = ["rtb-private-c", "nat-c", "0.0.0.0/0"]
    }
    error_message = "every zone goes out by its own gateway, so that another zone's failure does not cut it off"
  }

  assert {
    condition     = { for zone, a in aws_route_table_association.private : zone => a.route_table_id } == { us-west-2a = "rtb-private-a", us-west-2b = "rtb-private-b", us-west-2c = "rtb-private-c" }
    error_message = "every private subnet has its zone's table"
  }

  assert {
    condition     = toset(aws_vpc_endpoint.s3.route_table_ids) == toset(["rtb-private-a", "rtb-private-b", "rtb-private-c"]) && aws_vpc_endpoint.s3.service_name == "com.amazonaws.us-west-2.s3"
    error_message = "image layers come by the S3 endpoint in every private subnet"
  }
}

run "one_gateway_serves_all_zones" {
  command = plan

  override_resource {
    target          = aws_nat_gateway.this
    values          = { id = "nat-a" }
    override_during = plan
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-west-2a"] && alltrue([for r in aws_route.nat : r.nat_gateway_id == "nat-a"])
    error_message = "both zones go out by the first zone's gateway"
  }
}

run "flow_logs_are_kept_as_long_as_asked" {
  command = plan

  variables {
    flow_log_retention_days = 7
    kms_key_arn             = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    iam                     = { path = "/connect2-api/dev/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = aws_flow_log.this.log_destination == aws_cloudwatch_log_group.flow.arn && aws_cloudwatch_log_group.flow.retention_in_days == 7 && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "they go to a log group of their own, encrypted and for a time"
  }

  assert {
    condition     = aws_iam_role.flow.path == "/connect2-api/dev/" && aws_iam_role.flow.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "their role lies under the environment's path and boundary, or the apply role could not make it"
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
    condition = { for name, e in aws_vpc_endpoint.interface : name => [e.service_name, e.vpc_endpoint_type] } == {
      for name in var.interface_endpoints : name => ["com.amazonaws.us-west-2.${name}", "Interface"]
    }
    error_message = "each endpoint is the one that was asked for"
  }

  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : toset(e.subnet_ids) == toset([for s in aws_subnet.private : s.id]) && toset(e.security_group_ids) == toset([aws_security_group.endpoints[0].id])])
    error_message = "they stand in the private subnets, behind their security group"
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

run "four_zones_are_refused" {
  command = plan

  variables {
    az_count = 4
  }

  expect_failures = [var.az_count]
}

run "an_unknown_kind_of_nat_is_refused" {
  command = plan

  variables {
    nat = "one"
  }

  expect_failures = [var.nat]
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
