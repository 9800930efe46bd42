output "arn" {
  description = "The load balancer."
  value       = local.balancer.arn
}

output "listener_arn" {
  description = "The listener that carries the traffic: HTTPS where there is HTTPS. Rules of others need priorities other than 10, 90 and 100, or than those around existing.priority."
  value       = local.listener_arn
}

output "arn_suffix" {
  description = "The load balancer's name in CloudWatch metrics."
  value       = local.balancer.arn_suffix
}

output "dns_name" {
  description = "The load balancer's own host name."
  value       = local.balancer.dns_name
}

output "zone_id" {
  description = "The hosted zone of the load balancer's own host name, for alias records."
  value       = local.balancer.zone_id
}

output "security_group_id" {
  description = "Security group of the load balancer."
  value       = local.security_group_id
}

# ECS refuses a service whose target group no load balancer uses: the rule must be there first.
output "target_group_arn" {
  description = "Target group of the service, once a listener rule uses it."
  value       = aws_lb_target_group.this["blue"].arn
  depends_on  = [aws_lb_listener_rule.production]
}

output "alternate_target_group_arn" {
  description = "The other target group of a service that shifts traffic; null for a rolling one."
  value       = try(aws_lb_target_group.this["green"].arn, null)
  depends_on  = [aws_lb_listener_rule.production]
}

output "target_group_arn_suffixes" {
  description = "The target groups' names in CloudWatch metrics, by colour."
  value       = { for colour, group in aws_lb_target_group.this : colour => group.arn_suffix }
}

output "production_listener_rule" {
  description = "The rule that carries the traffic."
  value       = aws_lb_listener_rule.production.arn
}

output "test_listener_rule" {
  description = "The rule for requests with the header X-Connect2-Test: next; null for a rolling service."
  value       = one(aws_lb_listener_rule.test[*].arn)
}

output "certificate_arn" {
  description = "The listener's own certificate; null without HTTPS."
  value       = var.existing == null ? var.https.certificate_arn : var.https.enabled ? data.aws_lb_listener.existing[0].certificate_arn : null
}

output "shape" {
  description = "What the load balancer is: the ports that it listens on and what they do, deletion protection, and what the web ACL does. Of one that is there, the port and the protocol of the listener that is used."
  value = {
    listeners = merge(
      { for listener in aws_lb_listener.http : tostring(listener.port) => listener.default_action[0].type == "redirect" ? "redirect" : "serve" },
      { for listener in aws_lb_listener.https : tostring(listener.port) => "serve" },
      { for listener in data.aws_lb_listener.existing : tostring(listener.port) => "serve" },
    )
    deletion_protection = local.balancer.protected
    web_acl             = length(aws_wafv2_web_acl.this) == 0 ? "none" : "${var.waf.count ? "counts" : "blocks"}${length(aws_wafv2_web_acl_logging_configuration.this) == 0 ? "" : ", logs"}"
  }
}

output "target_port" {
  description = "The port of the targets."
  value       = var.target.port
}
