# What AWS refuses of what stands already: here it is made first, and then something changes.
mock_provider "aws" {
  source = "../../test/mocks"
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
  name              = "connect2-api-redis-prod"
  secret_prefix     = "connect2-api/prod"
  manage_auth_token = false

  network = {
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    security_group_ids = { tasks = "sg-0123456789abcdef1" }
  }
}

run "redis_is_made_without_tls" {
  variables {
    transit_encryption_enabled = false
  }
}

run "tls_in_one_step_is_refused" {
  command = plan

  expect_failures = [aws_elasticache_replication_group.this]
}

run "preferred_is_the_step" {
  command = plan

  variables {
    tls_step = "preferred"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "preferred" && aws_elasticache_replication_group.this.transit_encryption_enabled
    error_message = "the mode is ${aws_elasticache_replication_group.this.transit_encryption_mode}"
  }
}

run "required_is_the_step" {
  command = plan

  variables {
    tls_step = "required"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.transit_encryption_enabled
    error_message = "the mode is ${aws_elasticache_replication_group.this.transit_encryption_mode}"
  }
}

run "token_is_the_step" {
  command = plan

  variables {
    tls_step = "token"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.transit_encryption_enabled
    error_message = "the mode is ${aws_elasticache_replication_group.this.transit_encryption_mode}"
  }
}

run "an_unknown_step_is_refused" {
  command = plan

  variables {
    tls_step = "on"
  }

  expect_failures = [var.tls_step]
}

run "a_step_without_tls_is_refused" {
  command = plan

  variables {
    transit_encryption_enabled = false
    tls_step                   = "preferred"
  }

  expect_failures = [var.tls_step]
}
