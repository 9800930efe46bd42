output "instance_id" {
  description = "The instance, for aws ssm start-session --target."
  value       = aws_instance.this.id
}

output "public_ip" {
  description = "The Elastic IP; null without one."
  value       = one(aws_eip.this[*].public_ip)
}

output "security_group_id" {
  description = "Security group of the instance."
  value       = aws_security_group.this.id
}
