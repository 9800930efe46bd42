resource "aws_acm_certificate" "this" {
  domain_name               = var.domain_name
  subject_alternative_names = var.alternative_names
  validation_method         = "DNS"
  key_algorithm             = "RSA_2048"

  options {
    certificate_transparency_logging_preference = "ENABLED"
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  names = toset([for name in concat([var.domain_name], var.alternative_names) : lower(name)])

  # ACM answers in lower case. The only name's option is the only one.
  options    = tolist(aws_acm_certificate.this.domain_validation_options)
  validation = length(local.names) == 1 ? { (one(local.names)) = one(local.options) } : { for o in local.options : o.domain_name => o }
}

resource "aws_route53_record" "validation" {
  for_each = local.names

  zone_id         = var.zone_id
  name            = local.validation[each.key].resource_record_name
  type            = local.validation[each.key].resource_record_type
  records         = [local.validation[each.key].resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count = var.wait ? 1 : 0

  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_cloudwatch_metric_alarm" "expiry" {
  alarm_name          = "${var.domain_name}-certificate-expiry"
  alarm_description   = "The certificate of ${var.domain_name} ends in less than ${var.expiry.days} days and has not been renewed: look at its validation record"
  namespace           = "AWS/CertificateManager"
  metric_name         = "DaysToExpiry"
  dimensions          = { CertificateArn = aws_acm_certificate.this.arn }
  statistic           = "Minimum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = var.expiry.days
  alarm_actions       = var.expiry.topic_arns
}
