output "name" {
  description = "Name of the cluster, once its capacity providers are attached."
  value       = aws_ecs_cluster.this.name
  depends_on  = [aws_ecs_cluster_capacity_providers.this]
}

output "arn" {
  description = "ARN of the cluster, once its capacity providers are attached."
  value       = aws_ecs_cluster.this.arn
  depends_on  = [aws_ecs_cluster_capacity_providers.this]
}

output "exec_log_group" {
  description = "Name and ARN of the log group that records ECS Exec sessions."
  value = {
    name = aws_cloudwatch_log_group.exec.name
    arn  = aws_cloudwatch_log_group.exec.arn
  }
}
