# What Terraform leaves to the releases. A plan cannot show it: here the service is made first, and then something changes.
mock_provider "aws" {
  source = "../../test/mocks"
}

variables {
  name         = "connect2-api-dev"
  service_name = "connect2-api-service-dev"

  cluster = {
    name               = "connect2-api-cluster-dev"
    arn                = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev"
    exec_log_group_arn = "arn:aws:logs:us-west-2:123456789012:log-group:exec"
    kms_key_arn        = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  repository = {
    url = "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev"
    arn = "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-dev"
  }

  network = {
    vpc_id                = "vpc-0123456789abcdef0"
    vpc_cidr              = "10.1.0.0/16"
    subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    alb_security_group_id = "sg-0123456789abcdef1"
  }

  load_balancer = {
    target_group_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/blue/0123456789abcdef"
  }

  task     = { cpu = 256, memory = 512 }
  capacity = { min = 2, max = 6 }

  secrets = {
    DATABASE_URL = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/rds-credentials-AbCdEf:url::"
    REDIS_URL    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/redis-credentials-GhIjKl:url::"
  }
}

run "once_made" {
  override_resource {
    target = aws_ecs_task_definition.template
    values = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:1" }
  }
}

run "a_changed_template_is_not_rolled_out" {
  variables {
    task = { cpu = 512, memory = 1024 }
  }

  # As the real provider does it: a revision is never changed, a new one is registered.
  plan_options {
    replace = [aws_ecs_task_definition.template]
  }

  override_resource {
    target = aws_ecs_task_definition.template
    values = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:2" }
  }

  assert {
    condition     = aws_ecs_task_definition.template.arn == "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:2" && aws_ecs_task_definition.template.cpu == "512"
    error_message = "the template has a new revision"
  }

  assert {
    condition     = aws_ecs_service.this.task_definition == "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:1"
    error_message = "the service keeps what it runs until a release"
  }
}

run "another_port_is_refused_while_the_service_is_there" {
  command = plan

  variables {
    container = { port = 3000 }
  }

  expect_failures = [aws_ecs_service.this]
}

run "another_port_goes_with_another_service" {
  command = plan

  variables {
    container = { port = 3000 }
  }

  plan_options {
    replace = [aws_ecs_service.this, terraform_data.port]
  }

  assert {
    condition     = one(aws_ecs_service.this.load_balancer).container_port == 3000
    error_message = "the service is made anew with the port"
  }
}
