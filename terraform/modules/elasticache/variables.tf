variable "name" {
  description = "Identifier of the replication group, at most 40 characters."
  type        = string

  validation {
    condition     = length(var.name) <= 40
    error_message = "name may have at most 40 characters: AWS allows no more for a replication group."
  }
}

variable "secret_prefix" {
  description = "What the secrets' names begin with, such as connect2-api/dev: PREFIX/redis-credentials has url, host and port, and password when there is one."
  type        = string
}

variable "network" {
  description = "The VPC, the data subnets, and the security groups that may connect, by a name that tells whose they are."
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = map(string)
  })
}

variable "node_type" {
  description = "Size of a node."
  type        = string
  default     = "cache.t3.micro"

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "node_type must begin with cache., such as cache.t3.micro."
  }
}

variable "engine" {
  description = "redis or valkey. A group of Redis becomes one of Valkey in place, with its data; ElastiCache does not take it back."
  type        = string
  default     = "redis"

  validation {
    condition     = contains(["redis", "valkey"], var.engine)
    error_message = "engine must be redis or valkey (redis_engine in an environment)."
  }
}

variable "engine_version" {
  description = "Version of the engine. Null: 7.1 of Redis, which is the last one, or 8.0 of Valkey."
  type        = string
  default     = null

  validation {
    condition     = var.engine_version == null || can(regex(var.engine == "redis" ? "^([56]\\.|7\\.[01])" : "^(7\\.2|[89]\\.)", var.engine_version))
    error_message = "engine_version must be one that ElastiCache has of the engine: up to 7.1 of Redis, 7.2 and from 8.0 on of Valkey."
  }
}

variable "num_cache_clusters" {
  description = "Nodes: the primary and its replicas."
  type        = number
  default     = 2

  validation {
    condition     = var.num_cache_clusters >= 1 && var.num_cache_clusters <= 6
    error_message = "num_cache_clusters must be between 1 and 6."
  }
}

variable "automatic_failover_enabled" {
  description = "Promote a replica when the primary fails, and spread the nodes over zones. Null: when there is more than one node."
  type        = bool
  default     = null

  validation {
    condition     = !coalesce(var.automatic_failover_enabled, false) || var.num_cache_clusters > 1
    error_message = "Failover needs a replica to fail over to: with num_cache_clusters = 1 leave automatic_failover_enabled out."
  }
}

variable "transit_encryption_enabled" {
  description = "TLS between clients and nodes, and a password (auth token). A group that was made without goes there in steps: tls_step."
  type        = bool
  default     = true
}

variable "tls_step" {
  description = "For a group that was made without TLS, one apply after the other, with a release after each: preferred (with and without TLS, and the secret's URL with), required, token. Null: the group was made as it is."
  type        = string
  default     = null

  validation {
    condition     = var.tls_step == null || contains(["preferred", "required", "token"], coalesce(var.tls_step, "none"))
    error_message = "tls_step must be preferred, then required, then token; null for a group that was made with TLS."
  }

  validation {
    condition     = var.tls_step == null || var.transit_encryption_enabled
    error_message = "tls_step needs transit_encryption_enabled = true (redis_tls = true in an environment)."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the data and of the secrets. Null takes the account's own keys."
  type        = string
  default     = null
}

variable "snapshot_retention_days" {
  description = "Days that daily snapshots are kept; 0 makes none. The cache can be filled again, so this is for analysis, not for safety."
  type        = number
  default     = 1
}

variable "secret_recovery_days" {
  description = "Days in which a deleted secret can be had back (0: none, so that the name is free at once)."
  type        = number
  default     = 30

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0 or between 7 and 30."
  }
}

variable "alarms" {
  description = "Alarms of every node: whether there are any, the percentage of CPU and the evictions a minute above which they ring, and where to."
  type = object({
    enabled     = optional(bool, true)
    cpu_percent = optional(number, 75)
    evictions   = optional(number, 100)
    topic_arns  = optional(list(string), [])
  })
  default = {}
}

variable "auth_token_version" {
  description = "Raise it by one to have a new auth token made and set."
  type        = number
  default     = 1
}

variable "manage_auth_token" {
  description = "Make the auth token where there is TLS. Tests say false, since terraform test cannot mock ephemeral resources."
  type        = bool
  default     = true
}

variable "apply_immediately" {
  description = "Apply changes that interrupt the cache now instead of in the maintenance window."
  type        = bool
  default     = false
}
