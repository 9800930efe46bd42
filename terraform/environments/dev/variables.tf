# The lines of the table of differences, in ENV.tfvars. None has a default: each environment says what it is. The shared
# module checks them all.

variable "environment" {
  description = "The environment's name, the last part of every name."
  type        = string
}

variable "min_tasks" {
  description = "Tasks that always run."
  type        = number
}

variable "max_tasks" {
  description = "Tasks that autoscaling may go up to; without autoscaling the same as min_tasks."
  type        = number
}

variable "task_cpu" {
  description = "CPU units of a task (1024 are one vCPU)."
  type        = number
}

variable "task_memory" {
  description = "Memory of a task in MiB."
  type        = number
}

variable "use_spot" {
  description = "Run on Fargate Spot: cheaper by two thirds, and a task may be taken away with two minutes' notice."
  type        = bool
}

variable "enable_autoscaling" {
  description = "Scale between min_tasks and max_tasks by CPU and memory."
  type        = bool
}

variable "enable_https" {
  description = "Serve HTTPS, and redirect HTTP to it."
  type        = bool
}

variable "database_instance_class" {
  description = "Size of the database."
  type        = string
}

variable "database_multi_az" {
  description = "Keep a standby of the database in another zone."
  type        = bool
}

variable "redis_nodes" {
  description = "Redis nodes: a primary and its replicas."
  type        = number
}

variable "redis_tls" {
  description = "TLS and a password between the tasks and Redis."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer and the database. It switches nothing else: protection says what is left when they are deleted."
  type        = bool
}

variable "enable_bastion" {
  description = "Have a host that reaches the database and Redis by Session Manager."
  type        = bool
}

# What is the same everywhere until somebody says otherwise.

variable "protection" {
  description = "What outlives a deletion, each by itself and whatever deletion_protection says: the database's last snapshot and its automated backups, days in which a deleted secret and the key can be had back (0 days for secrets: their names are free at once), and whether images, access logs and the zone's foreign records go with what holds them. apply_immediately changes database and cache at once instead of in the maintenance window."
  type = object({
    final_snapshot       = optional(bool, true)
    automated_backups    = optional(bool, true)
    secret_recovery_days = optional(number, 30)
    key_recovery_days    = optional(number, 30)
    delete_images        = optional(bool, false)
    delete_logs          = optional(bool, false)
    delete_zone_records  = optional(bool, false)
    apply_immediately    = optional(bool, false)
  })
  default = {}
}

variable "project" {
  description = "What all names begin with, and the tag Project. The bucket of the state has it in its name, in backend.tf or by -backend-config=bucket=…."
  type        = string
  default     = "connect2-api"
}

variable "network" {
  description = "The VPC's range, the zones, NAT gateways (none, single, per_zone), and AWS services reached by interface endpoints."
  type = object({
    vpc_cidr            = optional(string, "10.1.0.0/16")
    az_count            = optional(number, 2)
    nat                 = optional(string, "single")
    interface_endpoints = optional(set(string), [])
  })
  default = {}
}

variable "existing" {
  description = "What is there already and is used instead of being made: a VPC with its range and subnets (two zones or more; the private ones need a way to AWS' services, which the tasks' image comes from), a KMS key whose policy lets CloudWatch Logs, CloudWatch and EventBridge use it as terraform/modules/environment/kms.tf says, and a load balancer of that VPC, by the listener that carries the traffic: domain.host and hosts, or paths, say what of it is the service's; priority is the place of its rule, and the places before and behind it are its own too; add_certificate puts the environment's certificate (domain) beside the listener's; security_group_id says which of the load balancer's groups reaches the tasks where it has several. Zones and certificates are named in domain. An environment that stands keeps what it has: another VPC is another environment."
  type = object({
    vpc = optional(object({
      id                 = string
      cidr               = string
      public_subnet_ids  = list(string)
      private_subnet_ids = list(string)
      data_subnet_ids    = list(string)
    }))
    kms_key_arn = optional(string)
    load_balancer = optional(object({
      listener_arn      = string
      security_group_id = optional(string)
      hosts             = optional(list(string), [])
      paths             = optional(list(string), ["/*"])
      priority          = number
      add_certificate   = optional(bool, false)
    }))
  })
  default = {}
}

variable "domain" {
  description = "Where the service is found: the zone (looked up, or made with create_zone), the host name in it, and a certificate where it is made elsewhere. delegated = false says that nobody has pointed the domain at the zone's name servers yet: zone, certificate and records are made, nothing waits for the certificate, and HTTPS is off until the line is gone."
  type = object({
    zone            = optional(string)
    create_zone     = optional(bool, false)
    parent_zone_id  = optional(string)
    host            = optional(string)
    certificate_arn = optional(string)
    delegated       = optional(bool, true)
  })
  default = {}
}

variable "service" {
  description = "The service's container and what it is given: architecture, the numeric user, the command, environment variables, further secrets (name to a secret's ARN with an optional :KEY:: behind it, or to a parameter's ARN or name), what it may do in AWS (policy_json) and how far the permissions boundary is widened for that (allow), a writable root filesystem, and ECS Exec."
  type = object({
    architecture = optional(string, "X86_64")
    port         = optional(number, 8000)
    health_path  = optional(string, "/health")
    user         = optional(string, "10001:10001")
    command      = optional(list(string))
    environment  = optional(map(string), {})
    secrets      = optional(map(string), {})
    policy_json  = optional(string)
    allow = optional(list(object({
      actions   = list(string)
      resources = optional(list(string), ["*"])
    })), [])
    on_demand_tasks          = optional(number, 0)
    cpu_target               = optional(number, 60)
    memory_target            = optional(number, 70)
    readonly_root_filesystem = optional(bool, true)
    execute_command          = optional(bool, false)
  })
  default = {}
}

variable "services" {
  description = "Services by name. api is the one behind the load balancer: what is given for it here goes before service, task_cpu and their like. Every other is a service without a load balancer in the same cluster, called PROJECT-NAME-ENVIRONMENT, with roles, log group, template and alarms of its own. Without further words it runs one task of the api's size from the api's image, with the connections to database and Redis (connections). image: own = true makes it a repository of its own, or repository (url and arn) names one that is there; tag is what the template says. max_tasks above min_tasks scales it by CPU, memory and queue: how much may wait for each task in a queue whose length is a CloudWatch metric. egress, sidecars, volumes and hooks are as in the module ecs-service; alarms: percent of CPU and memory, and the length of the queue (0: none)."
  type = map(object({
    cpu             = optional(number)
    memory          = optional(number)
    min_tasks       = optional(number)
    max_tasks       = optional(number)
    use_spot        = optional(bool)
    on_demand_tasks = optional(number)
    cpu_target      = optional(number)
    memory_target   = optional(number)
    queue = optional(object({
      namespace  = optional(string, "AWS/SQS")
      metric     = optional(string, "ApproximateNumberOfMessagesVisible")
      dimensions = optional(map(string), {})
      statistic  = optional(string, "Average")
      per_task   = number
    }))
    image = optional(object({
      own        = optional(bool, false)
      repository = optional(object({ url = string, arn = string }))
      tag        = optional(string, "unreleased")
    }), {})
    architecture = optional(string)
    port         = optional(number)
    health_path  = optional(string)
    health_check = optional(list(string))
    user         = optional(string)
    command      = optional(list(string))
    stop_timeout = optional(number, 30)
    connections  = optional(bool, true)
    environment  = optional(map(string), {})
    secrets      = optional(map(string), {})
    policy_json  = optional(string)
    policy_arns  = optional(map(string), {})
    allow = optional(list(object({
      actions   = list(string)
      resources = optional(list(string), ["*"])
    })), [])
    readonly_root_filesystem = optional(bool)
    execute_command          = optional(bool)
    ephemeral_storage_gib    = optional(number)
    egress = optional(map(object({
      port              = optional(number)
      to_port           = optional(number)
      protocol          = optional(string, "tcp")
      cidr              = optional(string)
      prefix_list_id    = optional(string)
      security_group_id = optional(string)
      description       = optional(string)
    })))
    sidecars = optional(map(object({
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
    })), {})
    volumes = optional(map(object({
      path     = optional(string)
      readonly = optional(bool, false)
      efs = optional(object({
        file_system_id  = string
        access_point_id = optional(string)
        root_directory  = optional(string, "/")
      }))
    })), {})
    hooks = optional(map(object({
      function_arn = string
      stages       = list(string)
      details_json = optional(string)
    })), {})
    alarms = optional(object({
      cpu_percent    = optional(number, 90)
      memory_percent = optional(number, 90)
      queue_length   = optional(number, 0)
    }), {})
  }))
  default = {}
}

variable "schedules" {
  description = "Tasks that run by the clock, by name: PROJECT-NAME-ENVIRONMENT of EventBridge Scheduler. expression is cron(…), rate(…) or at(…), in timezone; the task is of the service's image and has its roles, network and connections, with a command and variables of its own (without a command, the service's). dead_letter: keep, and tell, what could not be started."
  type = map(object({
    expression     = string
    timezone       = optional(string, "UTC")
    service        = optional(string, "api")
    command        = optional(list(string))
    environment    = optional(map(string), {})
    cpu            = optional(number)
    memory         = optional(number)
    count          = optional(number, 1)
    use_spot       = optional(bool, false)
    enabled        = optional(bool, true)
    window_minutes = optional(number, 0)
    dead_letter    = optional(bool, false)
    retry = optional(object({
      attempts = optional(number, 3)
      seconds  = optional(number, 3600)
    }), {})
  }))
  default = {}
}

variable "deployment" {
  description = "How releases roll out: rolling, blue_green, linear or canary, with the minutes and percentages of the steps. undo_on_alarm lets the 5xx alarms undo a release."
  type = object({
    strategy      = optional(string, "rolling")
    bake_minutes  = optional(number, 5)
    step_percent  = optional(number, 10)
    step_minutes  = optional(number, 5)
    undo_on_alarm = optional(bool, true)
  })
  default = {}
}

variable "database" {
  description = "The database's version and whether it may go up by a major one, storage in GiB, days of backups, the version of its master password, and what it is made from when it is made anew."
  type = object({
    engine_version    = optional(string, "16")
    major_upgrade     = optional(bool, false)
    allocated_storage = optional(number, 20)
    max_storage       = optional(number, 100)
    backup_days       = optional(number, 14)
    password_version  = optional(number, 1)
    restore = optional(object({
      snapshot_identifier = optional(string)
      source_identifier   = optional(string)
      source_resource_id  = optional(string)
      time                = optional(string)
    }))
  })
  default = {}
}

variable "redis_node_type" {
  description = "Size of a Redis node."
  type        = string
  default     = "cache.t3.micro"
}

variable "redis_tls_step" {
  description = "For a Redis that was made without TLS, when redis_tls becomes true: preferred, then required, then token, an apply and a release each. Null: it was made as it is."
  type        = string
  default     = null
}

variable "manage_passwords" {
  description = "Make the passwords of database and Redis. Tests say false, since terraform test cannot mock ephemeral resources."
  type        = bool
  default     = true
}

variable "bastion" {
  description = "The bastion's SSH (a key pair and the addresses that may connect) and Elastic IP. Without either it is reached by Session Manager alone."
  type = object({
    ssh = optional(object({
      key_name = string
      cidrs    = list(string)
    }))
    elastic_ip = optional(bool, false)
  })
  default = {}
}

variable "waf" {
  description = "Put a web ACL in front of the load balancer."
  type        = bool
  default     = false
}

variable "web_acl" {
  description = "How the web ACL of waf behaves: requests from one address in five minutes, count (it blocks nothing and only counts, which is how one begins), count_rules (single rules of a group that only count, group to rules), and days that what matched is logged (0: no log)."
  type = object({
    rate_limit         = optional(number, 2000)
    count              = optional(bool, false)
    count_rules        = optional(map(list(string)), {})
    log_retention_days = optional(number, 0)
  })
  default = {}
}

variable "redis_engine" {
  description = "What the cache runs: redis or valkey, which takes the same commands and costs a fifth less. What is Redis becomes Valkey in place; ElastiCache does not take it back."
  type        = string
  default     = "redis"
}

variable "redis_engine_version" {
  description = "Version of it. Null: 7.1 of Redis, 8.0 of Valkey."
  type        = string
  default     = null
}

variable "dashboard" {
  description = "Have a dashboard in CloudWatch, called PROJECT-ENVIRONMENT: answers and their times, tasks, CPU and memory of each service, database and cache."
  type        = bool
  default     = false
}

variable "budget" {
  description = "Tell by e-mail when the environment's cost of a month, in USD, is above percent of the limit, or is forecast to be above the limit. What belongs to it is found by the tag Environment, which must be switched on as a cost allocation tag in the billing account. Null: none."
  type = object({
    usd     = number
    percent = optional(number, 80)
    emails  = list(string)
  })
  default = null
}

variable "alarms" {
  description = "Where the alarms ring: percent of answers that are 5xx, of at least errors_5xx a minute (these undo a release); 5xx of the load balancer itself a minute; the 99th percentile of answer times in seconds; the database's CPU percent and free storage in GiB; Redis' CPU percent and evictions a minute."
  type = object({
    errors_percent    = optional(number, 5)
    errors_5xx        = optional(number, 10)
    errors_elb        = optional(number, 10)
    latency_seconds   = optional(number, 5)
    database_cpu      = optional(number, 80)
    database_free_gib = optional(number, 4)
    redis_cpu         = optional(number, 75)
    redis_evictions   = optional(number, 100)
  })
  default = {}
}

variable "alert_subscriptions" {
  description = "Who is told of alarms: by a name of your choice, the protocol and the endpoint."
  type = map(object({
    protocol = string
    endpoint = string
  }))
  default = {}
}

variable "promotion" {
  description = "Environments whose releases may pull this environment's images, and those that this environment's releases come from: by name in this account, by ARN of the push and deploy roles or of the repository in others."
  type = object({
    to_environments      = optional(list(string), [])
    to_role_arns         = optional(list(string), [])
    from_environments    = optional(list(string), [])
    from_repository_arns = optional(list(string), [])
  })
  default = {}
}

variable "github" {
  description = "Whose workflows may plan and apply this infrastructure (repository) and release to it (service_repositories, by branch), whether to make the account's OIDC provider, the issuer of its tokens (https://token.actions.SUBDOMAIN.ghe.com for GHE.com, https://HOSTNAME/_services/token for GitHub Enterprise Server), the bucket of the state and what its key begins with, and the workflows that may take the plan role, with their refs (by default infrastructure.yml of this repository's main; an empty list lets any in). rules: EventBridge rules, made elsewhere, that a release points at its revision (input schedules), each with the role that it starts tasks with. Null: no roles for GitHub, and no permissions boundary."
  type = object({
    create_provider = optional(bool, false)
    issuer          = optional(string, "https://token.actions.githubusercontent.com")
    state_bucket    = optional(string)
    state_key       = optional(string, "terraform.tfstate")
    plan_workflows  = optional(list(string))
    rules = optional(list(object({
      rule     = string
      role_arn = string
    })), [])
    repository = object({
      owner    = string
      owner_id = optional(number)
      name     = string
      id       = optional(number)
    })
    service_repositories = optional(list(object({
      owner    = string
      owner_id = optional(number)
      name     = string
      id       = optional(number)
      branches = list(string)
    })), [])
  })
  default = null
}

variable "rotation" {
  description = "Rotate the database password, and with redis the cache's auth token, every so many days by a function of our own. zip is the path of its zip file; without it that of the module, where `terraform/modules/secret-rotation/get` puts it. Null: no rotation."
  type = object({
    zip   = optional(string)
    days  = optional(number, 30)
    redis = optional(bool, false)
  })
  default = null
}

variable "region" {
  description = "Region of everything."
  type        = string
  default     = "us-west-2"
}

variable "account_id" {
  description = "The AWS account that this environment belongs to. Where it is given, credentials of another account are refused before anything is read."
  type        = string
  default     = null
}
