mock_provider "aws" {
  source          = "../../test/mocks"
  override_during = plan
}

variables {
  name = "connect.com"
}

run "the_zone_that_is_there_is_looked_up" {
  command = plan

  assert {
    condition     = length(aws_route53_zone.this) == 0 && output.zone_id == "Z0123456789LOOKEDUP"
    error_message = "nothing is made"
  }
}

run "the_zone_is_made_when_asked" {
  command = plan

  variables {
    create = true
  }

  assert {
    condition     = aws_route53_zone.this[0].name == "connect.com" && output.zone_id == "Z0123456789CREATED"
    error_message = "a zone is made"
  }

  assert {
    condition     = length(aws_route53_record.delegation) == 0
    error_message = "the delegation is left to whoever holds the domain"
  }
}

run "a_subzone_is_delegated" {
  command = plan

  variables {
    name           = "dev.connect.com"
    create         = true
    parent_zone_id = "Z0123456789PARENT00"
  }

  assert {
    condition     = aws_route53_record.delegation[0].type == "NS" && aws_route53_record.delegation[0].zone_id == "Z0123456789PARENT00" && aws_route53_record.delegation[0].name == "dev.connect.com" && aws_route53_record.delegation[0].records == toset(["ns-1.example.org", "ns-2.example.org"])
    error_message = "the domain above points here"
  }
}

run "delegation_to_a_zone_of_somebody_else_is_refused" {
  command = plan

  variables {
    parent_zone_id = "Z0123456789PARENT00"
  }

  expect_failures = [var.parent_zone_id]
}
