# A policy or a secret beyond the permissions boundary would be taken by every apply, and refused when the application first
# needs it. It is compared here, before anything is made: pattern by pattern, as text.
locals {
  boundary = try(module.github_oidc[0].boundary_statements, [])

  # * and ? of a pattern as a regular expression, everything else as it stands.
  boundary_patterns = [for s in local.boundary : {
    actions   = [for a in s.actions : "^\\Q${replace(replace(lower(a), "*", "\\E.*\\Q"), "?", "\\E.\\Q")}\\E$"]
    resources = [for r in s.resources : "^\\Q${replace(replace(r, "*", "\\E.*\\Q"), "?", "\\E.\\Q")}\\E$"]
  }]

  policy_statements = flatten([for document in var.service.policy_json[*] : [jsondecode(document).Statement]])

  secrets_arn = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:parameter/"

  # What the application asks for, and what ECS reads for it before it starts.
  asked_for = concat(
    flatten([for s in local.policy_statements : [
      for action in flatten([try(s.Action, "NotAction")]) : [
        for resource in flatten([try(s.Resource, "NotResource")]) : { what = "service.policy_json", action = action, resource = resource }
      ]
    ] if s.Effect == "Allow"]),
    [for name, value in var.service.secrets : {
      what     = "service.secrets.${name}"
      action   = length(regexall("^arn:[^:]+:secretsmanager:", value)) > 0 ? "secretsmanager:GetSecretValue" : "ssm:GetParameters"
      resource = startswith(value, "arn:") ? join(":", slice(split(":", value), 0, min(7, length(split(":", value))))) : "${local.secrets_arn}${trimprefix(value, "/")}"
    }],
  )

  beyond_the_boundary = var.github == null ? [] : [
    for a in local.asked_for : "${a.what}: ${a.action} on ${a.resource}"
    if !anytrue([for b in local.boundary_patterns :
      anytrue([for pattern in b.actions : can(regex(pattern, lower(a.action)))]) && anytrue([for pattern in b.resources : can(regex(pattern, a.resource))])
    ])
  ]
}
