# What AWS refuses of what stands already: here it is made first, and then something changes.
mock_provider "aws" {
  source = "../../test/mocks"
}

variables {
  name     = "connect2-api-vpc-dev"
  vpc_cidr = "10.1.0.0/16"
  az_count = 2
}

run "the_vpc_is_made" {
}

run "another_range_is_refused" {
  command = plan

  variables {
    vpc_cidr = "10.2.0.0/16"
  }

  expect_failures = [aws_vpc.this]
}

run "anything_else_changes" {
  command = plan

  variables {
    az_count = 3
  }

  assert {
    condition     = length(aws_subnet.private) == 3
    error_message = "a third zone joins"
  }
}
