# What an environment may have besides, on top of dev.tfvars: test/render makes the roles for it.
services = {
  worker = { image = { own = true } }
}

schedules = {
  digest = { expression = "cron(0 6 * * ? *)", dead_letter = true }
}

dashboard = true
budget    = { usd = 200, emails = ["on-call@connect.com"] }

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
