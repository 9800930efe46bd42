# Several services in an environment.
mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

# Not mocked: terraform test cannot mock a provider that has ephemeral resources. It is never called.
provider "aws" {
  alias                       = "secrets"
  region                      = "us-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  environment             = "test"
  min_tasks               = 2
  max_tasks               = 4
  task_cpu                = 256
  task_memory             = 512
  use_spot                = false
  enable_autoscaling      = true
  enable_https            = false
  database_instance_class = "db.t3.micro"
  database_multi_az       = false
  redis_nodes             = 2
  redis_tls               = false
  log_retention_days      = 7
  deletion_protection     = false
  enable_bastion          = false
  manage_passwords        = false

  protection = { final_snapshot = false, secret_recovery_days = 0, key_recovery_days = 7 }
}

run "a_worker_in_one_line" {
  command = plan

  variables {
    github    = { repository = { owner = "org", name = "connect2" }, service_repositories = [{ owner = "org", name = "connect2-api", branches = ["main"] }] }
    rotation  = { zip = "versions.tf" }
    services  = { worker = { command = ["python", "-m", "worker"] } }
    schedules = { digest = { expression = "cron(0 6 * * ? *)", timezone = "Europe/Berlin", command = ["digest"], dead_letter = true }, sweep = { expression = "rate(1 hour)", service = "worker" } }
    promotion = { to_environments = ["prod"] }
  }

  assert {
    condition     = output.services["worker"].service_name == "connect2-api-worker-test" && output.services["worker"].container_name == "connect2-api-worker" && output.services["worker"].template_family == "connect2-api-worker-test-template" && output.services["worker"].log_group_name == "/ecs/connect2-api-worker-test"
    error_message = "its names begin with the project and end with the environment: ${jsonencode(output.services["worker"])}"
  }

  assert {
    condition     = output.services["api"].service_name == output.service_name && output.service_name == "connect2-api-service-test" && output.container_name == "connect2-api" && output.template_family == "connect2-api-test-template"
    error_message = "the api keeps its names"
  }

  assert {
    condition     = output.services["worker"].repository_url == output.repository_url && length(module.further_ecr) == 0
    error_message = "it runs the api's image"
  }

  assert {
    condition     = module.services["worker"].shape.cpu == 256 && module.services["worker"].shape.memory == 512 && module.services["worker"].shape.scalable_target == "1-1" && length(module.services["worker"].shape.policies) == 0 && keys(module.services["worker"].shape.secrets) == ["DATABASE_URL", "REDIS_URL"]
    error_message = "one task of the api's size, with both connections"
  }

  assert {
    condition     = { for name, r in aws_vpc_security_group_ingress_rule.further : name => r.from_port } == { "worker database" = 5432, "worker redis" = 6379 } && toset(keys(local.clients)) == toset(["tasks", "rotation"])
    error_message = "database and cache let it in"
  }

  assert {
    condition     = jsonencode(module.secret_rotation[0].restarts) == jsonencode(["connect2-api-service-test", "connect2-api-worker-test"])
    error_message = "a rotation starts it anew as well"
  }

  assert {
    condition     = jsonencode(module.github_oidc[0].policy_count) == jsonencode({ apply = 7, deploy = 4, plan = 2, push = 1 })
    error_message = "the roles for GitHub reach them: ${jsonencode(module.github_oidc[0].policy_count)}"
  }

  assert {
    condition = jsonencode(output.schedules) == jsonencode({
      digest = { expression = "cron(0 6 * * ? *)", group = "default", name = "connect2-api-digest-test", service = "api", state = "ENABLED", timezone = "Europe/Berlin" }
      sweep  = { expression = "rate(1 hour)", group = "default", name = "connect2-api-sweep-test", service = "worker", state = "ENABLED", timezone = "UTC" }
    })
    error_message = "the schedules are ${jsonencode(output.schedules)}"
  }

  assert {
    condition     = module.schedules["digest"].family == "connect2-api-test" && module.schedules["sweep"].family == "connect2-api-worker-test" && module.schedules["digest"].dead_letter_arn != null && module.schedules["sweep"].dead_letter_arn == null
    error_message = "each runs the family of its service"
  }
}

run "each_service_is_what_is_said_of_it" {
  command = plan

  override_resource {
    target          = module.services["worker"].aws_ecs_task_definition.template
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-worker-test:3" }
    override_during = plan
  }

  variables {
    services = {
      api = { cpu = 512, memory = 1024, port = 3000, environment = { MODE = "web" }, secrets = { EXTRA = "connect2-api/test/extra" }, queue = { dimensions = { QueueName = "web" }, per_task = 9 } }
      worker = {
        cpu         = 1024, memory = 2048, min_tasks = 2, max_tasks = 9, use_spot = true, image = { own = true }, connections = false
        queue       = { dimensions = { QueueName = "jobs" }, per_task = 20 }
        alarms      = { memory_percent = 0, queue_length = 500 }
        environment = { MODE = "work" }
        secrets     = { TOKEN = "connect2-api/test/token" }
        sidecars    = { agent = { image = "public.ecr.aws/agent:1" } }
        volumes     = { spool = { path = "/spool" } }
      }
      tools = { image = { repository = { url = "210987654321.dkr.ecr.us-west-2.amazonaws.com/tools", arn = "arn:aws:ecr:us-west-2:210987654321:repository/tools" }, tag = "7" } }
    }
  }

  assert {
    condition     = output.differences.cpu_memory == "512/1024" && module.alb.target_port == 3000 && jsonencode(output.alike.secrets) == jsonencode(["DATABASE_URL", "EXTRA", "REDIS_URL"]) && output.differences.scales_at == "cpu 60 %, memory 70 %, queue 9"
    error_message = "what services says of the api goes first: ${jsonencode([output.differences.cpu_memory, output.alike.secrets, output.differences.scales_at])}"
  }

  assert {
    condition     = module.services["worker"].shape.cpu == 1024 && module.services["worker"].shape.scalable_target == "2-9" && module.services["worker"].shape.policies == { cpu = 60, memory = 70, queue = 20 } && contains(module.services["worker"].shape.capacity_providers, "FARGATE_SPOT")
    error_message = "the worker has its size, scales between its bounds by CPU, memory and queue, on Spot"
  }

  assert {
    condition     = module.services["worker"].shape.secrets == { TOKEN = "connect2-api/test/token" } && keys(aws_vpc_security_group_ingress_rule.further) == ["tools database", "tools redis"]
    error_message = "without connections it gets neither their secrets nor a way in"
  }

  assert {
    condition     = output.services["worker"].repository_url == module.further_ecr["worker"].url && output.services["tools"].repository_url == "210987654321.dkr.ecr.us-west-2.amazonaws.com/tools"
    error_message = "each image comes from where it was said"
  }
}

run "a_services_rights_lie_within_the_boundary" {
  command = plan

  variables {
    github = { repository = { owner = "org", name = "connect2" } }
    services = {
      api    = { hooks = { smoke = { function_arn = "arn:aws:lambda:us-west-2:123456789012:function:smoke", stages = ["PRE_SCALE_UP"] } } }
      worker = { policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sqs:ReceiveMessage\",\"Resource\":\"*\"}}" }
    }
    deployment = { strategy = "blue_green" }
  }

  assert {
    condition = jsonencode(local.beyond_the_boundary) == jsonencode([
      "services.worker.policy_json: sqs:ReceiveMessage on *", "services.api.hooks.smoke: lambda:InvokeFunction on arn:aws:lambda:us-west-2:123456789012:function:smoke",
    ])
    error_message = "both are told by their place: ${jsonencode(local.beyond_the_boundary)}"
  }

  expect_failures = [output.task_role_arn]
}

run "allow_of_any_service_and_other_choices" {
  command = plan

  variables {
    waf                  = true
    web_acl              = { count = true, log_retention_days = 7 }
    redis_engine         = "valkey"
    redis_engine_version = "7.2"
    dashboard            = true
    budget               = { usd = 100, emails = ["on-call@example.com"] }
    github               = { repository = { owner = "org", name = "connect2" } }
    services             = { worker = { policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sqs:ReceiveMessage\",\"Resource\":\"*\"}}", allow = [{ actions = ["sqs:*"] }] } }
  }

  assert {
    condition     = length(local.beyond_the_boundary) == 0
    error_message = "what is allowed is within: ${jsonencode(local.beyond_the_boundary)}"
  }

  assert {
    condition     = module.overview[0].dashboard == "connect2-api-test" && module.overview[0].budget == "connect2-api-test" && module.elasticache.shape.engine == "valkey 7.2" && module.alb.shape.web_acl == "counts, logs" && module.github_oidc[0].policy_count.apply == 7
    error_message = "what else is a choice is there: ${jsonencode([module.elasticache.shape, module.alb.shape, module.github_oidc[0].policy_count])}"
  }
}

run "a_name_that_is_taken_is_refused" {
  command = plan

  variables {
    services = { cluster = {} }
  }

  expect_failures = [var.services]
}

run "a_vpc_and_a_key_that_are_there" {
  command = plan

  variables {
    enable_bastion = true
    services       = { worker = {} }
    existing = {
      kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/99999999-2222-3333-4444-555555555555"
      vpc = {
        id                 = "vpc-0fedcba9876543210"
        cidr               = "10.50.0.0/16"
        public_subnet_ids  = ["subnet-0a", "subnet-0b"]
        private_subnet_ids = ["subnet-1a", "subnet-1b"]
        data_subnet_ids    = ["subnet-2a", "subnet-2b"]
      }
    }
  }

  assert {
    condition     = length(module.networking) == 0 && length(aws_kms_key.this) == 0 && length(aws_kms_alias.this) == 0
    error_message = "neither is made"
  }

  assert {
    condition     = output.network.vpc_id == "vpc-0fedcba9876543210" && jsonencode(output.network.private_subnet_ids) == jsonencode(["subnet-1a", "subnet-1b"]) && output.kms_key_arn == var.existing.kms_key_arn && length(output.network.nat_public_ips) == 0
    error_message = "both are used: ${jsonencode(output.network)}"
  }

  assert {
    condition     = toset(keys(output.security_group_ids)) == toset(["alb", "tasks", "worker", "database", "redis", "bastion"]) && output.load_balancer.listener_arn != null && output.zone_id == null && output.certificate_arn == null
    error_message = "what others may build on is told: ${jsonencode(output.security_group_ids)}"
  }
}

run "a_load_balancer_that_is_there" {
  command = plan

  variables {
    enable_https = true
    dashboard    = true
    domain       = { zone = "connect.com", host = "api.connect.com" }
    github       = { repository = { owner = "org", name = "connect2" } }
    existing = {
      load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef", hosts = ["www.connect.com"], priority = 500 }
      vpc = {
        id                 = "vpc-0123456789abcdef0"
        cidr               = "10.50.0.0/16"
        public_subnet_ids  = ["subnet-0a", "subnet-0b"]
        private_subnet_ids = ["subnet-1a", "subnet-1b"]
        data_subnet_ids    = ["subnet-2a", "subnet-2b"]
      }
    }
  }

  assert {
    condition     = output.load_balancer.arn_suffix == "app/shared/fedcba9876543210" && output.load_balancer.listener_arn == var.existing.load_balancer.listener_arn && output.security_group_ids.alb == "sg-0fedcba9876543210"
    error_message = "it is used: ${jsonencode(output.load_balancer)}"
  }

  assert {
    condition     = output.service_url == "https://api.connect.com" && output.differences.https && length(module.acm) == 0 && length(module.dns_record) == 1 && endswith(output.certificate_arn, "99999999-2222-3333-4444-555555555555")
    error_message = "the listener's own certificate serves, and the name leads there"
  }
}

run "a_certificate_beside_the_listeners" {
  command = plan

  variables {
    enable_https = true
    domain       = { zone = "connect.com", host = "api.connect.com" }
    existing = {
      load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef", priority = 500, add_certificate = true }
      vpc = {
        id                 = "vpc-0123456789abcdef0"
        cidr               = "10.50.0.0/16"
        public_subnet_ids  = ["subnet-0a", "subnet-0b"]
        private_subnet_ids = ["subnet-1a", "subnet-1b"]
        data_subnet_ids    = ["subnet-2a", "subnet-2b"]
      }
    }
  }

  assert {
    condition     = length(module.acm) == 1 && endswith(output.certificate_arn, "11111111-2222-3333-4444-555555555555")
    error_message = "the environment's certificate is made and added"
  }
}
