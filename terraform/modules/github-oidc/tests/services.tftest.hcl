# The services beside the first one, and what the roles may do to them.
mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  project     = "connect2-api"
  environment = "staging"

  repository = { owner = "org", owner_id = 1001, name = "connect2", id = 2002 }

  service_repositories = [
    { owner = "org", owner_id = 1001, name = "connect2-api", id = 3003, branches = ["staging"] },
    { owner = "org", name = "older", branches = ["staging", "hotfix"] },
  ]

  names = {
    cluster        = "connect2-api-cluster-staging"
    service        = "connect2-api-service-staging"
    repository     = "connect2-api-staging"
    state_bucket   = "connect2-api-terraform-state-staging"
    log_group      = "/ecs/connect2-api-staging"
    log_groups     = ["/ecs/connect2-api-staging", "/aws/lambda/connect2-api-rotate-staging"]
    load_balancer  = "connect2-api-alb-staging"
    database       = "connect2-api-db-staging"
    cache          = "connect2-api-redis-staging"
    alerts         = "connect2-api-alerts-staging"
    rotation       = "connect2-api-rotate-staging"
    secret_prefix  = "connect2-api/staging"
    hosts          = ["api-staging.connect.com"]
    task_role_path = "/connect2-api/staging/"
    execution_role = "connect2-api-staging-execution"
    task_role      = "connect2-api-staging-task"

    dashboard   = "connect2-api-staging"
    budget      = "connect2-api-staging"
    web_acl_log = true

    services = {
      worker = {
        service        = "connect2-api-worker-staging"
        log_group      = "/ecs/connect2-api-worker-staging"
        execution_role = "connect2-api-worker-staging-execution"
        task_role      = "connect2-api-worker-staging-task"
        repository     = "connect2-api-worker-staging"
      }
      mailer = {
        service        = "connect2-api-mailer-staging"
        log_group      = "/ecs/connect2-api-mailer-staging"
        execution_role = "connect2-api-mailer-staging-execution"
        task_role      = "connect2-api-mailer-staging-task"
        repository_arn = "arn:aws:ecr:us-west-2:210987654321:repository/mailer"
      }
    }

    schedules = {
      digest = {
        schedule    = "connect2-api-digest-staging"
        role        = "connect2-api-digest-staging-schedule"
        family      = "connect2-api-staging"
        dead_letter = "connect2-api-digest-staging-dead"
      }
    }

    rules = [{ rule = "orders/connect2-api-orders-staging", role_arn = "arn:aws:iam::123456789012:role/events/orders" }]
  }
}

run "every_service_has_a_policy_of_its_own_in_apply_and_deploy" {
  command = plan

  assert {
    condition = toset(keys(aws_iam_policy.this)) == toset(concat(
      ["plan-1", "plan-2", "push-1", "push-2"], [for i in range(1, 8) : "apply-${i}"], [for i in range(1, 6) : "deploy-${i}"],
    ))
    error_message = "apply and deploy have one for each service, push one for the repository that is made here: ${jsonencode(keys(aws_iam_policy.this))}"
  }

  # By the services' own names alone: nothing here is about the api or about everything.
  assert {
    condition = alltrue(flatten([for key in ["deploy-4", "deploy-5", "apply-7"] : [
      for s in jsondecode(aws_iam_policy.this[key].policy).Statement : [
        for r in s.Resource : strcontains(r, "connect2-api-worker-staging") || strcontains(r, "connect2-api-mailer-staging") || !startswith(r, "arn:aws:ecs") && !startswith(r, "arn:aws:ecr") && !startswith(r, "arn:aws:iam") if !strcontains(r, ":task/connect2-api-cluster-staging/*")
      ]
    ]]))
    error_message = "each statement names a service of its own and nothing else: ${aws_iam_policy.this["deploy-4"].policy}"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_policy.this["deploy-5"].policy).Statement : s.Action if contains(s.Resource, "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-staging/connect2-api-worker-staging")])) == toset([
      "ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:TagResource", "ecs:UpdateService",
    ])
    error_message = "a release of the worker is one as of the api: ${aws_iam_policy.this["deploy-5"].policy}"
  }

  assert {
    condition     = anytrue([for s in jsondecode(aws_iam_policy.this["deploy-5"].policy).Statement : contains(s.Action, "iam:PassRole") && contains(s.Resource, "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-worker-staging-task")])
    error_message = "it passes the worker's own roles"
  }

  assert {
    condition     = strcontains(aws_iam_policy.this["push-2"].policy, "repository/connect2-api-worker-staging") && !strcontains(aws_iam_policy.this["push-2"].policy, "CreateRepository") && !strcontains(jsonencode(values(aws_iam_policy.this)[*].policy), "replaced-below") && !strcontains(jsonencode(values(aws_iam_policy.this)[*].policy), "elsewhere")
    error_message = "the worker's repository is pushed to; that of another account is not, and no placeholder is left"
  }

  assert {
    condition     = anytrue([for s in jsondecode(aws_iam_policy.this["apply-7"].policy).Statement : contains(s.Action, "ecs:*") && contains(s.Resource, "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-worker-staging-template:*")]) && strcontains(aws_iam_policy.this["apply-7"].policy, "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-worker-staging") && !strcontains(aws_iam_policy.this["apply-7"].policy, "repository/mailer")
    error_message = "apply makes the worker's template and repository, and no repository of somebody else's"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Resource if s.Sid == "Images"])) == toset([
      "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-staging", "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-worker-staging", "arn:aws:ecr:us-west-2:210987654321:repository/mailer",
    ])
    error_message = "the boundary lets the services pull their images"
  }

  assert {
    condition     = contains(flatten([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Resource if s.Sid == "Logs"]), "arn:aws:logs:us-west-2:123456789012:log-group:/ecs/connect2-api-mailer-staging:*") && contains(flatten([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Resource if s.Sid == "Service"]), "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-staging/connect2-api-mailer-staging")
    error_message = "and write their logs, and the rotation start them anew"
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-3"].policy).Statement : [sort(s.Action), s.Resource]]) == jsonencode([
      [["events:DescribeRule", "events:ListTargetsByRule", "events:PutTargets"], ["arn:aws:events:us-west-2:123456789012:rule/orders/connect2-api-orders-staging"]],
      [["iam:PassRole"], ["arn:aws:iam::123456789012:role/events/orders"]],
      [["scheduler:GetSchedule", "scheduler:UpdateSchedule"], ["arn:aws:scheduler:us-west-2:123456789012:schedule/default/connect2-api-digest-staging"]],
      [["iam:PassRole"], ["arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-digest-staging-schedule"]],
    ])
    error_message = "a release moves this schedule and the rule, and hands their roles on: ${aws_iam_policy.this["deploy-3"].policy}"
  }

  assert {
    condition     = toset(jsondecode(aws_iam_policy.this["apply-6"].policy).Statement[*].Sid) == toset(["ReadSchedules", "ReadDeadLetters", "ReadBudget", "Schedules", "DeadLetters", "PassToScheduler", "Dashboard", "Budget", "WebAclLogging", "WebAclLog", "Deliver"]) && toset(jsondecode(aws_iam_policy.this["plan-2"].policy).Statement[*].Sid) == toset(["ReadSchedules", "ReadDeadLetters", "ReadBudget"])
    error_message = "apply makes it and its queue, and a plan reads them"
  }

  assert {
    condition     = toset([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid if strcontains(s.Sid, "Scheduled") || s.Sid == "DeadLetters"]) == toset(["RunScheduled", "TagScheduled", "PassScheduled", "DeadLetters"])
    error_message = "the boundary lets its role start the task"
  }
}

run "a_rule_with_a_wildcard_is_refused" {
  command = plan

  variables {
    names = merge(var.names, { rules = [{ rule = "*", role_arn = "arn:aws:iam::123456789012:role/events/orders" }] })
  }

  expect_failures = [var.names]
}

run "a_rules_role_with_a_wildcard_is_refused" {
  command = plan

  variables {
    names = merge(var.names, { rules = [{ rule = "orders", role_arn = "arn:aws:iam::123456789012:role/*" }] })
  }

  expect_failures = [var.names]
}

# A listener that others use as well: nobody else's rule is in reach, and certificates only where they are added.
run "of_a_shared_listener_the_rules_are_its_own" {
  command = plan

  variables {
    names = merge(var.names, { listener = "app/shared/fedcba9876543210/0123456789abcdef" })
  }

  assert {
    condition = jsonencode({ for s in jsondecode(aws_iam_policy.this["apply-6"].policy).Statement : s.Sid => [s.Action, s.Resource, keys(s.Condition.StringEquals)] if strcontains(jsonencode(s.Resource), "shared") }) == jsonencode({
      MakeRules   = [["elasticloadbalancing:CreateRule"], ["arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"], ["aws:RequestTag/Environment", "aws:RequestTag/Project"]]
      OwnRules    = [["elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:SetRulePriorities"], ["arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/shared/fedcba9876543210/0123456789abcdef/*"], ["aws:ResourceTag/Environment", "aws:ResourceTag/Project"]]
      TagNewRules = [["elasticloadbalancing:AddTags"], ["arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/shared/fedcba9876543210/0123456789abcdef/*"], ["aws:RequestTag/Environment", "aws:RequestTag/Project", "elasticloadbalancing:CreateAction"]]
      TagOwnRules = [["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], ["arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/shared/fedcba9876543210/0123456789abcdef/*"], ["aws:ResourceTag/Environment", "aws:ResourceTag/Project"]]
    })
    error_message = "each by the tags of this environment: ${aws_iam_policy.this["apply-6"].policy}"
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Condition.StringEquals if s.Sid == "OwnRules"]) == { "aws:ResourceTag/Environment" = "staging", "aws:ResourceTag/Project" = "connect2-api" }
    error_message = "a release that shifts traffic changes its own rules"
  }
}

run "certificates_of_a_shared_listener_where_they_are_added" {
  command = plan

  variables {
    names = merge(var.names, { listener = "app/shared/fedcba9876543210/0123456789abcdef", certificates = true })
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_policy.this["apply-6"].policy).Statement : s.Action if s.Sid == "CertificatesOfTheListener"]) == ["elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates"]
    error_message = "apply adds it, and takes it away"
  }
}
