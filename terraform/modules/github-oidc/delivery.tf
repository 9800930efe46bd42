# What the actions ecr-push, ecs-deploy, ecs-rollback and migrate call. No more: a role that can push cannot deploy.
locals {
  repository_arn = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${var.names.repository}"
  service_arn    = "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${var.names.cluster}/${var.names.service}"
  cluster_arn    = "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${var.names.cluster}"
}

data "aws_iam_policy_document" "push" {
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImageScanFindings",
      "ecr:DescribeImages",
      "ecr:DescribeRepositories",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:ListImages",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [local.repository_arn]
  }

  dynamic "statement" {
    for_each = length(var.names.promotion_sources) > 0 ? [1] : []

    content {
      sid       = "Promote"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
      resources = var.names.promotion_sources
    }
  }
}

data "aws_iam_policy_document" "deploy" {
  # Promotion from another environment is part of a deployment, and so is marking an image as serving.
  source_policy_documents = [data.aws_iam_policy_document.push.json]

  statement {
    sid = "Read"
    actions = [
      "application-autoscaling:DescribeScalableTargets",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTaskDefinitions",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "logs:DescribeLogGroups",
    ]
    resources = ["*"]
  }

  # RegisterTaskDefinition cannot be limited to a family by resource alone in every partition, PassRole below limits
  # what a definition can be made to do.
  statement {
    sid       = "Register"
    actions   = ["ecs:RegisterTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid       = "TagRevisions"
    actions   = ["ecs:TagResource", "ecs:UntagResource", "ecs:ListTagsForResource"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.name}*:*", local.service_arn]
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = ["arn:${local.partition}:iam::${local.account}:role${var.names.task_role_path}*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]
    }
  }

  statement {
    sid = "Deploy"
    actions = [
      "ecs:DescribeServiceDeployments",
      "ecs:DescribeServiceRevisions",
      "ecs:DescribeServices",
      "ecs:ListServiceDeployments",
      "ecs:StopServiceDeployment",
      "ecs:UpdateService",
    ]
    resources = [
      local.service_arn,
      "arn:${local.partition}:ecs:${local.region}:${local.account}:service-deployment/${var.names.cluster}/${var.names.service}/*",
      "arn:${local.partition}:ecs:${local.region}:${local.account}:service-revision/${var.names.cluster}/${var.names.service}/*",
    ]
  }

  statement {
    sid     = "RunAndLook"
    actions = ["ecs:DescribeTasks", "ecs:ListTasks", "ecs:RunTask", "ecs:StopTask"]
    resources = [
      "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${var.names.cluster}/*",
      "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.name}*:*",
      "arn:${local.partition}:ecs:${local.region}:${local.account}:container-instance/${var.names.cluster}/*",
    ]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [local.cluster_arn]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${var.names.log_group}:*"]
  }
}
