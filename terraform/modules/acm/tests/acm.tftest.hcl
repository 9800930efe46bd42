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

  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS"
    error_message = "validation by DNS renews itself"
  }

  assert {
    condition     = aws_route53_record.validation["api.connect.com"].name == "_x.api.connect.com" && aws_route53_record.validation["api.connect.com"].zone_id == "Z0123456789LOOKEDUP"
    error_message = "the record is ACM's, in our zone"
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
