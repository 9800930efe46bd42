terraform {
  backend "s3" {
    bucket       = "connect2-api-terraform-state-prod"
    key          = "terraform.tfstate"
    region       = "us-west-2"
    encrypt      = true
    use_lockfile = true
  }
}
