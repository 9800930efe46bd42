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
  environment             = "test"
  min_tasks               = 2
  max_tasks               = 4
  task_cpu                = 256
  task_memory             = 512
  use_spot                = false
  enable_autoscaling      = true
  enable_https            = false
  database_instance_class = "db.t3.micro"
  database_multi_az       = false
  redis_nodes             = 2
  redis_tls               = false
  log_retention_days      = 7
  deletion_protection     = false
  enable_bastion          = false
  manage_passwords        = false

  protection = { final_snapshot = false, secret_recovery_days = 0, key_recovery_days = 7 }
}

run "without_domain_and_github_it_still_stands" {
  command = plan

  assert {
    condition     = startswith(output.service_url, "http://mock-")
    error_message = "the service is found by the load balancer's own name"
  }

  assert {
    condition     = output.deploy_role_arn == null && output.plan_role_arn == null
    error_message = "no role for GitHub is made"
  }

  assert {
    condition     = aws_kms_key.this[0].deletion_window_in_days == 7
    error_message = "an environment that may be destroyed frees its key soon"
  }
}

run "tasks_get_both_connections_as_secrets" {
  command = plan

  override_resource {
    target          = module.rds.aws_secretsmanager_secret.credentials
    values          = { arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/test/rds-credentials-AbCdEf" }
    override_during = plan
  }

  override_resource {
    target          = module.elasticache.aws_secretsmanager_secret.credentials
    values          = { arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/test/redis-credentials-GhIjKl" }
    override_during = plan
  }

  variables {
    service = { secrets = { PARTNER_KEY = "arn:aws:secretsmanager:us-west-2:123456789012:secret:partner-MnOpQr:key::" } }
  }

  assert {
    condition = module.ecs_service.shape.secrets == {
      DATABASE_URL = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/test/rds-credentials-AbCdEf:url::"
      PARTNER_KEY  = "arn:aws:secretsmanager:us-west-2:123456789012:secret:partner-MnOpQr:key::"
      REDIS_URL    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/test/redis-credentials-GhIjKl:url::"
    }
    error_message = "each variable is the key url of its secret, and further ones are added"
  }
}

run "by_default_nothing_is_there_that_was_not_asked_for" {
  command = plan

  override_resource {
    target          = module.ecs_service.aws_security_group.this
    values          = { id = "sg-tasks" }
    override_during = plan
  }

  assert {
    condition     = local.clients == { tasks = "sg-tasks" }
    error_message = "database and cache let the tasks in and nobody else"
  }

  assert {
    condition     = length(module.secret_rotation) == 0 && length(module.bastion) == 0 && length(module.github_oidc) == 0 && length(module.acm) == 0 && length(module.dns_record) == 0
    error_message = "no rotation, no bastion, no roles for GitHub, no certificate, no record"
  }

  assert {
    condition     = output.differences.deletion_protection == false && output.differences.final_snapshot == false
    error_message = "deleting leaves nothing"
  }
}

run "protection_is_that_of_all_that_holds_data" {
  command = plan

  variables {
    deletion_protection = true
    protection          = {}
  }

  assert {
    condition     = output.differences.deletion_protection == true && output.differences.final_snapshot == true && aws_kms_key.this[0].deletion_window_in_days == 30
    error_message = "load balancer, database with a last snapshot, key and secrets"
  }
}

run "without_deletion_protection_everything_else_stays_safe" {
  command = plan

  variables {
    deletion_protection = false
    protection          = {}
  }

  assert {
    condition     = output.differences.deletion_protection == false && output.differences.final_snapshot == true && aws_kms_key.this[0].deletion_window_in_days == 30
    error_message = "the switch that a teardown turns lets database and load balancer be deleted, and takes nothing away from what is left of them"
  }

  assert {
    condition     = jsonencode(var.protection) == jsonencode({ apply_immediately = false, automated_backups = true, delete_images = false, delete_logs = false, delete_zone_records = false, final_snapshot = true, key_recovery_days = 30, secret_recovery_days = 30 })
    error_message = "each value is safe until somebody says otherwise: ${jsonencode(var.protection)}"
  }
}

run "a_released_service_has_the_bounds_of_the_table" {
  command = plan

  override_resource {
    target          = module.ecs_service.aws_ecs_task_definition.template
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-test:3" }
    override_during = plan
  }

  assert {
    condition     = output.released && output.differences.scalable_target == "2-4"
    error_message = "min_tasks and max_tasks are the scalable target's"
  }
}

run "zone_rotation_bastion_and_strategy_are_choices" {
  command = plan

  variables {
    domain         = { zone = "connect.com", host = "api.connect.com" }
    enable_https   = true
    rotation       = { zip = "versions.tf" }
    deployment     = { strategy = "blue_green" }
    enable_bastion = true
  }

  assert {
    condition     = output.service_url == "https://api.connect.com"
    error_message = "the service is found by its name"
  }

  assert {
    condition     = length(module.secret_rotation) == 1 && toset(keys(local.clients)) == toset(["tasks", "bastion", "rotation"])
    error_message = "tasks, bastion and rotation may connect to the database, and nobody else"
  }

  assert {
    condition     = output.differences.https && output.differences.bastion
    error_message = "the table says so"
  }
}

run "a_domain_that_points_nowhere_is_not_waited_for" {
  command = plan

  variables {
    enable_https = true
    domain       = { zone = "connect.com", create_zone = true, host = "api.connect.com", delegated = false }
  }

  assert {
    condition     = output.service_url == "http://api.connect.com" && length(module.acm) == 1 && length(module.route53_zone) == 1
    error_message = "zone and certificate are made, and HTTPS is off until the domain points here"
  }
}

run "promotion_is_between_roles_and_repositories_of_one_account" {
  command = plan

  variables {
    promotion = { to_environments = ["prod"], from_environments = ["staging"] }
  }

  assert {
    condition = jsonencode(local.promotion_roles) == jsonencode([
      "arn:aws:iam::123456789012:role/connect2-api-github/prod/connect2-api-prod-github-push",
      "arn:aws:iam::123456789012:role/connect2-api-github/prod/connect2-api-prod-github-deploy",
    ])
    error_message = "the roles that may promote to prod, by the names that the module github-oidc gives them"
  }

  assert {
    condition     = jsonencode(local.promotion_sources) == jsonencode(["arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-staging"])
    error_message = "releases come from staging's repository"
  }

  assert {
    condition     = jsonencode(module.ecr.pulled_by) == jsonencode(local.promotion_roles)
    error_message = "the repository lets them pull"
  }
}

run "promotion_across_accounts_is_by_arn" {
  command = plan

  variables {
    promotion = {
      to_role_arns         = ["arn:aws:iam::999999999999:role/connect2-api-github/prod/connect2-api-prod-github-push"]
      from_repository_arns = ["arn:aws:ecr:eu-west-1:888888888888:repository/connect2-api-staging"]
    }
  }

  assert {
    condition     = jsonencode(local.promotion_roles) == jsonencode(var.promotion.to_role_arns) && jsonencode(local.promotion_sources) == jsonencode(var.promotion.from_repository_arns)
    error_message = "what is in other accounts is taken as it is named"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "[KMS.4] the key is rotated"
  }

  # A condition on aws:SourceAccount, aws:SourceArn or aws:SourceOrgID would drop every event without a word.
  assert {
    condition = toset(flatten([for s in data.aws_iam_policy_document.key.statement : [
      for c in s.condition : c.variable
    ] if contains(flatten([for p in s.principals : tolist(p.identifiers)]), "events.amazonaws.com")])) == toset(["kms:EncryptionContext:aws:sns:topicArn"])
    error_message = "EventBridge uses the key for the topic, under no condition that SNS does not support for it"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.key.statement : s.sid == "Account" || length(s.condition) > 0]) && alltrue(flatten([for s in data.aws_iam_policy_document.key.statement : [for p in s.principals : !contains(p.identifiers, "*")]]))
    error_message = "[KMS.5] nobody outside the account uses the key, and services only with a condition"
  }
}

run "https_without_zone_and_certificate_is_refused" {
  command = plan

  variables {
    enable_https = true
  }

  expect_failures = [var.enable_https]
}

run "min_above_max_is_refused" {
  command = plan

  variables {
    min_tasks = 5
  }

  expect_failures = [var.max_tasks]
}

run "a_host_outside_its_zone_is_refused" {
  command = plan

  variables {
    domain = { zone = "connect.com", host = "api.example.org" }
  }

  expect_failures = [var.domain]
}

run "a_zone_without_a_host_is_refused" {
  command = plan

  variables {
    domain = { zone = "connect.com" }
  }

  expect_failures = [var.domain]
}

run "a_name_too_long_for_a_load_balancer_is_refused" {
  command = plan

  variables {
    environment = "performance"
  }

  expect_failures = [var.environment]
}

run "the_rotation_function_is_where_its_module_puts_it" {
  command = plan

  variables {
    redis_tls = true
    rotation  = { redis = true }
  }

  assert {
    condition     = module.secret_rotation[0].zip == "./../secret-rotation/rotate-credentials.zip"
    error_message = "without rotation.zip the module's own is taken, not ${module.secret_rotation[0].zip}"
  }
}

run "the_redis_token_is_rotated_only_where_there_is_one" {
  command = plan

  variables {
    rotation  = { zip = "versions.tf", redis = true }
    redis_tls = false
  }

  expect_failures = [var.rotation]
}

run "what_the_boundary_would_refuse_is_said_before_anything_is_made" {
  command = plan

  variables {
    github  = { repository = { owner = "org", name = "connect2" } }
    service = { policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":[\"ses:SendEmail\"],\"Resource\":\"*\"}}" }
  }

  expect_failures = [output.task_role_arn]
}

run "a_secret_beyond_the_prefix_is_refused" {
  command = plan

  variables {
    github  = { repository = { owner = "org", name = "connect2" } }
    service = { secrets = { PARTNER_KEY = "arn:aws:secretsmanager:us-west-2:123456789012:secret:partner-MnOpQr:key::" } }
  }

  expect_failures = [output.task_role_arn]
}

run "everything_but_a_list_is_refused" {
  command = plan

  variables {
    github  = { repository = { owner = "org", name = "connect2" } }
    service = { policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\"],\"Resource\":\"*\"}]}" }
  }

  expect_failures = [output.task_role_arn]
}

run "what_is_allowed_is_within_the_boundary" {
  command = plan

  variables {
    github = { repository = { owner = "org", name = "connect2" } }

    service = {
      policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"SES:SendEmail\",\"bedrock:InvokeModel\"],\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":[\"arn:aws:s3:::uploads/*\"]},{\"Effect\":\"Allow\",\"Action\":\"rds-db:connect\",\"Resource\":\"arn:aws:rds-db:us-west-2:123456789012:dbuser:*/app\"},{\"Effect\":\"Allow\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:us-west-2:123456789012:function:thumbnails\"},{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"arn:aws:iam::210987654321:role/partner\"},{\"Effect\":\"Deny\",\"Action\":\"*\",\"NotResource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"cloudwatch:PutMetricData\",\"Resource\":\"*\"}]}"
      secrets = {
        PARTNER_KEY = "arn:aws:secretsmanager:us-west-2:123456789012:secret:partner-MnOpQr:key::"
        OWN_KEY     = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/test/own-MnOpQr"
        PARAMETER   = "/connect2-api/test/parameter"
      }
      allow = [
        { actions = ["ses:Send*", "bedrock:InvokeModel"] },
        { actions = ["s3:Get*"], resources = ["arn:aws:s3:::uploads/*"] },
        { actions = ["rds-db:connect"], resources = ["arn:aws:rds-db:us-west-2:123456789012:dbuser:*"] },
        { actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:us-west-2:123456789012:function:thumb*"] },
        { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::210987654321:role/partner"] },
        { actions = ["secretsmanager:GetSecretValue"], resources = ["arn:aws:secretsmanager:us-west-2:123456789012:secret:partner-*"] },
      ]
    }
  }

  assert {
    condition     = length(local.asked_for) == 10 && length(local.beyond_the_boundary) == 0
    error_message = "each is named in service.allow, or the environment's own: ${jsonencode(local.beyond_the_boundary)}"
  }
}

run "allowed_on_one_is_not_allowed_on_another" {
  command = plan

  variables {
    github = { repository = { owner = "org", name = "connect2" } }

    service = {
      policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":[\"arn:aws:s3:::uploads/*\",\"arn:aws:s3:::payroll/*\"]}]}"
      allow       = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::uploads/*"] }]
    }
  }

  expect_failures = [output.task_role_arn]
}

run "the_plan_role_is_for_main_unless_said_otherwise" {
  command = plan

  variables {
    github = { repository = { owner = "org", name = "connect2" } }
  }

  assert {
    condition     = strcontains(jsonencode(module.github_oidc[0].trust["plan"]), "org/connect2/.github/workflows/infrastructure.yml@refs/heads/main")
    error_message = "another branch's workflow must not take it"
  }
}

run "an_empty_list_opens_the_plan_role" {
  command = plan

  variables {
    github = { repository = { owner = "org", name = "connect2" }, plan_workflows = [] }
  }

  assert {
    condition     = !strcontains(jsonencode(module.github_oidc[0].trust["plan"]), "job_workflow_ref")
    error_message = "as dev has it"
  }
}
