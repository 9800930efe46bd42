variable "name" {
  description = "Name of the function and of what belongs to it."
  type        = string
}

variable "zip" {
  description = "Path of the function's zip file, which `terraform/modules/secret-rotation/get` downloads or builds; the same bytes wherever it is built."
  type        = string

  validation {
    condition     = fileexists(var.zip)
    error_message = "The rotation function's zip file ${var.zip} is not there: terraform/modules/secret-rotation/get downloads that of the release, or builds it where the tree is not a release's."
  }
}

variable "days" {
  description = "Days between two rotations."
  type        = number
  default     = 30

  validation {
    condition     = var.days >= 1 && var.days <= 90
    error_message = "days must be between 1 and 90: a secret that is older than 90 days fails AWS's own check (SecretsManager.4)."
  }
}

variable "reserved_concurrency" {
  description = "Executions of the function that are set apart for it, and the most of them at once. AWS refuses any in an account whose limit is 10, as that of a new one is: at least 10 must stay free for all others. -1 sets none apart."
  type        = number
  default     = -1

  validation {
    condition     = contains([-1, 1], var.reserved_concurrency)
    error_message = "reserved_concurrency must be 1 or -1: two rotations at once would not know whose turn it is."
  }
}

variable "secret_arn" {
  description = "The secret with the six keys."
  type        = string
}

variable "admin" {
  description = "The master user, and the secret that holds its password alone."
  type = object({
    username   = optional(string, "postgres")
    secret_arn = string
  })
}

variable "users" {
  description = "The two users that take turns, and the role that owns what is in the database. All three are made by the first rotation."
  type = object({
    a     = optional(string, "connect2_a")
    b     = optional(string, "connect2_b")
    owner = optional(string, "connect2_owner")
  })
  default = {}

  validation {
    condition     = length(distinct([var.users.a, var.users.b, var.users.owner])) == 3
    error_message = "users.a, users.b and users.owner must be three names: with one user for both turns running tasks would lose their password."
  }
}

variable "redis" {
  description = "The replication group whose auth token is rotated too, and the secret with its url. Null: the database alone."
  type = object({
    replication_group_id = string
    arn                  = string
    secret_arn           = string
  })
  default = null
}

variable "service" {
  description = "The service whose tasks read the secret when they start."
  type = object({
    arn          = string
    cluster_name = string
    name         = string
  })
}

variable "other_services" {
  description = "Further services of the same cluster whose tasks read the secrets when they start: name to ARN. They are started anew together with it."
  type        = map(string)
  default     = {}
}

variable "network" {
  description = "Where the function runs: the VPC, its range, and private subnets that reach Secrets Manager and ECS by NAT or by endpoints."
  type = object({
    vpc_id     = string
    vpc_cidr   = string
    subnet_ids = list(string)
  })
}

variable "kms_key_arn" {
  description = "KMS key of the secrets and of the function's log. Null takes the account's own keys."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the function's log is kept, in days."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarm_topic_arns" {
  description = "Who is told when a rotation fails."
  type        = list(string)
  default     = []
}

variable "iam" {
  description = "Where the roles of this module live and what bounds them."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default = {}
}
