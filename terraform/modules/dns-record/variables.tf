variable "zone_id" {
  description = "Hosted zone of the record."
  type        = string
}

variable "name" {
  description = "Host name of the record."
  type        = string
}

variable "alias" {
  description = "What the name stands for: the load balancer's host name and its hosted zone."
  type = object({
    dns_name = string
    zone_id  = string
  })
}
