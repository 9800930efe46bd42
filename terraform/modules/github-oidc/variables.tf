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

variable "names" {
  description = "What the roles may touch: cluster, service, ECR repository, state bucket, log group, load balancer and the task definition's two roles by name, the path of the roles that Terraform makes, and the ARNs of repositories that releases are promoted from."
  type = object({
    cluster            = string
    service            = string
    repository         = string
    state_bucket       = string
    log_group          = string
    promotion_sources  = optional(list(string), [])
    task_role_path     = string
    execution_role     = string
    task_role          = string
    load_balancer_name = string
  })
}
