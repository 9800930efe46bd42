output "certificate_arn" {
  description = "The certificate, once it is issued; with wait = false at once."
  value       = var.wait ? aws_acm_certificate_validation.this[0].certificate_arn : aws_acm_certificate.this.arn
}
