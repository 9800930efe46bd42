"""Drives a sandbox with boto3, which parses and validates answers by AWS's own service models.

The endpoint comes from the environment. The repository holds an image v2 beside the seed. Each check that fails is printed; the exit
status is 1 if one did. The last line of a good run is "N checks passed".
"""

import datetime
import sys

import boto3
import botocore.config
import botocore.exceptions

CLUSTER, SERVICE, REPOSITORY = "connect2-api-cluster-dev", "connect2-api-service-dev", "connect2-api-dev"
GROUP = "/ecs/connect2-api-dev"
CONFIG = botocore.config.Config(retries={"max_attempts": 1})

passed, failed = 0, []


def client(service):
    return boto3.client(service, config=CONFIG)


def check(what, condition, detail=""):
    global passed
    if condition:
        passed += 1
    else:
        failed.append(f"{what}: {detail}")


def refused(what, code, call, **parameters):
    try:
        call(**parameters)
        check(what, False, "no error")
    except botocore.exceptions.ClientError as e:
        got = e.response["Error"]["Code"]
        check(what, got == code, f"{got} instead of {code}: {e}")


def wait(waiter, **parameters):
    waiter.config.delay, waiter.config.max_attempts = 0.2, 100
    waiter.wait(**parameters)


def judge_ecr():
    ecr = client("ecr")
    detail = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    check("describe-images", sorted(detail["imageTags"]) == ["latest", "v1"] and detail["imageSizeInBytes"] > 0, detail)
    image = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"][0]
    check("batch-get-image", image["imageId"]["imageDigest"] == detail["imageDigest"], image)
    token = ecr.get_authorization_token()["authorizationData"][0]
    check("get-authorization-token", token["proxyEndpoint"].startswith("http://127.0.0.1:"), token["proxyEndpoint"])
    missing = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "none"}])["failures"][0]
    check("batch-get-image of nothing", missing["failureCode"] == "ImageNotFound", missing)
    refused("repository that does not exist", "RepositoryNotFoundException", ecr.describe_images, repositoryName="nowhere")
    refused("image that does not exist", "ImageNotFoundException", ecr.describe_images, repositoryName=REPOSITORY, imageIds=[{"imageTag": "none"}])


def judge_rollout(ecs):
    described = ecs.describe_task_definition(taskDefinition=REPOSITORY)["taskDefinition"]
    keep = ("family", "networkMode", "containerDefinitions", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn")
    document = {name: described[name] for name in keep}
    container = document["containerDefinitions"][0]
    container["image"] = container["image"].split("@")[0] + ":v2"
    registered = ecs.register_task_definition(**document)["taskDefinition"]
    check("register-task-definition", registered["revision"] == described["revision"] + 1, registered["revision"])
    updated = ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=registered["taskDefinitionArn"])["service"]
    check("update-service", [d["status"] for d in updated["deployments"]] == ["PRIMARY", "ACTIVE"], updated["deployments"])
    wait(ecs.get_waiter("services_stable"), cluster=CLUSTER, services=[SERVICE])
    service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    check("describe-services", service["taskDefinition"] == registered["taskDefinitionArn"] and service["runningCount"] == 2, service["deployments"])
    deployments = ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)["serviceDeployments"]
    check("list-service-deployments", len(deployments) == 2, deployments)
    detail = ecs.describe_service_deployments(serviceDeploymentArns=[deployments[0]["serviceDeploymentArn"]])["serviceDeployments"][0]
    revision = ecs.describe_service_revisions(serviceRevisionArns=[detail["targetServiceRevision"]["arn"]])["serviceRevisions"][0]
    check("describe-service-revisions", revision["taskDefinition"] == registered["taskDefinitionArn"], revision)
    check("digest of the revision", revision["containerImages"][0]["imageDigest"].startswith("sha256:"), revision["containerImages"])
    ecs.update_service(cluster=CLUSTER, service=SERVICE, forceNewDeployment=True)
    stopped = ""
    for _ in range(100):
        newest = ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)["serviceDeployments"][0]["serviceDeploymentArn"]
        if newest != deployments[0]["serviceDeploymentArn"]:
            stopped = ecs.stop_service_deployment(serviceDeploymentArn=newest, stopType="ROLLBACK")["serviceDeploymentArn"]
            check("stop-service-deployment", stopped == newest, stopped)
            break
    check("a service deployment to stop", stopped != "", deployments)
    return service


def judge_tasks(ecs, service):
    run = ecs.run_task(
        cluster=CLUSTER, taskDefinition=service["taskDefinition"], launchType="FARGATE", networkConfiguration=service["networkConfiguration"],
        overrides={"containerOverrides": [{"name": "connect2-api", "command": ["alembic", "upgrade", "head"]}]},
    )
    check("run-task", len(run["tasks"]) == 1 and not run["failures"], run)
    arn = run["tasks"][0]["taskArn"]
    wait(ecs.get_waiter("tasks_stopped"), cluster=CLUSTER, tasks=[arn])
    task = ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]
    check("describe-tasks", task["stopCode"] == "EssentialContainerExited" and task["containers"][0]["exitCode"] == 0, task)
    missing = ecs.describe_tasks(cluster=CLUSTER, tasks=["0" * 32])["failures"][0]
    check("describe-tasks of nothing", missing["reason"] == "MISSING", missing)
    return "ecs/connect2-api/" + arn.rsplit("/", 1)[1]


def judge_ecs_refusals(ecs):
    refused("cluster that does not exist", "ClusterNotFoundException", ecs.describe_services, cluster="none", services=[SERVICE])
    refused("service that does not exist", "ServiceNotFoundException", ecs.update_service, cluster=CLUSTER, service="none")
    refused("task definition that does not exist", "ClientException", ecs.describe_task_definition, taskDefinition="none")
    refused("service deployment that does not exist", "ServiceDeploymentNotFoundException", ecs.stop_service_deployment,
            serviceDeploymentArn=f"arn:aws:ecs:us-west-2:123456789012:service-deployment/{CLUSTER}/{SERVICE}/none")
    arn = f"arn:aws:ecs:us-west-2:123456789012:service-revision/{CLUSTER}/{SERVICE}/1"
    failures = ecs.describe_service_revisions(serviceRevisionArns=[arn])["failures"]
    check("describe-service-revisions of nothing", failures[0]["reason"] == "MISSING", failures)
    arn = f"arn:aws:ecs:us-west-2:123456789012:service-deployment/{CLUSTER}/{SERVICE}/{'a' * 21}"
    failures = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["failures"]
    check("describe-service-deployments of nothing", failures[0]["reason"] == "MISSING", failures)
    refused("service deployments of a service that does not exist", "ServiceNotFoundException", ecs.list_service_deployments, cluster=CLUSTER, service="none")
    refused("task definition to update to that does not exist", "ClientException", ecs.update_service,
            cluster=CLUSTER, service=SERVICE, taskDefinition="none")
    refused("task definition to run that does not exist", "ClientException", ecs.run_task, cluster=CLUSTER, taskDefinition="none")
    refused("cluster to run in that does not exist", "ClusterNotFoundException", ecs.run_task, cluster="none", taskDefinition=REPOSITORY)
    refused("task to stop that does not exist", "InvalidParameterException", ecs.stop_task, cluster=CLUSTER, task="0" * 32)
    refused("task definition without containers", "ClientException", ecs.register_task_definition, family="judge", containerDefinitions=[])
    failures = ecs.describe_services(cluster=CLUSTER, services=["none"])["failures"]
    check("describe-services of nothing", failures[0]["reason"] == "MISSING", failures)


def judge_logs(stream):
    logs = client("logs")
    events = []
    for _ in range(100):
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
        if events:
            break
    check("get-log-events", len(events) > 0, stream)
    found = [e for page in logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=[stream]) for e in page["events"]]
    check("filter-log-events", len(found) >= 2 and [e["message"] for e in found] == [e["message"] for e in events], found)
    refused("log group that does not exist", "ResourceNotFoundException", logs.filter_log_events, logGroupName="/none")
    refused("log stream that does not exist", "ResourceNotFoundException", logs.get_log_events, logGroupName=GROUP, logStreamName="none")


def judge_the_rest():
    elb = client("elbv2")
    group = elb.describe_target_groups(Names=["connect2-api-tg-dev"])["TargetGroups"][0]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    check("describe-target-health", "healthy" in [h["TargetHealth"]["State"] for h in health], health)
    refused("target group that does not exist", "TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=group["TargetGroupArn"] + "0")
    secrets = client("secretsmanager")
    secret = secrets.describe_secret(SecretId="connect2-api/dev/redis-credentials")
    check("describe-secret", list(secret["VersionIdsToStages"].values()) == [["AWSCURRENT"]], secret)
    refused("secret that does not exist", "ResourceNotFoundException", secrets.describe_secret, SecretId="none")
    parameters = client("ssm")
    parameters.put_parameter(Name="/judge", Value="1", Type="String")
    check("get-parameters", parameters.get_parameters(Names=["/judge", "/none"])["InvalidParameters"] == ["/none"])
    listed = parameters.describe_parameters(ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": ["/judge", "/none"]}])["Parameters"]
    check("describe-parameters", [p["Name"] for p in listed] == ["/judge"], listed)
    groups = client("logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    check("describe-log-groups", [g["logGroupName"] for g in groups] == [GROUP], groups)
    ec2 = client("ec2")
    subnets = ec2.describe_subnets(SubnetIds=["subnet-0a1b2c3d4e5f60001"])["Subnets"]
    check("describe-subnets", len(subnets) == 1 and 0 < subnets[0]["AvailableIpAddressCount"] < 252, subnets)
    refused("subnet that does not exist", "InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=["subnet-0"])
    results = client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/connect2-api-dev-execution", ActionNames=["logs:PutLogEvents"])["EvaluationResults"]
    check("simulate-principal-policy", results[0]["EvalDecision"] == "allowed", results)
    watch = client("cloudwatch")
    alarms = watch.describe_alarms(AlarmNames=["judge", "none"])["MetricAlarms"]
    check("describe-alarms", [(a["AlarmName"], a["StateValue"]) for a in alarms] == [("judge", "OK")], alarms)
    dimensions = [{"Name": "TargetGroup", "Value": group["TargetGroupArn"].rsplit(":", 1)[1]},
                  {"Name": "LoadBalancer", "Value": group["LoadBalancerArns"][0].split(":loadbalancer/")[1]}]
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": dimensions}
    now = datetime.datetime.now(datetime.timezone.utc)
    data = watch.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
                                 StartTime=now - datetime.timedelta(minutes=30), EndTime=now)["MetricDataResults"][0]
    check("get-metric-data", set(data["Values"]) == {1200.0} and data["Timestamps"][0] > data["Timestamps"][1], data)
    refused("statistic that is not modelled", "SandboxNotModelled", watch.get_metric_data, StartTime=now - datetime.timedelta(minutes=30),
            EndTime=now, MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}])
    scaling = client("application-autoscaling")
    resource = {"ServiceNamespace": "ecs", "ResourceId": f"service/{CLUSTER}/{SERVICE}", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(**resource, MinCapacity=2, MaxCapacity=4)
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    check("describe-scalable-targets", targets[0]["MaxCapacity"] == 4, targets)
    check("get-caller-identity", client("sts").get_caller_identity()["Account"] == "123456789012")
    refused("service that is not modelled", "SandboxNotModelled", client("lambda").list_functions)
    refused("bucket that does not exist", "NoSuchBucket", client("s3").list_objects_v2, Bucket="nowhere")


def judge_schedules():
    events, target = client("events"), {"Id": "one", "Arn": f"arn:aws:ecs:us-west-2:123456789012:cluster/{CLUSTER}",
                                        "RoleArn": "arn:aws:iam::123456789012:role/connect2-api-dev-execution",
                                        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-west-2:123456789012:task-definition/connect2-api-dev:1"}}
    refused("rule without a pattern", "ValidationException", events.put_rule, Name="judge")
    refused("rule by a wrong schedule", "ValidationException", events.put_rule, Name="judge", ScheduleExpression="cron(0 8 * * * *)")
    events.put_rule(Name="judge", ScheduleExpression="cron(0 8 * * ? *)", Tags=[{"Key": "a", "Value": "b"}])
    check("put-targets", events.put_targets(Rule="judge", Targets=[target])["FailedEntryCount"] == 0)
    check("list-targets-by-rule", events.list_targets_by_rule(Rule="judge")["Targets"] == [target])
    check("list-rule-names-by-target", events.list_rule_names_by_target(TargetArn=target["Arn"])["RuleNames"] == ["judge"])
    events.disable_rule(Name="judge")
    rule = events.describe_rule(Name="judge")
    check("describe-rule", (rule["State"], rule["ScheduleExpression"]) == ("DISABLED", "cron(0 8 * * ? *)"), rule)
    check("list-tags-for-resource", events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"] == [{"Key": "a", "Value": "b"}])
    check("list-rules", [r["Name"] for r in events.list_rules()["Rules"]] == ["judge"])
    check("list-event-buses", [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default"])
    refused("rule that has targets", "ValidationException", events.delete_rule, Name="judge")
    refused("rule that does not exist", "ResourceNotFoundException", events.describe_rule, Name="none")
    scheduler, start = client("scheduler"), datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=400)
    settings = {"ScheduleExpression": "rate(5 minutes)", "StartDate": start, "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {k: v for k, v in target.items() if k != "Id"}}
    scheduler.create_schedule_group(Name="judges")
    made = scheduler.create_schedule(Name="judge", GroupName="judges", **settings)["ScheduleArn"]
    refused("schedule that exists", "ConflictException", scheduler.create_schedule, Name="judge", GroupName="judges", **settings)
    got = scheduler.get_schedule(Name="judge", GroupName="judges")
    check("get-schedule", (got["Arn"], got["State"], got["ScheduleExpressionTimezone"]) == (made, "ENABLED", "UTC"), got)
    check("its target", got["Target"] == settings["Target"] and abs((got["StartDate"] - start).total_seconds()) < 1, got)
    scheduler.update_schedule(Name="judge", GroupName="judges", **{**settings, "State": "DISABLED"})
    listed = scheduler.get_paginator("list_schedules").paginate(GroupName="judges").build_full_result()["Schedules"]
    check("list-schedules", [(s["Name"], s["State"], s["Target"]["Arn"]) for s in listed] == [("judge", "DISABLED", target["Arn"])], listed)
    check("list-schedule-groups", [g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default", "judges"])
    scheduler.delete_schedule(Name="judge", GroupName="judges")
    refused("schedule that does not exist", "ResourceNotFoundException", scheduler.get_schedule, Name="judge", GroupName="judges")
    refused("schedule by a wrong expression", "ValidationException", scheduler.create_schedule, Name="judge",
            **{**settings, "ScheduleExpression": "cron(x)"})


def judge_surroundings():
    ec2 = client("ec2")
    vpc = [{"Name": "vpc-id", "Values": [ec2.describe_subnets(SubnetIds=["subnet-0a1b2c3d4e5f60001"])["Subnets"][0]["VpcId"]]}]
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=vpc)["SecurityGroups"]}
    rule = groups["connect2-api-dev-database"]["IpPermissions"][0]
    check("describe-security-groups", (rule["IpProtocol"], rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) ==
          ("tcp", 5432, "sg-0a1b2c3d4e5f60001"), groups)
    refused("group that does not exist", "InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=["sg-0"])
    tables = ec2.describe_route_tables(Filters=vpc)["RouteTables"]
    routes = {r.get("NatGatewayId") or r.get("GatewayId") for t in tables for r in t["Routes"]}
    check("describe-route-tables", "nat-0a1b2c3d4e5f60001" in routes and any(a["Main"] for t in tables for a in t["Associations"]), tables)
    nat = ec2.describe_nat_gateways(Filters=vpc)["NatGateways"][0]
    check("describe-nat-gateways", nat["State"] == "available", nat)
    endpoint = ec2.describe_vpc_endpoints(Filters=vpc)["VpcEndpoints"][0]
    check("describe-vpc-endpoints", endpoint["ServiceName"] == "com.amazonaws.us-west-2.s3" and endpoint["RouteTableIds"], endpoint)
    acl = ec2.describe_network_acls(Filters=vpc)["NetworkAcls"][0]
    check("describe-network-acls", acl["IsDefault"] and {e["RuleNumber"] for e in acl["Entries"]} == {100, 32767}, acl)
    rds = client("rds")
    database = rds.describe_db_instances()["DBInstances"][0]
    check("describe-db-instances", database["Endpoint"]["Port"] == 5432 and database["DBSubnetGroup"]["VpcId"] == vpc[0]["Values"][0] and
          database["VpcSecurityGroups"][0]["Status"] == "active" and database["PendingModifiedValues"] == {}, database)
    check("describe-pending-maintenance-actions", rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == [])
    refused("database that does not exist", "DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier="none")
    cache = client("elasticache")
    group = cache.describe_replication_groups()["ReplicationGroups"][0]
    check("describe-replication-groups", group["Status"] == "available" and group["NodeGroups"][0]["PrimaryEndpoint"]["Port"] == 6379, group)
    node = cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"][0]
    check("describe-cache-clusters", node["CacheClusterId"] in group["MemberClusters"] and node["SecurityGroups"], node)
    place = cache.describe_cache_subnet_groups(CacheSubnetGroupName=node["CacheSubnetGroupName"])["CacheSubnetGroups"][0]
    check("describe-cache-subnet-groups", len(place["Subnets"]) == 2, place)
    refused("group that does not exist", "ReplicationGroupNotFoundFault", cache.describe_replication_groups, ReplicationGroupId="none")
    balancer = client("elbv2").describe_load_balancers()["LoadBalancers"][0]
    listeners = {l["Port"]: l for l in client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]}
    check("describe-listeners", listeners[80]["DefaultActions"][0]["Type"] == "redirect", listeners)
    acm = client("acm")
    certificate = acm.describe_certificate(CertificateArn=listeners[443]["Certificates"][0]["CertificateArn"])["Certificate"]
    check("describe-certificate", certificate["Status"] == "ISSUED" and certificate["NotAfter"].year >= 2020, certificate)
    refused("certificate that does not exist", "ResourceNotFoundException", acm.describe_certificate,
            CertificateArn="arn:aws:acm:us-west-2:123456789012:certificate/00000000-0000-0000-0000-000000000000")
    dns = client("route53")
    zone = dns.list_hosted_zones()["HostedZones"][0]
    check("list-hosted-zones", zone["Name"] == "example.com." and not zone["Config"]["PrivateZone"], zone)
    check("list-hosted-zones-by-name", dns.list_hosted_zones_by_name(DNSName="example.com")["HostedZones"] == [zone])
    records = dns.list_resource_record_sets(HostedZoneId=zone["Id"], StartRecordName="api.example.com", StartRecordType="A", MaxItems="1")
    check("list-resource-record-sets", records["IsTruncated"] and records["ResourceRecordSets"][0]["AliasTarget"]["DNSName"] ==
          balancer["DNSName"] + ".", records)
    refused("zone that does not exist", "NoSuchHostedZone", dns.list_resource_record_sets, HostedZoneId="Z0")


judge_ecr()
judge_schedules()
judge_surroundings()
ecs_client = client("ecs")
judge_ecs_refusals(ecs_client)
judge_logs(judge_tasks(ecs_client, judge_rollout(ecs_client)))
judge_the_rest()
for failure in failed:
    print("FAILED", failure)
if failed:
    sys.exit(1)
print(passed, "checks passed")
