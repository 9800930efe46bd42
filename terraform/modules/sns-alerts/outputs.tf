output "topic_arn" {
  description = "The topic, for other alarms."
  value       = aws_sns_topic.this.arn
  depends_on  = [aws_sns_topic_policy.this]
}

output "deployment_alarm_names" {
  description = "Alarms that should undo a release while it rolls out."
  value       = [for key, alarm in aws_cloudwatch_metric_alarm.target : alarm.alarm_name if endswith(key, "-5xx")]
}
