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
    cluster            = "connect2-api-cluster-staging"
    service            = "connect2-api-service-staging"
    repository         = "connect2-api-staging"
    state_bucket       = "connect2-api-terraform-state-staging"
    log_group          = "/ecs/connect2-api-staging"
    load_balancer_name = "connect2-api-alb-staging"
    task_role_path     = "/connect2-api/staging/"
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
    condition     = jsonencode(output.subjects.plan) == jsonencode(["repo:org/connect2:environment:staging-plan", "repo:org@1001/connect2@2002:environment:staging-plan"])
    error_message = "plan comes from staging-plan, in both forms"
  }

  assert {
    condition     = jsonencode(output.subjects.apply) == jsonencode(["repo:org/connect2:environment:staging-apply", "repo:org@1001/connect2@2002:environment:staging-apply"])
    error_message = "apply comes from staging-apply, in both forms"
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
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.push.statement : tolist(s.actions)]), "ecs:UpdateService") && alltrue([for s in data.aws_iam_policy_document.push.statement : s.sid == "Login" || s.resources == toset([local.repository_arn])])
    error_message = "push touches one repository"
  }
}

run "plan_writes_nothing" {
  command = plan

  assert {
    condition     = alltrue([for action in flatten([for s in data.aws_iam_policy_document.plan.statement : tolist(s.actions)]) : can(regex(":(Get|List|Describe|Decrypt)", action))])
    error_message = "a plan only reads"
  }
}

run "apply_makes_roles_only_within_the_boundary" {
  command = plan

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.apply_iam.statement : s.condition if s.sid == "RolesWithinTheBoundary"])).variable == "iam:PermissionsBoundary"
    error_message = "roles are made with the boundary"
  }

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.apply_iam.statement : alltrue([for r in s.resources : can(regex(":(role|instance-profile)/(connect2-api/staging/|aws-service-role/)", r))])])
    error_message = "IAM is written under the path of this environment alone"
  }

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.apply_iam.statement : tolist(s.actions)]), "iam:CreatePolicy") && !contains(flatten([for s in data.aws_iam_policy_document.apply_iam.statement : tolist(s.actions)]), "iam:DeleteRolePermissionsBoundary")
    error_message = "the boundary and these roles are out of the apply role's reach"
  }

  assert {
    condition     = aws_iam_role.this["apply"].path == "/connect2-api-github/staging/"
    error_message = "the roles for GitHub live elsewhere"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = alltrue([for d in [data.aws_iam_policy_document.apply_network, data.aws_iam_policy_document.apply_services, data.aws_iam_policy_document.apply_iam, data.aws_iam_policy_document.plan, data.aws_iam_policy_document.push, data.aws_iam_policy_document.deploy] : alltrue([for s in d.statement : !contains(s.actions, "*")])])
    error_message = "[IAM.1] no policy allows everything"
  }

  assert {
    condition     = alltrue([for d in [data.aws_iam_policy_document.apply_network, data.aws_iam_policy_document.apply_services, data.aws_iam_policy_document.plan, data.aws_iam_policy_document.deploy] : alltrue([for s in d.statement : !contains(s.resources, "*") || !contains(flatten([tolist(s.actions)]), "kms:Decrypt")])])
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

run "a_repository_without_branches_is_refused" {
  command = plan

  variables {
    service_repositories = [{ owner = "org", name = "connect2-api", branches = [] }]
  }

  expect_failures = [var.service_repositories]
}
