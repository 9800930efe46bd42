output "fqdn" {
  description = "The host name."
  value       = aws_route53_record.this["A"].fqdn
}
