output "dashboard" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "budget" {
  description = "Name of the budget; null without one."
  value       = one(aws_budgets_budget.this[*].name)
}
