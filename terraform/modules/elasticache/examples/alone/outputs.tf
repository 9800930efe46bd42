output "secret_arn" {
  description = "The secret with the connection, for the tasks that connect."
  value       = module.cache.secret_arn
}
