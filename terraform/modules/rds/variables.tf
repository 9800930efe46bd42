variable "name" {
  description = "Identifier of the database instance."
  type        = string
}

variable "secret_prefix" {
  description = "What the secrets' names begin with, such as connect2-api/dev: PREFIX/rds-credentials has the six keys, PREFIX/rds-password the master password alone."
  type        = string
}

variable "network" {
  description = "The VPC, the data subnets (at least two), and the security groups that may connect, by a name that tells whose they are."
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = map(string)
  })
}

variable "database_name" {
  description = "The database that is made with the instance."
  type        = string
  default     = "connect2"
}

variable "username" {
  description = "The master user."
  type        = string
  default     = "postgres"
}

variable "engine_version" {
  description = "PostgreSQL version. A major version alone follows minor upgrades without a difference in the plan; with a minor one, such as 16.4, the plan shows a difference after AWS has upgraded it."
  type        = string
  default     = "16"

  validation {
    condition     = can(regex("^1[4-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version such as 16 or 16.4."
  }
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
  default     = "db.t3.micro"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must begin with db., such as db.t3.micro."
  }
}

variable "storage" {
  description = "Storage in GiB, and up to how much it may grow by itself."
  type = object({
    allocated     = optional(number, 20)
    max_allocated = optional(number, 100)
  })
  default = {}

  validation {
    condition     = var.storage.allocated >= 20
    error_message = "storage.allocated must be at least 20 GiB, the least that gp3 has."
  }

  validation {
    condition     = var.storage.max_allocated >= ceil(var.storage.allocated * 1.1)
    error_message = "storage.max_allocated (${var.storage.max_allocated}) must be at least 10 % above storage.allocated (${var.storage.allocated}): RDS refuses less."
  }
}

variable "multi_az" {
  description = "Keep a standby in another zone."
  type        = bool
  default     = true
}

variable "protection" {
  description = "Deletion protection, a last snapshot at deletion, whether the automated backups outlive it, and days in which a deleted secret can be had back (0: none, so that the name is free at once)."
  type = object({
    deletion_protection  = optional(bool, true)
    final_snapshot       = optional(bool, true)
    automated_backups    = optional(bool, true)
    secret_recovery_days = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.protection.secret_recovery_days == 0 || (var.protection.secret_recovery_days >= 7 && var.protection.secret_recovery_days <= 30)
    error_message = "protection.secret_recovery_days must be 0 or between 7 and 30."
  }
}

variable "allow_major_version_upgrade" {
  description = "Let engine_version go up by a major version. Set it together with the new version, and take it out again afterwards: without it a slip in the version is refused by RDS."
  type        = bool
  default     = false
}

variable "restore" {
  description = "What the database is made from when it is made: a snapshot (snapshot_identifier), or a moment of another instance (source_identifier, or source_resource_id where that one is deleted and its automated backups are left; time as 2026-01-31T10:00:00Z, null for the latest). A database that stands is not touched by it: terraform apply -replace makes it anew."
  type = object({
    snapshot_identifier = optional(string)
    source_identifier   = optional(string)
    source_resource_id  = optional(string)
    time                = optional(string)
  })
  default = null

  validation {
    condition     = var.restore == null || length(compact([try(var.restore.snapshot_identifier, null), try(var.restore.source_identifier, null), try(var.restore.source_resource_id, null)])) == 1
    error_message = "restore needs exactly one of snapshot_identifier, source_identifier and source_resource_id."
  }

  validation {
    condition     = try(var.restore.time, null) == null || (try(var.restore.snapshot_identifier, null) == null && can(formatdate("YYYY", var.restore.time)))
    error_message = "restore.time must be a moment such as 2026-01-31T10:00:00Z, of an instance: a snapshot has its own."
  }
}

variable "backup_retention_days" {
  description = "Days of point-in-time recovery."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 7 and 35."
  }
}

variable "log_retention_days" {
  description = "How long the exported PostgreSQL and upgrade logs are kept, in days."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "kms_key_arn" {
  description = "KMS key of storage, Performance Insights, secrets and logs. Null takes the account's own key of each service."
  type        = string
  default     = null
}

variable "password_version" {
  description = "Raise it by one to have a new master password made and set."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version must be a whole number from 1 on."
  }
}

variable "manage_password" {
  description = "Make the master password and write it to the database and the secrets. False leaves all three to somebody else, as for a restored database; tests say false, since terraform test cannot mock ephemeral resources."
  type        = bool
  default     = true
}

variable "apply_immediately" {
  description = "Apply changes that interrupt the database now instead of in the maintenance window."
  type        = bool
  default     = false
}

variable "iam" {
  description = "Where the roles of this module live and what bounds them."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default = {}
}
