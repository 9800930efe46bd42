# Staging: like production, on Spot, where a release is tried before it is promoted.
environment = "staging"

# Service
min_tasks          = 2
max_tasks          = 6
task_cpu           = 256
task_memory        = 512
use_spot           = true
enable_autoscaling = true
enable_https       = true

# Data
database_instance_class = "db.t3.small"
database_multi_az       = false
redis_nodes             = 2
redis_tls               = false

# Operations
log_retention_days  = 14
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
  host = "api-staging.connect.com"
}

github = {
  repository = { owner = "org", name = "connect2" }

  service_repositories = [
    { owner = "org", name = "connect2-api", branches = ["staging"] },
    # This repository rolls a changed template out after an apply.
    { owner = "org", name = "connect2", branches = ["staging"] },
  ]
}

# What staging has tried is promoted to prod, by digest.
promotion = { to_environments = ["prod"] }
