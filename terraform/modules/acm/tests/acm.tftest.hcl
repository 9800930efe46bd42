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

  assert {
    condition     = aws_acm_certificate.this.domain_name == "api.connect.com" && aws_route53_record.validation["api.connect.com"].type == "CNAME" && aws_route53_record.validation["api.connect.com"].records == toset(["_y.acm-validations.aws."])
    error_message = "it proves this name"
  }

  assert {
    condition     = aws_acm_certificate_validation.this.certificate_arn == aws_acm_certificate.this.arn && output.certificate_arn == aws_acm_certificate_validation.this.certificate_arn
    error_message = "whoever uses the certificate waits until it is issued"
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
