output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "security_group_id" {
  description = "Security group of the function; the database must let it in."
  value       = aws_security_group.this.id
}

output "zip" {
  description = "Path of the zip file that the function's code is."
  value       = aws_lambda_function.this.filename
}

output "restarts" {
  description = "The services that are started anew after a rotation."
  value       = split(",", aws_lambda_function.this.environment[0].variables["ECS_SERVICE"])
}
