# ElastiCache takes the auth token only as an ordinary argument, so it is in the state; docs/CONTROLS.md says so. It is made
# as an ephemeral value, kept in a secret of its own and read back from there, so that it is the same in every run.
locals {
  makes_token = var.transit_encryption_enabled && var.manage_auth_token && contains(["none", "token"], coalesce(var.tls_step, "none"))
  auth_token  = local.makes_token ? data.aws_secretsmanager_secret_version.token[0].secret_string : null

  scheme = var.transit_encryption_enabled ? "rediss" : "redis"
  login  = local.auth_token == null ? "" : ":${local.auth_token}@"
  host   = aws_elasticache_replication_group.this.primary_endpoint_address
}

ephemeral "aws_secretsmanager_random_password" "token" {
  count    = local.makes_token ? 1 : 0
  provider = aws.secrets

  password_length     = 64
  exclude_punctuation = true # it stands in a URL
}

resource "aws_secretsmanager_secret" "token" {
  count = var.transit_encryption_enabled ? 1 : 0

  name                    = "${var.secret_prefix}/redis-token"
  description             = "Auth token of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "token" {
  count = local.makes_token ? 1 : 0

  secret_id                = aws_secretsmanager_secret.token[0].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.token[0].random_password
  secret_string_wo_version = var.auth_token_version
}

data "aws_secretsmanager_secret_version" "token" {
  count = local.makes_token ? 1 : 0

  secret_id  = aws_secretsmanager_secret_version.token[0].secret_id
  version_id = aws_secretsmanager_secret_version.token[0].version_id
}

resource "aws_secretsmanager_secret" "credentials" {
  name                    = "${var.secret_prefix}/redis-credentials"
  description             = "How to connect to ${var.name}: url, host, port, and password when there is one"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "credentials" {
  secret_id = aws_secretsmanager_secret.credentials.id
  secret_string = jsonencode(merge(
    {
      url  = "${local.scheme}://${local.login}${local.host}:${local.port}"
      host = local.host
      port = local.port
    },
    local.auth_token == null ? {} : { password = local.auth_token },
  ))
}
