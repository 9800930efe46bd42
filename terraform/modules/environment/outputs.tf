# The outputs up to service_url become GitHub variables of the environment; docs/INFRASTRUCTURE.md has their names there.

output "cluster_name" {
  description = "The ECS cluster (ECS_CLUSTER)."
  value       = module.ecs_cluster.name
}

output "service_name" {
  description = "The ECS service (ECS_SERVICE)."
  value       = module.ecs_service.service_name
}

output "container_name" {
  description = "The application's container (ECS_CONTAINER)."
  value       = module.ecs_service.container_name
}

output "repository_name" {
  description = "The ECR repository (ECR_REPOSITORY)."
  value       = module.ecr.name
}

output "plan_role_arn" {
  description = "Role of the workflow that plans (AWS_PLAN_ROLE); null without github."
  value       = try(module.github_oidc[0].role_arns["plan"], null)
}

output "push_role_arn" {
  description = "Role of the workflow that pushes images (AWS_PUSH_ROLE); null without service repositories."
  value       = try(module.github_oidc[0].role_arns["push"], null)
}

output "apply_role_arn" {
  description = "Role of the workflow that applies (AWS_APPLY_ROLE); null without github."
  value       = try(module.github_oidc[0].role_arns["apply"], null)
}

output "deploy_role_arn" {
  description = "Role of the workflow that deploys and rolls back (AWS_DEPLOY_ROLE); null without service repositories."
  value       = try(module.github_oidc[0].role_arns["deploy"], null)
}

output "service_url" {
  description = "Where the service answers (SERVICE_URL)."
  value       = local.url
}

output "template_family" {
  description = "Family of the task definition that releases are made from."
  value       = module.ecs_service.template_family
}

output "repository_url" {
  description = "What a reference to an image of this environment begins with."
  value       = module.ecr.url
}

output "log_group_name" {
  description = "The application's log group."
  value       = module.ecs_service.log_group_name
}

output "execution_role_arn" {
  description = "Role that ECS uses before a container runs."
  value       = module.ecs_service.execution_role_arn
}

output "task_role_arn" {
  description = "Role of the application."
  value       = module.ecs_service.task_role_arn

  precondition {
    condition     = length(local.beyond_the_boundary) == 0
    error_message = "The permissions boundary would refuse at run time: ${join("; ", local.beyond_the_boundary)}. Add the actions and resources to service.allow, such as [{ actions = [\"ses:SendEmail\"], resources = [\"*\"] }]; an administrator applies the wider boundary."
  }
}

output "services" {
  description = "Every service by name, api among them: the ECS service, its container, the family that releases are made from, the repository, the log group, the roles and the security group."
  value = merge(
    {
      api = {
        service_name       = module.ecs_service.service_name
        container_name     = module.ecs_service.container_name
        template_family    = module.ecs_service.template_family
        repository_url     = module.ecr.url
        log_group_name     = module.ecs_service.log_group_name
        execution_role_arn = module.ecs_service.execution_role_arn
        task_role_arn      = module.ecs_service.task_role_arn
        security_group_id  = module.ecs_service.security_group_id
        released           = module.ecs_service.released
      }
    },
    { for name, service in module.services : name => {
      service_name       = service.service_name
      container_name     = service.container_name
      template_family    = service.template_family
      repository_url     = local.repositories[name].url
      log_group_name     = service.log_group_name
      execution_role_arn = service.execution_role_arn
      task_role_arn      = service.task_role_arn
      security_group_id  = service.security_group_id
      released           = service.released
    } },
  )
}

output "schedules" {
  description = "Every schedule by name: what it is called in EventBridge Scheduler, its group, the service whose image it runs, and when."
  value = { for name, s in module.schedules : name => {
    name       = s.name
    group      = "default"
    service    = var.schedules[name].service
    expression = s.shape.expression
    timezone   = s.shape.timezone
    state      = s.shape.state
  } }
}

output "target_group_arn" {
  description = "Target group of the service."
  value       = module.alb.target_group_arn
}

output "database_secret_arn" {
  description = "The secret with the six keys of the database connection."
  value       = module.rds.secret_arn
}

output "redis_secret_arn" {
  description = "The secret with the Redis connection."
  value       = module.elasticache.secret_arn
}

output "database_address" {
  description = "Host name of the database, reachable inside the VPC."
  value       = module.rds.address
}

output "bastion_instance_id" {
  description = "The bastion, for aws ssm start-session --target; null without one."
  value       = one(module.bastion[*].instance_id)
}

output "alerts_topic_arn" {
  description = "The topic of the alarms."
  value       = module.sns_alerts.topic_arn
}

output "network" {
  description = "The VPC, its range, the subnets of each tier, and the addresses that outgoing traffic shows."
  value       = merge(local.network, { nat_public_ips = flatten(module.networking[*].nat_public_ips) })
}

output "security_group_ids" {
  description = "Security groups: of the load balancer, the api's tasks, each further service, database, cache, and the bastion where there is one."
  value = merge(
    { alb = module.alb.security_group_id, tasks = module.ecs_service.security_group_id, database = module.rds.security_group_id, redis = module.elasticache.security_group_id },
    { for name, service in module.services : name => service.security_group_id },
    { for bastion in module.bastion : "bastion" => bastion.security_group_id },
  )
}

output "kms_key_arn" {
  description = "The environment's key."
  value       = local.kms_key_arn
}

output "load_balancer" {
  description = "The load balancer: its ARN, its own host name and the zone of that, its name in metrics, and the listener that carries the traffic, for rules of others."
  value = {
    arn          = module.alb.arn
    arn_suffix   = module.alb.arn_suffix
    dns_name     = module.alb.dns_name
    zone_id      = module.alb.zone_id
    listener_arn = module.alb.listener_arn
  }
}

output "zone_id" {
  description = "The hosted zone of the service's host name; null without one."
  value       = one(module.route53_zone[*].zone_id)
}

output "certificate_arn" {
  description = "The listener's certificate; null without HTTPS."
  value       = local.certificate_arn != null ? local.certificate_arn : module.alb.certificate_arn
}

output "name_servers" {
  description = "Name servers of the zone, for its delegation where it was made here; null without a zone."
  value       = one(module.route53_zone[*].name_servers)
}

output "released" {
  description = "Whether a release has replaced the template yet."
  value       = module.ecs_service.released
}

output "differences" {
  description = "The lines in which environments differ, as the resources have them."
  value = {
    fargate_tasks      = join("-", distinct([module.ecs_service.shape.min_tasks, module.ecs_service.shape.max_tasks]))
    scalable_target    = module.ecs_service.shape.scalable_target
    cpu_memory         = "${module.ecs_service.shape.cpu}/${module.ecs_service.shape.memory}"
    spot               = contains(module.ecs_service.shape.capacity_providers, "FARGATE_SPOT")
    autoscaling        = length(module.ecs_service.shape.policies) > 0
    scales_at          = join(", ", [for name, target in module.ecs_service.shape.policies : "${name} ${target}${name == "queue" ? "" : " %"}"])
    https              = local.shared ? local.https : lookup(module.alb.shape.listeners, "443", "") == "serve"
    http               = lookup(module.alb.shape.listeners, "80", "")
    rds_instance       = module.rds.shape.instance_class
    rds_multi_az       = module.rds.shape.multi_az
    redis_nodes        = module.elasticache.shape.nodes
    redis_tls          = module.elasticache.shape.tls
    redis_failover     = module.elasticache.shape.failover
    log_retention_days = module.ecs_service.shape.log_retention_days
    # Null where the two do not agree.
    deletion_protection = local.shared || module.rds.shape.deletion_protection == module.alb.shape.deletion_protection ? module.rds.shape.deletion_protection : null
    final_snapshot      = module.rds.shape.final_snapshot
    bastion             = length(module.bastion) > 0
  }
}

output "alike" {
  description = "What every environment has alike, as the resources have it, so that one finds out what another would refuse."
  value = {
    readonly_root_filesystem = module.ecs_service.shape.readonly_root_filesystem
    secrets                  = keys(module.ecs_service.shape.secrets)
  }
}
