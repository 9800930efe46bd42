"""Reads a journal of proxy.py and writes its calls, one line of JSON each: who called (phase), what, and which permissions that
needs: action, resource, and what the condition keys say. What belongs to which action is AWS's Service Authorization Reference.

usage: calls.py JOURNAL
"""

import collections
import json
import re
import sys
import urllib.parse

REGION, ACCOUNT = "us-west-2", "123456789012"
KINDS = {
    "vpc": "vpc", "subnet": "subnet", "sg": "security-group", "sgr": "security-group-rule", "rtb": "route-table",
    "igw": "internet-gateway", "nat": "natgateway", "eipalloc": "elastic-ip", "vpce": "vpc-endpoint", "fl": "vpc-flow-log",
    "i": "instance", "ami": "image", "eni": "network-interface", "vol": "volume",
}
MADE = {
    "CreateVpc": "vpc", "CreateSubnet": "subnet", "CreateSecurityGroup": "sg", "CreateRouteTable": "rtb", "CreateInternetGateway": "igw",
    "CreateNatGateway": "nat", "AllocateAddress": "eipalloc", "CreateVpcEndpoint": "vpce", "CreateFlowLogs": "fl", "RunInstances": "i",
    "AuthorizeSecurityGroupIngress": "sgr", "AuthorizeSecurityGroupEgress": "sgr",
}
PASSED = {"ecs": "ecs-tasks", "ec2": "ec2", "rds": "monitoring.rds", "lambda": "lambda"}
S3 = {
    "encryption": "EncryptionConfiguration", "lifecycle": "LifecycleConfiguration", "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy", "publicAccessBlock": "BucketPublicAccessBlock", "versioning": "BucketVersioning",
    "accelerate": "AccelerateConfiguration", "acl": "BucketAcl", "cors": "BucketCORS", "logging": "BucketLogging",
    "object-lock": "BucketObjectLockConfiguration", "replication": "ReplicationConfiguration", "requestPayment": "BucketRequestPayment",
    "website": "BucketWebsite", "tagging": "BucketTagging",
}

tags = {}  # id or ARN: what stands on it
joined = {}  # association: what it joins
boundaries, paths = {}, {}  # of roles
rules = {}  # security group rule: its group


def arn(service, rest, region=REGION, account=ACCOUNT):
    return f"arn:aws:{service}:{region}:{account}:{rest}"


def tag_list(thing):
    """Tags as each protocol has them: a list of Key and Value, or a map."""
    if isinstance(thing, dict):
        return dict(thing)
    return {t.get("Key") or t.get("key") or t.get("TagKey"): t.get("Value") or t.get("value") or t.get("TagValue") or "" for t in thing or []}


def flat(params, prefix):
    """Tags of the query protocols: PREFIX.1.Key=…, PREFIX.1.Value=…."""
    found = {}
    for key, value in params.items():
        match = re.fullmatch(re.escape(prefix) + r"\.(\d+)\.(Key|Value)", key)
        if match:
            found.setdefault(match[1], {})[match[2]] = value
    return {t["Key"]: t.get("Value", "") for t in found.values()}


def conditions(put=None, has=None, **others):
    c = {f"aws:RequestTag/{k}": v for k, v in (put or {}).items()}
    if put:
        c["aws:TagKeys"] = sorted(put)
    c |= {f"aws:ResourceTag/{k}": v for k, v in (has or {}).items()}
    return c | {k: v for k, v in others.items() if v}


def role_of(name):
    return arn("iam", f"role{paths.get(name, '/')}{name}", region="")


def passing(service, text):
    for found in sorted(set(re.findall(r"arn:aws:iam::\d+:role/[\w/+=,.@-]+", text))):
        yield "iam:PassRole", found, {"iam:PassedToService": PASSED[service] + ".amazonaws.com"}


def ec2(action, p, came):
    put = {}
    for key in [k for k in p if re.fullmatch(r"TagSpecifications?\.\d+\.ResourceType", k)]:
        put |= flat(p, key.rsplit(".", 1)[0] + ".Tag")
    put |= flat(p, "Tag") if action == "CreateTags" else {}
    used = [v for k, v in p.items() if re.fullmatch(r"[a-z]+-[0-9a-f]{8,}", v) and not k.startswith("TagSpec") and "ReferencedGroup" not in k and "UserIdGroupPairs" not in k]
    for v in list(used):
        used += joined.get(v, [])
    prefix = MADE.get(action)
    if action.startswith(("Describe", "Get")):
        yield f"ec2:{action}", "*", {}
        return
    for v in sorted(set(used)):
        kind = KINDS.get(v.split("-")[0])
        if not kind or (kind == "security-group-rule" and action.startswith("Revoke")) or (action == "CreateRoute" and kind != "route-table"):
            continue
        owner = "" if kind == "image" else ACCOUNT
        yield f"ec2:{action}", arn("ec2", f"{kind}/{v}", account=owner), conditions(put if action == "CreateTags" else None, tags.get(v))
    if prefix and (prefix != "sgr" or put):
        yield f"ec2:{action}", arn("ec2", f"{KINDS[prefix]}/*"), conditions(put)
        if put:
            yield "ec2:CreateTags", arn("ec2", f"{KINDS[prefix]}/*"), conditions(put, **{"ec2:CreateAction": action})
        for made in re.findall(rf">({prefix}-[0-9a-f]+)<", came):
            if made not in tags:
                tags[made] = put
    if action == "RunInstances":
        yield f"ec2:{action}", arn("ec2", "network-interface/*"), {}
        yield f"ec2:{action}", arn("ec2", "volume/*"), {}
        profile = p.get("IamInstanceProfile.Name", "")
        yield "iam:PassRole", role_of(profile), {"iam:PassedToService": "ec2.amazonaws.com"}
    if action == "CreateVpcEndpoint" and p.get("VpcEndpointType") == "Interface":
        yield "route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/*", {}
    if action == "CreateFlowLogs":
        yield "iam:PassRole", p["DeliverLogsPermissionArn"], {"iam:PassedToService": "vpc-flow-logs.amazonaws.com"}
    if action == "CreateTags":
        for v in used:
            tags[v] = tags.get(v, {}) | put
    if action == "AssociateRouteTable":
        for made in re.findall(r">(rtbassoc-[0-9a-f]+)<", came):
            joined[made] = [p["RouteTableId"], p.get("SubnetId") or p.get("GatewayId")]


def iam(action, p, came):
    name = p.get("RoleName")
    if action == "CreateRole":
        paths[name], boundaries[name] = p.get("Path", "/"), p.get("PermissionsBoundary")
    c = {"iam:PermissionsBoundary": boundaries[name]} if boundaries.get(name) else {}
    if p.get("InstanceProfileName"):
        if action == "CreateInstanceProfile":
            paths["profile " + p["InstanceProfileName"]] = p.get("Path", "/")
        yield f"iam:{action}", arn("iam", f"instance-profile{paths.get('profile ' + p['InstanceProfileName'], '/')}{p['InstanceProfileName']}", region=""), {}
        if action == "AddRoleToInstanceProfile":
            yield "iam:PassRole", role_of(name), {"iam:PassedToService": "ec2.amazonaws.com"}
        if action == "CreateInstanceProfile":
            yield "iam:TagInstanceProfile", arn("iam", f"instance-profile{p.get('Path', '/')}{p['InstanceProfileName']}", region=""), {}
    elif name:
        yield f"iam:{action}", role_of(name), c
        if action == "CreateRole":
            yield "iam:TagRole", role_of(name), {}
    elif action == "CreatePolicy":
        yield f"iam:{action}", arn("iam", f"policy{p.get('Path', '/')}{p['PolicyName']}", region=""), {}
    else:
        yield f"iam:{action}", p.get("PolicyArn") or p.get("OpenIDConnectProviderArn") or "*", {}


def elb(action, p, came):
    if action.startswith("Describe"):
        yield f"elasticloadbalancing:{action}", "*", {}
        return
    put = flat(p, "Tags.member")
    new = {"CreateLoadBalancer": f"loadbalancer/app/{p.get('Name')}/*", "CreateTargetGroup": f"targetgroup/{p.get('Name')}/*"}
    if action in new:
        yield f"elasticloadbalancing:{action}", arn("elasticloadbalancing", new[action]), conditions(put)
    else:
        for key in ("RuleArn", "ListenerArn", "LoadBalancerArn", "TargetGroupArn"):
            if key in p:
                yield f"elasticloadbalancing:{action}", p[key], conditions(None, tags.get(p[key]))
                break
    for made in re.findall(r"<(?:LoadBalancer|TargetGroup|Listener|Rule)Arn>(arn:[^<]+)<", came) if action.startswith("Create") else []:
        if made not in tags and put:
            tags[made] = put
            yield "elasticloadbalancing:AddTags", made, conditions(put)


def named(service, names):
    """Query services whose resources have the names that the call gives."""

    def resources(action, p, came):
        found = False
        for key, kind in names.items():
            if p.get(key) and not (action.startswith("Describe") and service == "elasticache" and key != "ReplicationGroupId"):
                found = True
                yield f"{service}:{action}", arn(service, f"{kind}:{p[key]}"), conditions(flat(p, "Tags.member") or flat(p, "Tags.Tag"))
        if p.get("ResourceName") or p.get("ResourceArn"):
            found = True
            yield f"{service}:{action}", p.get("ResourceName") or p["ResourceArn"], {}
        if not found:
            yield f"{service}:{action}", "*", {}
        if p.get("MonitoringRoleArn"):
            yield "iam:PassRole", p["MonitoringRoleArn"], {"iam:PassedToService": "monitoring.rds.amazonaws.com"}

    return resources


def sns(action, p, came):
    yield f"sns:{action}", p.get("TopicArn") or p.get("ResourceArn") or arn("sns", p.get("Name", "")), {}


def json_service(service):
    def resources(action, p, came):
        put = tag_list(p.get("tags") or p.get("Tags"))
        one = lambda *keys: next((p[k] for k in keys if isinstance(p.get(k), str)), None)
        c = conditions(put)
        if service == "acm":
            target = one("CertificateArn") or "*"
            if action == "RequestCertificate":
                made = json.loads(came)["CertificateArn"]
                tags[made] = put
                yield "acm:RequestCertificate", "*", conditions(put, **{"acm:DomainNames": [p["DomainName"]] + p.get("SubjectAlternativeNames", [])})
                yield "acm:AddTagsToCertificate", made, conditions(put)
                return
            yield f"acm:{action}", target, conditions(put, tags.get(target))
        elif service == "kms":
            if action == "CreateKey":
                made = json.loads(came)["KeyMetadata"]["KeyId"]
                tags[made] = put
                yield "kms:CreateKey", "*", c
                yield "kms:TagResource", arn("kms", f"key/{made}"), c
                return
            if one("AliasName"):
                yield f"kms:{action}", arn("kms", one("AliasName")), {}
            key = (one("KeyId", "TargetKeyId") or "").split("/")[-1]
            if action == "DeleteAlias":
                key = next(iter(k for k in tags if re.fullmatch(r"[0-9a-f-]{36}", k)), "")
            yield f"kms:{action}", arn("kms", f"key/{key}") if key else "*", conditions(None, tags.get(key))
        elif service == "secretsmanager":
            name = one("Name") if action == "CreateSecret" else one("SecretId")
            if not name:
                yield f"secretsmanager:{action}", "*", {}
                return
            target = name if name.startswith("arn:") else arn("secretsmanager", f"secret:{name}-AbCdEf")
            yield f"secretsmanager:{action}", target, c
            if put:
                yield "secretsmanager:TagResource", target, c
            key = next(iter(k for k in tags if re.fullmatch(r"[0-9a-f-]{36}", k)), None)
            if key and action in ("CreateSecret", "PutSecretValue", "GetSecretValue"):
                for need in ("kms:Decrypt",) if action == "GetSecretValue" else ("kms:Decrypt", "kms:GenerateDataKey"):
                    yield need, arn("kms", f"key/{key}"), conditions(None, tags[key], **{"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"})
        elif service == "ecs":
            cluster = (one("cluster", "clusterName") or "").split("/")[-1]
            if action == "RegisterTaskDefinition":
                yield "ecs:RegisterTaskDefinition", arn("ecs", f"task-definition/{p['family']}:*"), c
                if put:
                    yield "ecs:TagResource", arn("ecs", f"task-definition/{p['family']}:*"), conditions(put, **{"ecs:CreateAction": action})
                yield from passing("ecs", json.dumps(p))
            elif action in ("DescribeTaskDefinition", "DeregisterTaskDefinition") or action.startswith("List") and action != "ListServiceDeployments":
                yield f"ecs:{action}", "*", {"ecs:cluster": arn("ecs", f"cluster/{cluster}")} if cluster else {}
            elif one("service", "serviceName") or p.get("services"):
                service_name = (one("service", "serviceName") or p["services"][0]).split("/")[-1]
                yield f"ecs:{action}", arn("ecs", f"service/{cluster}/{service_name}"), c
                if put:
                    yield "ecs:TagResource", arn("ecs", f"service/{cluster}/{service_name}"), conditions(put, **{"ecs:CreateAction": action})
            elif p.get("resourceArn"):
                yield f"ecs:{action}", p["resourceArn"], c
            elif p.get("tasks"):
                yield f"ecs:{action}", arn("ecs", f"task/{cluster}/*"), {}
            else:
                cluster = cluster or (p.get("clusters") or [""])[0].split("/")[-1]
                yield f"ecs:{action}", arn("ecs", f"cluster/{cluster}"), c
        elif service == "ecr":
            name = one("repositoryName") or (p.get("repositoryNames") or [None])[0]
            yield f"ecr:{action}", one("resourceArn") or (arn("ecr", f"repository/{name}") if name else "*"), c
            if action == "CreateRepository" and put:
                yield "ecr:TagResource", arn("ecr", f"repository/{name}"), c
        elif service == "logs":
            group = one("logGroupName", "logGroupIdentifier")
            target = one("resourceArn", "resourceIdentifier") or (arn("logs", f"log-group:{group}") if group and not group.startswith("arn") else group) or "*"
            if action == "GetLogEvents":
                target = arn("logs", f"log-group:{group}:log-stream:{p.get('logStreamName')}")
            yield f"logs:{action}", target, c
            if action == "CreateLogGroup" and put:
                yield "logs:TagResource", target, c
        elif service == "events":
            rule = one("Name", "Rule")
            yield f"events:{action}", one("ResourceARN") or (arn("events", f"rule/{rule}") if rule else "*"), c
            if action == "PutRule" and put:
                yield "events:TagResource", arn("events", f"rule/{rule}"), c
        elif service == "cloudwatch":
            names = [p["AlarmName"]] if p.get("AlarmName") else p.get("AlarmNames") or []
            if action == "DescribeAlarms" or not (names or one("ResourceARN")):
                yield f"cloudwatch:{action}", "*", {}
                return
            for target in [arn("cloudwatch", f"alarm:{n}") for n in names] or [one("ResourceARN")]:
                yield f"cloudwatch:{action}", target, c
                if action == "PutMetricAlarm" and put:
                    yield "cloudwatch:TagResource", target, c
        else:
            yield f"{service}:{action}", "*", c

    return resources


def s3(entry):
    path, _, query = entry["path"].partition("?")
    path = urllib.parse.unquote(path).strip("/")
    if path.startswith("v20180820"):
        yield ("s3:ListTagsForResource" if entry["method"] == "GET" else "s3:TagResource"), path.split("tags/")[1], {}
        return
    bucket, _, key = path.partition("/")
    what = query.split("=")[0].split("&")[0]
    verb = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Put"}[entry["method"]] if entry["method"] in ("GET", "HEAD", "PUT", "DELETE") else entry["method"]
    if key:
        yield {"Get": "s3:GetObject", "Put": "s3:PutObject"}[verb], f"arn:aws:s3:::{bucket}/{key}", {}
    elif what in S3:
        # A configuration is deleted with the right to put it, and a policy with one of its own.
        yield "s3:" + ("DeleteBucketPolicy" if entry["method"] == "DELETE" and what == "policy" else verb + S3[what]), f"arn:aws:s3:::{bucket}", {}
    else:
        yield {"GET": "s3:ListBucket", "HEAD": "s3:ListBucket", "PUT": "s3:CreateBucket", "DELETE": "s3:DeleteBucket"}[entry["method"]], f"arn:aws:s3:::{bucket}", {}


def route53(entry):
    path, method = entry["path"].partition("?")[0].removeprefix("/2013-04-01/"), entry["method"]
    zone = re.search(r"hostedzone/([^/]+)", path)
    target = f"arn:aws:route53:::hostedzone/{zone[1]}" if zone else "*"
    if path.startswith("change/"):
        yield "route53:GetChange", "arn:aws:route53:::change/*", {}
    elif path.startswith("tags/"):
        yield "route53:" + ("ListTagsForResource" if method == "GET" else "ChangeTagsForResource"), target, {}
    elif path.rstrip("/").endswith("/rrset") and method == "POST":
        names = sorted({n.rstrip(".").lower() for n in re.findall(r"<ResourceRecordSet>\s*<Name>([^<]+)<|<Name>([^<]+)</Name><(?:SetIdentifier|TTL|Type)", entry["sent"]) for n in n if n})
        names = names or sorted({n.rstrip(".").lower() for n in re.findall(r"<Name>([^<]+)</Name>", entry["sent"])})
        yield "route53:ChangeResourceRecordSets", target, {"route53:ChangeResourceRecordSetsNormalizedRecordNames": names}
    elif method == "POST" and path.rstrip("/") == "hostedzone":
        yield "route53:CreateHostedZone", "*", {}
    elif method == "DELETE":
        yield "route53:DeleteHostedZone", target, {}
    elif zone:
        yield "route53:" + ("ListResourceRecordSets" if "rrset" in path else "GetHostedZone"), target, {}
    else:
        yield "route53:ListHostedZonesByName", "*", {}


QUERY = {
    "ec2": ec2, "iam": iam, "elasticloadbalancing": elb, "sns": sns,
    "rds": named("rds", {"DBInstanceIdentifier": "db", "DBParameterGroupName": "pg", "DBSubnetGroupName": "subgrp", "FinalDBSnapshotIdentifier": "snapshot", "SubscriptionName": "es"}),
    "elasticache": named("elasticache", {"ReplicationGroupId": "replicationgroup", "CacheSubnetGroupName": "subnetgroup", "CacheParameterGroupName": "parametergroup"}),
}


def needs(entry):
    service, sent = entry["service"], entry["sent"] or ""
    if service == "s3":
        yield from s3(entry)
    elif service == "route53":
        yield from route53(entry)
    elif service == "monitoring":
        yield from json_service("cloudwatch")(entry["path"].rsplit("/", 1)[-1], json.loads(sent or "{}"), entry["came"] or "")
    elif entry["target"]:
        yield from json_service(service)(entry["target"].split(".")[-1], json.loads(sent or "{}"), entry["came"] or "")
    elif "Action=" in sent:
        p = dict(urllib.parse.parse_qsl(sent))
        yield from QUERY[service](p["Action"], p, entry["came"] or "")
    else:
        sys.exit(f"not understood: {service} {entry['method']} {entry['path']}")


seen = collections.OrderedDict()
for line in open(sys.argv[1]):
    entry = json.loads(line)
    if entry["service"] == "sts" or entry["status"] >= 400:
        continue
    asked = []
    for action, resource, keys in needs(entry):
        # Names and tiers decide nothing.
        keys = {k: v for k, v in keys.items() if not re.fullmatch(r"aws:(Request|Resource)Tag/(Name|Tier|ManagedBy)", k)}
        need = {"action": action, "resource": resource, "conditions": keys}
        if need not in asked:
            asked.append(need)
    # Ids are another in each recording; what is written must not be.
    text = json.dumps({"phase": entry["phase"], "needs": asked}, sort_keys=True)
    text = re.sub(r"\b(vpc|subnet|sg|sgr|rtb|igw|nat|eipalloc|vpce|fl|i|ami|eni|rtbassoc)-[0-9a-f]{8,}", r"\1-0", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"(hostedzone/)Z[A-Z0-9]+", r"\1ZONE", text)
    text = re.sub(r"((?:loadbalancer|listener|listener-rule)/app/[^/\"]+|targetgroup/[^/\"]+)/[0-9a-f/]{8,}", r"\1/ID", text)
    text = re.sub(r"(secret:[^\"]+-)[A-Za-z0-9]{6}\"", r'\1AbCdEf"', text)
    text = re.sub(r"(pg\d+-|final-)[0-9]{10,}", r"\1ID", text)
    if asked:
        seen[text] = None
print("\n".join(sorted(seen)))
