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
}

run "nothing_is_left_where_protection_is_off" {
  command = plan

  variables {
    protection = { deletion_protection = false, final_snapshot = false, secret_recovery_days = 0 }
  }

  assert {
    condition     = aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups && aws_secretsmanager_secret.credentials.recovery_window_in_days == 0
    error_message = "destroy leaves nothing, and the secrets' names are free at once"
  }
}

run "protection_keeps_a_last_snapshot" {
  command = plan

  assert {
    condition     = aws_db_instance.this.skip_final_snapshot == false && startswith(aws_db_instance.this.final_snapshot_identifier, "connect2-api-db-prod-final-")
    error_message = "deletion leaves a snapshot"
  }
}

run "security_controls" {
  command = plan

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
    condition     = contains([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"], "1")
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
