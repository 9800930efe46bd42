# The most that a role of this environment's infrastructure can ever do, whatever its own policies say. The apply role
# may make roles only with this boundary, so it cannot make one that is mightier than itself. What the modules' own roles need
# stands here by name; what the application needs besides is var.allow, which a change to this policy adds.
locals {
  boundary_own = [
    {
      Sid    = "Anywhere"
      Effect = "Allow"
      Action = [
        # Read, measured and logged in to, without a resource to name.
        "cloudwatch:PutMetricData", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
        "ecr:GetAuthorizationToken", "elasticloadbalancing:Describe*", "logs:DescribeLogGroups", "secretsmanager:GetRandomPassword",
        "sts:GetCallerIdentity", "xray:Get*", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        # A function in a VPC makes its network interfaces with its role.
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses",
        # The agent on a host and the one of ECS Exec. Whoever opens a session needs ssm:StartSession, which is not here.
        "ec2messages:*", "ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument",
        "ssm:GetManifest", "ssm:ListAssociations", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems", "ssm:PutConfigurePackageResult",
        "ssm:PutInventory", "ssm:UpdateAssociationStatus",
        "ssm:UpdateInstance*", "ssmmessages:*",
      ]
      Resource = ["*"]
    },
    {
      Sid      = "Images"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = distinct(concat(["${local.arn}:ecr:${local.regions}:repository/${var.names.repository}"], flatten([for a in values(local.further_arns) : a.repositories])))
    },
    {
      Sid    = "Logs"
      Effect = "Allow"
      Action = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
      Resource = concat(
        flatten([for group in var.names.log_groups : ["${local.arn}:logs:${local.regions}:log-group:${group}", "${local.arn}:logs:${local.regions}:log-group:${group}:*"]]),
        flatten([for a in values(local.further_arns) : a.log_groups]),
        ["${local.arn}:logs:${local.regions}:log-group:RDSOSMetrics*"], # one for the account: enhanced monitoring writes there
      )
    },
    {
      Sid    = "Secrets"
      Effect = "Allow"
      Action = [
        "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
        "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
      ]
      Resource = [local.secret_arn, "${local.arn}:ssm:${local.regions}:parameter/${var.names.secret_prefix}/*"]
    },
    {
      Sid       = "Key"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
      Resource  = ["${local.arn}:kms:${local.regions}:key/*"]
      Condition = { StringEquals = local.has_own }
    },
    {
      Sid    = "Service"
      Effect = "Allow"
      Action = [
        "ecs:DescribeServices", "ecs:UpdateService", "elasticache:DescribeReplicationGroups", "elasticache:ModifyReplicationGroup",
        "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:RegisterTargets", "sns:Publish",
      ]
      Resource = concat(
        [local.service_arn, "${local.arn}:elasticache:${local.regions}:replicationgroup:${var.names.cache}"],
        # Its own load balancer's, where it has one.
        [for kind in(var.names.listener == null ? ["listener", "listener-rule"] : []) : "${local.arn}:elasticloadbalancing:${local.regions}:${kind}/app/${var.names.load_balancer}/*"],
        ["${local.arn}:elasticloadbalancing:${local.regions}:targetgroup/${var.names.load_balancer}-*/*", "${local.arn}:sns:${local.regions}:${var.names.alerts}"],
        flatten([for a in values(local.further_arns) : a.services]),
      )
    },
  ]

  # A release that shifts traffic changes its own rules of a listener that others use as well.
  boundary_listener = [for listener in var.names.listener[*] : {
    Sid       = "OwnRules"
    Effect    = "Allow"
    Action    = ["elasticloadbalancing:ModifyRule"]
    Resource  = ["${local.arn}:elasticloadbalancing:${local.regions}:listener-rule/${listener}/*"]
    Condition = { StringEquals = local.has_own }
  }]

  boundary_allow = [for i, a in var.allow : { Sid = "Allow${i + 1}", Effect = "Allow", Action = a.actions, Resource = a.resources }]

  boundary_deny = [
    {
      Sid      = "NotTheState"
      Effect   = "Deny"
      Action   = ["s3:*"]
      Resource = distinct([for bucket in [var.names.state_bucket, "${var.project}-terraform-state-*"] : "${local.arn}:s3:::${bucket}"])
    },
    {
      Sid      = "NotItsObjects"
      Effect   = "Deny"
      Action   = ["s3:*"]
      Resource = distinct([for bucket in [var.names.state_bucket, "${var.project}-terraform-state-*"] : "${local.arn}:s3:::${bucket}/*"])
    },
    {
      Sid      = "NotAnotherEnvironments"
      Effect   = "Deny"
      Action   = ["*"]
      Resource = ["*"]
      Condition = {
        StringEquals    = { "aws:ResourceTag/Project" = var.project }
        StringNotEquals = { "aws:ResourceTag/Environment" = var.environment }
        Null            = { "aws:ResourceTag/Environment" = "false" }
      }
    },
    # The right to make interfaces is Lambda's, for the function; the code in the function has no use for it.
    {
      Sid       = "NotTheFunctionsCode"
      Effect    = "Deny"
      Action    = ["ec2:*NetworkInterface*", "ec2:*PrivateIpAddresses"]
      Resource  = ["*"]
      Condition = { Null = { "lambda:SourceFunctionArn" = "false" } }
    },
  ]

  boundary = jsonencode({ Version = "2012-10-17", Statement = concat(local.boundary_own, local.boundary_schedules, local.boundary_listener, local.boundary_allow, local.boundary_deny) })
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "The most that roles of ${local.name} can do"
  path        = local.path
  policy      = local.boundary

  lifecycle {
    precondition {
      condition     = length(replace(local.boundary, "/\\s/", "")) <= 6144
      error_message = "The permissions boundary is longer than the 6,144 characters, without white space, that IAM takes: give fewer entries in service.allow, with patterns where there are many names."
    }
  }
}
