variable "project" {
  description = "What all names begin with, such as connect2-api."
  type        = string
}

variable "environment" {
  description = "The environment: dev, staging or prod."
  type        = string
}

variable "create_provider" {
  description = "Make the account's GitHub OIDC provider. An account has one: true in at most one environment of an account; false looks up the one that is there."
  type        = bool
  default     = false
}

variable "issuer" {
  description = "Who signs the workflows' tokens: https://token.actions.githubusercontent.com for github.com (with /ENTERPRISE where the enterprise has an issuer of its own), https://token.actions.SUBDOMAIN.ghe.com for GHE.com, https://HOSTNAME/_services/token for GitHub Enterprise Server, whose keys AWS must be able to fetch."
  type        = string
  default     = "https://token.actions.githubusercontent.com"

  validation {
    condition = anytrue([
      can(regex("^https://token\\.actions\\.githubusercontent\\.com(/[A-Za-z0-9-]+)?$", var.issuer)),
      can(regex("^https://token\\.actions\\.[a-z0-9-]+\\.ghe\\.com(/[A-Za-z0-9-]+)?$", var.issuer)),
      can(regex("^https://[a-z0-9-]+(\\.[a-z0-9-]+)+/_services/token$", var.issuer)),
    ])
    error_message = "issuer must be https://token.actions.githubusercontent.com (with /ENTERPRISE, or without), https://token.actions.SUBDOMAIN.ghe.com, or https://HOSTNAME/_services/token, without a slash at the end: it is the iss of the tokens, letter by letter."
  }
}

variable "repository" {
  description = "The repository that holds this infrastructure, whose workflows plan and apply it. The ids are what GitHub puts into tokens of repositories that were made or renamed after 2026-07-15; without them only the older form is accepted."
  type = object({
    owner    = string
    owner_id = optional(number)
    name     = string
    id       = optional(number)
  })

  validation {
    condition     = (var.repository.owner_id == null) == (var.repository.id == null)
    error_message = "Give both repository.owner_id and repository.id, or neither: a token has both."
  }

  validation {
    condition     = length(regexall("[*?]", "${var.repository.owner}${var.repository.name}")) == 0
    error_message = "repository must name one repository: with a wildcard others could assume these roles."
  }
}

variable "service_repositories" {
  description = "The repositories whose workflows build, push and deploy the service, and the branches whose images are built for this environment."
  type = list(object({
    owner    = string
    owner_id = optional(number)
    name     = string
    id       = optional(number)
    branches = list(string)
  }))
  default = []

  validation {
    condition     = alltrue([for r in var.service_repositories : (r.owner_id == null) == (r.id == null)])
    error_message = "Give both owner_id and id of a service repository, or neither: a token has both."
  }

  validation {
    condition     = alltrue([for r in var.service_repositories : length(regexall("[*?]", "${r.owner}${r.name}${join("", r.branches)}")) == 0])
    error_message = "service_repositories must name repositories and branches in full: with a wildcard others could assume these roles."
  }

  validation {
    condition     = alltrue([for r in var.service_repositories : length(r.branches) > 0])
    error_message = "A service repository needs at least one branch, or it could push nothing."
  }
}

variable "plan_workflows" {
  description = "The workflows that may take the plan role, each with the ref that it must be from, such as org/connect2/.github/workflows/infrastructure.yml@refs/heads/main. The plan role reads passwords, and an environment without reviewers is open to every branch: with this, another branch's workflow is refused. Empty: any workflow of the repository in the environments ENV-plan and ENV-drift."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for workflow in var.plan_workflows : can(regex("^[^/@*?]+/[^/@*?]+/\\.github/workflows/[^/@*?]+\\.ya?ml@refs/(heads|tags)/[^*?]+$", workflow))])
    error_message = "plan_workflows must name workflows with their refs in full, such as org/connect2/.github/workflows/infrastructure.yml@refs/heads/main."
  }

  validation {
    condition     = length(var.plan_workflows) == 0 || startswith(var.issuer, "https://token.actions.githubusercontent.com")
    error_message = "plan_workflows needs the issuer of github.com: of other issuers' tokens AWS compares no job_workflow_ref, so that nobody could take the plan role. Leave it empty, and give the GitHub environments ENV-plan and ENV-drift a deployment branch rule."
  }
}

variable "allow" {
  description = "What the application may do besides, as far as the permissions boundary goes: actions, and the resources on which. A role still needs a policy of its own that says so. The resources default to all, for actions that know none; name them where they have names."
  type = list(object({
    actions   = list(string)
    resources = optional(list(string), ["*"])
  }))
  default = []

  validation {
    condition     = alltrue([for a in var.allow : length(a.actions) > 0 && length(a.resources) > 0])
    error_message = "Each entry of service.allow needs at least one action and one resource."
  }

  validation {
    condition     = alltrue(flatten([for a in var.allow : [for action in a.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9*?]+$", action))]]))
    error_message = "service.allow must name the service of each action, such as ses:SendEmail or bedrock:Invoke*."
  }

  validation {
    condition     = alltrue(flatten([for a in var.allow : [for action in a.actions : !can(regex("^(?i:iam|organizations|account|sso|sso-directory|identitystore):", action))]]))
    error_message = "service.allow takes no action of iam, organizations, account or sso: an application that could make roles or users could make itself an administrator. Let an administrator make what it needs."
  }

  validation {
    condition     = alltrue(flatten([for a in var.allow : [for action in a.actions : !can(regex("^(?i:sts|secretsmanager|ssm|kms):", action)) || !contains(a.resources, "*")]]))
    error_message = "service.allow with sts, secretsmanager, ssm or kms needs the ARNs of the roles, secrets, parameters or keys: on all resources it would reach those of other environments."
  }
}

variable "names" {
  description = "What the roles may touch, by name: cluster, service, ECR repository, the state's bucket and what its keys begin with, log groups, load balancer, database, cache, alerts, rotation function, what the secrets' names begin with, the host names with records and the zone that is made here, the task definition's two roles, the path of the roles that Terraform makes, the ARNs of repositories that releases are promoted from, and the services beside the first one, each with its ECS service (which is also its family), log group, roles and repository (by name where it is this environment's, by ARN where not), the schedules with their roles, the families that they run, and their dead-letter queues, the EventBridge rules, made elsewhere, that a release points at its revision, with the role that each starts its tasks with, and where there are any the dashboard, the budget, the log of the web ACL, and the listener of a load balancer that others use as well (app/NAME/…/…), with whether certificates are added to it."
  type = object({
    cluster           = string
    service           = string
    repository        = string
    state_bucket      = string
    state_key         = optional(string, "terraform.tfstate")
    log_group         = string
    log_groups        = list(string)
    load_balancer     = string
    database          = string
    cache             = string
    alerts            = string
    rotation          = string
    secret_prefix     = string
    hosts             = optional(list(string), [])
    creates_zone      = optional(string)
    promotion_sources = optional(list(string), [])
    task_role_path    = string
    execution_role    = string
    task_role         = string
    dashboard         = optional(string)
    budget            = optional(string)
    web_acl_log       = optional(bool, false)
    listener          = optional(string)
    certificates      = optional(bool, false)
    services = optional(map(object({
      service        = string
      log_group      = string
      execution_role = string
      task_role      = string
      repository     = optional(string)
      repository_arn = optional(string)
    })), {})
    schedules = optional(map(object({
      schedule    = string
      role        = string
      family      = string
      dead_letter = optional(string)
    })), {})
    rules = optional(list(object({
      rule     = string
      role_arn = string
    })), [])
  })

  validation {
    condition     = alltrue([for r in var.names.rules : can(regex("^[A-Za-z0-9._/-]+$", r.rule)) && can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", r.role_arn))])
    error_message = "names.rules must name each rule (BUS/NAME on another bus than the default) and its role's ARN in full: with a wildcard a release could move other rules."
  }
}
