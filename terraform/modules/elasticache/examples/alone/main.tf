# Redis from this module alone, in a VPC that is there. From another repository the source is
# git::https://github.com/org/connect2.git//terraform/modules/elasticache?ref=v2
module "cache" {
  source = "../.."

  name          = "orders"
  secret_prefix = "orders/test"

  network = {
    vpc_id             = aws_vpc.this.id
    subnet_ids         = [for s in aws_subnet.data : s.id]
    security_group_ids = { tasks = aws_security_group.tasks.id }
  }

  num_cache_clusters   = 1
  secret_recovery_days = 0

  # The module has a second configuration, which its own tests need. One provider serves as both.
  providers = {
    aws         = aws
    aws.secrets = aws
  }
}
