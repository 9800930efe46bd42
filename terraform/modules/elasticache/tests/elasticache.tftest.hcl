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
  name              = "connect2-api-redis-prod"
  secret_prefix     = "connect2-api/prod"
  manage_auth_token = false
  kms_key_arn       = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"

  network = {
    vpc_id             = "vpc-0123456789abcdef0"
    subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    security_group_ids = { tasks = "sg-0123456789abcdef1" }
  }
}

run "more_than_one_node_fails_over" {
  command = plan

  variables {
    num_cache_clusters = 3
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 3 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "replicas stand by in other zones"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 6
    error_message = "CPU and memory of every node are watched"
  }
}

run "one_node_does_not" {
  command = plan

  variables {
    num_cache_clusters = 1
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 1 && aws_elasticache_replication_group.this.automatic_failover_enabled == false && aws_elasticache_replication_group.this.multi_az_enabled == false
    error_message = "there is nothing to fail over to"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 2
    error_message = "the one node is watched"
  }
}

run "alarms_ring_at_cpu_and_evictions" {
  command = plan

  variables {
    alarms = { topic_arns = ["arn:aws:sns:us-west-2:123456789012:alerts"] }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["connect2-api-redis-prod-001-cpu"].threshold == 75 && aws_cloudwatch_metric_alarm.this["connect2-api-redis-prod-001-cpu"].metric_name == "CPUUtilization"
    error_message = "CPU above 75 %"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["connect2-api-redis-prod-002-evictions"].threshold == 100 && aws_cloudwatch_metric_alarm.this["connect2-api-redis-prod-002-evictions"].metric_name == "Evictions" && aws_cloudwatch_metric_alarm.this["connect2-api-redis-prod-002-evictions"].statistic == "Sum"
    error_message = "evictions above 100 a minute: a full cache by itself is no fault"
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.alarm_actions == toset(["arn:aws:sns:us-west-2:123456789012:alerts"])])
    error_message = "every alarm tells somebody"
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.comparison_operator == "GreaterThanThreshold" && a.namespace == "AWS/ElastiCache"]) && { for name, a in aws_cloudwatch_metric_alarm.this : name => a.dimensions["CacheClusterId"] } == { for name in keys(aws_cloudwatch_metric_alarm.this) : name => trimsuffix(trimsuffix(name, "-cpu"), "-evictions") }
    error_message = "each looks at the node that it is named after, and rings above its threshold"
  }
}

run "tls_shows_in_the_url" {
  command = plan

  assert {
    condition     = nonsensitive(aws_secretsmanager_secret_version.credentials.secret_string) == jsonencode({ host = "mock.abcdef.ng.0001.usw2.cache.amazonaws.com", port = 6379, url = "rediss://mock.abcdef.ng.0001.usw2.cache.amazonaws.com:6379" })
    error_message = "the secret has url, host and port, and with TLS the scheme is rediss"
  }

  assert {
    condition     = aws_secretsmanager_secret.credentials.kms_key_id == var.kms_key_arn && aws_secretsmanager_secret.token[0].kms_key_id == var.kms_key_arn && aws_secretsmanager_secret.token[0].name == "connect2-api/prod/redis-token"
    error_message = "both secrets are encrypted with the key"
  }

  assert {
    condition     = aws_secretsmanager_secret.credentials.name == "connect2-api/prod/redis-credentials"
    error_message = "the secret has the name that tasks look for"
  }

  assert {
    condition     = length(aws_secretsmanager_secret.token) == 1
    error_message = "there is a secret for the token"
  }
}

run "without_tls_there_is_neither_token_nor_rediss" {
  command = plan

  variables {
    transit_encryption_enabled = false
  }

  assert {
    condition     = jsondecode(aws_secretsmanager_secret_version.credentials.secret_string).url == "redis://mock.abcdef.ng.0001.usw2.cache.amazonaws.com:6379" && length(aws_secretsmanager_secret.token) == 0
    error_message = "ElastiCache refuses a token without TLS"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled == false
    error_message = "TLS is off"
  }

  assert {
    condition     = nonsensitive(aws_elasticache_replication_group.this.auth_token) == null
    error_message = "no token is sent"
  }
}

run "only_named_groups_come_in" {
  command = plan

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.this) == ["tasks"] && aws_vpc_security_group_ingress_rule.this["tasks"].referenced_security_group_id == "sg-0123456789abcdef1"
    error_message = "the tasks' group comes in"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.this["tasks"].from_port == 6379 && aws_vpc_security_group_ingress_rule.this["tasks"].to_port == 6379 && aws_vpc_security_group_ingress_rule.this["tasks"].cidr_ipv4 == null
    error_message = "one port, no address range"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.security_group_ids == toset([aws_security_group.this.id]) && aws_elasticache_replication_group.this.port == 6379 && aws_elasticache_subnet_group.this.subnet_ids == toset(var.network.subnet_ids)
    error_message = "the nodes stand behind this security group alone, in the data subnets"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.snapshot_retention_limit >= 1
    error_message = "[ElastiCache.1] daily snapshots"
  }

  assert {
    condition     = tobool(aws_elasticache_replication_group.this.auto_minor_version_upgrade)
    error_message = "[ElastiCache.2] minor upgrades"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled
    error_message = "[ElastiCache.3] automatic failover"
  }

  assert {
    condition     = tobool(aws_elasticache_replication_group.this.at_rest_encryption_enabled) && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "[ElastiCache.4] data at rest is encrypted"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled
    error_message = "[ElastiCache.5] data in transit is encrypted"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.subnet_group_name == "connect2-api-redis-prod"
    error_message = "[ElastiCache.7] a subnet group of its own"
  }
}

run "failover_with_one_node_is_refused" {
  command = plan

  variables {
    num_cache_clusters         = 1
    automatic_failover_enabled = true
  }

  expect_failures = [var.automatic_failover_enabled]
}

run "no_node_is_refused" {
  command = plan

  variables {
    num_cache_clusters = 0
  }

  expect_failures = [var.num_cache_clusters]
}

run "a_size_that_is_no_cache_size_is_refused" {
  command = plan

  variables {
    node_type = "db.t3.micro"
  }

  expect_failures = [var.node_type]
}

run "valkey_is_an_engine" {
  command = plan

  variables {
    engine = "valkey"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.engine == "valkey" && aws_elasticache_replication_group.this.engine_version == "8.0" && aws_elasticache_parameter_group.this.family == "valkey8" && aws_elasticache_replication_group.this.parameter_group_name == "${var.name}-valkey8"
    error_message = "engine, version and parameters are Valkey's"
  }
}

run "an_engine_or_version_that_is_not_there_is_refused" {
  command = plan

  variables {
    engine         = "redis"
    engine_version = "8.0"
  }

  expect_failures = [var.engine_version]
}
