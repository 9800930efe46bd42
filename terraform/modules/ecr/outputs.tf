output "name" {
  description = "Name of the repository."
  value       = aws_ecr_repository.this.name
}

output "arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "What an image reference begins with."
  value       = aws_ecr_repository.this.repository_url
}

output "pulled_by" {
  description = "Roles of other environments that the repository lets pull, as its policy has them."
  value       = length(data.aws_iam_policy_document.pull) == 0 ? [] : one(one(data.aws_iam_policy_document.pull[0].statement).condition).values
}
