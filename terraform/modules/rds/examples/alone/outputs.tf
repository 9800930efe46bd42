output "secret_arn" {
  description = "The secret with the six keys, for the tasks that connect."
  value       = module.database.secret_arn
}
