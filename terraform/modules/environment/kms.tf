# One key for the environment. It is what the audit trail shows, what another environment cannot use, and what CloudWatch
# and EventBridge need in order to publish to an encrypted topic: AWS's own keys cannot be opened to them.
resource "aws_kms_key" "this" {
  count = var.existing.kms_key_arn == null ? 1 : 0

  description             = "Data of ${local.name}"
  enable_key_rotation     = true
  policy                  = data.aws_iam_policy_document.key.json
  deletion_window_in_days = var.protection.key_recovery_days
}

resource "aws_kms_alias" "this" {
  count = var.existing.kms_key_arn == null ? 1 : 0

  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

moved {
  from = aws_kms_key.this
  to   = aws_kms_key.this[0]
}

moved {
  from = aws_kms_alias.this
  to   = aws_kms_alias.this[0]
}

data "aws_iam_policy_document" "key" {
  # Leaves it to IAM who of the account may use and manage the key. Without this statement nobody could, ever again.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${data.aws_region.current.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:log-group:*"]
    }
  }

  # EventBridge publishes to an encrypted topic without aws:SourceAccount, aws:SourceArn and aws:SourceOrgID: a condition on one of
  # them drops every event without a word (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: "not supported for
  # EventBridge-to-encrypted topics"). The topic is in the encryption context, and whose rules may publish says the topic's policy.
  statement {
    sid       = "Events"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:sns:topicArn"
      values   = ["arn:${data.aws_partition.current.partition}:sns:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:${local.alerts_name}"]
    }
  }

  statement {
    sid       = "Alerts"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}
