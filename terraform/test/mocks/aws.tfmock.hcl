# What terraform test's mock provider answers for values that AWS would compute. Only shapes matter here: an ARN where the
# schema wants an ARN, JSON where it wants JSON.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { region = "us-west-2" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"] }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{}" }
}

mock_data "aws_ssm_parameter" {
  defaults = { insecure_value = "ami-0123456789abcdef0" }
}

mock_data "aws_route53_zone" {
  defaults = { zone_id = "Z0123456789LOOKEDUP", name_servers = ["ns-1.example.org", "ns-2.example.org"] }
}

mock_data "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}

mock_data "aws_lb" {
  defaults = {
    arn             = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/shared/fedcba9876543210"
    arn_suffix      = "app/shared/fedcba9876543210"
    name            = "shared"
    dns_name        = "shared-123.us-west-2.elb.amazonaws.com"
    zone_id         = "Z1H1FL5HABSF5"
    vpc_id          = "vpc-0123456789abcdef0"
    security_groups = ["sg-0fedcba9876543210"]

    enable_deletion_protection = true
  }
}

mock_data "aws_lb_listener" {
  defaults = {
    arn               = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/shared/fedcba9876543210/0123456789abcdef"
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/shared/fedcba9876543210"
    port              = 443
    protocol          = "HTTPS"
    certificate_arn   = "arn:aws:acm:us-west-2:123456789012:certificate/99999999-2222-3333-4444-555555555555"
  }
}

mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}

mock_resource "aws_iam_role" {
  defaults = { id = "mock-role", arn = "arn:aws:iam::123456789012:role/mock-role" }
}

mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/mock-policy" }
}

mock_resource "aws_kms_key" {
  defaults = {
    key_id = "11111111-2222-3333-4444-555555555555"
    arn    = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
  }
}

mock_resource "aws_vpc" {
  defaults = { id = "vpc-0123456789abcdef0" }
}

mock_resource "aws_subnet" {
  defaults = { id = "subnet-0123456789abcdef0" }
}

mock_resource "aws_security_group" {
  defaults = { id = "sg-0123456789abcdef0" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:us-west-2:123456789012:log-group:mock" }
}

mock_resource "aws_cloudwatch_event_rule" {
  defaults = { arn = "arn:aws:events:us-west-2:123456789012:rule/mock" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:us-west-2:123456789012:mock" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mock" }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn            = "arn:aws:ecr:us-west-2:123456789012:repository/mock"
    repository_url = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mock"
  }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:us-west-2:123456789012:cluster/mock" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = { arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev-template:1" }
}

mock_resource "aws_lb" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/mock/0123456789abcdef"
    arn_suffix = "app/mock/0123456789abcdef"
    dns_name   = "mock-123.us-west-2.elb.amazonaws.com"
    zone_id    = "Z1H1FL5HABSF5"
  }
}

mock_resource "aws_lb_listener" {
  defaults = { arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/mock/0123456789abcdef/0123456789abcdef" }
}

mock_resource "aws_lb_listener_rule" {
  defaults = { arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/app/mock/0123456789abcdef/0123456789abcdef/0123456789abcdef" }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/mock/0123456789abcdef"
    arn_suffix = "targetgroup/mock/0123456789abcdef"
  }
}

mock_resource "aws_wafv2_web_acl" {
  defaults = { arn = "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/mock/11111111-2222-3333-4444-555555555555" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = {
    id  = "arn:aws:secretsmanager:us-west-2:123456789012:secret:mock-AbCdEf"
    arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:mock-AbCdEf"
  }
}

mock_resource "aws_db_instance" {
  defaults = { address = "mock.abcdefghijkl.us-west-2.rds.amazonaws.com" }
}

mock_resource "aws_elasticache_replication_group" {
  defaults = { primary_endpoint_address = "mock.abcdef.ng.0001.usw2.cache.amazonaws.com" }
}

mock_resource "aws_acm_certificate" {
  defaults = {
    arn = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
    domain_validation_options = [{
      domain_name           = "host.example.org"
      resource_record_name  = "_x.host.example.org"
      resource_record_type  = "CNAME"
      resource_record_value = "_y.acm-validations.aws."
    }]
  }
}

mock_resource "aws_acm_certificate_validation" {
  defaults = { certificate_arn = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555" }
}

mock_resource "aws_route53_zone" {
  defaults = { zone_id = "Z0123456789CREATED", name_servers = ["ns-1.example.org", "ns-2.example.org"] }
}

mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:us-west-2:123456789012:function:mock" }
}

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:us-west-2:123456789012:mock" }
}

mock_resource "aws_scheduler_schedule" {
  defaults = { arn = "arn:aws:scheduler:us-west-2:123456789012:schedule/default/mock" }
}
