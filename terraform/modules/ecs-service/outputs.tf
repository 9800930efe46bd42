output "service_name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "service_arn" {
  description = "ARN of the service."
  value       = aws_ecs_service.this.id
}

output "container_name" {
  description = "Name of the application's container."
  value       = var.container.name
}

output "template_family" {
  description = "Family of the task definition that releases are made from."
  value       = aws_ecs_task_definition.template.family
}

output "log_group_name" {
  description = "The application's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group_id" {
  description = "Security group of the tasks."
  value       = aws_security_group.this.id
}

output "execution_role_arn" {
  description = "Role that ECS uses before a container runs. Whoever deploys must be allowed to pass it."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "Role of the application. Whoever deploys must be allowed to pass it."
  value       = aws_iam_role.task.arn
}

output "execution_role_name" {
  description = "Name of that role, for policies of your own."
  value       = aws_iam_role.execution.name
}

output "task_role_name" {
  description = "Name of the application's role, for policies of your own."
  value       = aws_iam_role.task.name
}

output "template_arn" {
  description = "The newest revision of the template."
  value       = aws_ecs_task_definition.template.arn
}

output "infrastructure_role_arn" {
  description = "Role by which ECS shifts traffic; null with rolling deployments."
  value       = one(aws_iam_role.infrastructure[*].arn)
}

output "released" {
  description = "Whether a release has replaced the template yet."
  value       = local.released
}

output "shape" {
  description = "What the service is: task size, count, bounds of the scalable target, capacity providers, what autoscaling aims at by policy, log retention, a read-only root or not, and secrets by the variable that they fill."
  value = {
    cpu                      = tonumber(aws_ecs_task_definition.template.cpu)
    memory                   = tonumber(aws_ecs_task_definition.template.memory)
    min_tasks                = tonumber(aws_ecs_service.this.tags["connect2-first-count"])
    max_tasks                = aws_appautoscaling_target.this.max_capacity
    scalable_target          = "${aws_appautoscaling_target.this.min_capacity}-${aws_appautoscaling_target.this.max_capacity}"
    capacity_providers       = sort([for strategy in aws_ecs_service.this.capacity_provider_strategy : strategy.capacity_provider if strategy.weight > 0 || strategy.base > 0])
    policies                 = { for name, policy in aws_appautoscaling_policy.this : name => policy.target_tracking_scaling_policy_configuration[0].target_value }
    log_retention_days       = aws_cloudwatch_log_group.this.retention_in_days
    readonly_root_filesystem = jsondecode(aws_ecs_task_definition.template.container_definitions)[0].readonlyRootFilesystem
    secrets                  = { for secret in jsondecode(aws_ecs_task_definition.template.container_definitions)[0].secrets : secret.name => secret.valueFrom }
  }
}
