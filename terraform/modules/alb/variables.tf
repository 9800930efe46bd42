variable "name" {
  description = "Name of the load balancer, at most 27 characters."
  type        = string

  validation {
    condition     = length(var.name) <= 27
    error_message = "name may have at most 27 characters: AWS allows 32, and -green goes behind it."
  }
}

variable "network" {
  description = "The VPC, its range, and the public subnets, at least two. A load balancer that is there needs the VPC alone."
  type = object({
    vpc_id     = string
    vpc_cidr   = optional(string)
    subnet_ids = optional(list(string), [])
  })

  validation {
    condition     = var.existing != null || (var.network.vpc_cidr != null && length(var.network.subnet_ids) > 0)
    error_message = "network.vpc_cidr and network.subnet_ids say where the load balancer stands and what it reaches: only existing does without them."
  }
}

variable "existing" {
  description = "A load balancer that is there, by the listener that carries the traffic, and what of it is the service's: requests to hosts and paths, by rules at priority (which rolls over one group), the one behind it (which shifts traffic between two) and the one before it (which tries a release). certificate_arn is added to the listener's certificates; without it the listener's own serves. security_group_id is one of the load balancer's, from which the targets are reached, and may be left out where there is one alone; its rules must let the load balancer reach the targets' port. Neither access logs nor a web ACL nor other listeners are made then. Null: a load balancer is made."
  type = object({
    listener_arn      = string
    security_group_id = optional(string)
    hosts             = optional(list(string), [])
    paths             = optional(list(string), ["/*"])
    priority          = number
    add_certificate   = optional(bool, false)
    certificate_arn   = optional(string)
  })
  default = null

  validation {
    condition     = var.existing == null || can(regex("^arn:[^:]+:elasticloadbalancing:[^:]+:[0-9]{12}:listener/app/[^/]+/[0-9a-f]+/[0-9a-f]+$", var.existing.listener_arn))
    error_message = "existing.listener_arn must be the ARN of a listener of an Application Load Balancer (arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/…/…)."
  }

  validation {
    condition     = var.existing == null || try(length(var.existing.hosts) > 0 || !anytrue([for path in var.existing.paths : contains(["*", "/*"], path)]), false)
    error_message = "existing needs hosts, or paths other than /*: the service would take what is sent to everybody who uses the listener."
  }

  validation {
    condition     = var.existing == null || try(length(var.existing.paths) > 0 && length(var.existing.hosts) + length(var.existing.paths) <= 4, false)
    error_message = "existing needs a path, and at most 4 hosts and paths together: a rule compares 5 values, and one is the header that tries a release."
  }

  validation {
    condition     = var.existing == null || try(var.existing.priority >= 2 && var.existing.priority <= 49999 && floor(var.existing.priority) == var.existing.priority, false)
    error_message = "existing.priority must be a whole number between 2 and 49999: the places before and behind it are taken too, and AWS has 1 to 50000."
  }

  validation {
    condition     = var.existing == null || !var.waf.enabled
    error_message = "A web ACL stands before the whole load balancer, and the one of existing is not the service's alone: say waf.enabled = false."
  }

  validation {
    condition     = var.existing == null || try(!var.existing.add_certificate || var.https.enabled, false)
    error_message = "existing.add_certificate is for a listener that serves HTTPS: say https.enabled = true."
  }
}

variable "https" {
  description = "Serve HTTPS and redirect HTTP to it, with this certificate. The policy allows TLS 1.2 and 1.3 alone."
  type = object({
    enabled         = optional(bool, true)
    certificate_arn = optional(string)
    ssl_policy      = optional(string, "ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
  })
  default = {}

  validation {
    condition     = can(regex("TLS13-1-[23]", var.https.ssl_policy))
    error_message = "https.ssl_policy must be one that allows TLS 1.2 and 1.3 alone; their names hold TLS13-1-2 or TLS13-1-3."
  }
}

variable "target" {
  description = "The port of the targets, the path that tells their health, and seconds that a leaving target is given to answer what it has begun. The load balancer's default of 300 s makes every release five minutes longer."
  type = object({
    port                 = optional(number, 8000)
    health_path          = optional(string, "/health")
    deregistration_delay = optional(number, 30)
  })
  default = {}
}

variable "shifts_traffic" {
  description = "Whether releases shift traffic between two target groups (blue/green, linear, canary) instead of rolling over one."
  type        = bool
  default     = false
}

variable "ingress_cidrs" {
  description = "Who may connect, as IPv4 ranges."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer."
  type        = bool
  default     = true
}

variable "delete_logs" {
  description = "Delete the bucket of the access logs with what is in it; false refuses to while there are logs."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "How long access logs are kept, in days."
  type        = number
  default     = 90
}

variable "waf" {
  description = "Put a web ACL in front: AWS's common and known-bad-input rules, and a limit of requests from one address in five minutes. count: it blocks nothing and only counts, which is how one begins; count_rules: single rules of a group that only count (group to rules); log_retention_days: what matched is logged for so long, without cookies and credentials (0: no log), log_kms_key_arn encrypts that."
  type = object({
    enabled            = optional(bool, false)
    rate_limit         = optional(number, 2000)
    count              = optional(bool, false)
    count_rules        = optional(map(list(string)), {})
    log_retention_days = optional(number, 0)
    log_kms_key_arn    = optional(string)
  })
  default = {}

  validation {
    condition     = var.waf.rate_limit >= 10 && var.waf.rate_limit <= 2000000000
    error_message = "waf.rate_limit must be between 10 and 2000000000 requests in five minutes: AWS takes no other limit."
  }

  validation {
    condition     = alltrue([for group in keys(var.waf.count_rules) : contains(["AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"], group)])
    error_message = "waf.count_rules must name AWSManagedRulesCommonRuleSet or AWSManagedRulesKnownBadInputsRuleSet: the web ACL has no other group."
  }

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.waf.log_retention_days)
    error_message = "waf.log_retention_days must be 0 (no log) or a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}
