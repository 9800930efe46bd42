resource "aws_ecr_repository" "this" {
  name         = var.name
  force_delete = var.force_delete

  # A tag stays what it was; only latest may move. Deploys go by digest, so nothing depends on latest.
  image_tag_mutability = "IMMUTABLE_WITH_EXCLUSION"

  image_tag_mutability_exclusion_filter {
    filter      = "latest"
    filter_type = "WILDCARD"
  }

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

# An image that one rule selects is out of reach for the rules behind it. So what releases have marked as serving is
# counted apart, and can't be pushed out by builds that were never deployed.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Keep what served: rollbacks need it"
        selection    = { tagStatus = "tagged", tagPatternList = ["live-*"], countType = "imageCountMoreThan", countNumber = var.keep.live }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Untagged images"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.keep.untagged_days }
        action       = { type = "expire" }
      },
      {
        rulePriority = 3
        description  = "Old images"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep.others }
        action       = { type = "expire" }
      },
    ]
  })
}

# What a promotion calls on the repository that it reads: SourceRepository in docs/iam/ecr-push.json, which a test compares.
# By account and condition: a role named as the principal must exist, and prod's may be made later than staging.
data "aws_iam_policy_document" "pull" {
  count = length(var.pull_role_arns) > 0 ? 1 : 0

  statement {
    sid = "Promotion"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:DescribeRepositories",
      "ecr:GetDownloadUrlForLayer",
    ]

    principals {
      type        = "AWS"
      identifiers = distinct([for arn in var.pull_role_arns : format("arn:%s:iam::%s:root", split(":", arn)[1], split(":", arn)[4])])
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = var.pull_role_arns
    }
  }
}

resource "aws_ecr_repository_policy" "pull" {
  count = length(var.pull_role_arns) > 0 ? 1 : 0

  repository = aws_ecr_repository.this.name
  policy     = data.aws_iam_policy_document.pull[0].json
}
