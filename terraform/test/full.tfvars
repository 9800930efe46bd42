# What an environment may have besides, on top of dev.tfvars: test/render makes the roles for it.
services = {
  worker = { image = { own = true } }
}

schedules = {
  digest = { expression = "cron(0 6 * * ? *)", dead_letter = true }
}

dashboard = true
budget    = { usd = 200, emails = ["on-call@connect.com"] }

# A listener that others use as well. Only the roles are made from this: nothing looks for it.
existing = {
  load_balancer = {
    listener_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"
    priority     = 500
  }
  vpc = {
    id                 = "vpc-0123456789abcdef0"
    cidr               = "10.50.0.0/16"
    public_subnet_ids  = ["subnet-0a", "subnet-0b"]
    private_subnet_ids = ["subnet-1a", "subnet-1b"]
    data_subnet_ids    = ["subnet-2a", "subnet-2b"]
  }
}

github = {
  repository     = { owner = "org", name = "connect2" }
  plan_workflows = []

  service_repositories = [
    { owner = "org", name = "connect2-api", branches = ["development"] },
    { owner = "org", name = "connect2", branches = ["development"] },
  ]

  # A rule that somebody made beside Terraform.
  rules = [{ rule = "connect2-api-digest-dev", role_arn = "arn:aws:iam::123456789012:role/connect2-api-rules-dev" }]
}
