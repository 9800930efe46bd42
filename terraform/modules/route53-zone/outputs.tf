output "zone_id" {
  description = "The hosted zone."
  value       = var.create ? aws_route53_zone.this[0].zone_id : data.aws_route53_zone.this[0].zone_id
}

output "name_servers" {
  description = "The zone's name servers, for its delegation."
  value       = var.create ? aws_route53_zone.this[0].name_servers : data.aws_route53_zone.this[0].name_servers
}
