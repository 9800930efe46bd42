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

run "a_second_zone_of_somebody_elses_name_is_refused" {
  command = plan

  variables {
    create   = true
    own_tags = { Project = "connect2-api", Environment = "prod" }
  }

  override_data {
    target = data.aws_route53_zones.all
    values = { ids = ["ZCOMPANY"] }
  }

  override_data {
    target = data.aws_route53_zone.each
    values = { zone_id = "ZCOMPANY", name = "connect.com.", tags = { Environment = "prod" } }
  }

  expect_failures = [aws_route53_zone.this]
}

run "the_zone_that_was_made_here_is_no_obstacle" {
  command = plan

  variables {
    create   = true
    own_tags = { Project = "connect2-api", Environment = "prod" }
  }

  override_data {
    target = data.aws_route53_zones.all
    values = { ids = ["ZOWN"] }
  }

  override_data {
    target = data.aws_route53_zone.each
    values = { zone_id = "ZOWN", name = "connect.com", tags = { Project = "connect2-api", Environment = "prod" } }
  }

  assert {
    condition     = length(local.others) == 0 && length(data.aws_route53_zone.each) == 1
    error_message = "others: ${jsonencode(local.others)}"
  }
}

run "a_zone_of_another_name_is_no_obstacle" {
  command = plan

  variables {
    create   = true
    own_tags = { Project = "connect2-api" }
  }

  override_data {
    target = data.aws_route53_zones.all
    values = { ids = ["ZOTHER"] }
  }

  override_data {
    target = data.aws_route53_zone.each
    values = { zone_id = "ZOTHER", name = "connect.org", tags = {} }
  }

  assert {
    condition     = length(local.others) == 0
    error_message = "others: ${jsonencode(local.others)}"
  }
}

# An account without a zone, where the provider answers with null.
run "in_an_account_without_zones" {
  command = plan

  variables {
    name     = "connect.com"
    create   = true
    own_tags = { Project = "connect2-api", Environment = "prod" }
  }

  override_data {
    target = data.aws_route53_zones.all
    values = { ids = null }
  }

  assert {
    condition     = aws_route53_zone.this[0].name == "connect.com" && length(local.others) == 0
    error_message = "the first zone of an account is made"
  }
}
