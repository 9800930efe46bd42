# Development: minimal, on Spot, for trying features.
environment = "dev"

# Service
min_tasks          = 2
max_tasks          = 2
task_cpu           = 256
task_memory        = 512
use_spot           = true
enable_autoscaling = false
enable_https       = false # the one environment that serves plain HTTP

# Data
database_instance_class = "db.t3.micro"
database_multi_az       = false
redis_nodes             = 1
redis_tls               = false

# Operations
log_retention_days  = 7
deletion_protection = false
enable_bastion      = false

# This environment is made and destroyed: nothing of it outlives that, and its names are free at once.
protection = {
  final_snapshot       = false
  automated_backups    = false
  secret_recovery_days = 0
  key_recovery_days    = 7
  delete_images        = true
  delete_logs          = true
  apply_immediately    = true
}

domain = {
  zone = "connect.com"
  host = "api-dev.connect.com"
}

github = {
  repository = { owner = "org", name = "connect2" }

  # Dev's secrets are dev's: every branch may plan it. Elsewhere the plan role is for main's infrastructure.yml alone.
  plan_workflows = []

  service_repositories = [
    { owner = "org", name = "connect2-api", branches = ["development"] },
    # This repository rolls a changed template out after an apply.
    { owner = "org", name = "connect2", branches = ["development"] },
  ]
}

