# AAAA as well: it answers nothing while the load balancer has no IPv6, and is there on the day that it has.
resource "aws_route53_record" "this" {
  for_each = toset(["A", "AAAA"])

  zone_id = var.zone_id
  name    = var.name
  type    = each.key

  alias {
    name                   = var.alias.dns_name
    zone_id                = var.alias.zone_id
    evaluate_target_health = true
  }
}
