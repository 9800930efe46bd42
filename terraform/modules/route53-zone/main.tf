# The zones that are there, where one is to be made: a second one of the same name answers nobody.
data "aws_route53_zones" "all" {
  count = var.create && var.own_tags != null ? 1 : 0
}

data "aws_route53_zone" "each" {
  for_each = toset(flatten([for zones in data.aws_route53_zones.all : coalesce(zones.ids, [])])) # null in an account without any

  zone_id = each.value
}

locals {
  others = [
    for zone in data.aws_route53_zone.each : zone.zone_id
    if trimsuffix(zone.name, ".") == trimsuffix(var.name, ".") && !coalesce(zone.private_zone, false) && anytrue([for key, value in coalesce(var.own_tags, {}) : lookup(zone.tags, key, "") != value])
  ]
}

resource "aws_route53_zone" "this" {
  count = var.create ? 1 : 0

  name          = var.name
  force_destroy = var.force_destroy

  lifecycle {
    precondition {
      condition     = length(local.others) == 0
      error_message = "There is a zone ${var.name} already (${join(", ", local.others)}), and it is not this environment's: a second one of the same name answers nobody. Say create = false (create_zone = false in domain), which looks it up; or, if that zone is to be managed here, give it the tags ${jsonencode(var.own_tags)} and import it."
    }
  }
}

data "aws_route53_zone" "this" {
  count = var.create ? 0 : 1

  name         = var.name
  private_zone = false
}

resource "aws_route53_record" "delegation" {
  count = var.parent_zone_id == null ? 0 : 1

  zone_id = var.parent_zone_id
  name    = var.name
  type    = "NS"
  ttl     = 3600
  records = aws_route53_zone.this[0].name_servers
}
