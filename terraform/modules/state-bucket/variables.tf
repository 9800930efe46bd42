variable "name" {
  description = "Name of the bucket, such as connect2-api-terraform-state-dev."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key of the state. Null takes S3's own encryption."
  type        = string
  default     = null
}

variable "noncurrent_days" {
  description = "How long an older version of the state is kept, in days."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days must be at least 1."
  }
}
