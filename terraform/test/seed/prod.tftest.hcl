# What the seed's environment is, line by line of the table in docs/INFRASTRUCTURE.md, read from the planned resources: with the values
# of prod.tfvars beside this file, whatever the environment's own file says by now. terraform/test/run plans environments/prod with it.

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
  manage_passwords = false
}

run "prod_is_what_the_table_says_with_the_names_that_deploys_use" {
  command = plan

  # What the service points at after a release: a revision of connect2-api-prod.
  override_resource {
    target          = module.environment.module.ecs_service.aws_ecs_task_definition.template
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-prod:7" }
    override_during = plan
  }

  assert {
    condition     = output.differences.fargate_tasks == "3-20"
    error_message = "Fargate tasks of prod must be 3-20, not ${jsonencode(output.differences.fargate_tasks)}"
  }

  assert {
    condition     = output.differences.scalable_target == "3-20"
    error_message = "the bounds of the scalable target of prod must be 3-20, not ${jsonencode(output.differences.scalable_target)}"
  }

  assert {
    condition     = output.differences.cpu_memory == "512/1024"
    error_message = "CPU and memory of prod must be 512/1024, not ${jsonencode(output.differences.cpu_memory)}"
  }

  assert {
    condition     = output.differences.spot == false
    error_message = "Spot of prod must be false, not ${jsonencode(output.differences.spot)}"
  }

  assert {
    condition     = output.differences.autoscaling == true
    error_message = "autoscaling of prod must be true, not ${jsonencode(output.differences.autoscaling)}"
  }

  assert {
    condition     = output.differences.scales_at == "cpu 60 %, memory 70 %"
    error_message = "what autoscaling aims at of prod must be cpu 60 %, memory 70 %, not ${jsonencode(output.differences.scales_at)}"
  }

  assert {
    condition     = output.differences.https == true
    error_message = "HTTPS of prod must be true, not ${jsonencode(output.differences.https)}"
  }

  assert {
    condition     = output.differences.http == "redirect"
    error_message = "what port 80 does of prod must be redirect, not ${jsonencode(output.differences.http)}"
  }

  assert {
    condition     = output.differences.rds_instance == "db.t3.medium"
    error_message = "RDS instance of prod must be db.t3.medium, not ${jsonencode(output.differences.rds_instance)}"
  }

  assert {
    condition     = output.differences.rds_multi_az == true
    error_message = "RDS Multi-AZ of prod must be true, not ${jsonencode(output.differences.rds_multi_az)}"
  }

  assert {
    condition     = output.differences.redis_nodes == 3
    error_message = "Redis nodes of prod must be 3, not ${jsonencode(output.differences.redis_nodes)}"
  }

  assert {
    condition     = output.differences.redis_failover == true
    error_message = "Redis failover of prod must be true, not ${jsonencode(output.differences.redis_failover)}"
  }

  assert {
    condition     = output.differences.redis_tls == true
    error_message = "Redis TLS of prod must be true, not ${jsonencode(output.differences.redis_tls)}"
  }

  assert {
    condition     = output.differences.log_retention_days == 90
    error_message = "log retention of prod must be 90, not ${jsonencode(output.differences.log_retention_days)}"
  }

  assert {
    condition     = output.differences.deletion_protection == true
    error_message = "deletion protection of prod must be true, not ${jsonencode(output.differences.deletion_protection)}"
  }

  assert {
    condition     = output.differences.final_snapshot == true
    error_message = "a last snapshot of prod must be true, not ${jsonencode(output.differences.final_snapshot)}"
  }

  assert {
    condition     = output.differences.bastion == true
    error_message = "bastion of prod must be true, not ${jsonencode(output.differences.bastion)}"
  }

  assert {
    condition     = var.region == "us-west-2"
    error_message = "the region is ${var.region}"
  }

  assert {
    condition     = output.cluster_name == "connect2-api-cluster-prod"
    error_message = "the cluster is ${output.cluster_name}"
  }

  assert {
    condition     = output.service_name == "connect2-api-service-prod"
    error_message = "the service is ${output.service_name}"
  }

  assert {
    condition     = output.container_name == "connect2-api"
    error_message = "the container is ${output.container_name}"
  }

  assert {
    condition     = output.repository_name == "connect2-api-prod"
    error_message = "the repository is ${output.repository_name}"
  }

  assert {
    condition     = output.template_family == "connect2-api-prod-template"
    error_message = "the template is ${output.template_family}"
  }

  assert {
    condition     = output.log_group_name == "/ecs/connect2-api-prod"
    error_message = "the log group is ${output.log_group_name}"
  }

  assert {
    condition     = output.service_url == "https://api.connect.com"
    error_message = "the service is at ${output.service_url}"
  }

  assert {
    condition     = alltrue([for arn in [output.plan_role_arn, output.push_role_arn, output.apply_role_arn, output.deploy_role_arn] : arn != null])
    error_message = "a role for GitHub is missing"
  }

  assert {
    condition     = alltrue([for r in var.github.service_repositories : jsonencode(r.branches) == jsonencode(["main"])])
    error_message = "images of prod are built from main"
  }

  assert {
    condition     = jsonencode(var.promotion.to_environments) == jsonencode([]) && jsonencode(var.promotion.from_environments) == jsonencode(["staging"])
    error_message = "releases come from staging"
  }

  assert {
    condition     = var.rotation.redis
    error_message = "the database's password and the Redis token are rotated"
  }

  assert {
    condition     = output.alike.readonly_root_filesystem == true
    error_message = "the root filesystem is read-only, as in every environment"
  }

  assert {
    condition     = jsonencode(output.alike.secrets) == jsonencode(["DATABASE_URL", "REDIS_URL"])
    error_message = "the tasks get both connections as secrets, as in every environment"
  }
}

run "prod_is_born_without_a_task" {
  command = plan

  override_resource {
    target          = module.environment.module.ecs_service.aws_ecs_task_definition.template
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-prod-template:1" }
    override_during = plan
  }

  assert {
    condition     = output.released == false && output.differences.scalable_target == "0-20"
    error_message = "the first apply starts nothing: there is no image, and a scalable target that waits for the first release"
  }
}
