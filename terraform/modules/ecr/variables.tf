variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key of the images. Null takes S3's own encryption. It cannot be changed later."
  type        = string
  default     = null
}

variable "keep" {
  description = "How many images that served (tagged live-*) and how many others are kept, and for how many days one without a tag."
  type = object({
    live          = optional(number, 50)
    others        = optional(number, 100)
    untagged_days = optional(number, 7)
  })
  default = {}
}

variable "pull_role_arns" {
  description = "Roles of other environments, of this account or another one, that may pull from here: how a release that staging has tried is promoted to prod. They need not exist yet."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.pull_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "pull_role_arns must hold ARNs of roles, such as arn:aws:iam::123456789012:role/NAME."
  }
}

variable "force_delete" {
  description = "Delete the repository with the images in it."
  type        = bool
  default     = false
}
