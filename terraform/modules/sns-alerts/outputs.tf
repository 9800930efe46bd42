output "topic_arn" {
  description = "The topic, for other alarms."
  value       = aws_sns_topic.this.arn
  depends_on  = [aws_sns_topic_policy.this]
}

output "deployment_alarm_names" {
  description = "Alarms that should undo a release while it rolls out."
  value       = [for alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name]
}
