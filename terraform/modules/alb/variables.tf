variable "name" {
  description = "Name of the load balancer, at most 27 characters."
  type        = string

  validation {
    condition     = length(var.name) <= 27
    error_message = "name may have at most 27 characters: AWS allows 32, and -green goes behind it."
  }
}

variable "network" {
  description = "The VPC, its range, and the public subnets, at least two."
  type = object({
    vpc_id     = string
    vpc_cidr   = string
    subnet_ids = list(string)
  })
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
