output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer and the NAT gateways, one a zone."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets of the tasks, one a zone. They have a way out when there is a NAT gateway."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "data_subnet_ids" {
  description = "Subnets of the database and the cache, one a zone, without a way out."
  value       = [for zone in local.zones : aws_subnet.data[zone].id]
}

output "nat_public_ips" {
  description = "Addresses that the tasks' outgoing traffic shows, for other people's allow lists."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
