# A repository from this module alone. From another repository the source is
# git::https://github.com/org/connect2.git//terraform/modules/ecr?ref=v2
module "repository" {
  source = "../.."

  name         = "orders"
  force_delete = true # of a test: its images go with it
}
