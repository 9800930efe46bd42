data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # The names that the deploys, the runbooks and the other modules agree on.
  name          = "${var.project}-${var.environment}"
  cluster_name  = "${var.project}-cluster-${var.environment}"
  service_name  = "${var.project}-service-${var.environment}"
  alb_name      = "${var.project}-alb-${var.environment}"
  state_bucket  = "${var.project}-terraform-state-${var.environment}"
  secret_prefix = "${var.project}/${var.environment}"
  vpc_name      = "${var.project}-vpc-${var.environment}"
  database_name = "${var.project}-db-${var.environment}"
  cache_name    = "${var.project}-redis-${var.environment}"
  alerts_name   = "${var.project}-alerts-${var.environment}"
  rotation_name = "${var.project}-rotate-${var.environment}"

  service_arn = "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:service/${local.cluster_name}/${local.service_name}"

  shifts_traffic = var.deployment.strategy != "rolling"

  iam_path = "/${var.project}/${var.environment}/"
  iam = {
    path                 = local.iam_path
    permissions_boundary = one(module.github_oidc[*].permissions_boundary)
  }

  # What others may pull, and what this environment may pull from others. A workflow promotes with the push role, before
  # anybody approves; the whole release in one step does it with the deploy role.
  promotion_roles = concat(var.promotion.to_role_arns, flatten([
    for environment in var.promotion.to_environments : [
      for role in ["push", "deploy"] :
      "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${var.project}-github/${environment}/${var.project}-${environment}-github-${role}"
    ]
  ]))
  promotion_sources = concat(var.promotion.from_repository_arns, [
    for environment in var.promotion.from_environments :
    "arn:${data.aws_partition.current.partition}:ecr:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:repository/${var.project}-${environment}"
  ])
}

module "networking" {
  source = "../networking"

  name                    = local.vpc_name
  vpc_cidr                = var.network.vpc_cidr
  az_count                = var.network.az_count
  nat                     = var.network.nat
  interface_endpoints     = var.network.interface_endpoints
  flow_log_retention_days = var.log_retention_days
  kms_key_arn             = aws_kms_key.this.arn
  iam                     = local.iam
}

module "ecr" {
  source = "../ecr"

  name           = local.name
  kms_key_arn    = aws_kms_key.this.arn
  pull_role_arns = local.promotion_roles
  force_delete   = var.protection.delete_images
}

module "ecs_cluster" {
  source = "../ecs-cluster"

  name               = local.cluster_name
  kms_key_arn        = aws_kms_key.this.arn
  log_retention_days = var.log_retention_days
}

module "alb" {
  source = "../alb"

  name = local.alb_name

  network = {
    vpc_id     = module.networking.vpc_id
    vpc_cidr   = module.networking.vpc_cidr
    subnet_ids = module.networking.public_subnet_ids
  }

  https = {
    enabled         = var.enable_https
    certificate_arn = local.certificate_arn
  }

  target = {
    port        = var.service.port
    health_path = var.service.health_path
  }

  shifts_traffic      = local.shifts_traffic
  deletion_protection = var.deletion_protection
  delete_logs         = var.protection.delete_logs
  log_retention_days  = var.log_retention_days
  waf                 = { enabled = var.waf }
}

module "ecs_service" {
  source = "../ecs-service"

  name         = local.name
  service_name = local.service_name

  cluster = {
    name               = module.ecs_cluster.name
    arn                = module.ecs_cluster.arn
    exec_log_group_arn = module.ecs_cluster.exec_log_group.arn
    kms_key_arn        = aws_kms_key.this.arn
  }

  container = {
    name        = var.project
    port        = var.service.port
    health_path = var.service.health_path
    user        = var.service.user
    command     = var.service.command
  }

  repository = {
    url = module.ecr.url
    arn = module.ecr.arn
  }

  task = {
    cpu          = var.task_cpu
    memory       = var.task_memory
    architecture = var.service.architecture
  }

  environment = merge({ ENVIRONMENT = var.environment }, var.service.environment)

  secrets = merge({
    DATABASE_URL = "${module.rds.secret_arn}:url::"
    REDIS_URL    = "${module.elasticache.secret_arn}:url::"
  }, var.service.secrets)
  secrets_kms_key_arn = aws_kms_key.this.arn
  task_policy_json    = var.service.policy_json

  network = {
    vpc_id                = module.networking.vpc_id
    vpc_cidr              = module.networking.vpc_cidr
    subnet_ids            = module.networking.private_subnet_ids
    alb_security_group_id = module.alb.security_group_id
  }

  load_balancer = {
    target_group_arn           = module.alb.target_group_arn
    alternate_target_group_arn = module.alb.alternate_target_group_arn
    production_listener_rule   = local.shifts_traffic ? module.alb.production_listener_rule : null
    test_listener_rule         = module.alb.test_listener_rule
  }

  capacity = {
    min           = var.min_tasks
    max           = var.max_tasks
    use_spot      = var.use_spot
    on_demand     = var.service.on_demand_tasks
    autoscaling   = var.enable_autoscaling
    cpu_target    = var.service.cpu_target
    memory_target = var.service.memory_target
  }

  deployment = {
    strategy     = var.deployment.strategy
    bake_minutes = var.deployment.bake_minutes
    step_percent = var.deployment.step_percent
    step_minutes = var.deployment.step_minutes
    alarm_names  = var.deployment.undo_on_alarm ? module.sns_alerts.deployment_alarm_names : []
  }

  readonly_root_filesystem = var.service.readonly_root_filesystem
  enable_execute_command   = var.service.execute_command
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = aws_kms_key.this.arn
  iam                      = local.iam
}

locals {
  # Who may talk to the database and to Redis: the tasks, the bastion, the rotation; nobody else.
  clients = merge(
    { tasks = module.ecs_service.security_group_id },
    var.enable_bastion ? { bastion = module.bastion[0].security_group_id } : {},
    var.rotation == null ? {} : { rotation = module.secret_rotation[0].security_group_id },
  )
}

module "rds" {
  source = "../rds"

  name          = local.database_name
  secret_prefix = local.secret_prefix

  network = {
    vpc_id             = module.networking.vpc_id
    subnet_ids         = module.networking.data_subnet_ids
    security_group_ids = local.clients
  }

  engine_version = var.database.engine_version
  restore        = var.database.restore

  allow_major_version_upgrade = var.database.major_upgrade

  instance_class        = var.database_instance_class
  multi_az              = var.database_multi_az
  backup_retention_days = var.database.backup_days

  storage = {
    allocated     = var.database.allocated_storage
    max_allocated = var.database.max_storage
  }

  protection = {
    deletion_protection  = var.deletion_protection
    final_snapshot       = var.protection.final_snapshot
    automated_backups    = var.protection.automated_backups
    secret_recovery_days = var.protection.secret_recovery_days
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = aws_kms_key.this.arn
  password_version   = var.database.password_version
  manage_password    = var.manage_passwords
  apply_immediately  = var.protection.apply_immediately
  iam                = local.iam

  providers = {
    aws         = aws
    aws.secrets = aws.secrets
  }
}

module "elasticache" {
  source = "../elasticache"

  name          = local.cache_name
  secret_prefix = local.secret_prefix

  network = {
    vpc_id             = module.networking.vpc_id
    subnet_ids         = module.networking.data_subnet_ids
    security_group_ids = local.clients
  }

  node_type                  = var.redis_node_type
  num_cache_clusters         = var.redis_nodes
  transit_encryption_enabled = var.redis_tls
  tls_step                   = var.redis_tls_step
  kms_key_arn                = aws_kms_key.this.arn
  secret_recovery_days       = var.protection.secret_recovery_days
  manage_auth_token          = var.manage_passwords
  apply_immediately          = var.protection.apply_immediately

  alarms = { topic_arns = [module.sns_alerts.topic_arn], cpu_percent = var.alarms.redis_cpu, evictions = var.alarms.redis_evictions }

  providers = {
    aws         = aws
    aws.secrets = aws.secrets
  }
}

module "sns_alerts" {
  source = "../sns-alerts"

  name          = local.alerts_name
  kms_key_arn   = aws_kms_key.this.arn
  subscriptions = var.alert_subscriptions
  service_arn   = local.service_arn

  load_balancer = {
    arn_suffix          = module.alb.arn_suffix
    target_arn_suffixes = module.alb.target_group_arn_suffixes
    errors_percent      = var.alarms.errors_percent
    errors_5xx          = var.alarms.errors_5xx
    errors_elb          = var.alarms.errors_elb
    latency_seconds     = var.alarms.latency_seconds
  }

  tasks = { cluster = local.cluster_name, service = local.service_name }

  database = {
    identifier       = module.rds.identifier
    cpu_percent      = var.alarms.database_cpu
    free_storage_gib = var.alarms.database_free_gib
  }
}

module "bastion" {
  source = "../bastion"
  count  = var.enable_bastion ? 1 : 0

  name = "${var.project}-bastion-${var.environment}"

  network = {
    vpc_id    = module.networking.vpc_id
    vpc_cidr  = module.networking.vpc_cidr
    subnet_id = (var.bastion.elastic_ip ? module.networking.public_subnet_ids : module.networking.private_subnet_ids)[0]
  }

  ssh         = var.bastion.ssh
  elastic_ip  = var.bastion.elastic_ip
  kms_key_arn = aws_kms_key.this.arn
  iam         = local.iam
}

module "github_oidc" {
  source = "../github-oidc"
  count  = var.github == null ? 0 : 1

  project              = var.project
  environment          = var.environment
  create_provider      = var.github.create_provider
  repository           = var.github.repository
  service_repositories = var.github.service_repositories

  # Null: this repository's own, from its default branch; a list without entries: whatever runs in ENV-plan.
  plan_workflows = coalesce(var.github.plan_workflows, [
    "${var.github.repository.owner}/${var.github.repository.name}/.github/workflows/infrastructure.yml@refs/heads/main",
  ])
  allow = var.service.allow

  names = {
    cluster       = local.cluster_name
    service       = local.service_name
    repository    = local.name
    state_bucket  = coalesce(var.github.state_bucket, local.state_bucket)
    state_key     = var.github.state_key
    log_group     = "/ecs/${local.name}"
    load_balancer = local.alb_name
    database      = local.database_name
    cache         = local.cache_name
    alerts        = local.alerts_name
    rotation      = local.rotation_name
    secret_prefix = local.secret_prefix
    hosts         = var.domain.host == null ? [] : [var.domain.host]
    creates_zone  = var.domain.create_zone ? var.domain.zone : null

    log_groups = [
      "/ecs/${local.name}", "/ecs/${local.cluster_name}/exec", "/vpc/${local.vpc_name}", "/aws/rds/instance/${local.database_name}/postgresql",
      "/aws/rds/instance/${local.database_name}/upgrade", "/aws/lambda/${local.rotation_name}",
    ]

    task_role_path    = local.iam_path
    execution_role    = "${local.name}-execution"
    task_role         = "${local.name}-task"
    promotion_sources = local.promotion_sources
  }
}

module "secret_rotation" {
  source = "../secret-rotation"
  count  = var.rotation == null ? 0 : 1

  name       = local.rotation_name
  zip        = coalesce(var.rotation.zip, "${path.module}/../secret-rotation/rotate-credentials.zip")
  days       = var.rotation.days
  secret_arn = module.rds.secret_arn
  admin      = { secret_arn = module.rds.password_secret_arn }

  redis = !var.rotation.redis ? null : {
    replication_group_id = module.elasticache.replication_group_id
    arn                  = module.elasticache.arn
    secret_arn           = module.elasticache.secret_arn
  }

  service = {
    arn          = local.service_arn
    cluster_name = local.cluster_name
    name         = local.service_name
  }

  network = {
    vpc_id     = module.networking.vpc_id
    vpc_cidr   = module.networking.vpc_cidr
    subnet_ids = module.networking.private_subnet_ids
  }

  kms_key_arn        = aws_kms_key.this.arn
  log_retention_days = var.log_retention_days
  alarm_topic_arns   = [module.sns_alerts.topic_arn]
  iam                = local.iam
}
