output "identifier" {
  description = "Identifier of the instance."
  value       = aws_db_instance.this.identifier
}

output "address" {
  description = "Host name of the database."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of the database."
  value       = local.port
}

output "security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.this.id
}

# With its value: a task that starts between the two would find no URL.
output "secret_arn" {
  description = "The secret with username, password, host, port, database and url, once it has a value."
  value       = aws_secretsmanager_secret.credentials.arn
  depends_on  = [aws_secretsmanager_secret_version.credentials]
}

output "secret_name" {
  description = "Name of the secret with the six keys."
  value       = aws_secretsmanager_secret.credentials.name
}

output "password_secret_arn" {
  description = "The secret with the master password alone, for rotation and for people who administer the database."
  value       = aws_secretsmanager_secret.password.arn
  depends_on  = [aws_secretsmanager_secret_version.password]
}

output "shape" {
  description = "What the database is: class, standby, deletion protection, whether deleting it leaves a snapshot."
  value = {
    instance_class      = aws_db_instance.this.instance_class
    multi_az            = aws_db_instance.this.multi_az
    deletion_protection = aws_db_instance.this.deletion_protection
    final_snapshot      = !aws_db_instance.this.skip_final_snapshot
  }
}
