data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  function_name    = var.name
  description      = "Rotates the password in ${var.service.name}'s database secret"
  role             = aws_iam_role.this.arn
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  memory_size      = 128
  timeout          = 900 # as long as a deployment that is going on may take; Secrets Manager repeats what runs out of time

  # One at a time where the account has room for it; Secrets Manager by itself begins no rotation of a secret while one goes on.
  reserved_concurrent_executions = var.reserved_concurrency

  vpc_config {
    subnet_ids         = var.network.subnet_ids
    security_group_ids = [aws_security_group.this.id]
  }

  environment {
    variables = merge({
      ECS_CLUSTER  = var.service.cluster_name
      ECS_SERVICE  = join(",", concat([var.service.name], sort(keys(var.other_services))))
      ADMIN_SECRET = var.admin.secret_arn
      ADMIN_USER   = var.admin.username
      USER_A       = var.users.a
      USER_B       = var.users.b
      OWNER        = var.users.owner
      SSL_MODE     = "require"
      }, var.redis == null ? {} : {
      REDIS_SECRET = var.redis.secret_arn
      REDIS_GROUP  = var.redis.replication_group_id
    })
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

resource "aws_lambda_permission" "this" {
  statement_id   = "SecretsManager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_secretsmanager_secret_rotation" "this" {
  secret_id           = var.secret_arn
  rotation_lambda_arn = aws_lambda_function.this.arn

  # The first rotation comes in its turn, not with the apply that switches rotation on.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.days
    duration                 = "3h"
  }

  depends_on = [aws_lambda_permission.this]
}

resource "aws_secretsmanager_secret_rotation" "redis" {
  count = var.redis == null ? 0 : 1

  secret_id           = var.redis.secret_arn
  rotation_lambda_arn = aws_lambda_function.this.arn
  rotate_immediately  = false

  rotation_rules {
    automatically_after_days = var.days
    duration                 = "3h"
  }

  depends_on = [aws_lambda_permission.this]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "A rotation failed; the password in use still works"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Function ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "Secrets Manager and ECS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id = aws_security_group.this.id
  description       = "The database"
  cidr_ipv4         = var.network.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_vpc_security_group_egress_rule" "redis" {
  count = var.redis == null ? 0 : 1

  security_group_id = aws_security_group.this.id
  description       = "Redis"
  cidr_ipv4         = var.network.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 6379
  to_port           = 6379
}
