variable "name" {
  description = "Name of the instance and of what belongs to it."
  type        = string
}

variable "network" {
  description = "The VPC, its range, and the subnet: a private one, or a public one where there is SSH or an Elastic IP."
  type = object({
    vpc_id    = string
    vpc_cidr  = string
    subnet_id = string
  })
}

variable "instance_type" {
  description = "Size of the instance; an ARM one (t4g)."
  type        = string
  default     = "t4g.nano"

  validation {
    condition     = can(regex("^[a-z]+[0-9]+g[a-z]*\\.", var.instance_type))
    error_message = "instance_type must be an ARM (Graviton) size such as t4g.nano: the image is an ARM one."
  }
}

variable "ssh" {
  description = "SSH beside Session Manager: the name of an EC2 key pair and the addresses that may connect. Null: Session Manager alone, and no open port."
  type = object({
    key_name = string
    cidrs    = list(string)
  })
  default = null

  validation {
    condition     = var.ssh == null || (length(try(var.ssh.key_name, "")) > 0 && length(try(var.ssh.cidrs, [])) > 0)
    error_message = "SSH needs a key pair and at least one address range that may connect; without them use Session Manager."
  }

  validation {
    condition     = !contains(try(var.ssh.cidrs, []), "0.0.0.0/0")
    error_message = "ssh.cidrs must name the addresses that may connect; 0.0.0.0/0 is everybody."
  }
}

variable "elastic_ip" {
  description = "Give the instance a public address that stays."
  type        = bool
  default     = false

  validation {
    condition     = var.ssh == null || var.elastic_ip
    error_message = "SSH from outside needs a public address: say elastic_ip = true, or use Session Manager."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the disk. Null takes the account's own key."
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
