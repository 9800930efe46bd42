variable "domain_name" {
  description = "Host name of the certificate."
  type        = string
}

variable "alternative_names" {
  description = "Further host names."
  type        = list(string)
  default     = []
}

variable "zone_id" {
  description = "Hosted zone that proves that the names are ours."
  type        = string
}

variable "wait" {
  description = "Wait until the certificate is issued, which a load balancer needs. False where the domain is not pointed at the zone's name servers yet: ACM could wait for ever, and Terraform would for 75 minutes."
  type        = bool
  default     = true
}

variable "expiry" {
  description = "Days before the end at which the alarm rings, and where to. ACM renews 60 days before, so it rings only when that fails."
  type = object({
    days       = optional(number, 30)
    topic_arns = optional(list(string), [])
  })
  default = {}
}
