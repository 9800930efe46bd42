"""Reads what `terraform show -json` says of an environment, and writes its roles as JSON: by the last part of the name, the path,
the boundary, whom each trusts and what it may do."""

import json
import sys


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


everything = list(resources(json.load(sys.stdin)["values"]["root_module"]))
of = lambda kind: [r["values"] for r in everything if r["type"] == kind and r["mode"] == "managed"]
policies = {p["arn"]: json.loads(p["policy"]) for p in of("aws_iam_policy")}
roles = {
    r["name"]: {
        "path": r["path"],
        "boundary": policies.get(r["permissions_boundary"]),
        "trust": json.loads(r["assume_role_policy"]),
        "policies": [],
        "attached": [],
    }
    for r in of("aws_iam_role")
}
for attachment in sorted(of("aws_iam_role_policy_attachment"), key=lambda a: a["policy_arn"]):
    if attachment["policy_arn"] in policies:
        roles[attachment["role"]]["policies"].append(policies[attachment["policy_arn"]])
    else:
        roles[attachment["role"]]["attached"].append(attachment["policy_arn"])
# The boundary by itself, so that it can be compared where the roles that have it are not made.
for policy in of("aws_iam_policy"):
    if policy["name"].endswith("-boundary"):
        roles["boundary policy"] = {"path": policy["path"], "policies": [json.loads(policy["policy"])]}
for inline in sorted(of("aws_iam_role_policy"), key=lambda p: p["name"]):
    roles[inline["role"].split(":")[0]]["policies"].append(json.loads(inline["policy"]))
json.dump(roles, sys.stdout, indent=1, sort_keys=True)
print()
