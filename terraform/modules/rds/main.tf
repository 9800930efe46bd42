locals {
  major = split(".", var.engine_version)[0]
  port  = 5432
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Data subnets of ${var.name}"
  subnet_ids  = var.network.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-pg${local.major}-"
  description = "PostgreSQL ${local.major} of ${var.name}"
  family      = "postgres${local.major}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_connections"
    value = "1"
  }

  parameter {
    name  = "log_disconnections"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_db_instance" "this" {
  identifier = var.name
  db_name    = var.database_name
  port       = local.port

  engine                      = "postgres"
  engine_version              = var.engine_version
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = var.allow_major_version_upgrade
  parameter_group_name        = aws_db_parameter_group.this.name
  instance_class              = var.instance_class
  apply_immediately           = var.apply_immediately

  storage_type          = "gp3"
  allocated_storage     = var.storage.allocated
  max_allocated_storage = var.storage.max_allocated
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  username            = var.username
  password_wo         = local.password
  password_wo_version = var.manage_password ? var.password_version : null

  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period   = var.backup_retention_days
  backup_window             = "08:00-09:00"
  maintenance_window        = "sun:09:30-sun:10:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.protection.automated_backups
  deletion_protection       = var.protection.deletion_protection
  skip_final_snapshot       = !var.protection.final_snapshot
  final_snapshot_identifier = "${var.name}-final-${formatdate("YYYYMMDDhhmmss", plantimestamp())}"

  enabled_cloudwatch_logs_exports       = keys(aws_cloudwatch_log_group.this)
  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  performance_insights_kms_key_id       = var.kms_key_arn
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn

  snapshot_identifier = try(var.restore.snapshot_identifier, null)

  dynamic "restore_to_point_in_time" {
    for_each = try(var.restore.source_identifier, null) == null && try(var.restore.source_resource_id, null) == null ? [] : [var.restore]

    content {
      source_db_instance_identifier = restore_to_point_in_time.value.source_identifier
      source_dbi_resource_id        = restore_to_point_in_time.value.source_resource_id
      restore_time                  = restore_to_point_in_time.value.time
      use_latest_restorable_time    = restore_to_point_in_time.value.time == null ? true : null
    }
  }

  depends_on = [aws_iam_role_policy_attachment.monitoring]

  # The last snapshot's name must be new for each database that had this identifier, one that -replace makes too: it is that of
  # the moment when the database was made. And what it was made from is over then; a change of it replaces nothing.
  lifecycle {
    ignore_changes = [final_snapshot_identifier, snapshot_identifier, restore_to_point_in_time]
  }
}
