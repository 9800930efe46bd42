# The outputs up to service_url become GitHub variables of the environment; docs/INFRASTRUCTURE.md has their names there.

output "cluster_name" {
  description = "The ECS cluster (ECS_CLUSTER)."
  value       = module.environment.cluster_name
}

output "service_name" {
  description = "The ECS service (ECS_SERVICE)."
  value       = module.environment.service_name
}

output "container_name" {
  description = "The application's container (ECS_CONTAINER)."
  value       = module.environment.container_name
}

output "repository_name" {
  description = "The ECR repository (ECR_REPOSITORY)."
  value       = module.environment.repository_name
}

output "plan_role_arn" {
  description = "Role of the workflow that plans (AWS_PLAN_ROLE); null without github."
  value       = module.environment.plan_role_arn
}

output "push_role_arn" {
  description = "Role of the workflow that pushes images (AWS_PUSH_ROLE); null without service repositories."
  value       = module.environment.push_role_arn
}

output "apply_role_arn" {
  description = "Role of the workflow that applies (AWS_APPLY_ROLE); null without github."
  value       = module.environment.apply_role_arn
}

output "deploy_role_arn" {
  description = "Role of the workflow that deploys and rolls back (AWS_DEPLOY_ROLE); null without service repositories."
  value       = module.environment.deploy_role_arn
}

output "service_url" {
  description = "Where the service answers (SERVICE_URL)."
  value       = module.environment.service_url
}

output "template_family" {
  description = "Family of the task definition that releases are made from."
  value       = module.environment.template_family
}

output "repository_url" {
  description = "What a reference to an image of this environment begins with."
  value       = module.environment.repository_url
}

output "log_group_name" {
  description = "The application's log group."
  value       = module.environment.log_group_name
}

output "execution_role_arn" {
  description = "Role that ECS uses before a container runs."
  value       = module.environment.execution_role_arn
}

output "task_role_arn" {
  description = "Role of the application."
  value       = module.environment.task_role_arn
}

output "services" {
  description = "Every service by name, api among them: the ECS service, its container, the family that releases are made from, the repository, the log group, the roles and the security group."
  value       = module.environment.services
}

output "schedules" {
  description = "Every schedule by name: what it is called in EventBridge Scheduler, its group, the service whose image it runs, and when."
  value       = module.environment.schedules
}

output "target_group_arn" {
  description = "Target group of the service."
  value       = module.environment.target_group_arn
}

output "database_secret_arn" {
  description = "The secret with the six keys of the database connection."
  value       = module.environment.database_secret_arn
}

output "redis_secret_arn" {
  description = "The secret with the Redis connection."
  value       = module.environment.redis_secret_arn
}

output "database_address" {
  description = "Host name of the database, reachable inside the VPC."
  value       = module.environment.database_address
}

output "bastion_instance_id" {
  description = "The bastion, for aws ssm start-session --target; null without one."
  value       = module.environment.bastion_instance_id
}

output "alerts_topic_arn" {
  description = "The topic of the alarms."
  value       = module.environment.alerts_topic_arn
}

output "network" {
  description = "The VPC, its range, the subnets of each tier, and the addresses that outgoing traffic shows."
  value       = module.environment.network
}

output "security_group_ids" {
  description = "Security groups: of the load balancer, the api's tasks, each further service, database, cache, and the bastion where there is one."
  value       = module.environment.security_group_ids
}

output "kms_key_arn" {
  description = "The environment's key."
  value       = module.environment.kms_key_arn
}

output "load_balancer" {
  description = "The load balancer: its ARN, its own host name and the zone of that, its name in metrics, and the listener that carries the traffic, for rules of others."
  value       = module.environment.load_balancer
}

output "zone_id" {
  description = "The hosted zone of the service's host name; null without one."
  value       = module.environment.zone_id
}

output "certificate_arn" {
  description = "The listener's certificate; null without HTTPS."
  value       = module.environment.certificate_arn
}

output "name_servers" {
  description = "Name servers of the zone, for its delegation where it was made here; null without a zone."
  value       = module.environment.name_servers
}

output "released" {
  description = "Whether a release has replaced the template yet."
  value       = module.environment.released
}

output "differences" {
  description = "The lines in which environments differ, as the resources have them."
  value       = module.environment.differences
}

output "alike" {
  description = "What every environment has alike, as the resources have it."
  value       = module.environment.alike
}
