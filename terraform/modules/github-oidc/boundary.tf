# The most that a role of this environment's infrastructure can ever do, whatever its own policies say. The apply role
# may make roles only with this boundary, so it cannot make one that is mightier than itself.
data "aws_iam_policy_document" "boundary" {
  statement {
    sid = "Runtime"
    actions = [
      "application-autoscaling:*", "cloudwatch:*", "dynamodb:*", "ec2:*NetworkInterface*", "ec2:Describe*", "ec2messages:*",
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
      "ecs:Describe*", "ecs:List*", "ecs:UpdateService", "elasticloadbalancing:*", "events:PutEvents", "kms:Decrypt",
      "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "logs:*", "s3:*", "secretsmanager:GetRandomPassword",
      "sns:Publish", "sqs:*", "ssm:*", "ssmmessages:*", "xray:*",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "OwnSecrets"
    actions   = ["secretsmanager:*"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${var.project}/${var.environment}/*"]
  }

  statement {
    sid       = "NotTheState"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:${local.partition}:s3:::${var.project}-terraform-state-*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "The most that roles of ${local.name} can do"
  path        = local.path
  policy      = data.aws_iam_policy_document.boundary.json
}
