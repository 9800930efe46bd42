mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name    = "connect2-api-bastion-prod"
  network = { vpc_id = "vpc-0123456789abcdef0", vpc_cidr = "10.1.0.0/16", subnet_id = "subnet-0123456789abcdef0" }
}

run "session_manager_is_the_way_in" {
  command = plan

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.ssh) == 0 && length(aws_eip.this) == 0
    error_message = "no open port, no public address"
  }

  assert {
    condition     = endswith(aws_iam_role_policy_attachment.session_manager.policy_arn, "/AmazonSSMManagedInstanceCore")
    error_message = "Session Manager may manage it"
  }

  assert {
    condition     = aws_iam_role_policy_attachment.session_manager.role == aws_iam_role.this.name && aws_iam_instance_profile.this.role == aws_iam_role.this.name && aws_instance.this.iam_instance_profile == aws_iam_instance_profile.this.name
    error_message = "by the instance's own role"
  }

  assert {
    condition     = aws_instance.this.subnet_id == var.network.subnet_id && aws_instance.this.vpc_security_group_ids == toset([aws_security_group.this.id])
    error_message = "it has its own security group alone"
  }
}

run "it_has_the_clients_of_the_engines" {
  command = plan

  assert {
    condition     = can(regex("(?s)swapon.*dnf install .*postgresql16", aws_instance.this.user_data)) && strcontains(aws_instance.this.user_data, "redis6")
    error_message = "psql of the engine's version, and redis-cli"
  }

  assert {
    condition     = data.aws_ssm_parameter.image.name == "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64" && aws_instance.this.ami == "ami-0123456789abcdef0"
    error_message = "the newest Amazon Linux 2023"
  }

  assert {
    condition     = { for name, r in aws_vpc_security_group_egress_rule.vpc : name => "${r.cidr_ipv4} ${r.from_port}-${r.to_port}" } == { postgresql = "10.1.0.0/16 5432-5432", redis = "10.1.0.0/16 6379-6379" }
    error_message = "it reaches database and cache inside the VPC"
  }
}

run "ssh_needs_a_key_and_addresses" {
  command = plan

  variables {
    ssh        = { key_name = "on-call", cidrs = ["203.0.113.7/32"] }
    elastic_ip = true
  }

  assert {
    condition     = aws_instance.this.key_name == "on-call" && keys(aws_vpc_security_group_ingress_rule.ssh) == ["203.0.113.7/32"] && aws_vpc_security_group_ingress_rule.ssh["203.0.113.7/32"].cidr_ipv4 == "203.0.113.7/32" && aws_vpc_security_group_ingress_rule.ssh["203.0.113.7/32"].from_port == 22 && aws_vpc_security_group_ingress_rule.ssh["203.0.113.7/32"].to_port == 22
    error_message = "the key and the address arrive"
  }

  assert {
    condition     = length(aws_eip.this) == 1
    error_message = "the address stays"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = startswith(aws_instance.this.instance_type, "t4g.")
    error_message = "[EC2.24] no paravirtual instance type"
  }

  assert {
    condition     = aws_instance.this.source_dest_check != false
    error_message = "[EC2.180] source and destination are checked"
  }

  assert {
    condition     = aws_instance.this.root_block_device[0].encrypted
    error_message = "[EC2.3] the disk is encrypted"
  }

  assert {
    condition     = aws_instance.this.metadata_options[0].http_tokens == "required"
    error_message = "[EC2.8] IMDSv2 alone"
  }

  assert {
    condition     = length(aws_eip.this) == 0
    error_message = "[EC2.9] no public address"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.ssh) == 0
    error_message = "[EC2.19] no risky port is open to everybody"
  }

  assert {
    condition     = endswith(aws_iam_role_policy_attachment.session_manager.policy_arn, "/AmazonSSMManagedInstanceCore")
    error_message = "[SSM.1] Systems Manager manages the instance"
  }
}

run "ssh_from_everywhere_is_refused" {
  command = plan

  variables {
    ssh        = { key_name = "on-call", cidrs = ["0.0.0.0/0"] }
    elastic_ip = true
  }

  expect_failures = [var.ssh]
}

run "ssh_without_a_key_is_refused" {
  command = plan

  variables {
    ssh        = { key_name = "", cidrs = ["203.0.113.7/32"] }
    elastic_ip = true
  }

  expect_failures = [var.ssh]
}

run "ssh_without_addresses_that_may_connect_is_refused" {
  command = plan

  variables {
    ssh        = { key_name = "on-call", cidrs = [] }
    elastic_ip = true
  }

  expect_failures = [var.ssh]
}

run "its_role_and_disk" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    iam         = { path = "/connect2-api/dev/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = aws_iam_role.this.path == "/connect2-api/dev/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && aws_iam_instance_profile.this.path == "/connect2-api/dev/"
    error_message = "they lie under the environment's path and boundary, or the apply role could not make them"
  }

  assert {
    condition     = aws_instance.this.root_block_device[0].kms_key_id == var.kms_key_arn
    error_message = "the disk is encrypted with the key"
  }
}

run "ssh_without_an_address_to_connect_to_is_refused" {
  command = plan

  variables {
    ssh = { key_name = "on-call", cidrs = ["203.0.113.7/32"] }
  }

  expect_failures = [var.elastic_ip]
}

run "an_intel_size_is_refused" {
  command = plan

  variables {
    instance_type = "t3.nano"
  }

  expect_failures = [var.instance_type]
}
