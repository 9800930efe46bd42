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
  description = "The application's container: its name, port (0: it listens nowhere, as a worker does), health path, the numeric user that it runs as, the command that tells its health (the default asks the port, and needs no curl), seconds between SIGTERM and SIGKILL, and the size of /tmp in MiB."
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
  description = "The ECR repository of the releases, and the tag that the template names. No image has the default's: a task from the template could only fail."
  type = object({
    url = string
    arn = string
    tag = optional(string, "unreleased")
  })
}

variable "task" {
  description = "CPU units, memory in MiB and architecture (X86_64 or ARM64) of a task, and GiB of disk where Fargate's 20 are too few."
  type = object({
    cpu                   = number
    memory                = number
    architecture          = optional(string, "X86_64")
    ephemeral_storage_gib = optional(number)
  })

  validation {
    condition     = var.task.ephemeral_storage_gib == null || try(var.task.ephemeral_storage_gib >= 21 && var.task.ephemeral_storage_gib <= 200, false)
    error_message = "task.ephemeral_storage_gib must be between 21 and 200, which is what Fargate allows; without it a task has 20."
  }

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

variable "additional_task_policy_arns" {
  description = "Managed policies that the task role has besides, by a name of your choice. A permissions boundary still bounds them."
  type        = map(string)
  default     = {}
}

variable "additional_execution_policy_arns" {
  description = "Managed policies that the execution role has besides, such as one for a registry of your own, by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "alarms" {
  description = "Alarms of the service: what their names begin with, whom they tell, and percent of CPU and memory (0: none) and what waits in capacity.queue (0: none) above which they ring. One for missing tasks, by Container Insights, is always among them. Null: none."
  type = object({
    prefix         = string
    topic_arns     = optional(list(string), [])
    cpu_percent    = optional(number, 90)
    memory_percent = optional(number, 90)
    queue_length   = optional(number, 0)
  })
  default = null

  validation {
    condition     = try(var.alarms.queue_length, 0) == 0 || var.capacity.queue != null
    error_message = "alarms.queue_length needs capacity.queue: it says which queue is meant."
  }
}

variable "task_policy_json" {
  description = "What the application itself may do in AWS, as a policy document. Null: nothing."
  type        = string
  default     = null
}

variable "network" {
  description = "Where tasks run and who may reach them: the VPC, its range, the private subnets, the load balancer's security group, security groups of others that call the port (by a name that tells whose they are), and groups that the tasks have besides their own."
  type = object({
    vpc_id                        = string
    vpc_cidr                      = string
    subnet_ids                    = list(string)
    alb_security_group_id         = optional(string)
    client_security_group_ids     = optional(map(string), {})
    additional_security_group_ids = optional(list(string), [])
  })
}

variable "egress" {
  description = "Which connections the tasks may open, by a name of your choice: the port (to_port for a range) or protocol \"-1\" for everything, and where to: a range, a prefix list or a security group; without one of them, the VPC. What is given is all of it. Volumes of EFS add their own rule."
  type = map(object({
    port              = optional(number)
    to_port           = optional(number)
    protocol          = optional(string, "tcp")
    cidr              = optional(string)
    prefix_list_id    = optional(string)
    security_group_id = optional(string)
    description       = optional(string)
  }))
  default = {
    https      = { port = 443, cidr = "0.0.0.0/0", description = "AWS APIs, image layers and other people's APIs" }
    postgresql = { port = 5432 }
    redis      = { port = 6379 }
  }

  validation {
    condition = anytrue([for rule in var.egress :
      rule.protocol == "-1" || try(rule.protocol == "tcp" && rule.port <= 443 && coalesce(rule.to_port, rule.port) >= 443, false)
    ])
    error_message = "No rule of egress lets the tasks reach port 443: the image, the log stream and the secrets are fetched over HTTPS before a container runs. Add https = { port = 443, cidr = \"0.0.0.0/0\" }, or only the VPC where it has interface endpoints."
  }

  validation {
    condition     = alltrue([for rule in var.egress : (rule.protocol == "-1") == (rule.port == null)])
    error_message = "A rule of egress needs a port, and only protocol \"-1\", which is everything, has none."
  }

  validation {
    condition     = alltrue([for rule in var.egress : length([for target in [rule.cidr, rule.prefix_list_id, rule.security_group_id] : target if target != null]) <= 1])
    error_message = "A rule of egress goes to one of cidr, prefix_list_id and security_group_id: AWS takes one for each rule."
  }
}

variable "load_balancer" {
  description = "What the alb module made for this service: its target group, and for strategies that shift traffic the other target group and the listener rules. Null: a service that no load balancer reaches, as a worker."
  type = object({
    target_group_arn           = string
    alternate_target_group_arn = optional(string)
    production_listener_rule   = optional(string)
    test_listener_rule         = optional(string)
    health_check_grace_seconds = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.load_balancer == null || var.container.port > 0
    error_message = "A service behind a load balancer needs container.port: the load balancer has to send its requests somewhere."
  }

  validation {
    condition     = var.load_balancer == null || var.network.alb_security_group_id != null
    error_message = "A service behind a load balancer needs network.alb_security_group_id: nobody else may reach its tasks."
  }
}

variable "service_connect" {
  description = "Calling and being called by name inside a Service Connect namespace: the namespace's ARN, the name and port that others use (without a name it only calls others; the port is the container's unless given). Who calls must be in network.client_security_group_ids. Null: none."
  type = object({
    namespace_arn = string
    name          = optional(string)
    port          = optional(number)
  })
  default = null

  validation {
    condition     = try(var.service_connect.name, null) == null || var.container.port > 0
    error_message = "A service that has a name in Service Connect needs container.port: others connect to it."
  }
}

variable "sidecars" {
  description = "Containers beside the application, by name: the image with a tag or digest (and the ARN of its repository in ECR, so that it may be pulled), whether the task ends with it (essential), what the application waits for (before: START, COMPLETE, SUCCESS, HEALTHY), command, numeric user, port, CPU units and MiB set aside, environment, secrets, a command that tells its health, and volumes to mount by path."
  type = map(object({
    image                    = string
    repository_arn           = optional(string)
    essential                = optional(bool, false)
    before                   = optional(string)
    command                  = optional(list(string))
    user                     = optional(string)
    port                     = optional(number)
    cpu                      = optional(number)
    memory                   = optional(number)
    environment              = optional(map(string), {})
    secrets                  = optional(map(string), {})
    health_check             = optional(list(string))
    mounts                   = optional(map(string), {})
    readonly_root_filesystem = optional(bool, true)
  }))
  default = {}

  validation {
    condition     = !contains(keys(var.sidecars), var.container.name)
    error_message = "A sidecar has the application's name ${var.container.name}: ECS would refuse the task definition."
  }

  validation {
    condition     = alltrue([for sidecar in var.sidecars : contains(["START", "COMPLETE", "SUCCESS", "HEALTHY", "none"], coalesce(sidecar.before, "none"))])
    error_message = "before of a sidecar must be START, COMPLETE, SUCCESS or HEALTHY; without it nothing waits for it."
  }

  validation {
    condition     = alltrue([for sidecar in var.sidecars : sidecar.before != "HEALTHY" || sidecar.health_check != null])
    error_message = "The application can wait until a sidecar is HEALTHY only where the sidecar has a health_check."
  }

  validation {
    condition     = alltrue([for sidecar in var.sidecars : !contains(["COMPLETE", "SUCCESS"], coalesce(sidecar.before, "none")) || !sidecar.essential])
    error_message = "A sidecar that ends before the application starts (COMPLETE, SUCCESS) cannot be essential: its end would be the task's."
  }

  validation {
    condition     = alltrue([for sidecar in var.sidecars : sidecar.port == null || try(sidecar.port != var.container.port, true)])
    error_message = "A sidecar listens on the application's port ${var.container.port}: both share the task's network, and one of them could not start."
  }

  validation {
    condition     = alltrue(flatten([for sidecar in var.sidecars : [for volume in keys(sidecar.mounts) : contains(keys(var.volumes), volume)]]))
    error_message = "A sidecar mounts a volume that is not in volumes; ECS would refuse the task definition."
  }
}

variable "volumes" {
  description = "Volumes of the task, by name: the path in the application's container (null: only sidecars mount it), read-only or not, and EFS where it outlives the task, by the file system and an access point or a directory. Traffic to EFS is encrypted, and the task role is allowed to mount it. Without efs the volume is empty at first, belongs to root and goes with the task."
  type = map(object({
    path     = optional(string)
    readonly = optional(bool, false)
    efs = optional(object({
      file_system_id  = string
      access_point_id = optional(string)
      root_directory  = optional(string, "/")
    }))
  }))
  default = {}
}

variable "capacity" {
  description = "How many tasks, and on what: min and max (equal ones and autoscaling off make a fixed count), Fargate Spot or not, how many tasks stay on demand although Spot is used, and what target tracking aims at: percent of CPU and memory (0: not that one), and how much may wait for each task in a queue whose length is a CloudWatch metric (of SQS, or one that the application reports)."
  type = object({
    min           = number
    max           = number
    use_spot      = optional(bool, false)
    on_demand     = optional(number, 0)
    autoscaling   = optional(bool, true)
    cpu_target    = optional(number, 60)
    memory_target = optional(number, 70)
    queue = optional(object({
      namespace  = optional(string, "AWS/SQS")
      metric     = optional(string, "ApproximateNumberOfMessagesVisible")
      dimensions = optional(map(string), {})
      statistic  = optional(string, "Average")
      per_task   = number
    }))
  })

  validation {
    condition     = var.capacity.queue == null || try(var.capacity.queue.per_task > 0, false)
    error_message = "capacity.queue.per_task must be above 0: it is how much may wait for each task."
  }

  validation {
    condition     = try(var.capacity.queue.namespace != "AWS/SQS" || contains(keys(var.capacity.queue.dimensions), "QueueName"), true)
    error_message = "capacity.queue needs dimensions = { QueueName = \"…\" } for a queue of SQS: without it the metric is nobody's."
  }

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
  description = "How releases roll out: strategy rolling, blue_green, linear or canary; minutes that the old tasks stay after the last shift; percent and minutes of each step for linear, of the first one for canary; names of the CloudWatch alarms that undo a release; functions that ECS asks at stages of a shift (hooks); and the least and most tasks of a rolling one, in percent of those that should run."
  type = object({
    strategy     = optional(string, "rolling")
    bake_minutes = optional(number, 5)
    step_percent = optional(number, 10)
    step_minutes = optional(number, 5)
    alarm_names  = optional(list(string), [])
    hooks = optional(map(object({
      function_arn = string
      stages       = list(string)
      details_json = optional(string)
    })), {})
    minimum_percent = optional(number, 100)
    maximum_percent = optional(number, 200)
  })
  default = {}

  validation {
    condition     = contains(["rolling", "blue_green", "linear", "canary"], var.deployment.strategy)
    error_message = "deployment.strategy must be rolling, blue_green, linear or canary."
  }

  validation {
    condition = var.deployment.strategy == "rolling" || try(
      var.load_balancer.alternate_target_group_arn != null && var.load_balancer.production_listener_rule != null, false
    )
    error_message = "deployment.strategy ${var.deployment.strategy} shifts traffic between two target groups: give load_balancer.alternate_target_group_arn and load_balancer.production_listener_rule. A service without a load balancer is rolling."
  }

  validation {
    condition     = length(var.deployment.hooks) == 0 || var.deployment.strategy != "rolling"
    error_message = "deployment.hooks need a strategy that shifts traffic (blue_green, linear, canary): a rolling deployment has no stages to call them at."
  }

  validation {
    condition = alltrue(flatten([for hook in var.deployment.hooks : [for stage in hook.stages : contains([
      "RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
      "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
    ], stage)]]))
    error_message = "stages of deployment.hooks must be RECONCILE_SERVICE, PRE_SCALE_UP, POST_SCALE_UP, TEST_TRAFFIC_SHIFT, POST_TEST_TRAFFIC_SHIFT, PRE_PRODUCTION_TRAFFIC_SHIFT, PRODUCTION_TRAFFIC_SHIFT or POST_PRODUCTION_TRAFFIC_SHIFT."
  }

  validation {
    condition     = var.deployment.minimum_percent >= 0 && var.deployment.minimum_percent <= 100 && var.deployment.maximum_percent >= 100 && (var.deployment.minimum_percent < 100 || var.deployment.maximum_percent > 100)
    error_message = "deployment.minimum_percent must be at most 100 and maximum_percent at least 100, and not both exactly 100: a rollout could neither start a task nor stop one."
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
