# The way of the password: made as an ephemeral value, written to a secret of its own, read back from there, and handed to
# the database and to the secret with the six keys. None of the four writes keeps it in the state. An ephemeral value is
# new in every run; because the first secret is written once for each password_version, a run that failed half-way is
# repeated with the same password, and database and secret cannot come apart.
ephemeral "aws_secretsmanager_random_password" "this" {
  count    = var.manage_password ? 1 : 0
  provider = aws.secrets

  password_length     = 40
  exclude_punctuation = true # it stands in a URL
}

resource "aws_secretsmanager_secret" "password" {
  name                    = "${var.secret_prefix}/rds-password"
  description             = "Master password of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protection.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "password" {
  count = var.manage_password ? 1 : 0

  secret_id                = aws_secretsmanager_secret.password.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.this[0].random_password
  secret_string_wo_version = var.password_version
}

# By version id: right after a new version is written, reading the current one could still give the old password.
ephemeral "aws_secretsmanager_secret_version" "password" {
  count    = var.manage_password ? 1 : 0
  provider = aws.secrets

  secret_id  = aws_secretsmanager_secret_version.password[0].secret_id
  version_id = aws_secretsmanager_secret_version.password[0].version_id
}

locals {
  password = var.manage_password ? ephemeral.aws_secretsmanager_secret_version.password[0].secret_string : null

  connection = {
    username = var.username
    host     = aws_db_instance.this.address
    port     = local.port
    database = var.database_name
  }
}

resource "aws_secretsmanager_secret" "credentials" {
  name                    = "${var.secret_prefix}/rds-credentials"
  description             = "How to connect to ${var.name}: username, password, host, port, database, url"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protection.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "credentials" {
  count = var.manage_password ? 1 : 0

  secret_id = aws_secretsmanager_secret.credentials.id
  secret_string_wo = jsonencode(merge(local.connection, {
    password = local.password
    url      = "postgresql://${var.username}:${local.password}@${local.connection.host}:${local.port}/${var.database_name}"
  }))

  # Written again when the password or the address changes, and left alone otherwise: rotation writes here too.
  secret_string_wo_version = parseint(substr(sha256("${var.password_version} ${jsonencode(local.connection)}"), 0, 7), 16)
}
