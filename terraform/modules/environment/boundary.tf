# A policy or a secret beyond the permissions boundary would be taken by every apply, and refused when the application first
# needs it. It is compared here, before anything is made: pattern by pattern, as text.
locals {
  boundary = try(module.github_oidc[0].boundary_statements, [])

  # * and ? of a pattern as a regular expression, everything else as it stands.
  boundary_patterns = [for s in local.boundary : {
    actions   = [for a in s.actions : "^\\Q${replace(replace(lower(a), "*", "\\E.*\\Q"), "?", "\\E.\\Q")}\\E$"]
    resources = [for r in s.resources : "^\\Q${replace(replace(r, "*", "\\E.*\\Q"), "?", "\\E.\\Q")}\\E$"]
  }]

  # By where they are written, so that the sentence names the place.
  policies = merge({ "service.policy_json" = var.service.policy_json }, { for name, s in var.services : "services.${name}.policy_json" => s.policy_json })
  secrets = merge(concat(
    [{ for name, value in var.service.secrets : "service.secrets.${name}" => value }],
    [for service, s in var.services : { for name, value in s.secrets : "services.${service}.secrets.${name}" => value }],
    flatten([for service, s in var.services : [for container, c in s.sidecars : {
      for name, value in c.secrets : "services.${service}.sidecars.${container}.secrets.${name}" => value
    }]]),
  )...)

  policy_statements = flatten([for what, document in local.policies : [
    for statement in flatten([jsondecode(document).Statement]) : { what = what, statement = statement }
  ] if document != null])

  secrets_arn = "arn:${data.aws_partition.current.partition}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:parameter/"

  # What the application asks for, and what ECS reads for it before it starts.
  asked_for = concat(
    flatten([for p in local.policy_statements : [
      for action in flatten([try(p.statement.Action, "NotAction")]) : [
        for resource in flatten([try(p.statement.Resource, "NotResource")]) : { what = p.what, action = action, resource = resource }
      ]
    ] if p.statement.Effect == "Allow"]),
    [for what, value in local.secrets : {
      what     = what
      action   = length(regexall("^arn:[^:]+:secretsmanager:", value)) > 0 ? "secretsmanager:GetSecretValue" : "ssm:GetParameters"
      resource = startswith(value, "arn:") ? join(":", slice(split(":", value), 0, min(7, length(split(":", value))))) : "${local.secrets_arn}${trimprefix(value, "/")}"
    }],
    # ECS calls the functions of the hooks by a role within the boundary.
    flatten([for name, s in var.services : [for hook, h in s.hooks : {
      what = "services.${name}.hooks.${hook}", action = "lambda:InvokeFunction", resource = h.function_arn
    }]]),
  )

  beyond_the_boundary = var.github == null ? [] : [
    for a in local.asked_for : "${a.what}: ${a.action} on ${a.resource}"
    if !anytrue([for b in local.boundary_patterns :
      anytrue([for pattern in b.actions : can(regex(pattern, lower(a.action)))]) && anytrue([for pattern in b.resources : can(regex(pattern, a.resource))])
    ])
  ]
}
