output "primary_endpoint" {
  description = "Host name of the primary."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  description = "Port of every node."
  value       = local.port
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.this.id
}

output "secret_arn" {
  description = "The secret with the connection's url, once it has a value."
  value       = aws_secretsmanager_secret.credentials.arn
  depends_on  = [aws_secretsmanager_secret_version.credentials]
}

output "secret_name" {
  description = "Name of the secret with the connection's url."
  value       = aws_secretsmanager_secret.credentials.name
}

output "shape" {
  description = "What the cache is: engine with its version, nodes, failover, TLS."
  value = {
    engine   = "${aws_elasticache_replication_group.this.engine} ${aws_elasticache_replication_group.this.engine_version}"
    nodes    = aws_elasticache_replication_group.this.num_cache_clusters
    failover = aws_elasticache_replication_group.this.automatic_failover_enabled
    tls      = aws_elasticache_replication_group.this.transit_encryption_enabled
  }
}

output "arn" {
  description = "ARN of the replication group."
  value       = aws_elasticache_replication_group.this.arn
}

output "replication_group_id" {
  description = "Identifier of the replication group."
  value       = aws_elasticache_replication_group.this.id
}
