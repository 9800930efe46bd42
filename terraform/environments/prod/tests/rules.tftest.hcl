# What an environment is by the values of its tfvars file, whatever they are, read from the planned resources; the same file in dev,
# staging and prod. The seed's own values stand in terraform/test/seed. terraform/test/run plans this with changed values too
# (terraform/test/changes).

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

run "the_resources_are_what_the_values_say" {
  command = plan

  # What the service points at after a release: a revision of another family than the template's.
  override_resource {
    target          = module.environment.module.ecs_service.aws_ecs_task_definition.template
    values          = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/released:7" }
    override_during = plan
  }

  assert {
    condition     = output.differences.fargate_tasks == join("-", distinct([try(coalesce(var.services["api"].min_tasks), var.min_tasks), try(coalesce(var.services["api"].max_tasks), var.max_tasks)]))
    error_message = "Fargate tasks are ${jsonencode(output.differences.fargate_tasks)}"
  }

  assert {
    condition     = output.differences.scalable_target == "${try(coalesce(var.services["api"].min_tasks), var.min_tasks)}-${try(coalesce(var.services["api"].max_tasks), var.max_tasks)}"
    error_message = "the bounds of the scalable target are ${jsonencode(output.differences.scalable_target)}"
  }

  assert {
    condition     = output.differences.cpu_memory == "${try(coalesce(var.services["api"].cpu), var.task_cpu)}/${try(coalesce(var.services["api"].memory), var.task_memory)}"
    error_message = "CPU and memory are ${jsonencode(output.differences.cpu_memory)}"
  }

  assert {
    condition     = output.differences.spot == try(coalesce(var.services["api"].use_spot), var.use_spot)
    error_message = "Spot is ${jsonencode(output.differences.spot)}"
  }

  assert {
    condition     = output.differences.autoscaling == var.enable_autoscaling
    error_message = "autoscaling is ${jsonencode(output.differences.autoscaling)}"
  }

  assert {
    condition     = output.differences.scales_at == (var.enable_autoscaling ? "cpu ${var.service.cpu_target} %, memory ${var.service.memory_target} %" : "")
    error_message = "autoscaling aims at ${jsonencode(output.differences.scales_at)}"
  }

  assert {
    condition     = output.differences.https == var.enable_https && output.differences.http == (var.enable_https ? "redirect" : "serve")
    error_message = "HTTPS is ${jsonencode(output.differences.https)}, and port 80 says ${jsonencode(output.differences.http)}"
  }

  assert {
    condition     = output.differences.rds_instance == var.database_instance_class && output.differences.rds_multi_az == var.database_multi_az
    error_message = "the database is ${jsonencode(output.differences.rds_instance)}, Multi-AZ ${jsonencode(output.differences.rds_multi_az)}"
  }

  assert {
    condition     = output.differences.redis_nodes == var.redis_nodes && output.differences.redis_failover == (var.redis_nodes > 1) && output.differences.redis_tls == var.redis_tls
    error_message = "Redis is ${jsonencode([output.differences.redis_nodes, output.differences.redis_failover, output.differences.redis_tls])}"
  }

  assert {
    condition     = output.differences.log_retention_days == var.log_retention_days
    error_message = "logs are kept for ${jsonencode(output.differences.log_retention_days)} days"
  }

  assert {
    condition     = output.differences.deletion_protection == var.deletion_protection && output.differences.final_snapshot == var.protection.final_snapshot
    error_message = "deletion protection is ${jsonencode(output.differences.deletion_protection)}, a last snapshot ${jsonencode(output.differences.final_snapshot)}"
  }

  assert {
    condition     = output.differences.bastion == var.enable_bastion
    error_message = "the bastion is ${jsonencode(output.differences.bastion)}"
  }

  assert {
    condition     = output.cluster_name == "${var.project}-cluster-${var.environment}" && output.service_name == "${var.project}-service-${var.environment}" && output.container_name == var.project
    error_message = "the names that deploys use are ${jsonencode([output.cluster_name, output.service_name, output.container_name])}"
  }

  assert {
    condition     = output.repository_name == "${var.project}-${var.environment}" && output.template_family == "${var.project}-${var.environment}-template" && output.log_group_name == "/ecs/${var.project}-${var.environment}"
    error_message = "the names are ${jsonencode([output.repository_name, output.template_family, output.log_group_name])}"
  }

  assert {
    condition     = var.domain.host == null ? startswith(output.service_url, var.enable_https ? "https://" : "http://") : output.service_url == "${var.enable_https ? "https" : "http"}://${var.domain.host}"
    error_message = "the service is at ${output.service_url}"
  }

  assert {
    condition     = alltrue([for arn in [output.plan_role_arn, output.apply_role_arn] : (arn != null) == (var.github != null)])
    error_message = "the roles that plan and apply are there where github is given, and nowhere else"
  }

  assert {
    condition     = alltrue([for arn in [output.push_role_arn, output.deploy_role_arn] : (arn != null) == (length(try(var.github.service_repositories, [])) > 0)])
    error_message = "the roles that push and deploy are there where service repositories are given, and nowhere else"
  }

  assert {
    condition     = output.alike.readonly_root_filesystem == var.service.readonly_root_filesystem
    error_message = "the root filesystem is read-only: ${jsonencode(output.alike.readonly_root_filesystem)}"
  }

  assert {
    condition     = jsonencode(output.alike.secrets) == jsonencode(sort(distinct(concat(["DATABASE_URL", "REDIS_URL"], keys(var.service.secrets), keys(try(var.services["api"].secrets, {}))))))
    error_message = "the tasks get the secrets ${jsonencode(output.alike.secrets)}"
  }

  assert {
    condition = jsonencode({ for name, s in output.services : name => s.service_name }) == jsonencode(merge(
      { api = output.service_name }, { for name in keys(var.services) : name => "${var.project}-${name}-${var.environment}" if name != "api" },
    ))
    error_message = "the services are ${jsonencode(keys(output.services))}"
  }

  assert {
    condition     = output.released
    error_message = "after a release the service runs what was released"
  }
}
