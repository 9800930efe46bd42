variable "name" {
  description = "Name of the topic and prefix of alarms and rules."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key of the topic. It must let CloudWatch and EventBridge use it; the account's own SNS key cannot."
  type        = string
}

variable "subscriptions" {
  description = "Who is told: by a name of your choice, the protocol (email, https, lambda, sqs …) and the endpoint. E-mail must be confirmed by its reader."
  type = map(object({
    protocol = string
    endpoint = string
  }))
  default = {}

  validation {
    condition     = alltrue([for s in values(var.subscriptions) : s.protocol != "http"])
    error_message = "A subscription over plain http would send alerts unencrypted: use https."
  }
}

variable "service_arn" {
  description = "The ECS service whose failed deployments and impaired task starts are told. Null: none."
  type        = string
  default     = null
}

variable "load_balancer" {
  description = "The load balancer and its target groups, by their names in CloudWatch metrics, and the thresholds: the percentage of answers that are 5xx, of at least so many a minute (a quiet service has no percentage); 5xx answers of the load balancer itself a minute, which is what clients get when no target answers; unhealthy hosts; the 99th percentile of the answers' time in seconds. shared: others use it as well, so that the answers' time is that of these targets, and its own 5xx answers, which are nobody's in particular, ring no alarm. Null: no alarms."
  type = object({
    arn_suffix           = string
    target_arn_suffixes  = map(string)
    shared               = optional(bool, false)
    errors_percent       = optional(number, 5)
    errors_5xx           = optional(number, 10)
    errors_elb           = optional(number, 10)
    unhealthy_host_count = optional(number, 1)
    latency_seconds      = optional(number, 5)
  })
  default = null
}

variable "database" {
  description = "The database and the thresholds: CPU percent, free storage in GiB. Null: no alarms."
  type = object({
    identifier       = string
    cpu_percent      = optional(number, 80)
    free_storage_gib = optional(number, 4)
  })
  default = null
}

variable "tasks" {
  description = "The cluster and the service, by name, whose running tasks are compared with what they should be, by Container Insights. Null: no alarm."
  type = object({
    cluster = string
    service = string
  })
  default = null
}
