# What plan and apply need: reading for both, and for apply the rights to make this environment. By name where the service
# has names, and by the tags Project and Environment where AWS chooses the name: what is made is made with them, and what is
# there must have them. So another environment of the account is out of reach, and so is another project's.
locals {
  arn     = "arn:${local.partition}"
  regions = "${local.region}:${local.account}"

  state_arn   = "${local.arn}:s3:::${var.names.state_bucket}"
  state_items = ["${local.state_arn}/${var.names.state_key}*", "${local.state_arn}/env:/*/${var.names.state_key}*"]
  secret_arn  = "${local.arn}:secretsmanager:${local.regions}:secret:${var.names.secret_prefix}/*"
  logs_arn    = "${local.arn}:s3:::${var.names.load_balancer}-logs-${local.account}"

  # What stands on a thing already, and what a call puts on it.
  has_own  = { "aws:ResourceTag/Project" = var.project, "aws:ResourceTag/Environment" = var.environment }
  puts_own = { "aws:RequestTag/Project" = var.project, "aws:RequestTag/Environment" = var.environment }
  is_new   = { "aws:ResourceTag/Environment" = "true" } # for Null: nobody's yet

  # Of what scales, services of ECS alone: no table, function or database of somebody else's.
  scales_ecs = { "application-autoscaling:service-namespace" = "ecs" }

  plan_statements = [
    {
      Sid    = "Read"
      Effect = "Allow"
      Action = [
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
        "logs:Describe*", "logs:List*",
        "rds:Describe*", "rds:List*",
        "route53:Get*", "route53:List*",
        "secretsmanager:DescribeSecret", "secretsmanager:GetRandomPassword", "secretsmanager:GetResourcePolicy", "secretsmanager:List*",
        "sns:Get*", "sns:List*",
        "tag:Get*",
        "wafv2:Get*", "wafv2:List*",
      ]
      Resource = ["*"]
    },
    # A list of all functions would tell their variables, and what stands in those.
    {
      Sid    = "ReadOwn"
      Effect = "Allow"
      Action = ["lambda:Get*", "lambda:List*", "ssm:GetParameter", "ssm:GetParameters"]
      Resource = [
        "${local.arn}:lambda:${local.regions}:function:${var.names.rotation}",
        "${local.arn}:ssm:${local.region}::parameter/aws/service/*",
        "${local.arn}:ssm:${local.regions}:parameter/aws/service/*",
      ]
    },
    # A plan reads the first password back to see whether it must be written; docs/CONTROLS.md has this exception.
    {
      Sid      = "ReadBack"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [local.secret_arn]
    },
    {
      Sid      = "DecryptSecrets"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = ["${local.arn}:kms:${local.regions}:key/*"]
      Condition = {
        StringEquals = merge(local.has_own, {
          "kms:ViaService" = ["secretsmanager.${local.region}.amazonaws.com", "s3.${local.region}.amazonaws.com"]
        })
      }
    },
    {
      Sid      = "BucketSettings"
      Effect   = "Allow"
      Action   = ["s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetAccelerateConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource"]
      Resource = [local.logs_arn, local.state_arn]
    },
    {
      Sid      = "State"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = local.state_items
    },
  ]

  network_statements = [
    {
      Sid       = "MakeVpc"
      Effect    = "Allow"
      Action    = ["ec2:CreateVpc"]
      Resource  = ["${local.arn}:ec2:${local.regions}:vpc/*"]
      Condition = { StringEquals = local.puts_own }
    },
    {
      Sid       = "MakeInVpc"
      Effect    = "Allow"
      Action    = ["ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet"]
      Resource  = [for kind in ["elastic-ip", "internet-gateway", "route-table", "security-group", "subnet"] : "${local.arn}:ec2:${local.regions}:${kind}/*"]
      Condition = { StringEquals = local.puts_own }
    },
    {
      Sid       = "MakeInSubnets"
      Effect    = "Allow"
      Action    = ["ec2:CreateFlowLogs", "ec2:CreateNatGateway", "ec2:CreateVpcEndpoint", "ec2:RunInstances"]
      Resource  = [for kind in ["instance", "natgateway", "vpc-endpoint", "vpc-flow-log"] : "${local.arn}:ec2:${local.regions}:${kind}/*"]
      Condition = { StringEquals = local.puts_own }
    },
    {
      Sid       = "RulesHaveTags"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress"]
      Resource  = ["${local.arn}:ec2:${local.regions}:security-group-rule/*"]
      Condition = { StringEquals = local.puts_own }
    },
    # What comes with an instance: its image and key pair, and the disk and the interface that AWS makes for it.
    {
      Sid    = "WithAnInstance"
      Effect = "Allow"
      Action = ["ec2:RunInstances"]
      Resource = concat(
        ["${local.arn}:ec2:${local.region}::image/*"],
        [for kind in ["key-pair", "network-interface", "volume"] : "${local.arn}:ec2:${local.regions}:${kind}/*"],
      )
      Condition = { Null = local.is_new }
    },
    # In, on and with what is ours: a subnet in another environment's VPC is refused by that VPC's tags.
    {
      Sid    = "OwnNetwork"
      Effect = "Allow"
      Action = [
        "ec2:AssociateAddress", "ec2:AssociateIamInstanceProfile", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway",
        "ec2:AuthorizeSecurityGroup*", "ec2:CreateFlowLogs", "ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable",
        "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint", "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway",
        "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet",
        "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress",
        "ec2:DisassociateIamInstanceProfile", "ec2:DisassociateRouteTable", "ec2:Modify*Attribute", "ec2:ModifyInstanceMetadataOptions",
        "ec2:ModifySecurityGroupRules", "ec2:ModifyVolume", "ec2:ModifyVpcEndpoint", "ec2:MonitorInstances", "ec2:ReleaseAddress",
        "ec2:ReplaceIamInstanceProfileAssociation", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation",
        "ec2:RevokeSecurityGroup*", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances",
        "ec2:UnmonitorInstances", "ec2:UpdateSecurityGroupRuleDescriptions*",
      ]
      Resource  = ["${local.arn}:ec2:${local.regions}:*"]
      Condition = { StringEquals = local.has_own }
    },
    # With the call that makes the thing: tagging what exists is another statement's.
    {
      Sid       = "TagWhatIsMade"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${local.arn}:ec2:${local.regions}:*"]
      Condition = { StringEquals = local.puts_own, Null = { "ec2:CreateAction" = "false" } }
    },
    {
      Sid       = "TagOwn"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = ["${local.arn}:ec2:${local.regions}:*"]
      Condition = { StringEquals = local.has_own, "ForAllValues:StringNotEquals" = { "aws:TagKeys" = ["Environment", "Project"] } }
    },
    # A VPC's default security group is made with the VPC, and without its tags. Only what is nobody's is taken, and only groups.
    {
      Sid       = "TakeDefaultGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${local.arn}:ec2:${local.regions}:security-group/*"]
      Condition = { StringEquals = local.puts_own, Null = local.is_new }
    },
  ]

  edge_statements = concat([
    {
      Sid    = "Certificates"
      Effect = "Allow"
      Action = ["acm:RequestCertificate"]
      Condition = {
        StringEquals                = local.puts_own
        "ForAllValues:StringEquals" = { "acm:DomainNames" = var.names.hosts }
      }
      Resource = ["*"]
    },
    # The calls that make these things tag them, and are asked for the right to tag. What has an owner is out of reach here.
    {
      Sid    = "TagNew"
      Effect = "Allow"
      Action = ["acm:AddTagsToCertificate", "application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource", "kms:TagResource"]
      Resource = [
        "${local.arn}:acm:${local.regions}:certificate/*",
        "${local.arn}:application-autoscaling:${local.regions}:scalable-target/*",
        "${local.arn}:kms:${local.regions}:key/*",
      ]
      Condition = { StringEquals = local.puts_own, Null = local.is_new, StringEqualsIfExists = local.scales_ecs }
    },
    {
      Sid    = "OwnEdge"
      Effect = "Allow"
      Action = [
        "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", "acm:UpdateCertificateOptions",
        "application-autoscaling:*",
      ]
      Resource = [
        "${local.arn}:acm:${local.regions}:certificate/*",
        "${local.arn}:application-autoscaling:${local.regions}:scalable-target/*",
      ]
      Condition = { StringEquals = local.has_own }
    },
    {
      Sid    = "WebAcl"
      Effect = "Allow"
      Action = ["wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteWebACL", "wafv2:DisassociateWebACL", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL"]
      Resource = [
        "${local.arn}:elasticloadbalancing:${local.regions}:loadbalancer/app/${var.names.load_balancer}/*",
        "${local.arn}:wafv2:${local.regions}:regional/webacl/${var.names.load_balancer}/*",
        "${local.arn}:wafv2:*:*:regional/managedruleset/*",
      ]
    },
    {
      Sid    = "LoadBalancer"
      Effect = "Allow"
      Action = ["elasticloadbalancing:*"]
      Resource = concat(
        [for kind in ["listener/app", "listener-rule/app", "loadbalancer/app"] : "${local.arn}:elasticloadbalancing:${local.regions}:${kind}/${var.names.load_balancer}/*"],
        ["${local.arn}:elasticloadbalancing:${local.regions}:targetgroup/${var.names.load_balancer}-*/*"],
      )
    },
    {
      Sid      = "PrivateNamesOfEndpoints"
      Effect   = "Allow"
      Action   = ["route53:AssociateVPCWithHostedZone"]
      Resource = ["${local.arn}:route53:::hostedzone/*"]
    },
    ],
    length(var.names.hosts) == 0 ? [] : [{
      Sid      = "OwnRecords"
      Effect   = "Allow"
      Action   = ["route53:ChangeResourceRecordSets"]
      Resource = ["${local.arn}:route53:::hostedzone/*"]
      Condition = {
        "ForAllValues:StringLike" = {
          "route53:ChangeResourceRecordSetsNormalizedRecordNames" = flatten([for host in var.names.hosts : [lower(host), "_*.${lower(host)}"]])
        }
        Null = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = "false" }
      }
    }],
    # AWS can narrow none of the three of Zone: they are given where a zone is made here, and nowhere else. In the zone above it
    # the new one is delegated to, by a record of its name.
    flatten([for zone in var.names.creates_zone[*] : [
      {
        Sid      = "Zone"
        Effect   = "Allow"
        Action   = ["route53:ChangeTagsForResource", "route53:CreateHostedZone", "route53:DeleteHostedZone"]
        Resource = ["*"]
      },
      {
        Sid      = "Delegation"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = ["${local.arn}:route53:::hostedzone/*"]
        Condition = {
          "ForAllValues:StringEquals" = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames" = [lower(zone)]
            "route53:ChangeResourceRecordSetsRecordTypes"           = ["NS"]
          }
          Null = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = "false" }
        }
      },
    ]]),
  )

  services_statements = [
    {
      Sid    = "ECS"
      Effect = "Allow"
      Action = ["ecs:*"]
      Resource = [
        local.cluster_arn,
        local.service_arn,
        "${local.arn}:ecs:${local.regions}:service-deployment/${var.names.cluster}/${var.names.service}/*",
        "${local.arn}:ecs:${local.regions}:task-definition/${local.name}-template:*",
      ]
    },
    {
      Sid    = "Named"
      Effect = "Allow"
      Action = ["cloudwatch:*", "ecr:*", "elasticache:*", "events:*", "lambda:*", "logs:*", "rds:*", "sns:*"]
      Resource = concat(
        [for alarm in concat(["${var.names.alerts}-*", "${var.names.cache}-*", "${var.names.rotation}-*", "TargetTracking-service/${var.names.cluster}/${var.names.service}-*"], [for host in var.names.hosts : "${host}-certificate-expiry"]) :
        "${local.arn}:cloudwatch:${local.regions}:alarm:${alarm}"],
        ["${local.arn}:ecr:${local.regions}:repository/${var.names.repository}"],
        [for thing in ["cluster:${var.names.cache}-*", "parametergroup:${var.names.cache}-*", "parametergroup:default*", "replicationgroup:${var.names.cache}", "snapshot:${var.names.cache}-*", "subnetgroup:${var.names.cache}"] :
        "${local.arn}:elasticache:${local.regions}:${thing}"],
        ["${local.arn}:events:${local.regions}:rule/${var.names.alerts}-*", "${local.arn}:lambda:${local.regions}:function:${var.names.rotation}"],
        flatten([for group in var.names.log_groups : ["${local.arn}:logs:${local.regions}:log-group:${group}", "${local.arn}:logs:${local.regions}:log-group:${group}:*"]]),
        [for thing in ["db:${var.names.database}", "es:${var.names.alerts}", "og:default*", "pg:${var.names.database}-*", "snapshot:${var.names.database}-*", "snapshot:rds:${var.names.database}-*", "subgrp:${var.names.database}"] :
        "${local.arn}:rds:${local.regions}:${thing}"],
        ["${local.arn}:sns:${local.regions}:${var.names.alerts}"],
      )
    },
    {
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:*"]
      Resource = [local.secret_arn]
    },
    # The versions too: a bucket that is destroyed with its logs is emptied version by version.
    {
      Sid    = "LogBucket"
      Effect = "Allow"
      Action = [
        "s3:CreateBucket", "s3:DeleteBucket*", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions", "s3:PutBucket*",
        "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:TagResource", "s3:UntagResource",
      ]
      Resource = [local.logs_arn, "${local.logs_arn}/*"]
    },
    {
      Sid      = "WriteState"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = local.state_items
    },
    {
      Sid       = "NewKeys"
      Effect    = "Allow"
      Action    = ["kms:CreateKey"]
      Resource  = ["*"]
      Condition = { StringEquals = local.puts_own }
    },
    {
      Sid      = "Alias"
      Effect   = "Allow"
      Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
      Resource = ["${local.arn}:kms:${local.regions}:alias/${local.name}"]
    },
    # RDS, ElastiCache, ECR and Secrets Manager take their grants as the caller.
    {
      Sid       = "OwnKeys"
      Effect    = "Allow"
      Action    = ["kms:*"]
      Resource  = ["${local.arn}:kms:${local.regions}:key/*"]
      Condition = { StringEquals = local.has_own }
    },
  ]

  roles_arn = "${local.arn}:iam::${local.account}:role${var.names.task_role_path}*"

  iam_statements = [
    {
      Sid       = "RolesWithinTheBoundary"
      Effect    = "Allow"
      Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = [local.roles_arn]
      Condition = { StringEquals = { "iam:PermissionsBoundary" = "${local.arn}:iam::${local.account}:policy${local.path}${local.name}-boundary" } }
    },
    {
      Sid    = "OwnRoles"
      Effect = "Allow"
      Action = [
        "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
        "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
      ]
      Resource = [local.roles_arn, "${local.arn}:iam::${local.account}:instance-profile${var.names.task_role_path}*"]
    },
    {
      Sid      = "PassOwnRoles"
      Effect   = "Allow"
      Action   = ["iam:PassRole"]
      Resource = [local.roles_arn]
      Condition = { StringEquals = { "iam:PassedToService" = [
        "ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "ecs.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ] } }
    },
    {
      Sid      = "ServiceLinkedRoles"
      Effect   = "Allow"
      Action   = ["iam:CreateServiceLinkedRole"]
      Resource = ["${local.arn}:iam::${local.account}:role/aws-service-role/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = [
        "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticache.amazonaws.com",
        "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "wafv2.amazonaws.com",
      ] } }
    },
    # No apply starts a task, and one that could would start its own in another environment's cluster.
    {
      Sid      = "StartsNoTask"
      Effect   = "Deny"
      Action   = ["ecs:ExecuteCommand", "ecs:RunTask", "ecs:StartTask"]
      Resource = ["*"]
    },
    # Whatever another statement allows, now or after somebody's change: what says that it is another environment's stays so.
    # The zone is one environment's and all have records in it; roles are read where a plan looks one up.
    {
      Sid       = "NotAnotherEnvironments"
      Effect    = "Deny"
      NotAction = ["iam:Get*", "iam:List*", "route53:*"]
      Resource  = ["*"]
      Condition = {
        StringEquals    = { "aws:ResourceTag/Project" = var.project }
        StringNotEquals = { "aws:ResourceTag/Environment" = var.environment }
        Null            = { "aws:ResourceTag/Environment" = "false" }
      }
    },
  ]

  infrastructure_policies = {
    for name, statements in {
      plan           = local.plan_statements
      apply_network  = local.network_statements
      apply_edge     = local.edge_statements
      apply_services = local.services_statements
      apply_iam      = local.iam_statements
    } : name => jsonencode({ Version = "2012-10-17", Statement = statements })
  }
}
