mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name       = "connect2-api-rotate-prod"
  zip        = "versions.tf" # any file: nothing is sent
  secret_arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/rds-credentials-AbCdEf"
  admin      = { secret_arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/rds-password-AbCdEf" }

  service = {
    arn          = "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-prod/connect2-api-service-prod"
    cluster_name = "connect2-api-cluster-prod"
    name         = "connect2-api-service-prod"
  }

  network = { vpc_id = "vpc-0123456789abcdef0", vpc_cidr = "10.1.0.0/16", subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"] }
}

run "one_rotation_at_a_time_and_not_with_the_apply" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "two rotations at once would not know whose turn it is"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.this.rotate_immediately == false
    error_message = "switching rotation on changes no password yet"
  }
}

run "the_function_knows_its_users_and_its_service" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["USER_A"] != aws_lambda_function.this.environment[0].variables["USER_B"]
    error_message = "two users take turns"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["ECS_SERVICE"] == "connect2-api-service-prod"
    error_message = "the service is the one whose tasks read the secret"
  }

  # cmd/rotate-credentials reads exactly these: its test compares the names.
  assert {
    condition = jsonencode(aws_lambda_function.this.environment[0].variables) == jsonencode({
      ADMIN_SECRET = var.admin.secret_arn
      ADMIN_USER   = "postgres"
      ECS_CLUSTER  = "connect2-api-cluster-prod"
      ECS_SERVICE  = "connect2-api-service-prod"
      OWNER        = "connect2_owner"
      SSL_MODE     = "require"
      USER_A       = "connect2_a"
      USER_B       = "connect2_b"
    })
    error_message = "everything that the function must be told"
  }

  assert {
    condition     = aws_lambda_function.this.filename == "versions.tf" && aws_lambda_function.this.source_code_hash == filebase64sha256("versions.tf") && aws_lambda_function.this.handler == "bootstrap"
    error_message = "its code is the zip that was given, and a changed zip is a changed function"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.this.secret_id == var.secret_arn && aws_secretsmanager_secret_rotation.this.rotation_lambda_arn == aws_lambda_function.this.arn
    error_message = "it rotates the secret with the six keys"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.database.from_port == 5432 && aws_vpc_security_group_egress_rule.database.cidr_ipv4 == "10.1.0.0/16" && aws_lambda_function.this.vpc_config[0].security_group_ids == toset([aws_security_group.this.id])
    error_message = "it reaches the database"
  }
}

run "it_may_touch_two_secrets_and_one_service" {
  command = plan

  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "Rotate"]) == toset([var.secret_arn]) && one([for s in data.aws_iam_policy_document.this.statement : s.actions if s.sid == "ReadMasterPassword"]) == toset(["secretsmanager:GetSecretValue"])
    error_message = "it writes one secret and reads the other"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "Redeploy"]) == toset([var.service.arn])
    error_message = "it starts this service anew and no other"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_secretsmanager_secret_rotation.this.rotation_rules[0].automatically_after_days == 30
    error_message = "[SecretsManager.1] where rotation is switched on it is automatic"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors.metric_name == "Errors"
    error_message = "[SecretsManager.2] a rotation that fails is told"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.this.rotation_rules[0].automatically_after_days <= 90
    error_message = "[SecretsManager.4] at least every 90 days"
  }

  assert {
    condition     = aws_lambda_permission.this.principal == "secretsmanager.amazonaws.com" && aws_lambda_permission.this.source_account == "123456789012"
    error_message = "[Lambda.1] only this account's Secrets Manager may call it"
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "[Lambda.2] a supported runtime"
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config[0].subnet_ids) >= 2
    error_message = "[Lambda.5] in more than one zone"
  }
}

run "a_rotation_every_year_is_refused" {
  command = plan

  variables {
    days = 365
  }

  expect_failures = [var.days]
}

run "an_unknown_retention_is_refused" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "its_role_lies_within_the_environments_boundary" {
  command = plan

  variables {
    alarm_topic_arns = ["arn:aws:sns:us-west-2:123456789012:alerts"]
    iam              = { path = "/connect2-api/prod/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = aws_iam_role.this.path == "/connect2-api/prod/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "or the apply role could not make it"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors.alarm_actions == toset(["arn:aws:sns:us-west-2:123456789012:alerts"]) && aws_cloudwatch_metric_alarm.errors.threshold == 0 && aws_cloudwatch_metric_alarm.errors.dimensions["FunctionName"] == "connect2-api-rotate-prod"
    error_message = "one failure is told"
  }
}

run "one_user_for_both_turns_is_refused" {
  command = plan

  variables {
    users = { a = "app", b = "app" }
  }

  expect_failures = [var.users]
}

run "without_redis_nothing_of_it" {
  command = plan

  assert {
    condition     = length(aws_secretsmanager_secret_rotation.redis) == 0 && length(aws_vpc_security_group_egress_rule.redis) == 0 && !contains(keys(aws_lambda_function.this.environment[0].variables), "REDIS_SECRET") && !contains(data.aws_iam_policy_document.this.statement[*].sid, "RotateToken")
    error_message = "the token's rotation is off unless asked for"
  }
}

run "the_token_of_one_group" {
  command = plan

  variables {
    other_services = { connect2-api-worker-prod = "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-prod/connect2-api-worker-prod" }
    redis = {
      replication_group_id = "connect2-api-redis-prod"
      arn                  = "arn:aws:elasticache:us-west-2:123456789012:replicationgroup:connect2-api-redis-prod"
      secret_arn           = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/redis-credentials-AbCdEf"
    }
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["ECS_SERVICE"] == "connect2-api-service-prod,connect2-api-worker-prod" && contains(one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "Redeploy"]), "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-prod/connect2-api-worker-prod")
    error_message = "every service that reads the secrets is started anew"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "RotateToken"]) == toset([var.redis.arn]) && one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "Rotate"]) == toset([var.secret_arn, var.redis.secret_arn])
    error_message = "it changes this group's token and writes these two secrets"
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.redis[0].secret_id == var.redis.secret_arn && aws_secretsmanager_secret_rotation.redis[0].rotate_immediately == false && aws_lambda_function.this.environment[0].variables["REDIS_GROUP"] == var.redis.replication_group_id
    error_message = "the function is told of the group, and the apply changes no token"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.redis[0].from_port == 6379 && aws_vpc_security_group_egress_rule.redis[0].cidr_ipv4 == var.network.vpc_cidr
    error_message = "it reaches Redis"
  }
}

run "one_at_a_time_where_the_account_has_room" {
  command = plan

  variables {
    reserved_concurrency = 1
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1
    error_message = "set apart on request"
  }
}

run "two_at_once_are_refused" {
  command = plan

  variables {
    reserved_concurrency = 2
  }

  expect_failures = [var.reserved_concurrency]
}

run "a_zip_that_is_not_there_is_refused_before_anything_is_made" {
  command = plan

  variables {
    zip = "nothing-here.zip"
  }

  expect_failures = [var.zip]
}
