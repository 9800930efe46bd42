output "role_arns" {
  description = "The roles by what they are for: plan, push, apply, deploy. One without a repository that could assume it is missing."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}

output "permissions_boundary" {
  description = "The policy that bounds every role of this environment's infrastructure."
  value       = aws_iam_policy.boundary.arn
}

# For whoever checks before an apply that what a role is given lies within it.
output "boundary_statements" {
  description = "What the boundary allows: actions and resources. Of keys, a tag decides as well."
  value       = [for s in concat(local.boundary_own, local.boundary_schedules, local.boundary_allow) : { actions = s.Action, resources = s.Resource }]
}

output "provider_arn" {
  description = "The account's GitHub OIDC provider."
  value       = local.provider_arn
}

output "subjects" {
  description = "The sub claims that each role accepts."
  value       = local.roles
}

output "trust" {
  description = "Whom each role trusts: what must be equal to what."
  value       = { for role, d in data.aws_iam_policy_document.trust : role => { for c in one(d.statement).condition : c.variable => c.values } }
}

output "policy_count" {
  description = "How many policies each role has; IAM attaches ten to a role."
  value       = { for role in keys(local.roles) : role => length(local.policies[role]) }
}
