variable "name" {
  description = "Name of the dashboard and of the budget."
  type        = string
}

variable "dashboard" {
  description = "Make the dashboard."
  type        = bool
  default     = true
}

variable "cluster" {
  description = "The ECS cluster, by name."
  type        = string
}

variable "services" {
  description = "The services to show: what they are called here, to their names in ECS."
  type        = map(string)
  default     = {}
}

variable "load_balancer" {
  description = "The load balancer, by its name in CloudWatch metrics; of one that others use as well, the target groups that are shown, by name. Null: none."
  type = object({
    arn_suffix          = string
    target_arn_suffixes = optional(map(string), {})
  })
  default = null
}

variable "database" {
  description = "The database's identifier. Null: none."
  type        = string
  default     = null
}

variable "cache_nodes" {
  description = "The cache's nodes, by name."
  type        = list(string)
  default     = []
}

variable "budget" {
  description = "A month's limit in USD, the percentage of it above which the spent is told, to whom, and the cost allocation tag that says what belongs to it. A forecast above the limit is told too. Null: none."
  type = object({
    usd     = number
    percent = optional(number, 80)
    emails  = list(string)
    tag     = object({ key = string, value = string })
  })
  default = null
}
