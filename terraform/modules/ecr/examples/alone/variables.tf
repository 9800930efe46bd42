variable "region" {
  description = "The AWS region; that of the shell (AWS_REGION) where it is null."
  type        = string
  default     = null
}
