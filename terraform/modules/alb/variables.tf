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
  description = "Put a web ACL in front: AWS's common and known-bad-input rules, and a limit of requests from one address in five minutes."
  type = object({
    enabled    = optional(bool, false)
    rate_limit = optional(number, 2000)
  })
  default = {}
}
