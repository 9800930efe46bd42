resource "aws_route53_zone" "this" {
  count = var.create ? 1 : 0

  name          = var.name
  force_destroy = var.force_destroy
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
