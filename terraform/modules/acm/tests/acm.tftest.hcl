mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  domain_name = "api.connect.com"
  zone_id     = "Z0123456789LOOKEDUP"
}

run "the_zone_proves_the_name" {
  command = plan

  override_resource {
    target          = aws_acm_certificate.this
    override_during = plan
    values = {
      arn                       = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
      domain_validation_options = [{ domain_name = "api.connect.com", resource_record_name = "_x.api.connect.com", resource_record_type = "CNAME", resource_record_value = "_y.acm-validations.aws." }]
    }
  }

  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS"
    error_message = "validation by DNS renews itself"
  }

  assert {
    condition     = aws_route53_record.validation["api.connect.com"].name == "_x.api.connect.com" && aws_route53_record.validation["api.connect.com"].zone_id == "Z0123456789LOOKEDUP"
    error_message = "the record is ACM's, in our zone"
  }

  assert {
    condition     = aws_acm_certificate.this.domain_name == "api.connect.com" && aws_route53_record.validation["api.connect.com"].type == "CNAME" && aws_route53_record.validation["api.connect.com"].records == toset(["_y.acm-validations.aws."])
    error_message = "it proves this name"
  }

  assert {
    condition     = aws_acm_certificate_validation.this[0].certificate_arn == aws_acm_certificate.this.arn && output.certificate_arn == aws_acm_certificate_validation.this[0].certificate_arn
    error_message = "whoever uses the certificate waits until it is issued"
  }
}

run "each_name_has_the_record_that_is_its_own" {
  command = plan

  variables {
    domain_name       = "API.connect.com" # ACM answers in lower case
    alternative_names = ["www.connect.com"]
  }

  override_resource {
    target          = aws_acm_certificate.this
    override_during = plan
    values = {
      arn = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
      domain_validation_options = [
        { domain_name = "www.connect.com", resource_record_name = "_w.www.connect.com", resource_record_type = "CNAME", resource_record_value = "_v.acm-validations.aws." },
        { domain_name = "api.connect.com", resource_record_name = "_x.api.connect.com", resource_record_type = "CNAME", resource_record_value = "_y.acm-validations.aws." },
      ]
    }
  }

  assert {
    condition     = { for name, record in aws_route53_record.validation : name => record.name } == { "api.connect.com" = "_x.api.connect.com", "www.connect.com" = "_w.www.connect.com" }
    error_message = "the records are ${jsonencode({ for name, record in aws_route53_record.validation : name => record.name })}"
  }
}

run "the_alarm_tells_somebody" {
  command = plan

  variables {
    expiry = { days = 20, topic_arns = ["arn:aws:sns:us-west-2:123456789012:alerts"] }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.expiry.threshold == 20 && aws_cloudwatch_metric_alarm.expiry.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.expiry.namespace == "AWS/CertificateManager"
    error_message = "it rings when fewer days are left"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.expiry.dimensions["CertificateArn"] == aws_acm_certificate.this.arn && aws_cloudwatch_metric_alarm.expiry.alarm_actions == toset(["arn:aws:sns:us-west-2:123456789012:alerts"])
    error_message = "of this certificate, to the topic"
  }
}

run "security_controls" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.expiry.threshold == 30 && aws_cloudwatch_metric_alarm.expiry.metric_name == "DaysToExpiry"
    error_message = "[ACM.1] an alarm rings 30 days before the end"
  }

  assert {
    condition     = aws_acm_certificate.this.key_algorithm == "RSA_2048"
    error_message = "[ACM.2] a key of at least 2048 bits"
  }
}

run "without_waiting_it_is_asked_for_and_its_record_is_made" {
  command = plan

  variables {
    wait = false
  }

  override_resource {
    target          = aws_acm_certificate.this
    override_during = plan
    values = {
      arn                       = "arn:aws:acm:us-west-2:123456789012:certificate/11111111-2222-3333-4444-555555555555"
      domain_validation_options = [{ domain_name = "api.connect.com", resource_record_name = "_x.api.connect.com", resource_record_type = "CNAME", resource_record_value = "_y.acm-validations.aws." }]
    }
  }

  assert {
    condition     = length(aws_acm_certificate_validation.this) == 0 && output.certificate_arn == aws_acm_certificate.this.arn
    error_message = "nothing waits"
  }

  assert {
    condition     = aws_route53_record.validation["api.connect.com"].name == "_x.api.connect.com"
    error_message = "and it is issued as soon as the domain is pointed here"
  }
}
