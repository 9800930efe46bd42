# An environment is the shared module and nothing else. This file, variables.tf, outputs.tf, providers.tf and versions.tf
# are the same in dev, staging and prod; what differs stands in ENV.tfvars and in the bucket's name in backend.tf.
module "environment" {
  source = "../../modules/environment"

  project     = var.project
  environment = var.environment

  min_tasks               = var.min_tasks
  max_tasks               = var.max_tasks
  task_cpu                = var.task_cpu
  task_memory             = var.task_memory
  use_spot                = var.use_spot
  enable_autoscaling      = var.enable_autoscaling
  enable_https            = var.enable_https
  database_instance_class = var.database_instance_class
  database_multi_az       = var.database_multi_az
  redis_nodes             = var.redis_nodes
  redis_tls               = var.redis_tls
  log_retention_days      = var.log_retention_days
  deletion_protection     = var.deletion_protection
  protection              = var.protection
  enable_bastion          = var.enable_bastion

  network              = var.network
  existing             = var.existing
  domain               = var.domain
  service              = var.service
  services             = var.services
  schedules            = var.schedules
  deployment           = var.deployment
  database             = var.database
  redis_node_type      = var.redis_node_type
  redis_tls_step       = var.redis_tls_step
  manage_passwords     = var.manage_passwords
  bastion              = var.bastion
  waf                  = var.waf
  web_acl              = var.web_acl
  redis_engine         = var.redis_engine
  redis_engine_version = var.redis_engine_version
  dashboard            = var.dashboard
  budget               = var.budget
  alarms               = var.alarms
  alert_subscriptions  = var.alert_subscriptions
  promotion            = var.promotion
  github               = var.github
  rotation             = var.rotation

  providers = {
    aws         = aws
    aws.secrets = aws.secrets
  }
}
