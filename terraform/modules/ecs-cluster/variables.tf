variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "container_insights" {
  description = "Container Insights: \"enhanced\", \"enabled\" or \"disabled\"."
  type        = string
  default     = "enabled"

  validation {
    condition     = contains(["enhanced", "enabled", "disabled"], var.container_insights)
    error_message = "container_insights must be \"enhanced\", \"enabled\" or \"disabled\"."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts ECS Exec sessions and their log. Null leaves the session encrypted by TLS alone."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the log of ECS Exec sessions is kept, in days."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}
