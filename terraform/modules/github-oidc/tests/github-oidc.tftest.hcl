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
  }
}

run "the_accounts_provider_is_looked_up" {
  command = plan

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && endswith(output.provider_arn, "token.actions.githubusercontent.com")
    error_message = "an account has one provider, and three environments share it"
  }
}

run "the_provider_is_made_when_asked" {
  command = plan

  variables {
    create_provider = true
  }

  assert {
    condition     = aws_iam_openid_connect_provider.this[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "for AWS's audience alone"
  }
}

run "plan_and_apply_are_for_this_repositorys_environments" {
  command = plan

  assert {
    condition     = jsonencode(output.subjects.plan) == jsonencode(["repo:org/connect2:environment:staging-plan", "repo:org/connect2:environment:staging-drift", "repo:org@1001/connect2@2002:environment:staging-plan", "repo:org@1001/connect2@2002:environment:staging-drift"])
    error_message = "plan comes from staging-plan and staging-drift, in both forms"
  }

  assert {
    condition     = jsonencode(output.subjects.apply) == jsonencode(["repo:org/connect2:environment:staging-apply", "repo:org@1001/connect2@2002:environment:staging-apply"])
    error_message = "apply comes from staging-apply, in both forms"
  }
}

run "without_ids_there_are_names_alone" {
  command = plan

  variables {
    repository           = { owner = "org", name = "connect2" }
    service_repositories = [{ owner = "org", name = "connect2-api", branches = ["staging"] }]
  }

  assert {
    condition = jsonencode(output.subjects) == jsonencode({
      apply  = ["repo:org/connect2:environment:staging-apply"]
      deploy = ["repo:org/connect2-api:environment:staging", "repo:org/connect2-api:environment:staging-rollback"]
      plan   = ["repo:org/connect2:environment:staging-plan", "repo:org/connect2:environment:staging-drift"]
      push   = ["repo:org/connect2-api:ref:refs/heads/staging"]
    })
    error_message = "no subject with an empty or made-up id"
  }
}

run "push_is_by_branch" {
  command = plan

  assert {
    condition     = jsonencode(output.subjects.push) == jsonencode(["repo:org/connect2-api:ref:refs/heads/staging", "repo:org@1001/connect2-api@3003:ref:refs/heads/staging", "repo:org/older:ref:refs/heads/staging", "repo:org/older:ref:refs/heads/hotfix"])
    error_message = "images are built from these branches, before anybody approves"
  }
}

run "deploy_is_by_environment" {
  command = plan

  assert {
    condition     = toset(output.subjects.deploy) == toset(["repo:org/connect2-api:environment:staging", "repo:org@1001/connect2-api@3003:environment:staging", "repo:org/connect2-api:environment:staging-rollback", "repo:org@1001/connect2-api@3003:environment:staging-rollback", "repo:org/older:environment:staging", "repo:org/older:environment:staging-rollback"])
    error_message = "a release and a rollback each have their environment"
  }
}

run "no_subject_has_a_wildcard" {
  command = plan

  assert {
    condition     = alltrue([for subject in flatten(values(output.subjects)) : length(regexall("[*?]", subject)) == 0])
    error_message = "each subject names one source"
  }

  assert {
    condition     = alltrue([for d in data.aws_iam_policy_document.trust : alltrue([for c in one(d.statement).condition : c.test == "StringEquals"])])
    error_message = "and is compared as a whole"
  }

  assert {
    condition = { for role, d in data.aws_iam_policy_document.trust : role => jsonencode([one(d.statement).actions, one(one(d.statement).principals).type, one(one(d.statement).principals).identifiers, { for c in one(d.statement).condition : c.variable => sort(c.values) }]) } == {
      for role, subjects in output.subjects : role => jsonencode([["sts:AssumeRoleWithWebIdentity"], "Federated", [output.provider_arn], {
        "token.actions.githubusercontent.com:aud" = ["sts.amazonaws.com"]
        "token.actions.githubusercontent.com:sub" = sort(subjects)
      }])
    }
    error_message = "each role is taken by GitHub's tokens for AWS alone, with its own subjects"
  }

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["plan", "push", "apply", "deploy"]) && alltrue([for key, r in aws_iam_role.this : r.name == "connect2-api-staging-github-${key}"])
    error_message = "four roles, with the environment in their names, so that three environments have room in one account"
  }
}

run "no_service_repository_no_role" {
  command = plan

  variables {
    service_repositories = []
  }

  assert {
    condition     = keys(aws_iam_role.this) == ["apply", "plan"]
    error_message = "a role that nobody could assume is not made"
  }
}

run "who_pushes_cannot_deploy" {
  command = plan

  assert {
    condition     = alltrue([for action in flatten(jsondecode(aws_iam_policy.this["push-1"].policy).Statement[*].Action) : startswith(action, "ecr:") && action != "ecr:CreateRepository"])
    error_message = "push knows the registry alone, and makes no repository"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.this["push-1"].policy).Statement : jsonencode(s.Action) == jsonencode(["ecr:GetAuthorizationToken"]) ? jsonencode(s.Resource) == jsonencode(["*"]) : jsonencode(s.Resource) == jsonencode(["arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-staging"])])
    error_message = "push touches one repository"
  }

  assert {
    condition     = length([for s in jsondecode(aws_iam_policy.this["push-1"].policy).Statement : s if contains(s.Action, "ecr:PutImage")]) == 1
    error_message = "and does push to it"
  }
}

run "promotion_reads_its_sources" {
  command = plan

  variables {
    names = {
      cluster           = "connect2-api-cluster-staging"
      service           = "connect2-api-service-staging"
      repository        = "connect2-api-staging"
      state_bucket      = "connect2-api-terraform-state-staging"
      log_group         = "/ecs/connect2-api-staging"
      log_groups        = ["/ecs/connect2-api-staging", "/aws/lambda/connect2-api-rotate-staging"]
      load_balancer     = "connect2-api-alb-staging"
      database          = "connect2-api-db-staging"
      cache             = "connect2-api-redis-staging"
      alerts            = "connect2-api-alerts-staging"
      rotation          = "connect2-api-rotate-staging"
      secret_prefix     = "connect2-api/staging"
      hosts             = ["api-staging.connect.com"]
      task_role_path    = "/connect2-api/staging/"
      execution_role    = "connect2-api-staging-execution"
      task_role         = "connect2-api-staging-task"
      promotion_sources = ["arn:aws:ecr:us-east-1:210987654321:repository/connect2-api-dev"]
    }
  }

  assert {
    condition     = alltrue([for role in ["push-1", "deploy-1"] : jsonencode(sort(flatten([for s in jsondecode(aws_iam_policy.this[role].policy).Statement : s.Action if contains(s.Resource, "arn:aws:ecr:us-east-1:210987654321:repository/connect2-api-dev")]))) == jsonencode(["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer"])])
    error_message = "a source is read, by its ARN, and not written"
  }
}

run "deploy_is_what_the_actions_call" {
  command = plan

  assert {
    condition = toset(flatten(jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement[*].Action)) == setsubtract(
      toset(flatten([for name in ["ecr-push", "ecs-deploy", "ecs-rollback", "migrate"] : jsondecode(file("../../../docs/iam/${name}.json")).Statement[*].Action])),
      ["ecr:CreateRepository"],
    )
    error_message = "the permissions in docs/iam, all of them and no other"
  }

  assert {
    condition = length(setsubtract(
      toset(flatten(jsondecode(file("../../../docs/iam/release.json")).Statement[*].Action)),
      toset(concat(["ecr:CreateRepository"], flatten(jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement[*].Action))),
    )) == 0
    error_message = "enough for the action that does the whole release with one role"
  }

  assert {
    condition = toset(distinct(flatten([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : s.Resource]))) == toset([
      "*",
      "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-staging",
      "arn:aws:ecs:us-west-2:123456789012:service-deployment/connect2-api-cluster-staging/connect2-api-service-staging/*",
      "arn:aws:ecs:us-west-2:123456789012:service-revision/connect2-api-cluster-staging/connect2-api-service-staging/*",
      "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-staging/connect2-api-service-staging",
      "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-staging-migrate:*",
      "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-staging:*",
      "arn:aws:ecs:us-west-2:123456789012:task/connect2-api-cluster-staging/*",
      "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-execution",
      "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-task",
      "arn:aws:logs:us-west-2:123456789012:log-group:/ecs/connect2-api-staging:log-stream:*",
    ])
    error_message = "every placeholder is filled in, with this environment's names"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : s.Action if contains(s.Resource, "*")])) == toset([
      "ecr:GetAuthorizationToken", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTasks",
      "ecs:RegisterTaskDefinition", "elasticloadbalancing:DescribeTargetHealth",
    ])
    error_message = "on everything only what AWS cannot narrow; a revision that failed can be deregistered"
  }
}

run "deploy_looks_before_and_after" {
  command = plan

  assert {
    condition = toset(flatten(jsondecode(aws_iam_policy.this["deploy-2"].policy).Statement[*].Action)) == setsubtract(toset(flatten([
      for name in ["ecs-deploy-verify", "ecs-deploy-bake", "ecs-deploy-keep", "ecs-deploy-desired-count", "run-task", "status", "doctor"] :
      jsondecode(file("../../../docs/iam/${name}.json")).Statement[*].Action
    ])), ["secretsmanager:GetSecretValue"])
    error_message = "what each input, run-task, status and doctor need, all of it and no other; and no workflow reads a secret"
  }

  assert {
    condition = toset(distinct(flatten([for s in jsondecode(aws_iam_policy.this["deploy-2"].policy).Statement : s.Resource]))) == toset([
      "*",
      "arn:aws:acm:us-west-2:123456789012:certificate/*",
      "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-staging",
      "arn:aws:ecs:us-west-2:123456789012:service-deployment/connect2-api-cluster-staging/connect2-api-service-staging/*",
      "arn:aws:ecs:us-west-2:123456789012:service-revision/connect2-api-cluster-staging/connect2-api-service-staging/*",
      "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-staging/connect2-api-service-staging",
      "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-staging:*",
      "arn:aws:ecs:us-west-2:123456789012:task/connect2-api-cluster-staging/*",
      "arn:aws:elasticache:us-west-2:123456789012:cluster:*",
      "arn:aws:elasticache:us-west-2:123456789012:replicationgroup:*",
      "arn:aws:elasticache:us-west-2:123456789012:subnetgroup:*",
      "arn:aws:events:us-west-2:123456789012:rule/connect2-api-*-staging",
      "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-execution",
      "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-task",
      "arn:aws:logs:us-west-2:123456789012:log-group::log-stream:",
      "arn:aws:logs:us-west-2:123456789012:log-group:/ecs/connect2-api-staging:log-stream:*",
      "arn:aws:rds:us-west-2:123456789012:db:*",
      "arn:aws:route53:::hostedzone/*",
      "arn:aws:scheduler:us-west-2:123456789012:schedule/default/connect2-api-*-staging",
      "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/staging/*",
    ])
    error_message = "narrowed to this environment where AWS can"
  }

  # Lists and descriptions that know no resource, or that doctor asks for without a name; that a task starts is held by its cluster.
  assert {
    condition = alltrue(flatten([for s in jsondecode(aws_iam_policy.this["deploy-2"].policy).Statement : [
      for action in s.Action : can(regex(":(Describe|List|Get(MetricData|AuthorizationToken)$)", action)) || can(s.Condition) if contains(s.Resource, "*")
    ]]))
    error_message = "on everything nothing that changes or reads a value: ${aws_iam_policy.this["deploy-2"].policy}"
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-2"].policy).Statement : [s.Resource, s.Condition] if contains(s.Action, "ecs:RunTask")]) == jsonencode([[
      ["arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-staging:*"], { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-staging" } },
      ]]) && jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-2"].policy).Statement : [s.Resource, s.Condition] if contains(s.Action, "ecs:TagResource")]) == jsonencode([[
      ["arn:aws:ecs:us-west-2:123456789012:task/connect2-api-cluster-staging/*"], { StringEquals = { "ecs:CreateAction" = "RunTask" } },
    ]])
    error_message = "run-task starts the service's own family in its cluster, and tags what it starts"
  }
}

run "deploy_updates_one_service" {
  command = plan

  assert {
    condition     = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : s.Resource if contains(s.Action, "ecs:UpdateService")]) == jsonencode([["arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-staging/connect2-api-service-staging"]])
    error_message = "this service and no other"
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : [s.Action, s.Resource, s.Condition] if contains(s.Action, "iam:PassRole")]) == jsonencode([[
      ["iam:PassRole"],
      [
        "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-execution",
        "arn:aws:iam::123456789012:role/connect2-api/staging/connect2-api-staging-task",
      ],
      { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } },
    ]])
    error_message = "the service's two roles, to tasks alone"
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : [s.Action, s.Resource, s.Condition] if contains(s.Action, "ecs:ListTasks")]) == jsonencode([[
      ["ecs:ListTasks"], ["*"], { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-staging" } },
    ]])
    error_message = "tasks of this cluster are listed"
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : [s.Action, s.Resource, s.Condition] if contains(s.Action, "ecs:RunTask")]) == jsonencode([[
      ["ecs:RunTask"],
      ["arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-staging-migrate:*"],
      { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-staging" } },
    ]])
    error_message = "the migration is run, in this cluster"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.this["deploy-1"].policy).Statement : s.Effect == "Allow" && !can(s.Sid) && length(s.Action) == length(distinct(s.Action))])
    error_message = "merged statements allow, and have no Sid that could be there twice"
  }
}

# Names near the limits of AWS's own: a load balancer's name has 32 characters, so a project can hardly be longer.
run "long_names_fit" {
  command = plan

  variables {
    project     = "connect2-billing-api"
    environment = "performance"

    names = {
      cluster        = "connect2-billing-api-cluster-performance"
      service        = "connect2-billing-api-service-performance"
      repository     = "connect2-billing-api-performance"
      state_bucket   = "connect2-billing-api-terraform-state-performance"
      log_group      = "/ecs/connect2-billing-api-performance"
      log_groups     = ["/ecs/connect2-billing-api-performance", "/aws/lambda/connect2-billing-api-rotate-performance"]
      load_balancer  = "connect2-billing-api-performance"
      database       = "connect2-billing-api-db-performance"
      cache          = "connect2-billing-api-redis-performance"
      alerts         = "connect2-billing-api-alerts-performance"
      rotation       = "connect2-billing-api-rotate-performance"
      secret_prefix  = "connect2-billing-api/performance"
      hosts          = ["api-performance.connect.com"]
      task_role_path = "/connect2-billing-api/performance/"
      execution_role = "connect2-billing-api-performance-execution"
      task_role      = "connect2-billing-api-performance-task"
      promotion_sources = [
        "arn:aws-us-gov:ecr:us-gov-west-1:210987654321:repository/connect2-billing-api-staging",
        "arn:aws-us-gov:ecr:us-gov-west-1:210987654321:repository/connect2-billing-api-development",
      ]
    }
  }

  assert {
    condition     = alltrue([for key in keys(aws_iam_policy.this) : length(aws_iam_policy.this[key].policy) > 200 && length(aws_iam_policy.this[key].policy) <= 6144])
    error_message = "IAM takes 6,144 characters in a managed policy: ${jsonencode({ for key, p in aws_iam_policy.this : key => length(p.policy) })}, boundary ${length(aws_iam_policy.boundary.policy)}"
  }
}

run "what_would_not_fit_is_refused" {
  command = plan

  variables {
    names = {
      cluster           = "connect2-api-cluster-staging"
      service           = "connect2-api-service-staging"
      repository        = "connect2-api-staging"
      state_bucket      = "connect2-api-terraform-state-staging"
      log_group         = "/ecs/connect2-api-staging"
      log_groups        = ["/ecs/connect2-api-staging"]
      load_balancer     = "connect2-api-alb-staging"
      database          = "connect2-api-db-staging"
      cache             = "connect2-api-redis-staging"
      alerts            = "connect2-api-alerts-staging"
      rotation          = "connect2-api-rotate-staging"
      secret_prefix     = "connect2-api/staging"
      task_role_path    = "/connect2-api/staging/"
      execution_role    = "connect2-api-staging-execution"
      task_role         = "connect2-api-staging-task"
      promotion_sources = [for i in range(100) : "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-${i}"]
    }

  }

  expect_failures = [aws_iam_policy.this]
}

run "plan_writes_nothing" {
  command = plan

  assert {
    condition     = alltrue([for action in flatten(jsondecode(aws_iam_policy.this["plan-1"].policy).Statement[*].Action) : can(regex(":(Get|List|Describe|Decrypt)", action))])
    error_message = "a plan only reads"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.this["plan-1"].policy).Statement : !contains(s.Resource, "*") || s.Sid == "Read"])
    error_message = "values of secrets, parameters and functions are read by name alone"
  }
}

run "plan_is_for_pinned_workflows" {
  command = plan

  variables {
    plan_workflows = ["org/connect2/.github/workflows/infrastructure.yml@refs/heads/main"]
  }

  assert {
    condition     = jsonencode([for c in one(data.aws_iam_policy_document.trust["plan"].statement).condition : [c.test, c.values] if c.variable == "token.actions.githubusercontent.com:job_workflow_ref"]) == jsonencode([["StringEquals", ["org/connect2/.github/workflows/infrastructure.yml@refs/heads/main"]]])
    error_message = "another branch's workflow cannot take the role that reads passwords"
  }

  assert {
    condition     = alltrue([for role in ["apply", "deploy", "push"] : length(one(data.aws_iam_policy_document.trust[role].statement).condition) == 2])
    error_message = "the others have reviewers or branches"
  }
}

run "a_workflow_without_a_ref_is_refused" {
  command = plan

  variables {
    plan_workflows = ["org/connect2/.github/workflows/infrastructure.yml"]
  }

  expect_failures = [var.plan_workflows]
}

run "a_workflow_from_any_ref_is_refused" {
  command = plan

  variables {
    plan_workflows = ["org/connect2/.github/workflows/infrastructure.yml@refs/heads/*"]
  }

  expect_failures = [var.plan_workflows]
}

# The documents as IAM gets them: which of them may do what is held by internal/test/iamtest, on whole journals and attacks.
run "apply_makes_roles_only_within_the_boundary" {
  command = plan

  assert {
    condition     = jsonencode([for s in jsondecode(aws_iam_policy.this["apply-5"].policy).Statement : s.Condition if s.Sid == "RolesWithinTheBoundary"]) == jsonencode([{ StringEquals = { "iam:PermissionsBoundary" = "arn:aws:iam::123456789012:policy/connect2-api-github/staging/connect2-api-staging-boundary" } }])
    error_message = "roles are made with the boundary"
  }

  assert {
    condition     = aws_iam_policy.boundary.name == "connect2-api-staging-boundary" && aws_iam_policy.boundary.path == "/connect2-api-github/staging/"
    error_message = "that boundary is this one"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.this["apply-5"].policy).Statement : s.Sid == "RolesWithinTheBoundary" || length(setintersection(try(s.Action, []), ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])) == 0]) && length(flatten([for key in ["apply-1", "apply-2", "apply-3", "apply-4"] : [for s in jsondecode(aws_iam_policy.this[key].policy).Statement : [for a in s.Action : a if startswith(a, "iam:") && !can(regex(":(Get|List)", a))]]])) == 0
    error_message = "no other statement gives a role anything, and no other document writes IAM"
  }

  assert {
    condition     = length(flatten([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : [for a in s.Action : a if startswith(a, "iam:") || startswith(a, "sts:Assume") || a == "*"] if s.Effect == "Allow"])) == 0 && contains([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s.Sid if s.Effect == "Deny"], "NotTheState")
    error_message = "within the boundary nobody makes roles, takes others or reads the state"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_policy.this["apply-5"].policy).Statement : s.Effect == "Deny" || alltrue([for r in s.Resource : can(regex(":(role|instance-profile)/(connect2-api/staging/|aws-service-role/)", r))])])
    error_message = "IAM is written under the path of this environment alone"
  }

  assert {
    condition     = !strcontains(aws_iam_policy.this["apply-5"].policy, "iam:CreatePolicy") && !strcontains(aws_iam_policy.this["apply-5"].policy, "iam:DeleteRolePermissionsBoundary")
    error_message = "the boundary and these roles are out of the apply role's reach"
  }

  assert {
    condition     = aws_iam_role.this["apply"].path == "/connect2-api-github/staging/"
    error_message = "the roles for GitHub live elsewhere"
  }
}

run "no_zone_no_right_to_zones" {
  command = plan

  assert {
    condition     = !strcontains(aws_iam_policy.this["apply-3"].policy, "route53:DeleteHostedZone") && !strcontains(aws_iam_policy.this["apply-3"].policy, "route53:CreateHostedZone")
    error_message = "an environment that looks its zone up neither makes nor deletes one"
  }

  assert {
    condition     = jsonencode([for s in jsondecode(aws_iam_policy.this["apply-3"].policy).Statement : s.Condition["ForAllValues:StringLike"] if s.Sid == "OwnRecords"]) == jsonencode([{ "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["api-staging.connect.com", "_*.api-staging.connect.com"] }])
    error_message = "records of its own host and of its certificate, and no others"
  }
}

run "the_boundary_is_widened_by_what_is_allowed" {
  command = plan

  variables {
    allow = [
      { actions = ["ses:SendEmail", "bedrock:InvokeModel"] },
      { actions = ["sts:AssumeRole"], resources = ["arn:aws:iam::210987654321:role/partner"] },
    ]
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : [s.Action, s.Resource] if startswith(s.Sid, "Allow")]) == jsonencode([
      [["ses:SendEmail", "bedrock:InvokeModel"], ["*"]],
      [["sts:AssumeRole"], ["arn:aws:iam::210987654321:role/partner"]],
    ])
    error_message = "each entry is a statement"
  }
}

run "an_application_that_could_make_roles_is_refused" {
  command = plan

  variables {
    allow = [{ actions = ["iam:PassRole"] }]
  }

  expect_failures = [var.allow]
}

run "every_secret_is_refused" {
  command = plan

  variables {
    allow = [{ actions = ["secretsmanager:GetSecretValue"] }]
  }

  expect_failures = [var.allow]
}

run "everything_is_refused" {
  command = plan

  variables {
    allow = [{ actions = ["*"] }]
  }

  expect_failures = [var.allow]
}

run "nothing_is_refused" {
  command = plan

  variables {
    allow = [{ actions = [] }]
  }

  expect_failures = [var.allow]
}

run "too_wide_a_boundary_is_refused" {
  command = plan

  variables {
    allow = [for i in range(100) : { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::a-bucket-with-a-long-name-${i}/*"] }]
  }

  expect_failures = [aws_iam_policy.boundary]
}

run "security_controls" {
  command = plan

  assert {
    condition     = alltrue([for key in ["plan-1", "apply-1", "apply-2", "apply-3", "apply-4", "apply-5"] : alltrue([for s in jsondecode(aws_iam_policy.this[key].policy).Statement : !contains(try(s.Action, []), "*")])]) && alltrue([for key in ["push-1", "deploy-1", "deploy-2"] : length(regexall("\\*", join("", flatten(jsondecode(aws_iam_policy.this[key].policy).Statement[*].Action)))) == 0])
    error_message = "[IAM.1] no policy allows everything"
  }

  assert {
    condition     = alltrue([for key in ["plan-1", "apply-2", "apply-3", "apply-4"] : alltrue([for s in jsondecode(aws_iam_policy.this[key].policy).Statement : !contains(s.Resource, "*") || length(setintersection(s.Action, ["kms:*", "kms:Decrypt"])) == 0])]) && length(regexall("kms:", "${aws_iam_policy.this["push-1"].policy}${aws_iam_policy.this["deploy-1"].policy}")) == 0
    error_message = "[KMS.1] no policy decrypts with every key"
  }
}

run "a_wildcard_owner_is_refused" {
  command = plan

  variables {
    repository = { owner = "*", name = "connect2" }
  }

  expect_failures = [var.repository]
}

run "a_wildcard_branch_is_refused" {
  command = plan

  variables {
    service_repositories = [{ owner = "org", name = "connect2-api", branches = ["feature/*"] }]
  }

  expect_failures = [var.service_repositories]
}

run "half_of_the_ids_is_refused" {
  command = plan

  variables {
    repository = { owner = "org", owner_id = 1001, name = "connect2" }
  }

  expect_failures = [var.repository]
}

run "half_of_a_service_repositorys_ids_is_refused" {
  command = plan

  variables {
    service_repositories = [{ owner = "org", owner_id = 1001, name = "connect2-api", branches = ["staging"] }]
  }

  expect_failures = [var.service_repositories]
}

run "a_wildcard_service_repository_is_refused" {
  command = plan

  variables {
    service_repositories = [{ owner = "org", name = "connect2-*", branches = ["staging"] }]
  }

  expect_failures = [var.service_repositories]
}

run "a_repository_without_branches_is_refused" {
  command = plan

  variables {
    service_repositories = [{ owner = "org", name = "connect2-api", branches = [] }]
  }

  expect_failures = [var.service_repositories]
}

# The forms that GitHub documents, each as the provider's URL and as what the trust calls the claims by.
run "github_enterprise_server" {
  command = plan

  variables {
    create_provider = true
    issuer          = "https://github.connect.com/_services/token"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.this[0].url == "https://github.connect.com/_services/token"
    error_message = "the provider is the server's"
  }

  assert {
    condition     = alltrue([for role, claims in output.trust : toset(keys(claims)) == toset(["github.connect.com/_services/token:aud", "github.connect.com/_services/token:sub"])])
    error_message = "every role compares the server's claims: ${jsonencode(output.trust)}"
  }
}

run "ghe_com" {
  command = plan

  variables {
    issuer = "https://token.actions.connect.ghe.com"
  }

  assert {
    condition     = data.aws_iam_openid_connect_provider.this[0].url == "https://token.actions.connect.ghe.com" && alltrue([for role, claims in output.trust : contains(keys(claims), "token.actions.connect.ghe.com:sub")])
    error_message = "the subdomain's provider and claims: ${jsonencode(output.trust)}"
  }
}

run "an_enterprises_own_issuer" {
  command = plan

  variables {
    issuer         = "https://token.actions.githubusercontent.com/connect"
    plan_workflows = ["org/connect2/.github/workflows/infrastructure.yml@refs/heads/main"]
  }

  assert {
    condition     = contains(keys(output.trust["plan"]), "token.actions.githubusercontent.com/connect:job_workflow_ref")
    error_message = "the enterprise's claims: ${jsonencode(output.trust)}"
  }
}

run "an_issuer_with_a_slash_at_its_end_is_refused" {
  command = plan

  variables {
    issuer = "https://token.actions.githubusercontent.com/"
  }

  expect_failures = [var.issuer]
}

run "an_issuer_of_somebody_elses_is_refused" {
  command = plan

  variables {
    issuer = "https://token.actions.githubusercontent.com.example.com"
  }

  expect_failures = [var.issuer]
}

run "an_issuer_without_tls_is_refused" {
  command = plan

  variables {
    issuer = "http://github.connect.com/_services/token"
  }

  expect_failures = [var.issuer]
}

run "a_server_that_pins_workflows_is_refused" {
  command = plan

  variables {
    issuer         = "https://github.connect.com/_services/token"
    plan_workflows = ["org/connect2/.github/workflows/infrastructure.yml@refs/heads/main"]
  }

  expect_failures = [var.plan_workflows]
}

run "no_apply_starts_a_task" {
  command = plan

  assert {
    condition     = anytrue([for s in jsondecode(aws_iam_policy.this["apply-5"].policy).Statement : s.Effect == "Deny" && contains(try(s.Action, []), "ecs:RunTask") && contains(s.Resource, "*") && !can(s.Condition)])
    error_message = "it would start its own in another environment's cluster: ${aws_iam_policy.this["apply-5"].policy}"
  }
}
