# The Terraform rules that come with tflint; the AWS rules are a plugin that is fetched from GitHub, and what they look at
# (instance types, names) the provider's own schema checks in terraform test.
config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}
