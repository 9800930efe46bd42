variable "name" {
  description = "Name of the application in this environment, such as connect2-api-dev. The template family is NAME-template, the family of releases NAME, the log group /ecs/NAME."
  type        = string
}

variable "service_name" {
  description = "Name of the ECS service."
  type        = string
}

variable "cluster" {
  description = "The cluster that runs the service. exec_log_group_arn and kms_key_arn name what ECS Exec writes to and is encrypted with."
  type = object({
    name               = string
    arn                = string
    exec_log_group_arn = optional(string)
    kms_key_arn        = optional(string)
  })
}

variable "container" {
  description = "The application's container: its name, port, health path, the numeric user that it runs as, the command that tells its health (the default needs no curl), seconds between SIGTERM and SIGKILL, and the size of /tmp in MiB."
  type = object({
    name         = optional(string, "connect2-api")
    port         = optional(number, 8000)
    health_path  = optional(string, "/health")
    user         = optional(string, "10001:10001")
    command      = optional(list(string))
    health_check = optional(list(string))
    stop_timeout = optional(number, 30)
    tmp_size     = optional(number, 64)
  })
  default = {}

  validation {
    condition     = can(regex("^[1-9][0-9]*(:[1-9][0-9]*)?$", var.container.user))
    error_message = "container.user must be a number other than 0, or such a pair UID:GID: a task does not run as root, and a name cannot be checked without the image."
  }

  validation {
    condition     = var.container.stop_timeout >= 2 && var.container.stop_timeout <= 120
    error_message = "container.stop_timeout must be between 2 and 120 seconds, which is what Fargate allows."
  }
}

variable "repository" {
  description = "The ECR repository of the releases."
  type = object({
    url = string
    arn = string
  })
}

variable "task" {
  description = "CPU units, memory in MiB and architecture (X86_64 or ARM64) of a task."
  type = object({
    cpu          = number
    memory       = number
    architecture = optional(string, "X86_64")
  })

  validation {
    condition = contains(lookup({
      256   = [512, 1024, 2048]
      512   = range(1024, 4097, 1024)
      1024  = range(2048, 8193, 1024)
      2048  = range(4096, 16385, 1024)
      4096  = range(8192, 30721, 1024)
      8192  = range(16384, 61441, 4096)
      16384 = range(32768, 122881, 8192)
    }, var.task.cpu, []), var.task.memory)
    error_message = "Fargate has no task of ${var.task.cpu} CPU units with ${var.task.memory} MiB: 256 goes with 512, 1024 or 2048; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720 (in steps of 1024); 8192 with 16384 to 61440 (steps of 4096); 16384 with 32768 to 122880 (steps of 8192)."
  }

  validation {
    condition     = contains(["X86_64", "ARM64"], var.task.architecture)
    error_message = "task.architecture must be X86_64 or ARM64."
  }
}

variable "environment" {
  description = "Environment variables of the container. Nothing secret: these can be read by whoever may describe a task definition."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Environment variables whose values come from Secrets Manager or Parameter Store: name to a secret's ARN, to ARN:KEY:: (one key of a JSON secret), to a parameter's ARN, or to the bare name of a parameter in this region."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.environment))) == 0
    error_message = "A name stands in both secrets and environment; ECS would refuse the task definition."
  }

  validation {
    condition = alltrue([for value in values(var.secrets) :
      can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?$", value)) ||
      can(regex("^arn:[^:]+:ssm:[^:]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+$", value)) ||
      can(regex("^/?[A-Za-z0-9_./-]+$", value))
    ])
    error_message = "A value of secrets is none of the four that ECS takes: the ARN of a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-abcdef), the same with :KEY:STAGE:VERSION behind it (KEY:: for one key), the ARN of a parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME), or a parameter's name."
  }
}

variable "secrets_kms_key_arn" {
  description = "KMS key of the secrets, where they do not use the account's own Secrets Manager key."
  type        = string
  default     = null
}

variable "task_policy_json" {
  description = "What the application itself may do in AWS, as a policy document. Null: nothing."
  type        = string
  default     = null
}

variable "network" {
  description = "Where tasks run and who may reach them: the VPC, its range, the private subnets, and the load balancer's security group."
  type = object({
    vpc_id                = string
    vpc_cidr              = string
    subnet_ids            = list(string)
    alb_security_group_id = string
  })
}

variable "load_balancer" {
  description = "What the alb module made for this service: its target group, and for strategies that shift traffic the other target group and the listener rules."
  type = object({
    target_group_arn           = string
    alternate_target_group_arn = optional(string)
    production_listener_rule   = optional(string)
    test_listener_rule         = optional(string)
    health_check_grace_seconds = optional(number, 60)
  })
}

variable "capacity" {
  description = "How many tasks, and on what: min and max (equal ones and autoscaling off make a fixed count), Fargate Spot or not, how many tasks stay on demand although Spot is used, and the CPU and memory percentages that target tracking aims at."
  type = object({
    min           = number
    max           = number
    use_spot      = optional(bool, false)
    on_demand     = optional(number, 0)
    autoscaling   = optional(bool, true)
    cpu_target    = optional(number, 60)
    memory_target = optional(number, 70)
  })

  validation {
    condition     = var.capacity.min <= var.capacity.max
    error_message = "capacity.min (${var.capacity.min}) is above capacity.max (${var.capacity.max})."
  }

  validation {
    condition     = var.capacity.min >= 1
    error_message = "capacity.min must be at least 1: a service that scales to nothing never scales up again, since no task is left to measure."
  }

  validation {
    condition     = var.capacity.autoscaling || var.capacity.min == var.capacity.max
    error_message = "Without autoscaling capacity.min and capacity.max must be equal: nothing would ever use the room between ${var.capacity.min} and ${var.capacity.max}."
  }
}

variable "deployment" {
  description = "How releases roll out: strategy rolling, blue_green, linear or canary; minutes that the old tasks stay after the last shift; percent and minutes of each step for linear, of the first one for canary; names of the CloudWatch alarms that undo a release."
  type = object({
    strategy     = optional(string, "rolling")
    bake_minutes = optional(number, 5)
    step_percent = optional(number, 10)
    step_minutes = optional(number, 5)
    alarm_names  = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = contains(["rolling", "blue_green", "linear", "canary"], var.deployment.strategy)
    error_message = "deployment.strategy must be rolling, blue_green, linear or canary."
  }

  validation {
    condition = var.deployment.strategy == "rolling" || (
      var.load_balancer.alternate_target_group_arn != null && var.load_balancer.production_listener_rule != null
    )
    error_message = "deployment.strategy ${var.deployment.strategy} shifts traffic between two target groups: give load_balancer.alternate_target_group_arn and load_balancer.production_listener_rule."
  }
}

variable "readonly_root_filesystem" {
  description = "Mount the container's root filesystem read-only, with a tmpfs at /tmp."
  type        = bool
  default     = true
}

variable "enable_execute_command" {
  description = "Allow ECS Exec (a shell in a running task)."
  type        = bool
  default     = false

  validation {
    condition     = !(var.enable_execute_command && var.readonly_root_filesystem)
    error_message = "ECS Exec needs a writable root filesystem, since its agent writes there: set readonly_root_filesystem = false too, or use a one-off task instead of a shell."
  }
}

variable "log_retention_days" {
  description = "How long the application's log is kept, in days."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key of the log group. Null leaves CloudWatch Logs' own encryption."
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
