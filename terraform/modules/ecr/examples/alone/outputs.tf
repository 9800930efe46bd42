output "url" {
  description = "Where the image is pushed to."
  value       = module.repository.url
}
