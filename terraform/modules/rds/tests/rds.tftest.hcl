mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

# Not mocked: terraform test cannot mock a provider that has ephemeral resources. It is never called.
provider "aws" {
  alias                       = "secrets"
  region                      = "us-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  name            = "connect2-api-db-prod"
  secret_prefix   = "connect2-api/prod"
  manage_password = false
  kms_key_arn     = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"

  network = {
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    security_group_ids = { tasks = "sg-0123456789abcdef1", bastion = "sg-0123456789abcdef2" }
  }
}

run "postgresql_16_that_follows_minor_upgrades" {
  command = plan

  assert {
    condition     = aws_db_instance.this.engine == "postgres" && aws_db_instance.this.engine_version == "16"
    error_message = "a major version alone shows no difference after a minor upgrade"
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres16"
    error_message = "the parameter group is of the same major version"
  }

  assert {
    condition     = aws_db_instance.this.allow_major_version_upgrade == false
    error_message = "a major upgrade is a decision"
  }
}

run "an_exact_version_is_accepted" {
  command = plan

  variables {
    engine_version = "16.4"
  }

  assert {
    condition     = aws_db_instance.this.engine_version == "16.4" && aws_db_parameter_group.this.family == "postgres16"
    error_message = "the version arrives as it was given"
  }
}

run "storage_grows_by_itself" {
  command = plan

  assert {
    condition     = aws_db_instance.this.storage_type == "gp3" && aws_db_instance.this.allocated_storage == 20 && aws_db_instance.this.max_allocated_storage == 100
    error_message = "gp3 from 20 to 100 GiB"
  }

  assert {
    condition     = aws_db_instance.this.performance_insights_enabled && aws_db_instance.this.performance_insights_kms_key_id == var.kms_key_arn && aws_db_instance.this.performance_insights_retention_period == 7
    error_message = "Performance Insights, for the seven days that cost nothing"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.this)) == aws_db_instance.this.enabled_cloudwatch_logs_exports && alltrue([for g in aws_cloudwatch_log_group.this : g.retention_in_days == 90 && g.kms_key_id == var.kms_key_arn && startswith(g.name, "/aws/rds/instance/connect2-api-db-prod/")])
    error_message = "the logs that are exported have a group with a retention before RDS would make one without"
  }
}

run "secrets_have_the_names_that_tasks_look_for" {
  command = plan

  assert {
    condition     = aws_secretsmanager_secret.credentials.name == "connect2-api/prod/rds-credentials"
    error_message = "the six keys"
  }

  assert {
    condition     = aws_secretsmanager_secret.password.name == "connect2-api/prod/rds-password"
    error_message = "the password alone"
  }

  assert {
    condition     = output.secret_name == "connect2-api/prod/rds-credentials"
    error_message = "the output says it"
  }

  assert {
    condition     = alltrue([for s in [aws_secretsmanager_secret.credentials, aws_secretsmanager_secret.password] : s.kms_key_id == var.kms_key_arn && s.recovery_window_in_days == 30])
    error_message = "both are encrypted with the key, and can be had back for a month"
  }
}

run "the_connection_is_what_the_secret_tells" {
  command = plan

  assert {
    condition     = jsonencode(local.connection) == jsonencode({ database = "connect2", host = "mock.abcdefghijkl.us-west-2.rds.amazonaws.com", port = 5432, username = "postgres" })
    error_message = "with password and url these are the six keys"
  }

  assert {
    condition     = aws_db_instance.this.username == local.connection.username && aws_db_instance.this.db_name == local.connection.database && aws_db_instance.this.port == local.connection.port
    error_message = "and the database is made with them"
  }

  assert {
    condition     = nonsensitive(aws_db_instance.this.password) == null && aws_db_instance.this.manage_master_user_password == null
    error_message = "the password is not an argument that the state keeps, and no secret that lacks the url"
  }
}

run "only_named_groups_come_in" {
  command = plan

  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.this : r.referenced_security_group_id]) == toset(["sg-0123456789abcdef1", "sg-0123456789abcdef2"])
    error_message = "tasks and bastion"
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.this : r.from_port == 5432 && r.to_port == 5432 && r.cidr_ipv4 == null])
    error_message = "one port, no address range"
  }

  assert {
    condition     = aws_db_instance.this.vpc_security_group_ids == toset([aws_security_group.this.id]) && aws_db_instance.this.db_subnet_group_name == aws_db_subnet_group.this.name && aws_db_subnet_group.this.subnet_ids == toset(var.network.subnet_ids)
    error_message = "the database stands behind this security group alone, in the data subnets"
  }
}

run "nothing_is_left_where_protection_is_off" {
  command = plan

  variables {
    protection = { deletion_protection = false, final_snapshot = false, automated_backups = false, secret_recovery_days = 0 }
  }

  assert {
    condition     = aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups && aws_db_instance.this.deletion_protection == false && alltrue([for s in [aws_secretsmanager_secret.credentials, aws_secretsmanager_secret.password] : s.recovery_window_in_days == 0])
    error_message = "destroy leaves nothing, and the secrets' names are free at once"
  }
}

run "protection_keeps_a_last_snapshot" {
  command = plan

  assert {
    condition     = aws_db_instance.this.skip_final_snapshot == false && startswith(aws_db_instance.this.final_snapshot_identifier, "connect2-api-db-prod-final-")
    error_message = "deletion leaves a snapshot"
  }

  assert {
    condition     = aws_db_instance.this.delete_automated_backups == false && aws_db_instance.this.backup_retention_period == 14
    error_message = "and the backups of two weeks"
  }
}

run "a_database_of_one_zone" {
  command = plan

  variables {
    multi_az       = false
    instance_class = "db.t3.small"
    iam            = { path = "/connect2-api/dev/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = aws_db_instance.this.multi_az == false && aws_db_instance.this.instance_class == "db.t3.small"
    error_message = "size and standby arrive"
  }

  assert {
    condition     = aws_iam_role.monitoring.path == "/connect2-api/dev/" && aws_iam_role.monitoring.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "the role lies under the environment's path and boundary, or the apply role could not make it"
  }
}

run "security_controls" {
  command = plan

  # Its name ends with what AWS appends, which a plan does not know.
  override_resource {
    target          = aws_db_parameter_group.this
    values          = { name = "connect2-api-db-prod-pg16-1" }
    override_during = plan
  }

  assert {
    condition     = aws_db_instance.this.publicly_accessible == false
    error_message = "[RDS.2] no public address"
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn
    error_message = "[RDS.3] storage is encrypted"
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted
    error_message = "[RDS.4] so are its snapshots, which take the instance's key"
  }

  assert {
    condition     = aws_db_instance.this.multi_az
    error_message = "[RDS.5] a standby in another zone"
  }

  assert {
    condition     = aws_db_instance.this.monitoring_interval == 60
    error_message = "[RDS.6] enhanced monitoring"
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection
    error_message = "[RDS.8] deletion protection"
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"])
    error_message = "[RDS.9] logs go to CloudWatch"
  }

  assert {
    condition     = aws_db_instance.this.iam_database_authentication_enabled
    error_message = "[RDS.10] IAM authentication"
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period >= 7
    error_message = "[RDS.11] automatic backups"
  }

  assert {
    condition     = aws_db_instance.this.auto_minor_version_upgrade
    error_message = "[RDS.13] minor upgrades"
  }

  assert {
    condition     = aws_db_instance.this.copy_tags_to_snapshot
    error_message = "[RDS.17] tags go with snapshots"
  }

  assert {
    condition     = contains(aws_db_instance.this.enabled_cloudwatch_logs_exports, "postgresql")
    error_message = "[RDS.36] the PostgreSQL log goes to CloudWatch"
  }

  assert {
    condition     = contains([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"], "1") && aws_db_instance.this.parameter_group_name == "connect2-api-db-prod-pg16-1"
    error_message = "[RDS.38] connections without TLS are refused"
  }
}

run "storage_that_could_not_grow_is_refused" {
  command = plan

  variables {
    storage = { allocated = 100, max_allocated = 100 }
  }

  expect_failures = [var.storage]
}

run "too_little_storage_is_refused" {
  command = plan

  variables {
    storage = { allocated = 10 }
  }

  expect_failures = [var.storage]
}

run "an_engine_that_is_no_postgresql_version_is_refused" {
  command = plan

  variables {
    engine_version = "sixteen"
  }

  expect_failures = [var.engine_version]
}

run "backups_of_a_day_are_refused" {
  command = plan

  variables {
    backup_retention_days = 1
  }

  expect_failures = [var.backup_retention_days]
}

run "an_unknown_retention_is_refused" {
  command = plan

  variables {
    log_retention_days = 42
  }

  expect_failures = [var.log_retention_days]
}

run "a_recovery_window_that_does_not_exist_is_refused" {
  command = plan

  variables {
    protection = { secret_recovery_days = 3 }
  }

  expect_failures = [var.protection]
}

run "each_protection_is_its_own" {
  command = plan

  variables {
    protection = { deletion_protection = false }
  }

  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups == false && aws_secretsmanager_secret.password.recovery_window_in_days == 30 && startswith(aws_db_instance.this.final_snapshot_identifier, "${var.name}-final-")
    error_message = "a database that may be deleted leaves a snapshot, its backups and its secrets"
  }
}

run "a_major_upgrade_is_asked_for" {
  command = plan

  variables {
    engine_version              = "17"
    allow_major_version_upgrade = true
  }

  assert {
    condition     = aws_db_instance.this.allow_major_version_upgrade && aws_db_parameter_group.this.family == "postgres17"
    error_message = "the parameter group goes with the version"
  }
}

run "a_database_is_made_from_a_snapshot" {
  command = plan

  variables {
    restore = { snapshot_identifier = "connect2-api-db-prod-final-20260131100000" }
  }

  assert {
    condition     = aws_db_instance.this.snapshot_identifier == "connect2-api-db-prod-final-20260131100000" && length(aws_db_instance.this.restore_to_point_in_time) == 0
    error_message = "from this snapshot"
  }
}

run "a_database_is_made_from_a_moment" {
  command = plan

  variables {
    restore = { source_identifier = "connect2-api-db-prod", time = "2026-01-31T10:00:00Z" }
  }

  assert {
    condition     = one(aws_db_instance.this.restore_to_point_in_time).source_db_instance_identifier == "connect2-api-db-prod" && one(aws_db_instance.this.restore_to_point_in_time).restore_time == "2026-01-31T10:00:00Z"
    error_message = "of this instance, at this time"
  }
}

run "two_sources_are_refused" {
  command = plan

  variables {
    restore = { snapshot_identifier = "a", source_identifier = "b" }
  }

  expect_failures = [var.restore]
}

run "no_source_is_refused" {
  command = plan

  variables {
    restore = { time = "2026-01-31T10:00:00Z" }
  }

  expect_failures = [var.restore]
}

run "a_snapshots_moment_is_refused" {
  command = plan

  variables {
    restore = { snapshot_identifier = "a", time = "2026-01-31T10:00:00Z" }
  }

  expect_failures = [var.restore]
}
