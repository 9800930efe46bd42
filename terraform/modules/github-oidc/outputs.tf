output "role_arns" {
  description = "The roles by what they are for: plan, push, apply, deploy. One without a repository that could assume it is missing."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}

output "permissions_boundary" {
  description = "The policy that bounds every role of this environment's infrastructure."
  value       = aws_iam_policy.boundary.arn
}

output "provider_arn" {
  description = "The account's GitHub OIDC provider."
  value       = local.provider_arn
}

output "subjects" {
  description = "The sub claims that each role accepts."
  value       = local.roles
}
