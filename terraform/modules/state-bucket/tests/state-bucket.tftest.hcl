mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name = "connect2-api-terraform-state-dev"
}

run "old_versions_expire_and_new_ones_never" {
  command = plan

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 90
    error_message = "what was overwritten expires"
  }

  assert {
    condition     = alltrue([for e in one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration : e.expired_object_delete_marker && e.date == null])
    error_message = "of what was not overwritten, nothing expires but delete markers"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "every state that ever was can be had back"
  }
}

run "encrypted_with_a_key_when_given" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "the key encrypts"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : s.effect == "Deny"])
    error_message = "[S3.6] no other account may do anything"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.ignore_public_acls
    error_message = "[S3.2] no public reading"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "[S3.3] no public writing"
  }

  assert {
    condition     = contains([for s in data.aws_iam_policy_document.this.statement : s.effect if s.sid == "TLSOnly"], "Deny")
    error_message = "[S3.5] requests without TLS are refused"
  }

  assert {
    condition     = alltrue([aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy, aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets])
    error_message = "[S3.8] public access is blocked"
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "[S3.12] no ACLs"
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).status == "Enabled"
    error_message = "[S3.13] a lifecycle"
  }
}

run "keeping_nothing_is_refused" {
  command = plan

  variables {
    noncurrent_days = 0
  }

  expect_failures = [var.noncurrent_days]
}
