# The services beside the first one, the schedules, and what an environment chooses besides: what the roles may do to them, in policies of their own, since a managed policy has 6,144
# characters. Without them there are none of these policies, and the others stay as they are.
locals {
  # What is made here for them, by their names; the boundary and the log groups of the others are in names.log_groups.
  further_arns = { for name, s in var.names.services : name => {
    services     = ["${local.arn}:ecs:${local.regions}:service/${var.names.cluster}/${s.service}"]
    repositories = s.repository_arn != null ? [s.repository_arn] : ["${local.arn}:ecr:${local.regions}:repository/${s.repository}"]
    made         = s.repository_arn != null || s.repository == var.names.repository ? [] : ["${local.arn}:ecr:${local.regions}:repository/${s.repository}"]
    log_groups   = ["${local.arn}:logs:${local.regions}:log-group:${s.log_group}", "${local.arn}:logs:${local.regions}:log-group:${s.log_group}:*"]
  } }

  further_apply_statements = { for name, s in var.names.services : name => [
    {
      Effect = "Allow"
      Action = ["ecs:*"]
      Resource = concat(local.further_arns[name].services, [
        "${local.arn}:ecs:${local.regions}:service-deployment/${var.names.cluster}/${s.service}/*",
        "${local.arn}:ecs:${local.regions}:task-definition/${s.service}-template:*",
      ])
    },
    {
      Effect = "Allow"
      Action = ["cloudwatch:*", "ecr:*", "logs:*"]
      Resource = concat(local.further_arns[name].made, local.further_arns[name].log_groups, [
        "${local.arn}:cloudwatch:${local.regions}:alarm:TargetTracking-service/${var.names.cluster}/${s.service}-*",
      ])
    },
  ] }

  # The statements of docs/iam about this service; those about everything are the first policy's, and so is a promotion's source.
  further_delivery = { for name, s in var.names.services : name => jsondecode(templatestring(local.delivery_template, {
    partition         = local.partition
    region            = local.region
    account           = local.account
    cluster           = var.names.cluster
    service           = s.service
    name              = s.service
    repository        = coalesce(s.repository, "elsewhere")
    source-repository = "replaced-below"
    log-group         = s.log_group
    secrets           = var.names.secret_prefix
    execution-role    = trimprefix("${var.names.task_role_path}${s.execution_role}", "/")
    task-role         = trimprefix("${var.names.task_role_path}${s.task_role}", "/")
    schedule          = local.schedule_pattern
    rule-role         = "replaced-below"
    schedule-role     = "replaced-below"
  })) }

  further_statements = { for name, actions in local.further_delivery : name => { for action, statements in actions : action => [
    for s in statements : s if s.Sid != "CreateRepository" && !contains(s.Resource, "*") && length([for r in s.Resource : r if endswith(r, "/replaced-below") || endswith(r, "/elsewhere")]) == 0
  ] } }

  further_merged = { for name, actions in local.further_statements : name => {
    for s in concat(
      length(local.further_arns[name].made) == 0 ? [] : actions["ecr-push"], actions["ecs-deploy"], actions["ecs-rollback"], actions["migrate"],
      flatten([for action in local.delivery_beside : actions[action]]),
    ) : jsonencode([s.Effect, s.Resource, try(s.Condition, null)]) => s...
    # What is about no service in particular the role has already.
    if !contains(local.delivery_keys, jsonencode([s.Effect, s.Resource, try(s.Condition, null)]))
  } }

  delivery_keys = concat(keys(local.delivery_merged.deploy), keys(local.delivery_merged.beside))

  # Schedules: apply makes them, a release moves them to its revision, and their roles start the tasks. Those that are only read,
  # to see what they run, are all that bear this environment's name.
  schedule_pattern = "${var.project}-*-${var.environment}"

  schedules      = values(var.names.schedules)
  schedule_arns  = [for s in local.schedules : "${local.arn}:scheduler:${local.regions}:schedule/default/${s.schedule}"]
  schedule_roles = [for s in local.schedules : "${local.arn}:iam::${local.account}:role${var.names.task_role_path}${s.role}"]
  dead_letters   = [for s in local.schedules : "${local.arn}:sqs:${local.regions}:${s.dead_letter}" if s.dead_letter != null]

  pass_to_scheduler = {
    Sid       = "PassToScheduler"
    Effect    = "Allow"
    Action    = ["iam:PassRole"]
    Resource  = local.schedule_roles
    Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
  }

  # By the statements of docs/iam: what of it a release moves, each by its name.
  moved = {
    Rules               = [for r in var.names.rules : "${local.arn}:events:${local.regions}:rule/${r.rule}"]
    PassRoleToRules     = distinct(var.names.rules[*].role_arn)
    Schedules           = local.schedule_arns
    PassRoleToSchedules = local.schedule_roles
  }

  # A statement about nothing goes.
  schedule_statements = { for role, statements in {
    plan = [
      { Sid = "ReadSchedules", Effect = "Allow", Action = ["scheduler:GetSchedule"], Resource = local.schedule_arns },
      { Sid = "ReadDeadLetters", Effect = "Allow", Action = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"], Resource = local.dead_letters },
    ]
    apply = [
      { Sid = "Schedules", Effect = "Allow", Action = ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"], Resource = local.schedule_arns },
      { Sid = "DeadLetters", Effect = "Allow", Action = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = local.dead_letters },
      local.pass_to_scheduler,
    ]
    deploy = [for s in local.delivery["ecs-rollback-schedules"] : merge(s, { Resource = local.moved[s.Sid] }) if s.Sid != "OptionalFindSchedules"]
  } : role => [for s in statements : s if length(s.Resource) > 0] }

  # What is a choice of an environment: a dashboard, a budget, the log of the web ACL.
  choice_arns = {
    dashboard = [for name in var.names.dashboard[*] : "${local.arn}:cloudwatch::${local.account}:dashboard/${name}"]
    budget    = [for name in var.names.budget[*] : "${local.arn}:budgets::${local.account}:budget/${name}"]
    web_acl   = [for name in(var.names.web_acl_log ? [var.names.load_balancer] : []) : "${local.arn}:wafv2:${local.regions}:regional/webacl/${name}/*"]
    listener  = [for name in var.names.listener[*] : "${local.arn}:elasticloadbalancing:${local.regions}:listener/${name}"]
    rules     = [for name in var.names.listener[*] : "${local.arn}:elasticloadbalancing:${local.regions}:listener-rule/${name}/*"]
    log       = flatten([for name in(var.names.web_acl_log ? [var.names.load_balancer] : []) : [for end in ["", ":*"] : "${local.arn}:logs:${local.regions}:log-group:aws-waf-logs-${name}${end}"]])
  }

  choice_statements = { for role, statements in {
    plan = [
      { Sid = "ReadBudget", Effect = "Allow", Action = ["budgets:ListTagsForResource", "budgets:ViewBudget"], Resource = local.choice_arns.budget },
    ]
    apply = [
      { Sid = "Dashboard", Effect = "Allow", Action = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"], Resource = local.choice_arns.dashboard },
      { Sid = "Budget", Effect = "Allow", Action = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"], Resource = local.choice_arns.budget },
      { Sid = "WebAclLogging", Effect = "Allow", Action = ["wafv2:DeleteLoggingConfiguration", "wafv2:PutLoggingConfiguration"], Resource = local.choice_arns.web_acl },
      { Sid = "WebAclLog", Effect = "Allow", Action = ["logs:*"], Resource = local.choice_arns.log },
      # Of a listener that others use as well: rules of its own by their tags, which they are made with, and nobody else's.
      { Sid = "MakeRules", Effect = "Allow", Action = ["elasticloadbalancing:CreateRule"], Resource = local.choice_arns.listener, Condition = { StringEquals = local.puts_own } },
      {
        Sid       = "TagNewRules"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:AddTags"]
        Resource  = local.choice_arns.rules
        Condition = { StringEquals = merge(local.puts_own, { "elasticloadbalancing:CreateAction" = "CreateRule" }) }
      },
      {
        Sid       = "OwnRules"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:SetRulePriorities"]
        Resource  = local.choice_arns.rules
        Condition = { StringEquals = local.has_own }
      },
      {
        Sid       = "TagOwnRules"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
        Resource  = local.choice_arns.rules
        Condition = { StringEquals = local.has_own, "ForAllValues:StringNotEquals" = { "aws:TagKeys" = ["Environment", "Project"] } }
      },
      # AWS cannot say which certificate.
      {
        Sid      = "CertificatesOfTheListener"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates"]
        Resource = [for listener in local.choice_arns.listener : listener if var.names.certificates]
      },
      # WAF has the log delivered as its caller; AWS knows no resource for these.
      {
        Sid      = "Deliver"
        Effect   = "Allow"
        Action   = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy"]
        Resource = [for name in(var.names.web_acl_log ? ["*"] : []) : name]
      },
    ]
  } : role => [for s in statements : s if length(s.Resource) > 0] }

  # What the schedules' roles do, as far as the boundary goes.
  boundary_schedules = [for s in [
    {
      Sid       = "RunScheduled"
      Effect    = "Allow"
      Action    = ["ecs:RunTask"]
      Resource  = distinct(flatten([for s in local.schedules : [for family in [s.family, "${s.family}-template"] : "${local.arn}:ecs:${local.regions}:task-definition/${family}:*"]]))
      Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
    },
    {
      Sid       = "TagScheduled"
      Effect    = "Allow"
      Action    = ["ecs:TagResource"]
      Resource  = distinct([for s in local.schedules : "${local.arn}:ecs:${local.regions}:task/${var.names.cluster}/*"])
      Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
    },
    {
      Sid       = "PassScheduled"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = distinct([for s in local.schedules : "${local.arn}:iam::${local.account}:role${var.names.task_role_path}*"])
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    },
    { Sid = "DeadLetters", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = local.dead_letters },
  ] : s if length(s.Resource) > 0]

  # IAM attaches ten policies to a role: what several services need stands together where it is short.
  further_apply_list = values(local.further_apply_statements)
  further_deploy_list = [for merged in values(local.further_merged) : [for same in values(merged) : merge(
    { for key, value in same[0] : key => value if key != "Sid" },
    { Action = sort(distinct(flatten(same[*].Action))) },
  )]]

  further_documents = {
    plan = [concat(local.schedule_statements.plan, local.choice_statements.plan)]
    apply = concat(
      [concat(local.schedule_statements.plan, local.choice_statements.plan, local.schedule_statements.apply, local.choice_statements.apply)],
      [for i in range(0, length(local.further_apply_list), 4) : flatten(slice(local.further_apply_list, i, min(i + 4, length(local.further_apply_list))))],
    )
    push   = [for name, actions in local.further_statements : actions["ecr-push"] if length(local.further_arns[name].made) > 0]
    deploy = concat([local.schedule_statements.deploy], local.further_deploy_list)
  }

  further_policies = { for role, documents in local.further_documents : role => [
    for statements in documents : jsonencode({ Version = "2012-10-17", Statement = statements }) if length(statements) > 0
  ] }
}
