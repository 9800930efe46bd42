locals {
  port     = 6379
  failover = coalesce(var.automatic_failover_enabled, var.num_cache_clusters > 1)
  version  = coalesce(var.engine_version, var.engine == "redis" ? "7.1" : "8.0")
  family   = "${var.engine}${split(".", local.version)[0]}"
}

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Data subnets of ${var.name}"
  subnet_ids  = var.network.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-${local.family}"
  description = "${var.engine == "redis" ? "Redis" : "Valkey"} of ${var.name}"
  family      = local.family

  # A cache that is full forgets what has not been used for longest, instead of refusing writes.
  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Whether the group was made with TLS.
resource "terraform_data" "tls" {
  input = var.transit_encryption_enabled

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Cache shared by all tasks"

  engine                     = var.engine
  engine_version             = local.version
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  auto_minor_version_upgrade = true
  apply_immediately          = var.apply_immediately

  node_type                  = var.node_type
  num_cache_clusters         = var.num_cache_clusters
  automatic_failover_enabled = local.failover
  multi_az_enabled           = local.failover

  port               = local.port
  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [aws_security_group.this.id]

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = var.transit_encryption_enabled
  transit_encryption_mode    = var.tls_step == null ? null : var.tls_step == "token" ? "required" : var.tls_step
  auth_token                 = local.auth_token
  auth_token_update_strategy = local.auth_token == null ? null : "ROTATE"

  snapshot_retention_limit = var.snapshot_retention_days
  snapshot_window          = "07:00-08:00"
  maintenance_window       = "sun:08:30-sun:09:30"

  lifecycle {
    precondition {
      condition     = terraform_data.tls.output || !var.transit_encryption_enabled || var.tls_step != null
      error_message = "This Redis was made without TLS, and ElastiCache takes TLS and a password only one after the other. Three applies, each with a release after it so that the tasks read the secret again: tls_step = \"preferred\", then \"required\", then \"token\", which stays (redis_tls_step in an environment)."
    }

    precondition {
      condition     = !terraform_data.tls.output || var.transit_encryption_enabled
      error_message = "This Redis was made with TLS and a password, and ElastiCache does not take both away in one step. Leave TLS on, or make the group anew without it, empty: terraform apply -replace=ADDRESS.aws_elasticache_replication_group.this -replace=ADDRESS.terraform_data.tls, where ADDRESS is this module's, such as module.environment.module.elasticache."
    }
  }
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Redis ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = var.network.security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "Redis from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}
