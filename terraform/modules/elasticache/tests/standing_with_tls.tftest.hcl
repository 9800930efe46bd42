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

run "redis_is_made_with_tls" {
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled
    error_message = "TLS is on"
  }
}

run "without_tls_again_is_refused" {
  command = plan

  variables {
    transit_encryption_enabled = false
  }

  expect_failures = [aws_elasticache_replication_group.this]
}
