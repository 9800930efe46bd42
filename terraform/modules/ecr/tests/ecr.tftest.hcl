mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name = "connect2-api-staging"
}

run "a_tag_stays_what_it_was_but_latest" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE_WITH_EXCLUSION"
    error_message = "tags are immutable"
  }

  assert {
    condition     = [for f in aws_ecr_repository.this.image_tag_mutability_exclusion_filter : f.filter] == ["latest"]
    error_message = "latest alone may move"
  }
}

run "what_served_is_kept_first" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.tagPatternList == ["live-*"] && jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].rulePriority == 1
    error_message = "the first rule counts images that served apart"
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[1].selection.tagStatus == "untagged" && jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[2].selection.tagStatus == "any"
    error_message = "untagged and old ones expire behind it"
  }

  assert {
    condition     = max([for r in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : r.rulePriority if r.selection.tagStatus == "any"]...) == max([for r in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : r.rulePriority]...)
    error_message = "ECR wants the rule for any image last"
  }
}

run "so_many_images_are_kept" {
  command = plan

  variables {
    keep = { live = 5, others = 6, untagged_days = 2 }
  }

  assert {
    condition     = jsonencode([for r in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : [r.selection.countType, r.selection.countNumber, r.action.type]]) == jsonencode([["imageCountMoreThan", 5, "expire"], ["sinceImagePushed", 2, "expire"], ["imageCountMoreThan", 6, "expire"]])
    error_message = "the newest of those that served, of any, and days for those without a tag"
  }
}

run "s3_encryption_or_a_key" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "AES256"
    error_message = "without a key S3 encrypts"
  }

  assert {
    condition     = length(aws_ecr_repository_policy.pull) == 0
    error_message = "nobody else pulls"
  }
}

run "a_key_when_given" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS" && aws_ecr_repository.this.encryption_configuration[0].kms_key == var.kms_key_arn
    error_message = "the key encrypts"
  }
}

run "another_environments_roles_may_pull_and_nothing_else" {
  command = plan

  variables {
    pull_role_arns = [
      "arn:aws:iam::999999999999:role/connect2-api-github/prod/connect2-api-prod-github-push",
      "arn:aws:iam::999999999999:role/connect2-api-github/prod/connect2-api-prod-github-deploy",
    ]
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.pull[0].statement).principals).identifiers == toset(["arn:aws:iam::999999999999:root"])
    error_message = "the account is the principal, since the role may not exist yet"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.pull[0].statement).condition).values == tolist(var.pull_role_arns) && one(one(data.aws_iam_policy_document.pull[0].statement).condition).variable == "aws:PrincipalArn"
    error_message = "and the roles are the condition"
  }

  assert {
    condition = toset(one(data.aws_iam_policy_document.pull[0].statement).actions) == toset(concat(
      ["ecr:BatchCheckLayerAvailability"],
      one([for s in jsondecode(file("../../../docs/iam/ecr-push.json")).Statement : s.Action if s.Sid == "SourceRepository"]),
    ))
    error_message = "they can do what a promotion calls on the repository that it reads, and cannot push"
  }

  assert {
    condition     = aws_ecr_repository_policy.pull[0].repository == "connect2-api-staging" && output.pulled_by == tolist(var.pull_role_arns)
    error_message = "the policy is this repository's"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "[ECR.1] images are scanned when pushed"
  }

  assert {
    condition     = startswith(aws_ecr_repository.this.image_tag_mutability, "IMMUTABLE")
    error_message = "[ECR.2] tags are immutable"
  }

  assert {
    condition     = aws_ecr_lifecycle_policy.this.repository == "connect2-api-staging"
    error_message = "[ECR.3] a lifecycle policy"
  }
}

run "a_user_in_place_of_a_role_is_refused" {
  command = plan

  variables {
    pull_role_arns = ["arn:aws:iam::999999999999:user/somebody"]
  }

  expect_failures = [var.pull_role_arns]
}
