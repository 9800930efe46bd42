data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # A valueFrom is a secret's ARN, which has seven parts, with an optional :key:stage:version behind it; a parameter's ARN; or a
  # parameter's bare name, which ECS looks up in the task's own region.
  parameter_arn  = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:parameter"
  values_from    = concat(values(var.secrets), flatten([for sidecar in var.sidecars : values(sidecar.secrets)]))
  secret_arns    = distinct([for value in local.values_from : join(":", slice(split(":", value), 0, 7)) if can(regex("^arn:[^:]+:secretsmanager:", value))])
  parameter_arns = distinct([for value in local.values_from : startswith(value, "arn:") ? value : "${local.parameter_arn}/${trimprefix(value, "/")}" if !can(regex("^arn:[^:]+:secretsmanager:", value))])
}

data "aws_iam_policy_document" "tasks_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Keeps another account's ECS from being talked into using these roles.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

# What ECS does before the container runs.
data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = distinct(concat([var.repository.arn], [for sidecar in var.sidecars : sidecar.repository_arn if sidecar.repository_arn != null]))
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = length(local.secret_arns) > 0 ? [1] : []

    content {
      sid       = "Secrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = local.secret_arns
    }
  }

  dynamic "statement" {
    for_each = length(local.parameter_arns) > 0 ? [1] : []

    content {
      sid       = "Parameters"
      actions   = ["ssm:GetParameters"]
      resources = local.parameter_arns
    }
  }

  dynamic "statement" {
    for_each = length(local.values_from) > 0 && var.secrets_kms_key_arn != null ? [1] : []

    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = [var.secrets_kms_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in concat(["secretsmanager"], length(local.parameter_arns) > 0 ? ["ssm"] : []) : "${service}.${data.aws_region.current.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "What ECS does for ${var.service_name} before a container runs"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.tasks_assume.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  description          = "What the application of ${var.service_name} may do"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.tasks_assume.json
}

resource "aws_iam_role_policy" "task" {
  count = var.task_policy_json == null ? 0 : 1

  name   = "application"
  role   = aws_iam_role.task.id
  policy = var.task_policy_json
}

data "aws_iam_policy_document" "exec" {
  count = var.enable_execute_command ? 1 : 0

  statement {
    sid = "Session"
    actions = [
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "FindSessionLog"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = var.cluster.exec_log_group_arn == null ? [] : [1]

    content {
      sid       = "WriteSessionLog"
      actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      resources = ["${var.cluster.exec_log_group_arn}:*"]
    }
  }

  dynamic "statement" {
    for_each = var.cluster.kms_key_arn == null ? [] : [1]

    content {
      sid       = "EncryptSession"
      actions   = ["kms:Decrypt"]
      resources = [var.cluster.kms_key_arn]
    }
  }
}

resource "aws_iam_role_policy" "exec" {
  count = var.enable_execute_command ? 1 : 0

  name   = "ecs-exec"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.exec[0].json
}

# With a strategy that shifts traffic ECS changes the listener rules itself, by this role.
data "aws_iam_policy_document" "infrastructure_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "infrastructure" {
  count = local.shifts_traffic ? 1 : 0

  name                 = "${var.name}-infrastructure"
  description          = "Lets ECS shift the traffic of ${var.service_name}"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.infrastructure_assume.json
}

resource "aws_iam_role_policy_attachment" "infrastructure" {
  count = local.shifts_traffic ? 1 : 0

  role       = aws_iam_role.infrastructure[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
}

# What is the caller's own, besides: managed policies by a name of their choice.
resource "aws_iam_role_policy_attachment" "task" {
  for_each = var.additional_task_policy_arns

  role       = aws_iam_role.task.name
  policy_arn = each.value
}

resource "aws_iam_role_policy_attachment" "execution" {
  for_each = var.additional_execution_policy_arns

  role       = aws_iam_role.execution.name
  policy_arn = each.value
}

locals {
  file_systems = { for name, volume in var.volumes : name => volume if volume.efs != null }
}

data "aws_iam_policy_document" "efs" {
  count = length(local.file_systems) > 0 ? 1 : 0

  dynamic "statement" {
    for_each = local.file_systems

    content {
      actions = concat(["elasticfilesystem:ClientMount"], statement.value.readonly ? [] : ["elasticfilesystem:ClientWrite"])
      resources = [
        "arn:${data.aws_partition.current.partition}:elasticfilesystem:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:file-system/${statement.value.efs.file_system_id}",
      ]

      dynamic "condition" {
        for_each = statement.value.efs.access_point_id[*]

        content {
          test     = "StringEquals"
          variable = "elasticfilesystem:AccessPointArn"
          values   = ["arn:${data.aws_partition.current.partition}:elasticfilesystem:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:access-point/${condition.value}"]
        }
      }
    }
  }
}

resource "aws_iam_role_policy" "efs" {
  count = length(local.file_systems) > 0 ? 1 : 0

  name   = "efs"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.efs[0].json
}

# ECS calls the functions of the hooks by this role.
resource "aws_iam_role" "hooks" {
  count = length(var.deployment.hooks) > 0 ? 1 : 0

  name                 = "${var.name}-hooks"
  description          = "Lets ECS call the hooks of ${var.service_name}'s deployments"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.infrastructure_assume.json
}

data "aws_iam_policy_document" "hooks" {
  count = length(var.deployment.hooks) > 0 ? 1 : 0

  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = distinct([for hook in var.deployment.hooks : hook.function_arn])
  }
}

resource "aws_iam_role_policy" "hooks" {
  count = length(var.deployment.hooks) > 0 ? 1 : 0

  name   = "call"
  role   = aws_iam_role.hooks[0].id
  policy = data.aws_iam_policy_document.hooks[0].json
}
