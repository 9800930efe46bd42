mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name        = "connect2-api-cluster-dev"
  kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "both_fargate_providers_are_there" {
  command = plan

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "a service must be able to choose Spot or on demand"
  }
}

run "exec_sessions_are_encrypted_and_recorded" {
  command = plan

  assert {
    condition     = aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].kms_key_id == var.kms_key_arn
    error_message = "the session is encrypted with the key"
  }

  assert {
    condition     = aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration[0].cloud_watch_encryption_enabled
    error_message = "so is its log"
  }

  assert {
    condition     = aws_cloudwatch_log_group.exec.kms_key_id == var.kms_key_arn
    error_message = "the log group has the key"
  }

  assert {
    condition     = aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].logging == "OVERRIDE" && aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration[0].cloud_watch_log_group_name == aws_cloudwatch_log_group.exec.name
    error_message = "sessions are recorded in that log group"
  }

  assert {
    condition     = aws_cloudwatch_log_group.exec.name == "/ecs/connect2-api-cluster-dev/exec" && aws_cloudwatch_log_group.exec.retention_in_days == 14
    error_message = "for two weeks unless said otherwise"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = contains([for s in aws_ecs_cluster.this.setting : s.value if s.name == "containerInsights"], "enabled")
    error_message = "[ECS.12] Container Insights is on"
  }
}

run "an_unknown_setting_is_refused" {
  command = plan

  variables {
    container_insights = "on"
  }

  expect_failures = [var.container_insights]
}

run "an_unknown_retention_is_refused" {
  command = plan

  variables {
    log_retention_days = 15
  }

  expect_failures = [var.log_retention_days]
}
