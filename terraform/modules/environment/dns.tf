locals {
  shared = var.existing.load_balancer != null

  # A zone and no certificate of somebody else's: the certificate is made here. A listener that is there has its own.
  makes_certificate = var.enable_https && var.domain.certificate_arn == null && (!local.shared || try(var.existing.load_balancer.add_certificate, false))

  # A listener takes no certificate that is not issued, and none is while nobody has pointed the domain at the zone.
  issued = var.domain.delegated || !local.makes_certificate
  https  = var.enable_https && (local.issued || local.shared)

  certificate_arn = var.enable_https && local.issued ? (local.makes_certificate ? one(module.acm[*].certificate_arn) : var.domain.certificate_arn) : null

  url = format("%s://%s", local.https ? "https" : "http", coalesce(var.domain.host, module.alb.dns_name))
}

module "route53_zone" {
  source = "../route53-zone"
  count  = var.domain.zone == null ? 0 : 1

  name           = var.domain.zone
  create         = var.domain.create_zone
  parent_zone_id = var.domain.parent_zone_id
  own_tags       = { Project = var.project, Environment = var.environment }
  force_destroy  = var.protection.delete_zone_records
}

module "acm" {
  source = "../acm"
  count  = local.makes_certificate ? 1 : 0

  domain_name = var.domain.host
  zone_id     = module.route53_zone[0].zone_id
  wait        = var.domain.delegated
  expiry      = { topic_arns = [module.sns_alerts.topic_arn] }
}

module "dns_record" {
  source = "../dns-record"
  count  = var.domain.zone == null ? 0 : 1

  zone_id = module.route53_zone[0].zone_id
  name    = var.domain.host

  alias = {
    dns_name = module.alb.dns_name
    zone_id  = module.alb.zone_id
  }
}
