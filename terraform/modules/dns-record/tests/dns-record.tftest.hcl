mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  zone_id = "Z0123456789LOOKEDUP"
  name    = "api.connect.com"
  alias   = { dns_name = "mock-123.us-west-2.elb.amazonaws.com", zone_id = "Z1H1FL5HABSF5" }
}

run "both_address_families_lead_to_the_load_balancer" {
  command = plan

  assert {
    condition     = toset([for r in aws_route53_record.this : r.type]) == toset(["A", "AAAA"])
    error_message = "A and AAAA"
  }

  assert {
    condition     = alltrue([for r in aws_route53_record.this : r.alias[0].name == "mock-123.us-west-2.elb.amazonaws.com" && r.alias[0].zone_id == "Z1H1FL5HABSF5" && r.alias[0].evaluate_target_health])
    error_message = "both are aliases of the load balancer"
  }
}
