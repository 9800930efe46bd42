output "name" {
  description = "Name of the schedule."
  value       = aws_scheduler_schedule.this.name
}

output "arn" {
  description = "ARN of the schedule."
  value       = aws_scheduler_schedule.this.arn
}

output "role_arn" {
  description = "The schedule's role. Whoever moves the schedule must be allowed to pass it."
  value       = aws_iam_role.this.arn
}

output "dead_letter_arn" {
  description = "The queue of what could not be started; null without one."
  value       = local.dead_letter_arn
}

output "shape" {
  description = "What the schedule is: when, in which time zone, on or off, and what is given to the container."
  value = {
    expression = aws_scheduler_schedule.this.schedule_expression
    timezone   = aws_scheduler_schedule.this.schedule_expression_timezone
    state      = aws_scheduler_schedule.this.state
    input      = aws_scheduler_schedule.this.target[0].input
  }
}

output "family" {
  description = "The family that it runs."
  value       = var.task.family
}
