# Production: highly available, on demand.
environment = "prod"

# Service
min_tasks          = 3
max_tasks          = 20
task_cpu           = 512
task_memory        = 1024
use_spot           = false
enable_autoscaling = true
enable_https       = true

# Data
database_instance_class = "db.t3.medium"
database_multi_az       = true
redis_nodes             = 3
redis_tls               = true
redis_node_type         = "cache.t3.medium"

# Operations
log_retention_days  = 90
deletion_protection = true
enable_bastion      = true

# Three zones, and no zone whose failure takes the others' way out along.
network = {
  az_count = 3
  nat      = "per_zone"
}

# The zone of all environments lives here; dev and staging look it up.
domain = {
  zone        = "connect.com"
  create_zone = true
  host        = "api.connect.com"
}

github = {
  repository = { owner = "org", name = "connect2" }

  service_repositories = [
    { owner = "org", name = "connect2-api", branches = ["main"] },
    # This repository rolls a changed template out after an apply.
    { owner = "org", name = "connect2", branches = ["main"] },
  ]
}

# Every 30 days a new password for the database and a new token for Redis. terraform/modules/secret-rotation/get fetches the function.
rotation = { redis = true }

promotion = { from_environments = ["staging"] }
