package iamtest

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/doctor"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/runtask"
	"github.com/org/connect2/v2/pkg/status"
)

// statement says what some permissions are for. Their resources and conditions are those that the runs asked for.
type statement struct {
	sid     string // Optional…: a denial costs a warning and nothing more
	why     string // what they are for; of optional ones, what is missing without
	only    string // the input that needs them, if not every run does
	actions []grant
	quiet   bool // without it one message is shorter, which is worth no warning
}

// grant is an IAM action; on narrows it to the resources whose ARN holds this text.
type grant struct{ action, on string }

func (st statement) optional() bool { return strings.HasPrefix(st.sid, "Optional") }

func grants(actions ...string) (all []grant) {
	for _, name := range actions {
		name, on, _ := strings.Cut(name, " ")
		all = append(all, grant{name, on})
	}
	return all
}

// permissions is what an action may need, and the runs that show it.
type permissions struct {
	of         *action.Action
	scenarios  func() []scenario
	statements []statement

	// elsewhere are permissions that every run asks for and that are given by another policy beside this one, for those who need it.
	elsewhere []grant

	// name and beside are those of a policy that is attached beside another one, for inputs that few runs have.
	name, beside string
}

func all() []permissions {
	push, migration, deployment := pushStatements(), migrateStatements(), deployStatements()
	return []permissions{
		{of: ecrpush.Action, scenarios: pushScenarios, statements: push},
		{of: migrate.Action, scenarios: migrateScenarios, statements: migration},
		{of: ecsdeploy.Action, scenarios: deployScenarios, statements: deployment},
		{of: ecsrollback.Action, scenarios: rollbackScenarios, statements: rollbackStatements(), elsewhere: grants(
			"events:ListEventBuses", "events:ListRuleNamesByTarget", "scheduler:ListSchedules")},
		{of: runtask.Action, scenarios: taskScenarios, statements: taskStatements()},
		{of: status.Action, scenarios: statusScenarios, statements: statusStatements()},
		{of: doctor.Action, scenarios: doctorScenarios, statements: doctorStatements()},
		{of: release.Action, scenarios: releaseScenarios, statements: merged(push, migration, deployment)},
		{of: ecsdeploy.Action, scenarios: verifyScenarios, statements: verifyStatements(), name: "ecs-deploy-verify", beside: "ecs-deploy"},
		{of: ecsdeploy.Action, scenarios: bakeScenarios, statements: bakeStatements(), name: "ecs-deploy-bake", beside: "ecs-deploy"},
		{of: ecsdeploy.Action, scenarios: scheduleScenarios, statements: scheduleStatements(), name: "ecs-deploy-schedules",
			beside: "ecs-deploy"},
		{of: ecsdeploy.Action, scenarios: keepScenarios, statements: keepStatements(), name: "ecs-deploy-keep", beside: "ecs-deploy"},
		{of: ecsdeploy.Action, scenarios: countScenarios, statements: []statement{{sid: "Scaling", why: "see whether autoscaling owns the number",
			only: "`desired-count`", actions: grants("application-autoscaling:DescribeScalableTargets")}},
			name: "ecs-deploy-desired-count", beside: "ecs-deploy"},
		{of: ecsrollback.Action, scenarios: scheduleRollbackScenarios, statements: append(scheduleStatements(), statement{
			sid: "OptionalFindSchedules",
			why: "schedules that run what is left are not found, and go along where they are named alone", quiet: true,
			actions: grants("events:ListEventBuses", "events:ListRuleNamesByTarget", "scheduler:ListSchedules")}),
			name: "ecs-rollback-schedules", beside: "ecs-rollback"},
	}
}

// scheduleStatements have two ways of passing a role: the schedule's own, to the service that runs it.
func scheduleStatements() []statement {
	return []statement{
		{sid: "Rules", why: "read the rules, and point their targets at the revision", only: "`rule:NAME`",
			actions: grants("events:DescribeRule", "events:ListTargetsByRule", "events:PutTargets")},
		{sid: "PassRoleToRules", why: "leave the targets the role that starts their tasks", only: "`rule:NAME`",
			actions: grants("iam:PassRole {rule-role}")},
		{sid: "Schedules", why: "read the schedules, and point them at the revision", only: "`schedule:NAME`",
			actions: grants("scheduler:GetSchedule", "scheduler:UpdateSchedule")},
		{sid: "PassRoleToSchedules", why: "leave the schedules the role that starts their tasks", only: "`schedule:NAME`",
			actions: grants("iam:PassRole {schedule-role}")},
	}
}

// keepStatements are all optional: what may not be read is not deregistered.
func keepStatements() []statement {
	return []statement{
		{sid: "OptionalKeepList", why: "older revisions stay registered", actions: grants("ecs:ListTaskDefinitions")},
		{sid: "OptionalKeepFindSchedules", why: "it is not known what schedules run, so older revisions stay registered", actions: grants(
			"events:ListEventBuses", "events:ListRuleNamesByTarget", "scheduler:ListSchedules")},
		{sid: "OptionalKeepSchedules", why: "nor is it where one that was found may not be read", actions: grants(
			"events:DescribeRule", "events:ListTargetsByRule", "scheduler:GetSchedule")},
	}
}

func bakeStatements() []statement {
	return []statement{
		{sid: "OptionalBakeTraffic", why: "HTTP 5xx and latency are not compared with the hour before", actions: grants(
			"cloudwatch:GetMetricData", "elasticloadbalancing:DescribeTargetGroups")},
		{sid: "OptionalBakeAlarms", why: "alarms are not watched", actions: grants("cloudwatch:DescribeAlarms")},
	}
}

func verifyStatements() []statement {
	return []statement{
		{sid: "OptionalVerifyImage", why: "of an image that is not an index it is not checked what it is built for",
			actions: grants("ecr:GetDownloadUrlForLayer")},
		{sid: "OptionalVerifyLogin", why: "nor can it be read, since that needs the registry's token",
			actions: grants("ecr:GetAuthorizationToken")},
		{sid: "OptionalVerifySecrets", why: "it is not checked whether secrets have a value", actions: grants("secretsmanager:DescribeSecret")},
		{sid: "OptionalVerifyParameters", why: "it is not checked whether parameters exist", actions: grants("ssm:DescribeParameters")},
		{sid: "OptionalVerifyLogGroups", why: "it is not checked whether log groups exist", actions: grants("logs:DescribeLogGroups")},
		{sid: "OptionalVerifySubnets", why: "it is not checked whether addresses are left", actions: grants("ec2:DescribeSubnets")},
		{sid: "OptionalVerifyRole", why: "the execution role's permissions are not simulated", actions: grants("iam:SimulatePrincipalPolicy")},
	}
}

func pushStatements() []statement {
	return []statement{
		{sid: "Login", why: "the registry's token", actions: grants("ecr:GetAuthorizationToken")},
		{sid: "Push", why: "look at the repository and its tags, send what it lacks, move the tags", actions: grants(
			"ecr:DescribeRepositories /{repository}", "ecr:BatchGetImage /{repository}", "ecr:BatchCheckLayerAvailability",
			"ecr:InitiateLayerUpload",
			"ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")},
		{sid: "ReadLayers", why: "read what images that are there are made of, so that no layer is sent twice",
			only:    "`source: tag:…`; a warning otherwise",
			actions: grants("ecr:GetDownloadUrlForLayer /{repository}")},
		{sid: "CreateRepository", why: "create the repository", only: "`create-repository: true`", actions: grants("ecr:CreateRepository")},
		{sid: "SourceRepository", why: "read the image that is pushed from another repository", only: "`source: ecr:…`", actions: grants(
			"ecr:DescribeRepositories /{source-repository}", "ecr:BatchGetImage /{source-repository}",
			"ecr:GetDownloadUrlForLayer /{source-repository}")},
		{sid: "Scan", why: "begin the image's scan, and read what it found", only: "`scan: report` and `scan: fail`",
			actions: grants("ecr:DescribeImageScanFindings", "ecr:StartImageScan")},
		{sid: "OptionalReuse", why: "layers of earlier images are compressed and sent again", actions: grants("ecr:DescribeImages")},
	}
}

func migrateStatements() []statement {
	return []statement{
		{sid: "Service", why: "read the service whose settings the task gets", actions: grants("ecs:DescribeServices")},
		{sid: "TaskDefinitions", why: "read the template, register what is run",
			actions: grants("ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition")},
		{sid: "PassRoles", why: "give the task its roles", actions: grants("iam:PassRole")},
		{sid: "ReadImage", why: "pin the image to its digest", actions: grants("ecr:BatchGetImage")},
		{sid: "RunTask", why: "run the migration", actions: grants("ecs:RunTask")},
		{sid: "WatchTask", why: "follow the task; stop it on cancel and on timeout", actions: grants("ecs:DescribeTasks", "ecs:StopTask")},
		{sid: "OptionalListTasks", why: "another migration that is running is not noticed", actions: grants("ecs:ListTasks")},
		{sid: "OptionalLogs", why: "the task's log is not shown", actions: grants("logs:GetLogEvents")},
		tagRevisions, suggestions,
	}
}

func taskStatements() []statement {
	return []statement{
		{sid: "Service", why: "read the service whose settings the task gets", only: "`service`", actions: grants("ecs:DescribeServices")},
		{sid: "TaskDefinitions", why: "read what is run", actions: grants("ecs:DescribeTaskDefinition")},
		{sid: "PassRoles", why: "give the task its roles", actions: grants("iam:PassRole")},
		{sid: "RunTask", why: "run the task", actions: grants("ecs:RunTask")},
		{sid: "WatchTask", why: "follow the task; stop it on cancel and on timeout", actions: grants("ecs:DescribeTasks", "ecs:StopTask")},
		{sid: "OptionalTags", why: "the task gets no tags", only: "`tags`", actions: grants("ecs:TagResource :task/")},
		{sid: "OptionalLogs", why: "the task's log is not shown", actions: grants("logs:GetLogEvents")},
	}
}

func deployStatements() []statement {
	return append([]statement{
		{sid: "Service", why: "read and update the service", actions: grants("ecs:DescribeServices", "ecs:UpdateService")},
		{sid: "TaskDefinitions", why: "read the template, register what is deployed",
			actions: grants("ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition")},
		{sid: "PassRoles", why: "give the tasks their roles", actions: grants("iam:PassRole")},
		{sid: "OptionalPinImage", why: "the image is deployed by its tag, not by its digest", actions: grants("ecr:BatchGetImage")},
		{sid: "OptionalLiveTag", why: "the image that is live gets no tag for lifecycle rules to keep", actions: grants("ecr:PutImage")},
		{sid: "OptionalLiveTags", why: "an image that is live once more gets one more tag", actions: grants("ecr:DescribeImages"), quiet: true},
		{sid: "OptionalDeregister", why: "a revision that failed stays registered", actions: grants("ecs:DeregisterTaskDefinition")},
		{sid: "OptionalLiftHold",
			why:     "a hold that was overridden holds the next run as well, and a rollback during a release's way back undoes that",
			actions: grants("ecs:TagResource :service/")},
		{sid: "OptionalFollow", why: "the deployment is followed by the service's own list of deployments alone",
			actions: grants("ecs:ListServiceDeployments",
				"ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions")},
		{sid: "OptionalStop", why: "a deployment is taken back by an update, not by stopping it", actions: grants("ecs:StopServiceDeployment")},
		tagRevisions, suggestions,
	}, diagnosis...)
}

func statusStatements() []statement {
	return append([]statement{
		{sid: "Service", why: "read the service", actions: grants("ecs:DescribeServices")},
		{sid: "OptionalTaskDefinitions", why: "neither the image nor the commit is told, and no logs are read",
			actions: grants("ecs:DescribeTaskDefinition")},
		{sid: "OptionalHistory", why: "neither earlier deployments nor the target of a rollback are told",
			actions: grants("ecs:ListServiceDeployments",
				"ecs:DescribeServiceRevisions")},
		{sid: "OptionalReplaced", why: "the target of a rollback is not told where no older deployment is listed any more",
			actions: grants("ecs:DescribeServiceDeployments")},
		{sid: "OptionalScaling", why: "the limits of autoscaling are not told",
			actions: grants("application-autoscaling:DescribeScalableTargets")},
		{sid: "OptionalAlarms", why: "the state of the alarms is not told", actions: grants("cloudwatch:DescribeAlarms")},
		{sid: "OptionalFindSchedules", why: "the schedules that run it are not told", actions: grants("events:ListEventBuses",
			"events:ListRuleNamesByTarget", "scheduler:ListSchedules")},
		{sid: "OptionalSchedules", why: "nor are they where one that was found may not be read", actions: grants(
			"events:DescribeRule", "events:ListTargetsByRule", "scheduler:GetSchedule")},
	}, diagnosis...)
}

func doctorStatements() []statement {
	return append([]statement{
		{sid: "Service", why: "read the service", actions: grants("ecs:DescribeServices")},
		{sid: "OptionalTaskDefinitions", why: "nothing that the task definition names is looked for",
			actions: grants("ecs:DescribeTaskDefinition")},
		{sid: "OptionalImages", why: "it is not checked whether images are there", actions: grants("ecr:DescribeImages")},
		{sid: "OptionalSecrets", why: "it is not checked whether secrets are there", actions: grants("secretsmanager:DescribeSecret")},
		{sid: "OptionalLogGroups", why: "it is not checked whether log groups are there", actions: grants("logs:DescribeLogGroups")},
		{sid: "OptionalAlarms", why: "it is not checked whether an alarm went off", actions: grants("cloudwatch:DescribeAlarms")},
		{sid: "OptionalNetwork", why: "the ways between load balancer, tasks, bastion and stores are not checked", actions: grants(
			"ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeRouteTables", "ec2:DescribeNatGateways",
			"ec2:DescribeVpcEndpoints", "ec2:DescribeNetworkAcls", "ec2:DescribeInstances")},
		{sid: "OptionalLoadBalancer", why: "neither its listeners nor the way to the tasks are checked", actions: grants(
			"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeLoadBalancers",
			"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules")},
		{sid: "OptionalCertificate", why: "it is not checked when the certificate ends", actions: grants("acm:DescribeCertificate")},
		{sid: "OptionalZones", why: "it is not checked where the service's name leads", actions: grants("route53:ListHostedZones")},
		{sid: "OptionalRecords", why: "it is not checked where the service's name leads", actions: grants("route53:ListResourceRecordSets")},
		{sid: "OptionalDatabase", why: "the database is not checked", actions: grants(
			"rds:DescribeDBInstances", "rds:DescribePendingMaintenanceActions")},
		{sid: "OptionalStorage", why: "its free storage is not checked", actions: grants("cloudwatch:GetMetricData")},
		{sid: "OptionalRedis", why: "Redis is not checked", actions: grants("elasticache:DescribeReplicationGroups",
			"elasticache:DescribeCacheClusters", "elasticache:DescribeCacheSubnetGroups")},
		{sid: "OptionalReadSecrets", why: "what the tasks are told of the database and Redis is not compared", only: "`--read-secrets`",
			actions: grants("secretsmanager:GetSecretValue")},
	}, diagnosis...)
}

func rollbackStatements() []statement {
	return append([]statement{
		{sid: "Service", why: "read and update the service", actions: grants("ecs:DescribeServices", "ecs:UpdateService")},
		{sid: "TaskDefinitions", why: "read the revision that is gone back to; register it again where it was deregistered", actions: grants(
			"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition")},
		{sid: "PassRoles", why: "give the tasks their roles", actions: grants("iam:PassRole")},
		{sid: "History", why: "find the version before", only: "`to: previous`; a warning otherwise",
			actions: grants("ecs:ListServiceDeployments",
				"ecs:DescribeServiceRevisions")},
		{sid: "OptionalCheckImage", why: "it is not checked whether the image is still there", actions: grants("ecr:BatchGetImage")},
		{sid: "OptionalReason", why: "the service's tags do not say why it was rolled back, and the image that was left is not on hold",
			actions: grants("ecs:TagResource :service/")},
		{sid: "OptionalFollow", why: "the deployment is followed by the service's own list of deployments alone",
			actions: grants("ecs:DescribeServiceDeployments")},
		{sid: "OptionalStop", why: "a deployment is taken back by an update, not by stopping it", actions: grants("ecs:StopServiceDeployment")},
		tagRevisions,
	}, diagnosis...)
}

var (
	tagRevisions = statement{sid: "OptionalTagRevisions", why: "revisions do not say where they come from",
		actions: grants("ecs:TagResource :task-definition/")}
	suggestions = statement{sid: "OptionalSuggestions", why: "the message on a tag that is not there names no similar ones",
		actions: grants("ecr:ListImages"), quiet: true}

	diagnosis = []statement{
		{sid: "OptionalDiagnosisList", why: "tasks that fail are not noticed before the service tells", actions: grants("ecs:ListTasks")},
		{sid: "OptionalDiagnosisTasks", why: "a failure is explained without the tasks' exit codes and reasons",
			actions: grants("ecs:DescribeTasks")},
		{sid: "OptionalDiagnosisLogs", why: "a failure is explained without the containers' last lines", actions: grants("logs:GetLogEvents")},
		{sid: "OptionalDiagnosisTargets", why: "a failure is explained without the load balancer's view of the tasks", actions: grants(
			"elasticloadbalancing:DescribeTargetHealth")},
	}
)

// leftOut are permissions that are asked for and not given, on purpose: this one would show every repository of the account,
// for a hint at the repository that was meant where a name is misspelt.
var leftOut = grants("ecr:DescribeRepositories :repository/*")

// merged joins the statements of the parts of a release. What one part requires is required, whatever the others say.
func merged(parts ...[]statement) (joined []statement) {
	for _, wantOptional := range []bool{false, true} {
		for _, st := range slices.Concat(parts...) {
			if st.optional() != wantOptional {
				continue
			}
			st.actions = slices.DeleteFunc(slices.Clone(st.actions), func(g grant) bool { return given(joined, g) })
			i := slices.IndexFunc(joined, func(other statement) bool { return other.sid == st.sid })
			switch {
			case len(st.actions) == 0:
			case i < 0:
				joined = append(joined, st)
			default:
				joined[i].actions, joined[i].why = append(joined[i].actions, st.actions...), st.why
			}
		}
	}
	return joined
}

// given says whether the statements hold the grant already: the same action on the same resources, or on all.
func given(statements []statement, g grant) bool {
	for _, st := range statements {
		for _, other := range st.actions {
			same := other.on == g.on || g.on == "" && other.on == "/{repository}"
			if other.action == g.action && same {
				return true
			}
		}
	}
	return false
}
