data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  claims    = trimprefix(var.issuer, "https://") # what AWS calls the tokens' claims by
  name      = "${var.project}-${var.environment}"
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  # Apart from the path of the roles that Terraform makes, so that the apply role cannot write to its own kind.
  path = "/${var.project}-github/${var.environment}/"

  provider_arn = var.create_provider ? aws_iam_openid_connect_provider.this[0].arn : data.aws_iam_openid_connect_provider.this[0].arn

  # GitHub writes a repository in two forms, with and without the ids; both name exactly one.
  prefixes = {
    infrastructure = concat(
      ["repo:${var.repository.owner}/${var.repository.name}"],
      var.repository.id == null ? [] : ["repo:${var.repository.owner}@${var.repository.owner_id}/${var.repository.name}@${var.repository.id}"],
    )
    services = [for r in var.service_repositories : {
      branches = r.branches
      prefixes = concat(
        ["repo:${r.owner}/${r.name}"],
        r.id == null ? [] : ["repo:${r.owner}@${r.owner_id}/${r.name}@${r.id}"],
      )
    }]
  }

  subjects = {
    # The look for drift at night has an environment of its own, since ENV-plan may wait for reviewers.
    plan = flatten([for prefix in local.prefixes.infrastructure : [
      "${prefix}:environment:${var.environment}-plan",
      "${prefix}:environment:${var.environment}-drift",
    ]])
    apply = [for prefix in local.prefixes.infrastructure : "${prefix}:environment:${var.environment}-apply"]

    # By branch: images are built before anybody approves the deployment.
    push = flatten([for s in local.prefixes.services : [
      for prefix in s.prefixes : [for branch in s.branches : "${prefix}:ref:refs/heads/${branch}"]
    ]])

    deploy = flatten([for s in local.prefixes.services : [
      for prefix in s.prefixes : [
        "${prefix}:environment:${var.environment}",
        "${prefix}:environment:${var.environment}-rollback",
      ]
    ]])
  }

  policies = {
    plan   = concat([local.infrastructure_policies.plan], local.further_policies.plan)
    push   = concat([local.delivery_policies.push], local.further_policies.push)
    deploy = concat([local.delivery_policies.deploy, local.delivery_policies.beside], local.further_policies.deploy)
    apply = concat([
      local.infrastructure_policies.plan,
      local.infrastructure_policies.apply_network,
      local.infrastructure_policies.apply_edge,
      local.infrastructure_policies.apply_services,
      local.infrastructure_policies.apply_iam,
    ], local.further_policies.apply)
  }

  attachments = merge([
    for role, documents in local.policies : { for i, document in documents : "${role}-${i + 1}" => { role = role, document = document } }
  ]...)

  # IAM attaches ten policies to a role unless an account's quota is raised.
  most_policies = max([for documents in values(local.policies) : length(documents)]...)

  # A role that nobody could assume is not made.
  roles = { for role, subjects in local.subjects : role => subjects if length(subjects) > 0 }
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.create_provider ? 1 : 0

  url            = var.issuer
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_openid_connect_provider" "this" {
  count = var.create_provider ? 0 : 1

  url = var.issuer
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.claims}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.claims}:sub"
      values   = each.value
    }

    # The sub names an environment and no branch. Which workflow runs, and from which ref, is a claim of its own:
    # https://docs.github.com/en/actions/reference/security/oidc, and AWS compares it since January 2026.
    dynamic "condition" {
      for_each = each.key == "plan" && length(var.plan_workflows) > 0 ? [1] : []

      content {
        test     = "StringEquals"
        variable = "${local.claims}:job_workflow_ref"
        values   = var.plan_workflows
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${local.name}-github-${each.key}"
  description          = "GitHub Actions: ${each.key} in ${var.environment}"
  path                 = local.path
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = each.key == "apply" ? 7200 : 3600
}

resource "aws_iam_policy" "this" {
  for_each = { for key, attachment in local.attachments : key => attachment if contains(keys(local.roles), attachment.role) }

  name   = "${local.name}-github-${each.key}"
  path   = local.path
  policy = each.value.document

  lifecycle {
    precondition {
      condition     = length(replace(each.value.document, "/\\s/", "")) <= 6144
      error_message = "The policy ${each.key} is longer than the 6,144 characters, without white space, that IAM takes: shorten the names in var.names, or give the role's rights in more policies."
    }

    precondition {
      condition     = local.most_policies <= 10
      error_message = "The roles for GitHub would have ${local.most_policies} policies, and IAM attaches ten to a role: give fewer services and schedules, or make some of them in an environment of their own."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.this

  role       = aws_iam_role.this[local.attachments[each.key].role].name
  policy_arn = each.value.arn
}
