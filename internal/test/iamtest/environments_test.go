package iamtest

import (
	"bufio"
	"bytes"
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

// What the roles of the environments may do is rendered by Terraform; terraform/test/apply records it, and what apply, plan,
// destroy and deploy call (JOURNAL=FOLDER), in testdata. Here each call is held against each policy.

// permit is one permission that a call needs.
type permit struct {
	Action, Resource string
	Conditions       map[string]values
}

// values are those of one condition key.
type values []string

// UnmarshalJSON takes one value or a list.
func (v *values) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(v))
	}
	var one string
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*v = values{one}
	return nil
}

// call is what somebody asked of AWS. It is allowed when each of its permits is.
type call struct {
	Phase string // apply, plan, destroy or deploy
	Needs []permit
}

// name is that of the call's first permission, which is the call's own.
func (c call) name() string { return c.Needs[0].Action }

// reads says whether the call changes nothing and gives away no secret.
func (c call) reads() bool {
	_, verb, _ := strings.Cut(c.name(), ":")
	reading := slices.ContainsFunc([]string{"Describe", "List", "Get"}, func(p string) bool { return strings.HasPrefix(verb, p) })
	return reading && c.name() != "secretsmanager:GetSecretValue" && c.name() != "s3:GetObject" && c.name() != "s3:ListBucket"
}

// renderedRole is a role as Terraform made it.
type renderedRole struct {
	Path     string
	Boundary json.RawMessage
	Trust    json.RawMessage
	Policies []json.RawMessage
}

// environment is what was recorded of one.
type environment struct {
	name   string
	roles  map[string]renderedRole
	calls  []call
	github map[string]*policy.Policy // the roles for GitHub, by what they are for
}

func recorded(t *testing.T, name string) environment {
	t.Helper()
	e := environment{name: name, github: map[string]*policy.Policy{}}
	if name == "full" { // dev with what an environment may have besides: terraform/test/full.tfvars
		e.name = "dev"
	}
	text, err := os.ReadFile(filepath.Join("testdata", name+".policies.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e.roles); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join("testdata", name+".calls.jsonl"))
	if err != nil && (slices.Contains(journalled, name) || !os.IsNotExist(err)) {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var c call
		if err := json.Unmarshal(scanner.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", scanner.Text(), err)
		}
		e.calls = append(e.calls, c)
	}
	return e
}

// role returns the policies of one of the roles for GitHub.
func (e environment) role(t *testing.T, name string) *policy.Policy {
	t.Helper()
	if e.github[name] == nil {
		r, found := e.roles["connect2-api-"+e.name+"-github-"+name]
		if !found {
			t.Fatalf("%s has no role %s: %v", e.name, name, slices.Sorted(maps.Keys(e.roles)))
		}
		e.github[name] = parsed(t, r.Policies...)
	}
	return e.github[name]
}

// boundary returns the most that a role which Terraform makes can do.
func (e environment) boundary(t *testing.T) *policy.Policy {
	t.Helper()
	return parsed(t, e.roles["boundary policy"].Policies...)
}

func parsed(t *testing.T, documents ...json.RawMessage) *policy.Policy {
	t.Helper()
	texts := make([][]byte, len(documents))
	for i, d := range documents {
		texts[i] = d
	}
	p, err := policy.Parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refused returns the first permission that the policy does not give, and whether there is one.
func (c call) refused(p *policy.Policy) (permit, bool) {
	for _, need := range c.Needs {
		if p.Decide(need.Action, need.Resource, need.context()) != policy.Allowed {
			return need, true
		}
	}
	return permit{}, false
}

// pessimistic is the call as an attacker would have it: the tags of the request are there for each resource that it touches.
// AWS gives them for what is made alone, as far as it says, and nothing should hang on that.
func (c call) pessimistic() call {
	put := map[string]values{}
	for _, need := range c.Needs {
		for key, v := range need.Conditions {
			if strings.HasPrefix(key, "aws:RequestTag/") || key == "aws:TagKeys" {
				put[key] = v
			}
		}
	}
	wide := call{Phase: c.Phase}
	for _, need := range c.Needs {
		need.Conditions = maps.Clone(need.Conditions)
		if need.Conditions == nil {
			need.Conditions = map[string]values{}
		}
		maps.Copy(need.Conditions, put)
		wide.Needs = append(wide.Needs, need)
	}
	return wide
}

func (n permit) context() map[string][]string {
	all := map[string][]string{"aws:SecureTransport": {"true"}}
	for key, v := range n.Conditions {
		all[key] = v
	}
	return all
}

// administrators says whether the call is for whoever administers the account: the roles for GitHub, their policies and the
// boundary are out of the apply role's reach, or it could give itself any right.
func (e environment) administrators(c call) bool {
	return !c.reads() && strings.Contains(c.Needs[0].Resource, "/connect2-api-github/"+e.name+"/")
}

// caller is the role whose calls a phase holds.
var caller = map[string]string{"apply": "apply", "destroy": "apply", "plan": "plan", "deploy": "deploy"}

// journalled are the environments whose calls are recorded. The others run the same module: their roles are held to prod's calls.
var journalled = []string{"prod"}

// TestEachCallIsAllowedToItsRole: nothing that the roles do is refused to them, but for what is an administrator's.
func TestEachCallIsAllowedToItsRole(t *testing.T) {
	for _, name := range journalled {
		e := recorded(t, name)
		counts := map[string]int{}
		for _, c := range append(e.calls, notEmulated(name)...) {
			role := e.role(t, caller[c.Phase])
			need, no := c.refused(role)
			switch {
			case e.administrators(c) && !no:
				t.Errorf("%s: the %s role may %s on its own kind: %s", name, caller[c.Phase], c.name(), c.Needs[0].Resource)
			case !e.administrators(c) && no:
				t.Errorf("%s, %s: %s needs %s on %s with %v, which the role is not given", name, c.Phase, c.name(), need.Action,
					need.Resource, need.Conditions)
			}
			counts[c.Phase]++
		}
		for _, phase := range []string{"apply", "plan", "destroy"} {
			if counts[phase] < 80 {
				t.Errorf("%s: the journal has %d calls of %s; there were more", name, counts[phase], phase)
			}
		}
	}
}

// notEmulated are calls that the recordings lack: no emulator answers them, or the recordings are older than what they are for.
func notEmulated(env string) []call {
	target := "arn:aws:application-autoscaling:us-west-2:123456789012:scalable-target/0ec0"
	own := map[string]values{"aws:ResourceTag/Project": {"connect2-api"}, "aws:ResourceTag/Environment": {env}}
	put := map[string]values{"aws:RequestTag/Project": {"connect2-api"}, "aws:RequestTag/Environment": {env},
		"aws:TagKeys": {"Environment", "ManagedBy", "Project"}}
	instance := "arn:aws:ec2:us-west-2:123456789012:instance/i-0"
	function := "arn:aws:lambda:us-west-2:123456789012:function:connect2-api-rotate-" + env
	secret := "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/" + env + "/rds-credentials-AbCdEf"
	one := func(phase, action, resource string, c map[string]values) call {
		return call{Phase: phase, Needs: []permit{{action, resource, c}}}
	}
	return []call{
		{Phase: "apply", Needs: []permit{{"application-autoscaling:RegisterScalableTarget", target, put},
			{"application-autoscaling:TagResource", target, put}}},
		{Phase: "apply", Needs: []permit{{"application-autoscaling:RegisterScalableTarget", target,
			map[string]values{"aws:RequestTag/Project": {"connect2-api"}, "aws:RequestTag/Environment": {env},
				"application-autoscaling:service-namespace": {"ecs"}}}}},
		one("apply", "application-autoscaling:RegisterScalableTarget", target, own),
		one("apply", "application-autoscaling:PutScalingPolicy", target, own),
		one("destroy", "application-autoscaling:DeleteScalingPolicy", target, own),
		one("destroy", "application-autoscaling:DeregisterScalableTarget", target, own),
		one("apply", "ec2:MonitorInstances", instance, own),
		one("apply", "rds:CreateEventSubscription", "arn:aws:rds:us-west-2:123456789012:es:connect2-api-alerts-"+env, put),
		one("destroy", "rds:DeleteEventSubscription", "arn:aws:rds:us-west-2:123456789012:es:connect2-api-alerts-"+env, nil),
		// Interface endpoints, which no environment has by default.
		{Phase: "apply", Needs: []permit{
			{"ec2:CreateVpcEndpoint", "arn:aws:ec2:us-west-2:123456789012:vpc-endpoint/*", put},
			{"ec2:CreateVpcEndpoint", "arn:aws:ec2:us-west-2:123456789012:vpc/vpc-0", own},
			{"ec2:CreateVpcEndpoint", "arn:aws:ec2:us-west-2:123456789012:subnet/subnet-0", own},
			{"ec2:CreateVpcEndpoint", "arn:aws:ec2:us-west-2:123456789012:security-group/sg-0", own},
			{"route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/*", nil},
		}},
		// A log bucket that is destroyed with what is in it.
		one("destroy", "s3:ListBucketVersions", "arn:aws:s3:::connect2-api-alb-"+env+"-logs-123456789012", nil),
		one("destroy", "s3:DeleteObjectVersion", "arn:aws:s3:::connect2-api-alb-"+env+"-logs-123456789012/AWSLogs/x", nil),
		// Of a database that is restored.
		one("apply", "rds:RestoreDBInstanceFromDBSnapshot", "arn:aws:rds:us-west-2:123456789012:snapshot:connect2-api-db-"+env+"-final-1", nil),
		one("apply", "rds:RestoreDBInstanceToPointInTime", "arn:aws:rds:us-west-2:123456789012:db:connect2-api-db-"+env, nil),
		// The function that rotates passwords, and the secrets' rotation, in prod.
		{Phase: "apply", Needs: []permit{{"lambda:CreateFunction", function, put}, {"lambda:TagResource", function, put},
			{"iam:PassRole", "arn:aws:iam::123456789012:role/connect2-api/" + env + "/connect2-api-rotate-" + env,
				map[string]values{"iam:PassedToService": {"lambda.amazonaws.com"}}}}},
		one("apply", "lambda:AddPermission", function, own),
		one("apply", "lambda:UpdateFunctionCode", function, own),
		one("apply", "lambda:UpdateFunctionConfiguration", function, own),
		{Phase: "apply", Needs: []permit{{"secretsmanager:RotateSecret", secret, own}, {"lambda:InvokeFunction", function, own}}},
		one("plan", "lambda:GetFunction", function, own),
		one("plan", "lambda:GetPolicy", function, own),
		one("plan", "lambda:GetFunctionCodeSigningConfig", function, own),
		one("plan", "lambda:ListVersionsByFunction", function, own),
		one("plan", "lambda:ListTags", function, own),
		one("destroy", "secretsmanager:CancelRotateSecret", secret, own),
		one("destroy", "lambda:RemovePermission", function, own),
		one("destroy", "lambda:DeleteFunction", function, own),
		// The state and its lock.
		one("apply", "s3:PutObject", "arn:aws:s3:::connect2-api-terraform-state-"+env+"/terraform.tfstate", nil),
		one("apply", "s3:DeleteObject", "arn:aws:s3:::connect2-api-terraform-state-"+env+"/terraform.tfstate.tflock", nil),
		one("plan", "s3:GetObject", "arn:aws:s3:::connect2-api-terraform-state-"+env+"/terraform.tfstate", nil),
		one("plan", "s3:ListBucket", "arn:aws:s3:::connect2-api-terraform-state-"+env, nil),
	}
}

// TestOneEnvironmentsJournalIsRefusedToAnother: what prod's roles do, dev's and staging's may not, whoever of them tries.
func TestOneEnvironmentsJournalIsRefusedToAnother(t *testing.T) {
	for _, pair := range [][2]string{{"prod", "dev"}, {"prod", "staging"}} {
		of, under := recorded(t, pair[0]), recorded(t, pair[1])
		tried := 0
		for _, c := range append(of.calls, notEmulated(of.name)...) {
			if c.reads() || slices.ContainsFunc(notNarrowed, func(n limit) bool { return n.action == c.name() && n.under(under.name) }) {
				continue
			}
			tried++
			for _, name := range []string{"plan", "push", "deploy", "apply"} {
				for _, c := range []call{c, c.pessimistic()} {
					if _, no := c.refused(under.role(t, name)); !no {
						t.Errorf("%s's %s of %s is allowed to %s's %s role: %+v", of.name, c.name(), c.Phase, under.name, name, c.Needs)
					}
				}
			}
		}
		if tried < 100 {
			t.Errorf("%s under %s: %d calls were tried; there were more", of.name, under.name, tried)
		}
	}
}

// limit is an action that AWS cannot narrow to an environment, and what follows.
type limit struct {
	action, who, follows string
}

// under says whether the environment's roles have it at all.
func (l limit) under(env string) bool { return !strings.Contains(l.who, "prod alone") || env == "prod" }

// notNarrowed is what stays, in one account. In one account an environment each, nothing does.
var notNarrowed = []limit{
	{"ecs:RegisterTaskDefinition", "deploy",
		"a revision in another environment's family, without its roles, which cannot be passed; its next release would be made from it"},
	{"ecs:DeregisterTaskDefinition", "deploy", "another environment's revision is gone; what runs goes on, and the family has others"},
	{"route53:CreateHostedZone", "apply (prod alone, which makes the zone)", "a zone of any name; nobody asks it before it is delegated to"},
	{"route53:DeleteHostedZone", "apply (prod alone)", "an empty zone is gone: one with records in it is refused by Route 53"},
	{"route53:ChangeTagsForResource", "apply (prod alone)", "a zone's tags, which decide nothing"},
}

// reachable is what stays besides, and that no call of the journals shows: that it is allowed is held by a test, so that the table of
// limits is true both ways.
var reachable = []struct {
	limit
	as   string
	call call
}{
	{limit{"application-autoscaling:RegisterScalableTarget", "apply",
		"a scalable target of another environment's service that has none: AWS asks for the target's tags, and knows no name of the service"},
		"apply", call{Needs: []permit{{"application-autoscaling:RegisterScalableTarget",
			"arn:aws:application-autoscaling:us-west-2:123456789012:scalable-target/*",
			map[string]values{"aws:RequestTag/Project": {"connect2-api"}, "aws:RequestTag/Environment": {"dev"},
				"application-autoscaling:service-namespace": {"ecs"}}}}}},
	{limit{"ecs:UpdateService", "apply, deploy",
		"its own service in another environment's subnets and security groups: within reach of its network, without its roles and secrets"},
		"deploy", call{Needs: []permit{{"ecs:UpdateService",
			"arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-dev/connect2-api-service-dev", tagged("dev")}}}},
	{limit{"route53:AssociateVPCWithHostedZone", "apply", "a private zone of the account is seen from a VPC that it was not meant for"},
		"apply", call{Needs: []permit{{"route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/ZONE", nil}}}},
	{limit{"ec2:UnassignPrivateIpAddresses", "a role that Terraform makes",
		"a second address of an interface without tags: a function in a VPC makes and removes its interfaces by its role, and AWS tags none"},
		"task", call{Needs: []permit{{"ec2:UnassignPrivateIpAddresses", "arn:aws:ec2:us-west-2:123456789012:network-interface/eni-0", nil}}}},
}

func TestWhatIsSaidToStayStays(t *testing.T) {
	dev := recorded(t, "dev")
	for _, r := range reachable {
		p := dev.boundary(t)
		if r.as != "task" {
			p = dev.role(t, r.as)
		}
		if need, no := r.call.refused(p); no {
			t.Errorf("%s is refused to dev's %s (%s): take it off the list", need.Action, r.as, need.Resource)
		}
	}
}

// attack is what somebody with a role of dev tries against prod, or against the account.
type attack struct {
	what string
	as   string // plan, apply, push, deploy; task: a role that Terraform makes, whatever its own policy says
	call call
}

// attacks lists them. Each call has what its target's tags say.
func attacks() []attack {
	prods := func(more ...string) map[string]values { return tagged("prod", more...) }
	nobodys := map[string]values{}
	takes := map[string]values{"aws:RequestTag/Project": {"connect2-api"}, "aws:RequestTag/Environment": {"dev"},
		"aws:TagKeys": {"Environment", "Project"}}
	merge := func(maps_ ...map[string]values) map[string]values {
		all := map[string]values{}
		for _, m := range maps_ {
			maps.Copy(all, m)
		}
		return all
	}
	ec2 := func(rest string) string { return "arn:aws:ec2:us-west-2:123456789012:" + rest }
	in := func(service, rest string) string { return "arn:aws:" + service + ":us-west-2:123456789012:" + rest }
	shared := func(kind, rest string) string {
		if kind == "loadbalancer" {
			return in("elasticloadbalancing", "loadbalancer/app/shared/fedcba9876543210")
		}
		return in("elasticloadbalancing", kind+"/app/shared/fedcba9876543210/0123456789abcdef"+rest)
	}
	role := func(rest string) string { return "arn:aws:iam::123456789012:role/" + rest }
	try := func(what, as, action, resource string, c map[string]values) attack {
		return attack{what, as, call{Needs: []permit{{action, resource, c}}}}
	}
	record := func(name string) map[string]values {
		return map[string]values{"route53:ChangeResourceRecordSetsNormalizedRecordNames": {name}}
	}
	zone := "arn:aws:route53:::hostedzone/ZONE"
	return []attack{
		try("tag prod's key as dev's own, to use it then", "apply", "kms:TagResource", in("kms", "key/ID"), merge(prods(), takes)),
		try("use prod's key", "apply", "kms:Decrypt", in("kms", "key/ID"), prods()),
		try("delete prod's key", "apply", "kms:ScheduleKeyDeletion", in("kms", "key/ID"), prods()),
		try("use a key of nobody in the project", "apply", "kms:Decrypt", in("kms", "key/ID"), nobodys),
		try("point prod's alias elsewhere", "apply", "kms:UpdateAlias", in("kms", "alias/connect2-api-prod"), nil),
		try("change prod's record", "apply", "route53:ChangeResourceRecordSets", zone, record("api.connect.com")),
		try("change the record of the domain's mail", "apply", "route53:ChangeResourceRecordSets", zone, record("connect.com")),
		try("prove prod's name to a certificate authority", "apply", "route53:ChangeResourceRecordSets", zone,
			record("_acme-challenge.api.connect.com")),
		try("slip prod's record in beside dev's own", "apply", "route53:ChangeResourceRecordSets", zone,
			map[string]values{"route53:ChangeResourceRecordSetsNormalizedRecordNames": {"api-dev.connect.com", "api.connect.com"}}),
		try("delete the zone", "apply", "route53:DeleteHostedZone", zone, nil),
		try("terminate prod's bastion", "apply", "ec2:TerminateInstances", ec2("instance/i-0"), prods()),
		try("tag prod's bastion as dev's own", "apply", "ec2:CreateTags", ec2("instance/i-0"), merge(prods(), takes)),
		try("tag prod's VPC as dev's own", "apply", "ec2:CreateTags", ec2("vpc/vpc-0"), merge(prods(), takes)),
		try("tag an instance of nobody as dev's own", "apply", "ec2:CreateTags", ec2("instance/i-0"), takes),
		try("open prod's security group", "apply", "ec2:AuthorizeSecurityGroupIngress", ec2("security-group/sg-0"), prods()),
		try("take prod's security group", "apply", "ec2:CreateTags", ec2("security-group/sg-0"), merge(prods(), takes)),
		{"start an instance in prod's subnet, with dev's tags", "apply", call{Needs: []permit{
			{"ec2:RunInstances", ec2("instance/*"), takes}, {"ec2:RunInstances", ec2("subnet/subnet-0"), prods()}}}},
		{"make a subnet in prod's VPC, with dev's tags", "apply", call{Needs: []permit{
			{"ec2:CreateSubnet", ec2("subnet/*"), takes}, {"ec2:CreateSubnet", ec2("vpc/vpc-0"), prods()}}}},
		try("route prod's traffic elsewhere", "apply", "ec2:ReplaceRoute", ec2("route-table/rtb-0"), prods()),
		try("release prod's address", "apply", "ec2:ReleaseAddress", ec2("elastic-ip/eipalloc-0"), prods()),
		try("delete prod's flow log", "apply", "ec2:DeleteFlowLogs", ec2("vpc-flow-log/fl-0"), prods()),
		try("rescale prod's service", "apply", "application-autoscaling:RegisterScalableTarget", in("application-autoscaling",
			"scalable-target/0ec0"),
			merge(prods(), takes)),
		try("take prod's service out of autoscaling", "apply", "application-autoscaling:DeregisterScalableTarget",
			in("application-autoscaling", "scalable-target/0ec0"), prods()),
		try("update prod's service", "apply", "ecs:UpdateService", in("ecs",
			"service/connect2-api-cluster-prod/connect2-api-service-prod"), prods()),
		try("update prod's service with the deploy role", "deploy", "ecs:UpdateService",
			in("ecs", "service/connect2-api-cluster-prod/connect2-api-service-prod"), prods()),
		try("register a template of prod's", "apply", "ecs:RegisterTaskDefinition", in("ecs",
			"task-definition/connect2-api-prod-template:*"), takes),
		try("deregister prod's template", "apply", "ecs:DeregisterTaskDefinition", "*", nil),
		try("delete prod's alarm", "apply", "cloudwatch:DeleteAlarms", in("cloudwatch", "alarm:connect2-api-alerts-prod-blue-5xx"), prods()),
		try("delete prod's load balancer", "apply", "elasticloadbalancing:DeleteLoadBalancer",
			in("elasticloadbalancing", "loadbalancer/app/connect2-api-alb-prod/ID"), prods()),
		try("delete prod's database", "apply", "rds:DeleteDBInstance", in("rds", "db:connect2-api-db-prod"), prods()),
		try("restore prod's last snapshot as dev's database", "apply", "rds:RestoreDBInstanceFromDBSnapshot",
			in("rds", "snapshot:connect2-api-db-prod-final-20260101"), prods()),
		try("flush prod's cache by deleting it", "apply", "elasticache:DeleteReplicationGroup", in("elasticache",
			"replicationgroup:connect2-api-redis-prod"), prods()),
		try("read prod's password", "apply", "secretsmanager:GetSecretValue", in("secretsmanager",
			"secret:connect2-api/prod/rds-credentials-AbCdEf"), prods()),
		try("read prod's password with the plan role", "plan", "secretsmanager:GetSecretValue",
			in("secretsmanager", "secret:connect2-api/prod/rds-credentials-AbCdEf"), prods()),
		try("read prod's state", "plan", "s3:GetObject", "arn:aws:s3:::connect2-api-terraform-state-prod/terraform.tfstate", nil),
		try("read a parameter of prod's", "plan", "ssm:GetParameter", in("ssm", "parameter/connect2-api/prod/key"), nil),
		try("overwrite prod's state", "apply", "s3:PutObject", "arn:aws:s3:::connect2-api-terraform-state-prod/terraform.tfstate", nil),
		try("push to prod's repository", "push", "ecr:PutImage", in("ecr", "repository/connect2-api-prod"), nil),
		try("make a role without the boundary", "apply", "iam:CreateRole", role("connect2-api/dev/connect2-api-dev-free"), nil),
		try("take the boundary off a role", "apply", "iam:DeleteRolePermissionsBoundary", role("connect2-api/dev/connect2-api-dev-task"), nil),
		try("widen the boundary", "apply", "iam:CreatePolicyVersion",
			"arn:aws:iam::123456789012:policy/connect2-api-github/dev/connect2-api-dev-boundary", nil),
		try("give itself another policy", "apply", "iam:AttachRolePolicy", role("connect2-api-github/dev/connect2-api-dev-github-apply"), nil),
		try("pass prod's task role to a task", "deploy", "iam:PassRole", role("connect2-api/prod/connect2-api-prod-task"),
			map[string]values{"iam:PassedToService": {"ecs-tasks.amazonaws.com"}}),
		try("point prod's schedule at another revision", "deploy", "scheduler:UpdateSchedule",
			in("scheduler", "schedule/default/connect2-api-digest-prod"), prods()),
		try("look at prod's schedule", "deploy", "scheduler:GetSchedule", in("scheduler", "schedule/default/connect2-api-digest-prod"), prods()),
		try("give prod's rule another target", "deploy", "events:PutTargets", in("events", "rule/connect2-api-digest-prod"), prods()),
		try("pass the role of prod's schedule", "deploy", "iam:PassRole", role("connect2-api/prod/connect2-api-digest-prod-schedule"),
			map[string]values{"iam:PassedToService": {"scheduler.amazonaws.com"}}),
		try("pass its own environment's task role to a rule", "deploy", "iam:PassRole", role("connect2-api/dev/connect2-api-dev-task"),
			map[string]values{"iam:PassedToService": {"events.amazonaws.com"}}),
		try("pass the role of a schedule to a task", "deploy", "iam:PassRole", role("connect2-api/dev/connect2-api-digest-dev-schedule"),
			map[string]values{"iam:PassedToService": {"ecs-tasks.amazonaws.com"}}),
		try("make a schedule", "deploy", "scheduler:CreateSchedule", in("scheduler", "schedule/default/connect2-api-mine-dev"), nil),
		try("run a task of prod's family in prod's cluster", "deploy", "ecs:RunTask", in("ecs", "task-definition/connect2-api-prod:1"),
			map[string]values{"ecs:cluster": {in("ecs", "cluster/connect2-api-cluster-prod")}}),
		try("run a task of its own family in prod's cluster", "deploy", "ecs:RunTask", in("ecs", "task-definition/connect2-api-dev:1"),
			map[string]values{"ecs:cluster": {in("ecs", "cluster/connect2-api-cluster-prod")}}),
		try("run a task of somebody's family in its own cluster", "deploy", "ecs:RunTask", in("ecs", "task-definition/payroll:1"),
			map[string]values{"ecs:cluster": {in("ecs", "cluster/connect2-api-cluster-dev")}}),
		try("stop a task of prod's", "deploy", "ecs:StopTask", in("ecs", "task/connect2-api-cluster-prod/0ec0"), prods()),
		try("tag a task that runs already", "deploy", "ecs:TagResource", in("ecs", "task/connect2-api-cluster-dev/0ec0"), tagged("dev")),
		try("read its own environment's password", "deploy", "secretsmanager:GetSecretValue", in("secretsmanager",
			"secret:connect2-api/dev/rds-credentials-AbCdEf"), tagged("dev")),
		try("rescale its own service's autoscaling", "deploy", "application-autoscaling:RegisterScalableTarget",
			in("application-autoscaling", "scalable-target/0ec0"), tagged("dev")),
		try("run its own template in prod's cluster, and so in prod's network", "apply", "ecs:RunTask",
			in("ecs", "task-definition/connect2-api-dev-template:1"),
			map[string]values{"ecs:cluster": {in("ecs", "cluster/connect2-api-cluster-prod")}}),
		{"open a shell in a task of its own", "apply", call{Needs: []permit{
			{"ecs:ExecuteCommand", in("ecs", "cluster/connect2-api-cluster-dev"), tagged("dev")},
			{"ecs:ExecuteCommand", in("ecs", "task/connect2-api-cluster-dev/0ec0"), tagged("dev")}}}},
		try("scale a table of somebody else's", "apply", "application-autoscaling:RegisterScalableTarget",
			in("application-autoscaling", "scalable-target/0ec0"),
			merge(takes, map[string]values{"application-autoscaling:service-namespace": {"dynamodb"}})),
		try("list all functions, with what their variables hold", "plan", "lambda:ListFunctions", "*", nil),
		try("restore prod's database to a moment, as its own", "apply", "rds:RestoreDBInstanceToPointInTime",
			in("rds", "db:connect2-api-db-prod"), prods()),
		try("restore prod's automated backup, as its own", "apply", "rds:RestoreDBInstanceToPointInTime",
			in("rds", "auto-backup:ab-0ec0"), prods()),
		try("share prod's snapshot", "apply", "rds:ModifyDBSnapshotAttribute", in("rds", "snapshot:connect2-api-db-prod-final-1"), prods()),
		try("send its own rule's events by a role of its own", "apply", "iam:PassRole", role("connect2-api/dev/connect2-api-dev-task"),
			map[string]values{"iam:PassedToService": {"events.amazonaws.com"}}),
		try("give its database a role", "apply", "iam:PassRole", role("connect2-api/dev/connect2-api-dev-task"),
			map[string]values{"iam:PassedToService": {"rds.amazonaws.com"}}),
		try("pass its own kind to a function", "apply", "iam:PassRole", role("connect2-api-github/dev/connect2-api-dev-github-apply"),
			map[string]values{"iam:PassedToService": {"lambda.amazonaws.com"}}),
		try("trust somebody else with its own kind", "apply", "iam:UpdateAssumeRolePolicy",
			role("connect2-api-github/dev/connect2-api-dev-github-apply"), nil),
		try("make a role within another boundary", "apply", "iam:CreateRole", role("connect2-api/dev/connect2-api-dev-free"),
			map[string]values{"iam:PermissionsBoundary": {"arn:aws:iam::123456789012:policy/connect2-api-github/prod/connect2-api-prod-boundary"}}),
		try("make a role of prod's within its own boundary", "apply", "iam:CreateRole", role("connect2-api/prod/connect2-api-prod-mine"),
			map[string]values{"iam:PermissionsBoundary": {"arn:aws:iam::123456789012:policy/connect2-api-github/dev/connect2-api-dev-boundary"}}),
		try("make a policy", "apply", "iam:CreatePolicy", "arn:aws:iam::123456789012:policy/connect2-api/dev/mine", nil),
		try("make a user", "apply", "iam:CreateUser", "arn:aws:iam::123456789012:user/connect2-api/dev/mine", nil),
		try("overwrite prod's parameter", "task", "ssm:PutParameter", in("ssm", "parameter/connect2-api/prod/key"), nil),
		try("let others at prod's parameter", "task", "ssm:PutResourcePolicy", in("ssm", "parameter/connect2-api/prod/key"), nil),
		try("let others at the account's traces", "task", "xray:PutResourcePolicy", "*", nil),
		try("make a network interface in prod's subnet", "task", "ec2:CreateNetworkInterface", ec2("subnet/subnet-0"), prods()),
		try("open a session on prod's bastion", "task", "ssm:StartSession", ec2("instance/i-0"), prods()),
		try("run a command on prod's bastion", "task", "ssm:SendCommand", ec2("instance/i-0"), prods()),
		try("read any bucket of the account", "task", "s3:GetObject", "arn:aws:s3:::payroll/january.csv", nil),
		try("read the state", "task", "s3:GetObject", "arn:aws:s3:::connect2-api-terraform-state-dev/terraform.tfstate", nil),
		try("delete prod's load balancer from a task", "task", "elasticloadbalancing:DeleteLoadBalancer",
			in("elasticloadbalancing", "loadbalancer/app/connect2-api-alb-prod/ID"), prods()),
		// ECS asks for PassRole again where UpdateService names a task definition: keidarcy/e1s#429 has the denial, while the same
		// call without one is allowed.
		{"run prod's family, with its roles and secrets, in one's own service", "deploy", call{Needs: []permit{
			{"ecs:UpdateService", "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-dev/connect2-api-service-dev", tagged("dev")},
			{"iam:PassRole", role("connect2-api/prod/connect2-api-prod-task"), tagged("prod", "iam:PassedToService", "ecs-tasks.amazonaws.com")}}}},
		{"run prod's family in one's own service with the apply role", "apply", call{Needs: []permit{
			{"ecs:UpdateService", "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-dev/connect2-api-service-dev", tagged("dev")},
			{"iam:PassRole", role("connect2-api/prod/connect2-api-prod-execution"),
				tagged("prod", "iam:PassedToService", "ecs-tasks.amazonaws.com")}}}},
		// Of a listener that others use as well (full: dev's rules stand in it).
		try("send somebody else's traffic elsewhere", "apply", "elasticloadbalancing:ModifyRule", shared("listener-rule", "/RULE"), nobodys),
		try("delete prod's rule of the same listener", "apply", "elasticloadbalancing:DeleteRule", shared("listener-rule", "/RULE"), prods()),
		try("go before everybody else's rules", "apply", "elasticloadbalancing:SetRulePriorities", shared("listener-rule", "/RULE"), nobodys),
		try("call somebody else's rule one's own", "apply", "elasticloadbalancing:AddTags", shared("listener-rule", "/RULE"), takes),
		try("make a rule that is nobody's", "apply", "elasticloadbalancing:CreateRule", shared("listener", ""), nobodys),
		try("answer everybody by the listener's own action", "apply", "elasticloadbalancing:ModifyListener", shared("listener", ""), nobodys),
		try("take the others' certificates away", "apply", "elasticloadbalancing:RemoveListenerCertificates", shared("listener", ""), nobodys),
		try("put a web ACL before everybody", "apply", "elasticloadbalancing:SetWebAcl", shared("loadbalancer", ""), nobodys),
		try("send somebody else's traffic elsewhere from a task", "task", "elasticloadbalancing:ModifyRule", shared("listener-rule", "/RULE"),
			nobodys),
		try("change the listener from a task", "task", "elasticloadbalancing:ModifyListener", shared("listener", ""), nobodys),
		try("take another role of the account", "task", "sts:AssumeRole", role("administrator"), nil),
		try("make interfaces with the code of a function", "task", "ec2:CreateNetworkInterface", "*",
			map[string]values{"lambda:SourceFunctionArn": {in("lambda", "function:connect2-api-rotate-dev")}}),
	}
}

// tagged are the tags of an environment's thing.
func tagged(env string, more ...string) map[string]values {
	all := map[string]values{"aws:ResourceTag/Project": {"connect2-api"}, "aws:ResourceTag/Environment": {env}}
	for i := 0; i+1 < len(more); i += 2 {
		all[more[i]] = values{more[i+1]}
	}
	return all
}

func TestAttacksAreRefused(t *testing.T) {
	for _, rendering := range []string{"dev", "full"} {
		dev := recorded(t, rendering)
		for _, a := range attacks() {
			p := dev.boundary(t)
			if a.as != "task" {
				p = dev.role(t, a.as)
			}
			for _, c := range []call{a.call, a.call.pessimistic()} {
				if _, no := c.refused(p); !no {
					t.Errorf("%s: dev's %s may %s: %+v", rendering, a.as, a.what, c.Needs)
				}
			}
		}
	}
	if len(attacks()) < 40 {
		t.Errorf("%d attacks; there were more", len(attacks()))
	}
}

// A wrong evaluator would refuse everything: the same calls on dev's own things are allowed.
func TestTheSameOnOnesOwnIsAllowed(t *testing.T) {
	dev := recorded(t, "dev")
	own := tagged("dev")
	for _, c := range []call{
		{Needs: []permit{{"ec2:TerminateInstances", "arn:aws:ec2:us-west-2:123456789012:instance/i-0", own}}},
		{Needs: []permit{{"kms:Decrypt", "arn:aws:kms:us-west-2:123456789012:key/ID", own}}},
		{Needs: []permit{{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/ZONE",
			map[string]values{"route53:ChangeResourceRecordSetsNormalizedRecordNames": {"api-dev.connect.com", "_x.api-dev.connect.com"}}}}},
		{Needs: []permit{{"cloudwatch:DeleteAlarms", "arn:aws:cloudwatch:us-west-2:123456789012:alarm:connect2-api-alerts-dev-blue-5xx", own}}},
		{Needs: []permit{{"rds:DeleteDBInstance", "arn:aws:rds:us-west-2:123456789012:db:connect2-api-db-dev", own}}},
		{Needs: []permit{{"iam:CreateRole", "arn:aws:iam::123456789012:role/connect2-api/dev/connect2-api-dev-new",
			map[string]values{"iam:PermissionsBoundary": {"arn:aws:iam::123456789012:policy/connect2-api-github/dev/connect2-api-dev-boundary"}}}}},
	} {
		if need, no := c.refused(dev.role(t, "apply")); no {
			t.Errorf("dev's apply may not %s on %s", need.Action, need.Resource)
		}
	}
	for _, c := range []call{
		{Needs: []permit{{"secretsmanager:GetSecretValue",
			"arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/dev/rds-credentials-AbCdEf", own}}},
		{Needs: []permit{{"ecr:BatchGetImage", "arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-dev", own}}},
		{Needs: []permit{{"ec2:CreateNetworkInterface", "*", nil}}},
	} {
		if need, no := c.refused(dev.boundary(t)); no {
			t.Errorf("dev's boundary does not let a role %s on %s", need.Action, need.Resource)
		}
	}
}

// On a listener that others use as well, its own rules are within its reach: Terraform's, and a release's that shifts traffic.
func TestOwnRulesOfASharedListener(t *testing.T) {
	full := recorded(t, "full")
	const listener = "app/shared/fedcba9876543210/0123456789abcdef"
	const rule = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener-rule/" + listener + "/RULE"
	puts := map[string]values{"aws:RequestTag/Project": {"connect2-api"}, "aws:RequestTag/Environment": {"dev"},
		"aws:TagKeys": {"Environment", "ManagedBy", "Project"}}
	making := maps.Clone(puts)
	making["elasticloadbalancing:CreateAction"] = values{"CreateRule"}
	for _, c := range []call{
		{Needs: []permit{{"elasticloadbalancing:CreateRule", "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/" + listener, puts},
			{"elasticloadbalancing:AddTags", rule, making}}},
		{Needs: []permit{{"elasticloadbalancing:ModifyRule", rule, tagged("dev")}}},
		{Needs: []permit{{"elasticloadbalancing:SetRulePriorities", rule, tagged("dev")}}},
		{Needs: []permit{{"elasticloadbalancing:DeleteRule", rule, tagged("dev")}}},
	} {
		if need, no := c.refused(full.role(t, "apply")); no {
			t.Errorf("apply may not %s on %s", need.Action, need.Resource)
		}
	}
	shift := call{Needs: []permit{{"elasticloadbalancing:ModifyRule", rule, tagged("dev")}}}
	if _, no := shift.refused(full.boundary(t)); no {
		t.Error("the boundary does not let ECS shift traffic by the service's own rule")
	}
}

// What each role that Terraform makes is given lies within the boundary: what it is given in vain is a fault that shows at run time.
func TestOwnRolesLieWithinTheBoundary(t *testing.T) {
	type document struct {
		Statement []struct {
			Effect           string
			Action, Resource values
			Condition        map[string]map[string]values
		}
	}
	for _, name := range []string{"dev", "prod"} {
		e := recorded(t, name)
		checked := 0
		for role, r := range e.roles {
			if !strings.HasPrefix(r.Path, "/connect2-api/") {
				continue
			}
			boundary := parsed(t, r.Boundary)
			for _, text := range r.Policies {
				var d document
				if err := json.Unmarshal(text, &d); err != nil {
					t.Fatal(err)
				}
				for _, s := range d.Statement {
					if s.Effect != "Allow" {
						continue
					}
					for _, action := range s.Action {
						for _, resource := range s.Resource {
							checked++
							if boundary.Decide(action, resource, permit{Conditions: tagged(name)}.context()) != policy.Allowed {
								t.Errorf("%s: the boundary refuses %s on %s", role, action, resource)
							}
						}
					}
				}
			}
		}
		if checked < 8 {
			t.Errorf("%s: %d permissions of roles; there were more", name, checked)
		}
	}
}

// TestWhoMayPlan holds the trust of the roles to the tokens that GitHub writes.
func TestWhoMayPlan(t *testing.T) {
	for _, test := range []struct {
		env, role, sub, workflow string
		want                     bool
	}{
		{"prod", "plan", "repo:org/connect2:environment:prod-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/main", true},
		{"prod", "plan", "repo:org/connect2:environment:prod-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/mine", false},
		{"prod", "plan", "repo:org/connect2:environment:prod-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/pull/7/merge", false},
		{"prod", "plan", "repo:org/connect2:environment:prod-plan", "org/connect2/.github/workflows/mine.yml@refs/heads/main", false},
		{"prod", "plan", "repo:org/connect2:environment:prod-plan", "", false},
		{"prod", "plan", "repo:org/connect2:environment:dev-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/main", false},
		{"prod", "plan", "repo:org/other:environment:prod-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/main", false},
		{"staging", "plan", "repo:org/connect2:environment:staging-plan",
			"org/connect2/.github/workflows/infrastructure.yml@refs/heads/mine", false},
		{"staging", "plan", "repo:org/connect2:environment:staging-plan",
			"org/connect2/.github/workflows/infrastructure.yml@refs/heads/main", true},
		{"dev", "plan", "repo:org/connect2:environment:dev-plan", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/mine", true},
		{"prod", "plan", "repo:org/connect2:environment:prod-drift", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/main", true},
		{"prod", "plan", "repo:org/connect2:environment:prod-drift", "org/connect2/.github/workflows/infrastructure.yml@refs/heads/mine", false},
		{"prod", "apply", "repo:org/connect2:environment:prod-drift", "", false},
		{"prod", "apply", "repo:org/connect2:environment:prod-apply", "", true},
		{"prod", "apply", "repo:org/connect2:environment:prod-plan", "", false},
		{"prod", "apply", "repo:org/connect2:pull_request", "", false},
		{"prod", "push", "repo:org/connect2-api:ref:refs/heads/main", "", true},
		{"prod", "push", "repo:org/connect2-api:ref:refs/heads/mine", "", false},
		{"prod", "deploy", "repo:org/connect2-api:environment:prod", "", true},
		{"prod", "deploy", "repo:org/connect2-api:environment:staging", "", false},
	} {
		claims := map[string][]string{
			"token.actions.githubusercontent.com:sub": {test.sub}, "token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
		}
		if test.workflow != "" {
			claims["token.actions.githubusercontent.com:job_workflow_ref"] = []string{test.workflow}
		}
		got := trusts(t, recorded(t, test.env).roles["connect2-api-"+test.env+"-github-"+test.role]).
			Decide("sts:AssumeRoleWithWebIdentity", "*", claims) == policy.Allowed
		if got != test.want {
			t.Errorf("%s's %s role by %s from %q: %t", test.env, test.role, test.sub, test.workflow, got)
		}
	}
}

// trusts is a trust policy as one that the evaluator reads: with a resource instead of a principal.
func trusts(t *testing.T, r renderedRole) *policy.Policy {
	t.Helper()
	var d struct {
		Version   string
		Statement []map[string]any
	}
	if err := json.Unmarshal(r.Trust, &d); err != nil {
		t.Fatal(err)
	}
	for _, s := range d.Statement {
		delete(s, "Principal")
		s["Resource"] = "*"
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, text)
}

// TestReachIsTold holds docs/iam/REACH.md to what the evaluation found.
func TestReachIsTold(t *testing.T) {
	var b strings.Builder
	b.WriteString("# How far the roles reach\n\n" +
		"Written by `go generate ./...` from the policies as Terraform rendered them, and from what apply, plan, " +
		"destroy and\ndeploy called on an emulator (`JOURNAL=FOLDER terraform/test/apply ministack`). `internal/test/iamtest` holds each call\n" +
		"against each policy: allowed to its role, refused to another environment's.\n\n## What each role does\n\n" +
		"| environment | phase | role | calls | of them changing | an administrator's |\n|---|---|---|---|---|---|\n")
	for _, name := range journalled {
		e := recorded(t, name)
		for _, phase := range slices.Sorted(maps.Keys(caller)) {
			var all, changing, others int
			for _, c := range append(e.calls, notEmulated(name)...) {
				if c.Phase != phase {
					continue
				}
				all++
				if !c.reads() {
					changing++
				}
				if e.administrators(c) {
					others++
				}
			}
			if all > 0 {
				fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d |\n", name, phase, caller[phase], all, changing, others)
			}
		}
	}
	b.WriteString("\nAn administrator's are the roles for GitHub, their policies and the boundary: whoever could write them could give\n" +
		"themselves any right. They are applied by hand, and so is the end of a destroy.\n\n## Prod's calls under dev's and staging's roles\n\n" +
		"All are refused, but for what reads only (AWS has no resource for most of `Describe` and `List`) and for this:\n\n" +
		"| what AWS cannot narrow | who has it | what follows |\n|---|---|---|\n")
	for _, l := range notNarrowed {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.action, l.who, l.follows)
	}
	for _, r := range reachable {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.action, r.who, r.follows)
	}
	b.WriteString("\n" +
		"Things without the tags `Project` and `Environment`, which nobody made with these modules, are not protected by them: a\n" +
		"key or a certificate without an owner can be tagged as one's own by the right that making one needs, and so can a\n" +
		"security group. The answer to both is **one account per environment**.\n\n" +
		"| prod's | refused to dev | refused to staging |\n|---|---|---|\n")
	prod := recorded(t, "prod")
	refusedTo := map[string]map[string]int{}
	for _, under := range []string{"dev", "staging"} {
		e := recorded(t, under)
		for _, c := range prod.calls {
			if c.reads() {
				continue
			}
			service, _, _ := strings.Cut(c.name(), ":")
			if refusedTo[service] == nil {
				refusedTo[service] = map[string]int{}
			}
			if _, no := c.refused(e.role(t, "apply")); no {
				refusedTo[service][under]++
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(refusedTo)) {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", service, refusedTo[service]["dev"], refusedTo[service]["staging"])
	}
	b.WriteString("\n## The rotation function\n\n" +
		"Its role in prod, by its own policy and within the boundary, allows what switching rotation on and two rotations of both\n" +
		"secrets call, and what Lambda calls around them; and it has no right that none of them needs.\n\n| action | calls |\n|---|---|\n")
	rotations := map[string]int{}
	for _, need := range rotationJournal(t) {
		rotations[need.Action]++
	}
	for _, action := range slices.Sorted(maps.Keys(rotations)) {
		fmt.Fprintf(&b, "| `%s` | %d |\n", action, rotations[action])
	}
	b.WriteString("\n## Attacks\n\n" +
		"With dev's roles, against prod and against the account. `task` is any role that Terraform makes, whatever its own policy says:\n" +
		"the boundary refuses.\n\n| somebody with dev's | tries to | by | refused |\n|---|---|---|---|\n")
	dev := recorded(t, "dev")
	sorted := attacks()
	slices.SortStableFunc(sorted, func(x, y attack) int { return stdcmp.Compare(x.as, y.as) })
	for _, a := range sorted {
		p := dev.boundary(t)
		if a.as != "task" {
			p = dev.role(t, a.as)
		}
		need, no := a.call.refused(p)
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", a.as, a.what, stdcmp.Or(need.Action, a.call.name()), map[bool]string{true: "yes",
			false: "**no**"}[no])
	}
	upToDate(t, "REACH.md", b.String())
}

// delivered are the policies of docs/iam that the deploy role is made from.
var delivered = []string{"doctor", "ecr-push", "ecs-deploy", "ecs-deploy-bake", "ecs-deploy-desired-count", "ecs-deploy-keep",
	"ecs-deploy-verify", "ecs-rollback", "ecs-rollback-schedules", "migrate", "run-task", "status"}

// withheld are statements that the deploy role is not given: Terraform makes the repository, and no workflow reads what is in a secret to
// look at a service.
var withheld = []string{"CreateRepository", "OptionalReadSecrets"}

// TestTheDeployRoleHasThePolicies holds the deploy role of each environment, as Terraform rendered it, to what docs/iam says that the
// actions ask for: with the environment's own names everything is allowed, and with another's everything that has a name is refused.
// full is dev with a worker, a schedule and a rule: there is a role for each statement, and each service has its own.
func TestTheDeployRoleHasThePolicies(t *testing.T) {
	sources := map[string]string{"prod": "connect2-api-staging"}
	for _, rendering := range []string{"dev", "staging", "prod", "full"} {
		e := recorded(t, rendering)
		env, role := e.name, e.role(t, "deploy")
		for _, named := range []names{{env: "dev"}, {env: "staging"}, {env: "prod"}, {env: "dev", service: "worker"},
			{env: "prod", service: "worker"}} {
			named.source = sources[named.env]
			tried := 0
			for _, name := range delivered {
				for _, st := range read(t, name) {
					if slices.Contains(withheld, st.Sid) || st.Sid == "SourceRepository" && named.source == "" {
						continue
					}
					// A statement about schedules that are moved is for those that the environment has.
					moves := name == "ecs-rollback-schedules" && st.Sid != "OptionalFindSchedules"
					for _, n := range st.permits(t, named) {
						// prod promotes from staging
						shared := strings.HasSuffix(n.Resource, ":repository/"+sources[env]) || strings.HasSuffix(n.Resource, ":repository/connect2-api-"+env)
						own := named.env == env && (named.service == "" || rendering == "full" && st.Sid != "SourceRepository")
						own = own || named.env == env && n.all // what is the environment's and no service's
						reading := strings.Contains(n.Action, ":Describe") || strings.Contains(n.Action, ":List") || strings.Contains(n.Action, ":Get")
						want := own && (!moves || reading || rendering == "full") || !n.named || shared && n.reads()
						if got := role.Decide(n.Action, n.Resource, n.context()) == policy.Allowed; got != want {
							t.Errorf("%s's deploy role, %s of %s with the names of %+v: %s on %s is allowed: %v, want %v", rendering, st.Sid, name, named,
								n.Action, n.Resource, got, want)
						}
						tried++
					}
				}
			}
			if tried < 150 {
				t.Errorf("%+v under %s: %d permissions were tried; there are more", named, rendering, tried)
			}
		}
	}
}

// names are what a statement of docs/iam is filled in with: an environment's, or those of a service beside its first one; source is the
// repository that it promotes from.
type names struct{ env, service, source string }

// permitNamed is a permission of docs/iam. named says that its resource or its condition has a name in it, and all that the name is the
// environment's, whatever the service.
type permitNamed struct {
	permit
	named, all bool
}

// reads says whether the permission is one of those by which an image is read.
func (n permit) reads() bool {
	reads := []string{"ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer"}
	return slices.Contains(reads, n.Action)
}

// permits returns what a statement of docs/iam allows, with an environment's names.
func (st policyStatement) permits(t *testing.T, of names) (all []permitNamed) {
	t.Helper()
	name, service := "connect2-api-"+of.env, "connect2-api-service-"+of.env
	if of.service != "" {
		name = "connect2-api-" + of.service + "-" + of.env
		service = name
	}
	everywhere := []string{"{partition}", "aws", "{region}", "us-west-2", "{account}", "123456789012"}
	environments := []string{"{cluster}", "connect2-api-cluster-" + of.env, "{secrets}", "connect2-api/" + of.env,
		"{schedule}", "connect2-api-digest-" + of.env, "{rule-role}", "connect2-api-rules-" + of.env,
		"{schedule-role}", "connect2-api/" + of.env + "/connect2-api-digest-" + of.env + "-schedule"}
	services := []string{"{service}", service, "{name}", name, "{repository}", name, "{source-repository}", of.source,
		"{log-group}", "/ecs/" + name, "{execution-role}", "connect2-api/" + of.env + "/" + name + "-execution",
		"{task-role}", "connect2-api/" + of.env + "/" + name + "-task"}
	fill := strings.NewReplacer(slices.Concat(everywhere, environments, services)...).Replace
	holds := func(text string, placeholders []string) bool {
		for i := 0; i < len(placeholders); i += 2 {
			if strings.Contains(text, placeholders[i]) {
				return true
			}
		}
		return false
	}
	var conditions map[string]values
	var operators map[string]map[string]string
	if len(st.Condition) > 0 {
		if err := json.Unmarshal(st.Condition, &operators); err != nil {
			t.Fatalf("%s: %v", st.Sid, err)
		}
	}
	for _, byKey := range operators {
		for key, value := range byKey {
			if conditions == nil {
				conditions = map[string]values{}
			}
			conditions[key] = values{fill(value)}
		}
	}
	for _, name := range st.Action {
		for _, resource := range st.Resource {
			if strings.HasSuffix(resource, "{source-repository}") && of.source == "" {
				continue
			}
			whole := resource + string(st.Condition)
			all = append(all, permitNamed{permit{name, strings.ReplaceAll(fill(resource), ":*", ":1"), conditions},
				holds(whole, environments) || holds(whole, services), holds(whole, environments) && !holds(whole, services)})
		}
	}
	return all
}
