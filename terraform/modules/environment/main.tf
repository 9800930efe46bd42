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

  services_arn = "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:service/${local.cluster_name}"
  service_arn  = "${local.services_arn}/${local.service_name}"

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
  count  = var.existing.vpc == null ? 1 : 0

  name                    = local.vpc_name
  vpc_cidr                = var.network.vpc_cidr
  az_count                = var.network.az_count
  nat                     = var.network.nat
  interface_endpoints     = var.network.interface_endpoints
  flow_log_retention_days = var.log_retention_days
  kms_key_arn             = local.kms_key_arn
  iam                     = local.iam
}

moved {
  from = module.networking
  to   = module.networking[0]
}

locals {
  network = var.existing.vpc == null ? {
    vpc_id             = module.networking[0].vpc_id
    vpc_cidr           = module.networking[0].vpc_cidr
    public_subnet_ids  = module.networking[0].public_subnet_ids
    private_subnet_ids = module.networking[0].private_subnet_ids
    data_subnet_ids    = module.networking[0].data_subnet_ids
    } : {
    vpc_id             = var.existing.vpc.id
    vpc_cidr           = var.existing.vpc.cidr
    public_subnet_ids  = var.existing.vpc.public_subnet_ids
    private_subnet_ids = var.existing.vpc.private_subnet_ids
    data_subnet_ids    = var.existing.vpc.data_subnet_ids
  }

  kms_key_arn = var.existing.kms_key_arn == null ? aws_kms_key.this[0].arn : var.existing.kms_key_arn
}

module "ecr" {
  source = "../ecr"

  name           = local.name
  kms_key_arn    = local.kms_key_arn
  pull_role_arns = local.promotion_roles
  force_delete   = var.protection.delete_images
}

module "ecs_cluster" {
  source = "../ecs-cluster"

  name               = local.cluster_name
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
}

module "alb" {
  source = "../alb"

  name = local.alb_name

  network = {
    vpc_id     = local.network.vpc_id
    vpc_cidr   = local.network.vpc_cidr
    subnet_ids = local.network.public_subnet_ids
  }

  https = {
    enabled         = local.https
    certificate_arn = local.shared ? null : local.certificate_arn
  }

  existing = !local.shared ? null : merge(var.existing.load_balancer, {
    hosts           = distinct(concat(var.domain.host[*], var.existing.load_balancer.hosts))
    add_certificate = var.existing.load_balancer.add_certificate && local.issued
    certificate_arn = local.certificate_arn
  })

  target = {
    port        = local.api.port
    health_path = local.api.health_path
  }

  shifts_traffic      = local.shifts_traffic
  deletion_protection = var.deletion_protection
  delete_logs         = var.protection.delete_logs
  log_retention_days  = var.log_retention_days
  waf                 = merge(var.web_acl, { enabled = var.waf, log_kms_key_arn = local.kms_key_arn })
}

# What services says of the api goes before the values that an environment had before it could have several.
locals {
  api_given = try(var.services["api"], null)

  api = {
    cpu             = coalesce(try(local.api_given.cpu, null), var.task_cpu)
    memory          = coalesce(try(local.api_given.memory, null), var.task_memory)
    min_tasks       = coalesce(try(local.api_given.min_tasks, null), var.min_tasks)
    max_tasks       = coalesce(try(local.api_given.max_tasks, null), var.max_tasks)
    use_spot        = coalesce(try(local.api_given.use_spot, null), var.use_spot)
    on_demand_tasks = coalesce(try(local.api_given.on_demand_tasks, null), var.service.on_demand_tasks)
    cpu_target      = coalesce(try(local.api_given.cpu_target, null), var.service.cpu_target)
    memory_target   = coalesce(try(local.api_given.memory_target, null), var.service.memory_target)
    architecture    = coalesce(try(local.api_given.architecture, null), var.service.architecture)
    port            = coalesce(try(local.api_given.port, null), var.service.port)
    health_path     = coalesce(try(local.api_given.health_path, null), var.service.health_path)
    user            = coalesce(try(local.api_given.user, null), var.service.user)
    command         = try(local.api_given.command, null) == null ? var.service.command : local.api_given.command
    policy_json     = try(local.api_given.policy_json, null) == null ? var.service.policy_json : local.api_given.policy_json
    environment     = merge(var.service.environment, try(local.api_given.environment, {}))
    secrets         = merge(var.service.secrets, try(local.api_given.secrets, {}))
    readonly_root   = coalesce(try(local.api_given.readonly_root_filesystem, null), var.service.readonly_root_filesystem)
    execute_command = coalesce(try(local.api_given.execute_command, null), var.service.execute_command)
  }

  # The services that no load balancer reaches.
  further = { for name, s in var.services : name => s if name != "api" }

  further_names = { for name in keys(local.further) : name => "${var.project}-${name}-${var.environment}" }

  # What every task is told; the connections are secrets.
  connections = {
    DATABASE_URL = "${module.rds.secret_arn}:url::"
    REDIS_URL    = "${module.elasticache.secret_arn}:url::"
  }

  repositories = { for name, s in local.further : name =>
    s.image.own ? { url = module.further_ecr[name].url, arn = module.further_ecr[name].arn } :
    s.image.repository != null ? s.image.repository : { url = module.ecr.url, arn = module.ecr.arn }
  }

  # As the module ecs-service has it where nothing is said.
  egress = {
    https      = { port = 443, to_port = null, protocol = "tcp", cidr = "0.0.0.0/0", prefix_list_id = null, security_group_id = null, description = "AWS APIs, image layers and other people's APIs" }
    postgresql = { port = 5432, to_port = null, protocol = "tcp", cidr = null, prefix_list_id = null, security_group_id = null, description = null }
    redis      = { port = 6379, to_port = null, protocol = "tcp", cidr = null, prefix_list_id = null, security_group_id = null, description = null }
  }
}

module "ecs_service" {
  source = "../ecs-service"

  name         = local.name
  service_name = local.service_name

  cluster = {
    name               = module.ecs_cluster.name
    arn                = module.ecs_cluster.arn
    exec_log_group_arn = module.ecs_cluster.exec_log_group.arn
    kms_key_arn        = local.kms_key_arn
  }

  container = {
    name        = var.project
    port        = local.api.port
    health_path = local.api.health_path
    user        = local.api.user
    command     = local.api.command

    health_check = try(local.api_given.health_check, null)
    stop_timeout = try(local.api_given.stop_timeout, 30)
  }

  repository = {
    url = module.ecr.url
    arn = module.ecr.arn
    tag = try(local.api_given.image.tag, "unreleased")
  }

  task = {
    cpu          = local.api.cpu
    memory       = local.api.memory
    architecture = local.api.architecture

    ephemeral_storage_gib = try(local.api_given.ephemeral_storage_gib, null)
  }

  environment = merge({ ENVIRONMENT = var.environment }, local.api.environment)

  secrets             = merge(local.connections, local.api.secrets)
  secrets_kms_key_arn = local.kms_key_arn
  task_policy_json    = local.api.policy_json

  additional_task_policy_arns = try(local.api_given.policy_arns, {})

  egress   = coalesce(try(local.api_given.egress, null), local.egress)
  sidecars = try(local.api_given.sidecars, {})
  volumes  = try(local.api_given.volumes, {})

  network = {
    vpc_id                = local.network.vpc_id
    vpc_cidr              = local.network.vpc_cidr
    subnet_ids            = local.network.private_subnet_ids
    alb_security_group_id = module.alb.security_group_id
  }

  load_balancer = {
    target_group_arn           = module.alb.target_group_arn
    alternate_target_group_arn = module.alb.alternate_target_group_arn
    production_listener_rule   = local.shifts_traffic ? module.alb.production_listener_rule : null
    test_listener_rule         = module.alb.test_listener_rule
  }

  capacity = {
    min           = local.api.min_tasks
    max           = local.api.max_tasks
    use_spot      = local.api.use_spot
    on_demand     = local.api.on_demand_tasks
    autoscaling   = var.enable_autoscaling
    cpu_target    = local.api.cpu_target
    memory_target = local.api.memory_target
    queue         = try(local.api_given.queue, null)
  }

  deployment = {
    strategy     = var.deployment.strategy
    bake_minutes = var.deployment.bake_minutes
    step_percent = var.deployment.step_percent
    step_minutes = var.deployment.step_minutes
    alarm_names  = var.deployment.undo_on_alarm ? module.sns_alerts.deployment_alarm_names : []
    hooks        = try(local.api_given.hooks, {})
  }

  readonly_root_filesystem = local.api.readonly_root
  enable_execute_command   = local.api.execute_command
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = local.kms_key_arn
  iam                      = local.iam
}

module "further_ecr" {
  source   = "../ecr"
  for_each = { for name, s in local.further : name => local.further_names[name] if s.image.own }

  name           = each.value
  kms_key_arn    = local.kms_key_arn
  pull_role_arns = local.promotion_roles
  force_delete   = var.protection.delete_images
}

module "services" {
  source   = "../ecs-service"
  for_each = local.further

  name         = local.further_names[each.key]
  service_name = local.further_names[each.key]

  cluster = {
    name               = module.ecs_cluster.name
    arn                = module.ecs_cluster.arn
    exec_log_group_arn = module.ecs_cluster.exec_log_group.arn
    kms_key_arn        = local.kms_key_arn
  }

  # The api's container has the project's name; a release finds this one by the service's.
  container = {
    name         = "${var.project}-${each.key}"
    port         = coalesce(each.value.port, 0)
    user         = coalesce(each.value.user, local.api.user)
    command      = each.value.command
    health_check = each.value.health_check
    stop_timeout = each.value.stop_timeout
  }

  repository = merge(local.repositories[each.key], { tag = each.value.image.tag })

  task = {
    cpu          = coalesce(each.value.cpu, local.api.cpu)
    memory       = coalesce(each.value.memory, local.api.memory)
    architecture = coalesce(each.value.architecture, local.api.architecture)

    ephemeral_storage_gib = each.value.ephemeral_storage_gib
  }

  environment = merge({ ENVIRONMENT = var.environment }, each.value.environment)

  secrets             = merge(each.value.connections ? local.connections : {}, each.value.secrets)
  secrets_kms_key_arn = local.kms_key_arn
  task_policy_json    = each.value.policy_json

  additional_task_policy_arns = each.value.policy_arns

  network = {
    vpc_id     = local.network.vpc_id
    vpc_cidr   = local.network.vpc_cidr
    subnet_ids = local.network.private_subnet_ids
  }

  egress   = coalesce(each.value.egress, { for name, rule in local.egress : name => rule if each.value.connections || name == "https" })
  sidecars = each.value.sidecars
  volumes  = each.value.volumes

  capacity = {
    min           = coalesce(each.value.min_tasks, 1)
    max           = coalesce(each.value.max_tasks, each.value.min_tasks, 1)
    use_spot      = coalesce(each.value.use_spot, var.use_spot)
    on_demand     = coalesce(each.value.on_demand_tasks, 0)
    autoscaling   = coalesce(each.value.max_tasks, each.value.min_tasks, 1) > coalesce(each.value.min_tasks, 1)
    cpu_target    = coalesce(each.value.cpu_target, 60)
    memory_target = coalesce(each.value.memory_target, 70)
    queue         = each.value.queue
  }

  alarms = merge(each.value.alarms, {
    prefix     = "${local.alerts_name}-${each.key}"
    topic_arns = [module.sns_alerts.topic_arn]
  })

  readonly_root_filesystem = coalesce(each.value.readonly_root_filesystem, var.service.readonly_root_filesystem)
  enable_execute_command   = coalesce(each.value.execute_command, false)
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = local.kms_key_arn
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

# What a schedule may run: the families of the services, with what their tasks need.
locals {
  runs = merge(
    { api = {
      family    = local.name
      template  = module.ecs_service.template_arn
      container = module.ecs_service.container_name
      role_arns = [module.ecs_service.execution_role_arn, module.ecs_service.task_role_arn]
      group     = module.ecs_service.security_group_id
    } },
    { for name, service in module.services : name => {
      family    = local.further_names[name]
      template  = service.template_arn
      container = service.container_name
      role_arns = [service.execution_role_arn, service.task_role_arn]
      group     = service.security_group_id
    } },
  )
}

module "schedules" {
  source   = "../schedule"
  for_each = var.schedules

  name           = "${var.project}-${each.key}-${var.environment}"
  expression     = each.value.expression
  timezone       = each.value.timezone
  enabled        = each.value.enabled
  window_minutes = each.value.window_minutes
  retry          = each.value.retry
  cluster_arn    = module.ecs_cluster.arn

  task = {
    family       = local.runs[each.value.service].family
    template_arn = local.runs[each.value.service].template
    container    = local.runs[each.value.service].container
    command      = each.value.command
    environment  = each.value.environment
    cpu          = each.value.cpu
    memory       = each.value.memory
    role_arns    = local.runs[each.value.service].role_arns
    count        = each.value.count
    use_spot     = each.value.use_spot
  }

  network = {
    subnet_ids         = local.network.private_subnet_ids
    security_group_ids = [local.runs[each.value.service].group]
  }

  dead_letter = { create = each.value.dead_letter }
  alarm       = { prefix = "${local.alerts_name}-${each.key}-schedule", topic_arns = [module.sns_alerts.topic_arn] }
  kms_key_arn = local.kms_key_arn
  iam         = local.iam
}

# The further services come in by rules of their own: as clients they would have to be there before the database, whose secret they read.
resource "aws_vpc_security_group_ingress_rule" "further" {
  for_each = merge([for name, s in local.further : {
    "${name} database" = { service = name, group = module.rds.security_group_id, port = 5432 }
    "${name} redis"    = { service = name, group = module.elasticache.security_group_id, port = 6379 }
  } if s.connections]...)

  security_group_id            = each.value.group
  description                  = "From ${each.value.service}"
  referenced_security_group_id = module.services[each.value.service].security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

module "rds" {
  source = "../rds"

  name          = local.database_name
  secret_prefix = local.secret_prefix

  network = {
    vpc_id             = local.network.vpc_id
    subnet_ids         = local.network.data_subnet_ids
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
  kms_key_arn        = local.kms_key_arn
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
    vpc_id             = local.network.vpc_id
    subnet_ids         = local.network.data_subnet_ids
    security_group_ids = local.clients
  }

  engine                     = var.redis_engine
  engine_version             = var.redis_engine_version
  node_type                  = var.redis_node_type
  num_cache_clusters         = var.redis_nodes
  transit_encryption_enabled = var.redis_tls
  tls_step                   = var.redis_tls_step
  kms_key_arn                = local.kms_key_arn
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
  kms_key_arn   = local.kms_key_arn
  subscriptions = var.alert_subscriptions
  service_arn   = local.service_arn

  load_balancer = {
    arn_suffix          = module.alb.arn_suffix
    target_arn_suffixes = module.alb.target_group_arn_suffixes
    shared              = local.shared
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
    vpc_id    = local.network.vpc_id
    vpc_cidr  = local.network.vpc_cidr
    subnet_id = (var.bastion.elastic_ip ? local.network.public_subnet_ids : local.network.private_subnet_ids)[0]
  }

  ssh         = var.bastion.ssh
  elastic_ip  = var.bastion.elastic_ip
  kms_key_arn = local.kms_key_arn
  iam         = local.iam
}

module "github_oidc" {
  source = "../github-oidc"
  count  = var.github == null ? 0 : 1

  project              = var.project
  environment          = var.environment
  create_provider      = var.github.create_provider
  issuer               = var.github.issuer
  repository           = var.github.repository
  service_repositories = var.github.service_repositories

  # Null: this repository's own, from its default branch, where AWS compares that (github.com); a list without entries: whatever
  # runs in ENV-plan.
  plan_workflows = var.github.plan_workflows != null ? var.github.plan_workflows : !startswith(var.github.issuer, "https://token.actions.githubusercontent.com") ? [] : [
    "${var.github.repository.owner}/${var.github.repository.name}/.github/workflows/infrastructure.yml@refs/heads/main",
  ]
  allow = concat(var.service.allow, flatten([for s in values(var.services) : s.allow]))

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

    log_groups = concat(["/ecs/${local.name}", "/ecs/${local.cluster_name}/exec"], var.existing.vpc == null ? ["/vpc/${local.vpc_name}"] : [], [
      "/aws/rds/instance/${local.database_name}/postgresql", "/aws/rds/instance/${local.database_name}/upgrade", "/aws/lambda/${local.rotation_name}",
    ])

    listener     = !local.shared ? null : split(":listener/", var.existing.load_balancer.listener_arn)[1]
    certificates = try(var.existing.load_balancer.add_certificate, false)

    dashboard   = var.dashboard ? local.name : null
    budget      = var.budget == null ? null : local.name
    web_acl_log = var.waf && var.web_acl.log_retention_days > 0

    services = { for name, s in local.further : name => {
      service        = local.further_names[name]
      log_group      = "/ecs/${local.further_names[name]}"
      execution_role = "${local.further_names[name]}-execution"
      task_role      = "${local.further_names[name]}-task"
      repository     = s.image.own ? local.further_names[name] : s.image.repository == null ? local.name : null
      repository_arn = try(s.image.repository.arn, null)
    } }

    schedules = { for name, s in var.schedules : name => {
      schedule    = "${var.project}-${name}-${var.environment}"
      role        = "${var.project}-${name}-${var.environment}-schedule"
      family      = s.service == "api" ? local.name : local.further_names[s.service]
      dead_letter = s.dead_letter ? "${var.project}-${name}-${var.environment}-dead" : null
    } }

    rules = var.github.rules

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

  # Whoever has the connections reads them when its tasks start.
  other_services = { for name, s in local.further : local.further_names[name] => "${local.services_arn}/${local.further_names[name]}" if s.connections }

  network = {
    vpc_id     = local.network.vpc_id
    vpc_cidr   = local.network.vpc_cidr
    subnet_ids = local.network.private_subnet_ids
  }

  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  alarm_topic_arns   = [module.sns_alerts.topic_arn]
  iam                = local.iam
}

module "overview" {
  source = "../overview"
  count  = var.dashboard || var.budget != null ? 1 : 0

  name      = local.name
  dashboard = var.dashboard

  # Written out: what merge makes of no budget has no limit and no readers, and is refused as such.
  budget = var.budget == null ? null : {
    usd     = var.budget.usd
    percent = var.budget.percent
    emails  = var.budget.emails
    tag     = { key = "Environment", value = var.environment }
  }

  cluster  = local.cluster_name
  services = merge({ api = local.service_name }, local.further_names)

  load_balancer = {
    arn_suffix          = module.alb.arn_suffix
    target_arn_suffixes = local.shared ? module.alb.target_group_arn_suffixes : {}
  }
  database    = module.rds.identifier
  cache_nodes = [for i in range(var.redis_nodes) : format("%s-%03d", local.cache_name, i + 1)]
}
