# What Terraform leaves to the releases. A plan cannot show it: here the schedule is made first, and then something changes.
mock_provider "aws" {
  source = "../../test/mocks"
}

variables {
  name        = "connect2-api-digest-dev"
  expression  = "rate(1 day)"
  cluster_arn = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev"
  network     = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"] }

  task = {
    family       = "connect2-api-dev"
    template_arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:3"
    container    = "connect2-api"
    role_arns    = ["arn:aws:iam::123456789012:role/execution"]
  }
}

run "once_made" {}

run "another_revision_of_the_template_moves_nothing" {
  variables {
    expression = "rate(2 days)"
    task = {
      family       = "connect2-api-dev"
      template_arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:4"
      container    = "connect2-api"
      role_arns    = ["arn:aws:iam::123456789012:role/execution"]
    }
  }

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(2 days)" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_definition_arn == "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:3"
    error_message = "the time is Terraform's, the revision is not: ${aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_definition_arn}"
  }
}
