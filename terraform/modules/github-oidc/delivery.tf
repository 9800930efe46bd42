# What the roles push and deploy may do is what docs/iam, copied into policies here, says that the actions call, so that a permission which an action
# comes to need, or no longer needs, has one place. The tests of the actions keep those files exact.
locals {
  # What is looked at and run beside a release: inputs that not every run has, run-task, status and doctor.
  delivery_beside = ["ecs-deploy-verify", "ecs-deploy-bake", "ecs-deploy-keep", "ecs-deploy-desired-count", "run-task", "status", "doctor"]

  service_arn = "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${var.names.cluster}/${var.names.service}"
  cluster_arn = "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${var.names.cluster}"

  # All of them as one text, since templatestring takes a text by its name alone; {word} becomes Terraform's ${word}.
  delivery_template = replace(
    jsonencode({
      for action in concat(["ecr-push", "ecs-deploy", "ecs-rollback", "ecs-rollback-schedules", "migrate"], local.delivery_beside) :
      # No workflow reads what is in a secret to look at a service.
      action => [for s in jsondecode(file("${path.module}/policies/${action}.json")).Statement : s if s.Sid != "OptionalReadSecrets"]
    }),
    "/\\{([a-z-]+)\\}/", "$${$1}",
  )

  delivery = jsondecode(templatestring(local.delivery_template, {
    partition         = local.partition
    region            = local.region
    account           = local.account
    cluster           = var.names.cluster
    service           = var.names.service
    name              = local.name
    repository        = var.names.repository
    source-repository = "replaced-below"
    log-group         = var.names.log_group
    secrets           = var.names.secret_prefix
    execution-role    = trimprefix("${var.names.task_role_path}${var.names.execution_role}", "/")
    task-role         = trimprefix("${var.names.task_role_path}${var.names.task_role}", "/")
    schedule          = local.schedule_pattern
    rule-role         = "replaced-below"
    schedule-role     = "replaced-below"
  }))

  # Sources are ARNs, since they may be in another account or region; a statement that is about nothing else goes where there are none.
  # The repository is Terraform's to make.
  sourced = [
    for s in local.delivery["ecr-push"] : merge(s, {
      Resource = flatten([for r in s.Resource : endswith(r, "/replaced-below") ? tolist(var.names.promotion_sources) : [r]])
    })
  ]
  push_statements = [for s in local.sourced : s if s.Sid != "CreateRepository" && length(s.Resource) > 0]

  # A role that can push cannot deploy. The other way round it can: the whole release is one action with one role, and
  # promotion from another environment is part of it. What belongs to some runs alone is a policy of its own, so that both
  # have room for longer names. status and doctor are with the deploy role, and have none of their own: who may start any
  # image in this network with the service's roles learns nothing more by reading how the network is made, and the workflow
  # that looks (operate.yml) also restarts and holds.
  delivery_statements = {
    push   = local.push_statements
    beside = concat(flatten([for action in local.delivery_beside : local.delivery[action]]), local.find_statements)
    deploy = concat(local.push_statements, local.delivery["ecs-deploy"], local.delivery["ecs-rollback"], local.delivery["migrate"])
  }

  # Schedules that run what is rolled back are found by lists; what moves them is in further.tf.
  find_statements = [for s in local.delivery["ecs-rollback-schedules"] : s if s.Sid == "OptionalFindSchedules"]

  # The files say much of the same, and a managed policy has 6,144 characters: what is allowed on the same resources on the
  # same condition becomes one statement. It has no Sid, which would have to be unique.
  delivery_merged = {
    for role, statements in local.delivery_statements : role => {
      for s in statements : jsonencode([s.Effect, s.Resource, try(s.Condition, null)]) => s...
    }
  }

  delivery_policies = {
    for role, merged in local.delivery_merged : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for same in values(merged) : merge(
          { for key, value in same[0] : key => value if key != "Sid" },
          { Action = sort(distinct(flatten(same[*].Action))) },
        )
      ]
    })
  }
}
