variable "name" {
  description = "Name of the VPC and prefix of everything in it."
  type        = string
}

variable "vpc_cidr" {
  description = "IPv4 range of the VPC. It is cut into sixteen equal blocks; each tier takes one a zone."
  type        = string
  default     = "10.1.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "vpc_cidr must be an IPv4 range such as 10.1.0.0/16."
  }

  # A load balancer wants subnets of /27 or wider, and a sixteenth of a /23 is a /27.
  validation {
    condition = !can(cidrhost(var.vpc_cidr, 0)) || (
      tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 23
    )
    error_message = "vpc_cidr must be between /16 and /23: a smaller range cannot hold public, private and data subnets of at least 32 addresses in every zone, and AWS allows no larger one."
  }
}

variable "az_count" {
  description = "Availability zones to spread over: 2 or 3."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.az_count)
    error_message = "az_count must be 2 or 3: a load balancer needs two zones, and each tier has room for three."
  }
}

variable "nat" {
  description = "NAT gateways: \"none\", \"single\" (one for all zones: cheaper, and one zone's failure cuts every task off) or \"per_zone\"."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat must be \"none\", \"single\" or \"per_zone\"."
  }
}

variable "interface_endpoints" {
  description = "AWS services to reach without leaving the VPC, such as ecr.api, ecr.dkr, logs, secretsmanager, ssm, ssmmessages, ecs. Each costs by the hour and zone."
  type        = set(string)
  default     = []

  validation {
    condition = var.nat != "none" || length(setsubtract(
      ["ecr.api", "ecr.dkr", "logs", "secretsmanager"], var.interface_endpoints
    )) == 0
    error_message = "Without a NAT gateway tasks cannot start unless interface_endpoints holds ecr.api, ecr.dkr, logs and secretsmanager: the image, the log stream and the secrets are all fetched before the container runs."
  }
}

variable "flow_log_retention_days" {
  description = "How long flow logs are kept, in days."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days must be a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the flow log group. Null leaves CloudWatch Logs' own encryption."
  type        = string
  default     = null
}

variable "iam" {
  description = "Where the roles of this module live and what bounds them."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default = {}
}
