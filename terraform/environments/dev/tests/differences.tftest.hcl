# What this environment is, line by line of the table in docs/INFRASTRUCTURE.md, read from the planned resources.

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

run "dev_is_what_the_table_says_with_the_names_that_deploys_use" {
  command = plan

  assert {
    condition     = output.differences.fargate_tasks == "2"
    error_message = "Fargate tasks of dev must be 2, not ${output.differences.fargate_tasks}"
  }

  assert {
    condition     = output.differences.cpu_memory == "256/512"
    error_message = "CPU and memory of dev must be 256/512, not ${output.differences.cpu_memory}"
  }

  assert {
    condition     = output.differences.spot == true
    error_message = "Spot of dev must be true, not ${output.differences.spot}"
  }

  assert {
    condition     = output.differences.autoscaling == false
    error_message = "autoscaling of dev must be false, not ${output.differences.autoscaling}"
  }

  assert {
    condition     = output.differences.https == false
    error_message = "HTTPS of dev must be false, not ${output.differences.https}"
  }

  assert {
    condition     = output.differences.rds_instance == "db.t3.micro"
    error_message = "RDS instance of dev must be db.t3.micro, not ${output.differences.rds_instance}"
  }

  assert {
    condition     = output.differences.rds_multi_az == false
    error_message = "RDS Multi-AZ of dev must be false, not ${output.differences.rds_multi_az}"
  }

  assert {
    condition     = output.differences.redis_nodes == 1
    error_message = "Redis nodes of dev must be 1, not ${output.differences.redis_nodes}"
  }

  assert {
    condition     = output.differences.redis_tls == false
    error_message = "Redis TLS of dev must be false, not ${output.differences.redis_tls}"
  }

  assert {
    condition     = output.differences.log_retention_days == 7
    error_message = "log retention of dev must be 7, not ${output.differences.log_retention_days}"
  }

  assert {
    condition     = output.differences.deletion_protection == false
    error_message = "deletion protection of dev must be false, not ${output.differences.deletion_protection}"
  }

  assert {
    condition     = output.differences.bastion == false
    error_message = "bastion of dev must be false, not ${output.differences.bastion}"
  }

  assert {
    condition     = output.cluster_name == "connect2-api-cluster-dev"
    error_message = "the cluster is ${output.cluster_name}"
  }

  assert {
    condition     = output.service_name == "connect2-api-service-dev"
    error_message = "the service is ${output.service_name}"
  }

  assert {
    condition     = output.container_name == "connect2-api"
    error_message = "the container is ${output.container_name}"
  }

  assert {
    condition     = output.repository_name == "connect2-api-dev"
    error_message = "the repository is ${output.repository_name}"
  }

  assert {
    condition     = output.template_family == "connect2-api-dev-template"
    error_message = "the template is ${output.template_family}"
  }

  assert {
    condition     = output.log_group_name == "/ecs/connect2-api-dev"
    error_message = "the log group is ${output.log_group_name}"
  }

  assert {
    condition     = output.service_url == "http://api-dev.connect.com"
    error_message = "the service is at ${output.service_url}"
  }

  assert {
    condition     = alltrue([for arn in [output.plan_role_arn, output.push_role_arn, output.apply_role_arn, output.deploy_role_arn] : arn != null])
    error_message = "a role for GitHub is missing"
  }
}
