variable "name" {
  description = "Name of the zone, such as connect.com."
  type        = string
}

variable "create" {
  description = "Make the zone. False looks up the one that is there."
  type        = bool
  default     = false
}

variable "parent_zone_id" {
  description = "Hosted zone of the domain above, where a zone that is made here is delegated to. Null leaves the delegation to whoever holds that domain."
  type        = string
  default     = null

  validation {
    condition     = var.parent_zone_id == null || var.create
    error_message = "parent_zone_id delegates to a zone that is made here: say create = true, or leave it out."
  }
}

variable "own_tags" {
  description = "Tags of the zone that is made here, by which it is told from somebody else's of the same name. Null: nobody looks for one."
  type        = map(string)
  default     = null
}

variable "force_destroy" {
  description = "Delete the zone with the records in it that Terraform did not make."
  type        = bool
  default     = false
}
