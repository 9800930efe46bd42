# What plan and apply need: reading for both, and for apply the rights to make this environment, by name or tag where the
# service knows either, and in this region alone.
locals {
  arn = "arn:${local.partition}"
  own = "${var.project}-*-${var.environment}*"

  state_arn = "${local.arn}:s3:::${var.names.state_bucket}"
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid = "Read"
    actions = [
      "acm:Describe*", "acm:Get*", "acm:List*",
      "application-autoscaling:Describe*", "application-autoscaling:List*",
      "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*",
      "ec2:Describe*", "ec2:GetSecurityGroupsForVpc",
      "ecr:Describe*", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:List*",
      "ecs:Describe*", "ecs:List*",
      "elasticache:Describe*", "elasticache:List*",
      "elasticloadbalancing:Describe*",
      "events:Describe*", "events:List*",
      "iam:Get*", "iam:List*",
      "kms:Describe*", "kms:Get*", "kms:List*",
      "lambda:Get*", "lambda:List*",
      "logs:Describe*", "logs:List*",
      "rds:Describe*", "rds:List*",
      "route53:Get*", "route53:List*",
      "secretsmanager:DescribeSecret", "secretsmanager:GetRandomPassword", "secretsmanager:GetResourcePolicy", "secretsmanager:List*",
      "sns:Get*", "sns:List*",
      "ssm:GetParameter",
      "tag:Get*",
      "wafv2:Get*", "wafv2:List*",
    ]
    resources = ["*"]
  }

  # A plan reads the first password back to see whether it must be written; docs/CONTROLS.md has this exception.
  statement {
    sid       = "ReadBack"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["${local.arn}:secretsmanager:${local.region}:${local.account}:secret:${var.project}/${var.environment}/*"]
  }

  statement {
    sid       = "DecryptSecrets"
    actions   = ["kms:Decrypt"]
    resources = ["${local.arn}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${local.region}.amazonaws.com", "s3.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [var.environment]
    }
  }

  statement {
    sid       = "BucketSettings"
    actions   = ["s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetAccelerateConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource"]
    resources = ["${local.arn}:s3:::${local.own}", local.state_arn]
  }

  statement {
    sid       = "State"
    actions   = ["s3:GetObject"]
    resources = ["${local.state_arn}/*"]
  }
}

data "aws_iam_policy_document" "apply_network" {
  statement {
    sid = "Network"
    actions = [
      "ec2:*Address*", "ec2:*FlowLogs", "ec2:*InternetGateway", "ec2:*NatGateway", "ec2:*Route*", "ec2:*SecurityGroup*",
      "ec2:*Subnet*", "ec2:*Tags", "ec2:*Vpc*", "ec2:AssociateIamInstanceProfile", "ec2:ModifyInstance*",
      "ec2:ReplaceIamInstanceProfileAssociation", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances",
      "ec2:MonitorInstances", "ec2:UnmonitorInstances", "ec2:TerminateInstances",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  # These services' create calls have no name to limit them by, or their resources are found by names that AWS chooses.
  statement {
    sid = "Edge"
    actions = [
      "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", "acm:RequestCertificate", "acm:UpdateCertificateOptions",
      "application-autoscaling:*",
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
      "wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteWebACL", "wafv2:DisassociateWebACL", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  statement {
    sid       = "Names"
    actions   = ["route53:ChangeResourceRecordSets", "route53:ChangeTagsForResource", "route53:CreateHostedZone", "route53:DeleteHostedZone"]
    resources = ["*"]
  }

  statement {
    sid       = "LoadBalancer"
    actions   = ["elasticloadbalancing:*"]
    resources = [for kind in ["loadbalancer/app", "listener/app", "listener-rule/app", "targetgroup"] : "${local.arn}:elasticloadbalancing:${local.region}:${local.account}:${kind}/${var.names.load_balancer_name}*"]
  }
}

data "aws_iam_policy_document" "apply_services" {
  statement {
    sid     = "ECS"
    actions = ["ecs:*"]
    resources = [
      local.cluster_arn,
      local.service_arn,
      "${local.arn}:ecs:${local.region}:${local.account}:task-definition/${local.name}-template:*",
    ]
  }

  statement {
    sid       = "ECSWithoutName"
    actions   = ["ecs:CreateCluster", "ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid     = "Named"
    actions = ["cloudwatch:*", "ecr:*", "elasticache:*", "events:*", "lambda:*", "logs:*", "rds:*", "sns:*"]
    resources = concat(
      ["${local.arn}:ecr:${local.region}:${local.account}:repository/${var.names.repository}"],
      [for kind in ["cluster", "parametergroup", "replicationgroup", "snapshot", "subnetgroup"] : "${local.arn}:elasticache:${local.region}:${local.account}:${kind}:${local.own}"],
      [for kind in ["db", "es", "pg", "snapshot", "subgrp"] : "${local.arn}:rds:${local.region}:${local.account}:${kind}:${local.own}"],
      [for prefix in ["/ecs/${var.project}", "/vpc/${var.project}", "/aws/rds/instance/${var.project}", "/aws/lambda/${var.project}"] : "${local.arn}:logs:${local.region}:${local.account}:log-group:${prefix}-*${var.environment}*"],
      [
        "${local.arn}:cloudwatch:${local.region}:${local.account}:alarm:*",
        "${local.arn}:elasticache:${local.region}:${local.account}:parametergroup:default*",
        "${local.arn}:rds:${local.region}:${local.account}:og:default*",
        "${local.arn}:events:${local.region}:${local.account}:rule/${local.own}",
        "${local.arn}:lambda:${local.region}:${local.account}:function:${local.own}",
        "${local.arn}:sns:${local.region}:${local.account}:${local.own}",
      ],
    )
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:*"]
    resources = ["${local.arn}:secretsmanager:${local.region}:${local.account}:secret:${var.project}/${var.environment}/*"]
  }

  statement {
    sid       = "Buckets"
    actions   = ["s3:CreateBucket", "s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:TagResource", "s3:UntagResource"]
    resources = ["${local.arn}:s3:::${local.own}"]
  }

  statement {
    sid       = "WriteState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.state_arn}/*"]
  }

  statement {
    sid       = "NewKeys"
    actions   = ["kms:CreateKey", "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias", "kms:TagResource"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  # The key is this environment's by its tag. RDS, ElastiCache, ECR and Secrets Manager take their grants as the caller.
  statement {
    sid       = "OwnKeys"
    actions   = ["kms:*"]
    resources = ["${local.arn}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Environment"
      values   = [var.environment]
    }
  }
}

data "aws_iam_policy_document" "apply_iam" {
  statement {
    sid       = "RolesWithinTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DetachRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["${local.arn}:iam::${local.account}:role${var.names.task_role_path}*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = ["${local.arn}:iam::${local.account}:policy${local.path}${local.name}-boundary"]
    }
  }

  statement {
    sid = "OwnRoles"
    actions = [
      "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
      "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ]
    resources = [
      "${local.arn}:iam::${local.account}:role${var.names.task_role_path}*",
      "${local.arn}:iam::${local.account}:instance-profile${var.names.task_role_path}*",
    ]
  }

  statement {
    sid       = "PassOwnRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn}:iam::${local.account}:role${var.names.task_role_path}*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "ecs.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  statement {
    sid       = "ServiceLinkedRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.arn}:iam::${local.account}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values = [
        "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticache.amazonaws.com",
        "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "wafv2.amazonaws.com",
      ]
    }
  }
}
