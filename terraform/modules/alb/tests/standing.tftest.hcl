# What AWS refuses of what stands already: here it is made first, and then something changes.
mock_provider "aws" {
  source = "../../test/mocks"
}

variables {
  name   = "connect2-api-alb-dev"
  target = { port = 8000 }
  https  = { enabled = false }

  network = {
    vpc_id     = "vpc-0123456789abcdef0"
    vpc_cidr   = "10.1.0.0/16"
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  }
}

run "the_load_balancer_is_made" {
}

# A second group of the same name is refused, and so is the end of one that is in use.
run "another_port_of_the_service_replaces_no_target_group" {
  command = plan

  variables {
    target = { port = 3000 }
  }

  assert {
    condition     = aws_lb_target_group.this["blue"].port == 8000 && aws_vpc_security_group_egress_rule.targets[0].from_port == 3000
    error_message = "the group has ${aws_lb_target_group.this["blue"].port}: tasks are registered with their own port, which the load balancer may reach"
  }
}
