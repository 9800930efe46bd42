provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = local.tags
  }

  # What the deploys remember on the service and its revisions is theirs.
  ignore_tags {
    key_prefixes = ["connect2:"]
  }
}

# The same account and region, for passwords alone: see the rds module.
provider "aws" {
  alias = "secrets"

  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]
}

locals {
  tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform"
  }
}
