# What the example stands in; yours is there already.
data "aws_availability_zones" "this" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block = "10.99.0.0/24"
}

resource "aws_subnet" "data" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 2, count.index)
  availability_zone = data.aws_availability_zones.this.names[count.index]
}

resource "aws_security_group" "tasks" {
  name        = "orders-tasks"
  description = "Who connects"
  vpc_id      = aws_vpc.this.id
}
