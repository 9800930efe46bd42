terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.34, < 7.0"

      # Reads and makes passwords, as ephemeral values. A configuration of its own because terraform test cannot mock a
      # provider that has ephemeral resources.
      configuration_aliases = [aws.secrets]
    }
  }
}
