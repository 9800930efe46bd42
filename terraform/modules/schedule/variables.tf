variable "name" {
  description = "Name of the schedule, such as connect2-api-digest-dev. Its role is NAME-schedule, its dead-letter queue NAME-dead."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z_.-]{1,55}$", var.name))
    error_message = "name must be 1 to 55 letters, digits, hyphens, underscores and dots: a schedule's may have 64, and -schedule goes behind it for the role's."
  }
}

variable "group" {
  description = "The schedule group. default is the one that every account has."
  type        = string
  default     = "default"
}

variable "expression" {
  description = "When it runs: cron(MINUTES HOURS DAY MONTH WEEKDAY YEAR), rate(VALUE UNIT) or at(YYYY-MM-DDTHH:MM:SS)."
  type        = string

  validation {
    condition = (
      can(regex("^cron\\(\\S+ \\S+ \\S+ \\S+ \\S+ \\S+\\)$", var.expression)) ||
      can(regex("^rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)$", var.expression)) ||
      can(regex("^at\\([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\)$", var.expression))
    )
    error_message = "expression must be cron with six fields, such as cron(0 6 ? * MON-FRI *), rate(5 minutes) (1 minute without an s), or at(2027-01-31T06:00:00)."
  }

  # Scheduler refuses it with the words "Invalid Schedule Expression", and nothing more.
  validation {
    condition     = !startswith(var.expression, "cron(") || try((split(" ", var.expression)[2] == "?") != (split(" ", var.expression)[4] == "?"), false)
    error_message = "One of day and weekday in expression must be ?, and only one: cron(0 6 * * ? *) is every day, cron(0 6 ? * MON *) every Monday."
  }
}

variable "timezone" {
  description = "The time zone of cron and at, by its name in the IANA list, such as Europe/Berlin. Summer time is followed."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|GMT|[A-Z][A-Za-z]+(/[A-Z][A-Za-z_+0-9-]+){1,2})$", var.timezone))
    error_message = "timezone must be a name of the IANA list, such as UTC or Europe/Berlin: an offset or an abbreviation is not taken."
  }
}

variable "enabled" {
  description = "Whether it runs at all."
  type        = bool
  default     = true
}

variable "window_minutes" {
  description = "Minutes after its time within which it may start; 0: at its time."
  type        = number
  default     = 0

  validation {
    condition     = var.window_minutes >= 0 && var.window_minutes <= 1440 && floor(var.window_minutes) == var.window_minutes
    error_message = "window_minutes must be a whole number between 0 and 1440, which is a day."
  }
}

variable "cluster_arn" {
  description = "The cluster that runs the task."
  type        = string
}

variable "task" {
  description = "What runs: the family (releases move the schedule along its revisions), the template's ARN to begin with, the container that command, environment, CPU units and memory in MiB are for, the task's roles, how many at once, and whether on Spot."
  type = object({
    family       = string
    template_arn = optional(string)
    container    = string
    command      = optional(list(string))
    environment  = optional(map(string), {})
    cpu          = optional(number)
    memory       = optional(number)
    role_arns    = list(string)
    count        = optional(number, 1)
    use_spot     = optional(bool, false)
  })

  validation {
    condition     = var.task.count >= 1 && var.task.count <= 10
    error_message = "task.count must be between 1 and 10: Scheduler starts no more tasks at once."
  }

  validation {
    condition     = length(var.task.role_arns) > 0
    error_message = "task.role_arns must hold the execution role, and the task role where there is one: without them no task can be started."
  }
}

variable "network" {
  description = "The subnets and security groups of the task, such as those of the service whose image it runs."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
}

variable "retry" {
  description = "How often a start that AWS refused is tried again, and for how many seconds after its time. A task that was started and failed is not."
  type = object({
    attempts = optional(number, 3)
    seconds  = optional(number, 3600)
  })
  default = {}

  validation {
    condition     = var.retry.attempts >= 0 && var.retry.attempts <= 185 && var.retry.seconds >= 60 && var.retry.seconds <= 86400
    error_message = "retry.attempts must be between 0 and 185, and retry.seconds between 60 and 86400: Scheduler takes no others."
  }
}

variable "dead_letter" {
  description = "Where a start goes that failed for good: a queue made here (create), or one that is there (its ARN). By default nowhere."
  type = object({
    create = optional(bool, false)
    arn    = optional(string)
  })
  default = {}

  validation {
    condition     = !var.dead_letter.create || var.dead_letter.arn == null
    error_message = "Give dead_letter.create or dead_letter.arn, not both: what failed goes to one queue."
  }
}

variable "alarm" {
  description = "An alarm where something lies in the queue that is made here: what its name begins with, and whom it tells. Null: none."
  type = object({
    prefix     = string
    topic_arns = optional(list(string), [])
  })
  default = null
}

variable "kms_key_arn" {
  description = "KMS key of the queue. Null takes SQS' own encryption."
  type        = string
  default     = null
}

variable "iam" {
  description = "Where the role of this module lives and what bounds it."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default = {}
}
