package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/taskdef"
)

func refusal(code string) error {
	return &smithy.OperationError{ServiceID: "S", OperationName: "O", Err: &smithy.GenericAPIError{Code: code, Message: "no"}}
}

var (
	denied  = refusal("AccessDeniedException")
	missing = refusal("ResourceNotFoundException")
	errLost = errors.New("connection reset")
)

// One condition flips at a time.
func TestSecretCheck(t *testing.T) {
	db := secret{name: "db"}
	for name, tt := range map[string]struct {
		secret secret
		state  SecretState
		err    error
		want   string
	}{
		"a value": {db, SecretState{Stages: []string{"AWSCURRENT"}}, nil, "ok secret db: it has a value (AWSCURRENT)"},
		"none": {db, SecretState{Stages: []string{"AWSPENDING"}}, nil,
			"absent secret db: it has no current value (no version is AWSCURRENT)"},
		"never one": {db, SecretState{}, nil, "absent secret db: it has no current value (no version is AWSCURRENT)"},
		"to be deleted": {db, SecretState{Deleted: true, Stages: []string{"AWSCURRENT"}}, nil,
			"absent secret db: it is marked for deletion, so that nobody can read it"},
		"not there":    {db, SecretState{}, missing, "absent secret db: does not exist"},
		"denied":       {db, SecretState{}, denied, "not checked secret db: reading it is denied"},
		"not answered": {db, SecretState{}, errLost, "not checked secret db: reading it failed: connection reset"},
		"a label": {secret{name: "db", stage: "AWSPREVIOUS"}, SecretState{Stages: []string{"AWSPREVIOUS"}}, nil,
			"ok secret db: it has a value (AWSPREVIOUS)"},
		"a label that it lacks": {secret{name: "db", stage: "AWSPREVIOUS"}, SecretState{Stages: []string{"AWSCURRENT"}}, nil,
			"absent secret db: no version of it is AWSPREVIOUS"},
		"a version": {secret{name: "db", version: "v"}, SecretState{Stages: []string{"AWSCURRENT"}}, nil,
			"not checked secret db: it is there; whether it has the version v is not checked"},
		"a key": {secret{name: "db", key: "url"}, SecretState{Stages: []string{"AWSCURRENT"}}, nil,
			"ok secret db: it has a value (AWSCURRENT)\nnot checked secret db, key url: values are never read"},
		"a key of what is not there": {secret{name: "db", key: "url"}, SecretState{}, missing, "absent secret db: does not exist"},
	} {
		wantChecks(t, name, secretCheck(tt.secret, tt.state, tt.err), tt.want)
	}
}

func wantChecks(t *testing.T, name string, checks []Check, want string) {
	t.Helper()
	var got []string
	for _, c := range checks {
		got = append(got, fmt.Sprintf("%s %s", c.State, c))
	}
	if strings.Join(got, "\n") != want {
		t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, "\n"), want)
	}
}

func TestParameterCheck(t *testing.T) {
	flag := parameter{names: []string{"/flag", "flag"}}
	for name, tt := range map[string]struct {
		parameter parameter
		found     []string
		err       error
		want      string
	}{
		"there":                   {flag, []string{"/flag"}, nil, "ok parameter /flag: it has a value"},
		"there by its other name": {flag, []string{"flag"}, nil, "ok parameter /flag: it has a value"},
		"another":                 {flag, []string{"/flags"}, nil, "absent parameter /flag: does not exist"},
		"none":                    {flag, nil, nil, "absent parameter /flag: does not exist"},
		"denied":                  {flag, nil, denied, "not checked parameter /flag: reading it is denied"},
		"a version": {parameter{names: []string{"a"}, selector: "3"}, []string{"a"}, nil,
			"not checked parameter a: it is there; whether it has 3 is not checked"},
		"a version of what is absent": {parameter{names: []string{"a"}, selector: "3"}, nil, nil, "absent parameter a: does not exist"},
	} {
		wantChecks(t, name, []Check{parameterCheck(tt.parameter, tt.found, tt.err)}, tt.want)
	}
}

func TestGroupCheck(t *testing.T) {
	plain, made := group{name: "/ecs/shop"}, group{name: "/ecs/shop", create: true}
	for name, tt := range map[string]struct {
		group  group
		groups []string
		err    error
		create *Check
		want   string
	}{
		"there":                 {plain, []string{"/ecs/shop"}, nil, nil, "ok log group /ecs/shop: it is there"},
		"another of the prefix": {plain, []string{"/ecs/shops"}, nil, nil, "absent log group /ecs/shop: does not exist; there is /ecs/shops"},
		"none":                  {plain, nil, nil, nil, "absent log group /ecs/shop: does not exist"},
		"none, and it may be made": {made, nil, nil, nil,
			"ok log group /ecs/shop: it does not exist and is made by the first task (awslogs-create-group)"},
		"none, and doubtful": {made, nil, nil, &Check{State: Doubtful, Detail: "no"},
			"doubtful log group /ecs/shop: it does not exist and is to be made (awslogs-create-group): no"},
		"there, and the right is doubtful": {made, []string{"/ecs/shop"}, nil, &Check{State: Doubtful}, "ok log group /ecs/shop: it is there"},
		"denied":                           {plain, nil, denied, nil, "not checked log group /ecs/shop: reading it is denied"},
	} {
		wantChecks(t, name, []Check{groupCheck(tt.group, tt.groups, tt.err, tt.create)}, tt.want)
	}
}

func TestAddressCheck(t *testing.T) {
	q := Question{Subnets: []string{"a", "b"}, Surge: 2, KeepsAll: true}
	loose := q
	loose.KeepsAll = false
	for name, tt := range map[string]struct {
		question Question
		left     map[string]int
		err      error
		want     string
	}{
		"enough":             {q, map[string]int{"a": 1, "b": 1}, nil, "ok addresses in a, b: 2 left, 2 needed beside the tasks that run"},
		"too few":            {q, map[string]int{"a": 1}, nil, "doubtful addresses in a, b: 1 left, 2 needed beside the tasks that run"},
		"none":               {q, nil, nil, "absent addresses in a, b: none is left, and the deployment starts 2 beside the tasks that run"},
		"none, but stopping": {loose, nil, nil, "doubtful addresses in a, b: 0 left, 2 needed beside the tasks that run"},
		"no such subnet":     {q, nil, refusal("InvalidSubnetID.NotFound"), "absent addresses in a, b: does not exist"},
		"denied":             {q, nil, refusal("UnauthorizedOperation"), "not checked addresses in a, b: reading it is denied"},
	} {
		wantChecks(t, name, []Check{addressCheck(tt.question, tt.left, tt.err)}, tt.want)
	}
}

func TestImageCheck(t *testing.T) {
	app := container{name: "app"}
	for name, tt := range map[string]struct {
		has  []string
		err  error
		want string
	}{
		"there": {[]string{"linux/amd64", "linux/arm64/v8"}, nil, "ok image of app: it is there for linux/arm64"},
		"another": {[]string{"linux/amd64"}, nil,
			"absent image of app: there is no image for linux/arm64, which the task definition asks for; there is linux/amd64"},
		"says nothing": {nil, nil, "not checked image of app: it does not say what it is built for"},
		"not there":    {nil, &NoImageError{errors.New("gone")}, "absent image of app: gone"},
		"elsewhere":    {nil, missing, "not checked image of app: its registry does not show it to this run"},
		"denied":       {nil, denied, "not checked image of app: reading it is denied"},
	} {
		wantChecks(t, name, []Check{imageCheck(app, "linux/arm64", tt.has, tt.err)}, tt.want)
	}
}

const shop = `{"executionRoleArn":"arn:aws:iam::123456789012:role/x/exec","containerDefinitions":[
	{"name":"app","image":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop:1","secrets":[
		{"name":"A","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf:url:AWSPREVIOUS:v1"},
		{"name":"B","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf"},
		{"name":"C","valueFrom":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf"},
		{"name":"D","valueFrom":"arn:aws:secretsmanager:eu-west-1:999999999999:secret:other-AbCdEf"},
		{"name":"E","valueFrom":"/shop/flag"},{"name":"F","valueFrom":"/shop/flag"},{"name":"G","valueFrom":"token:3"},
		{"name":"H","valueFrom":"arn:aws:ssm:us-east-1:123456789012:parameter/token"},
		{"name":"I","valueFrom":"arn:aws:ssm:eu-west-1:999999999999:parameter/a/b"},
		{"name":"J","valueFrom":"/aws/reference/secretsmanager/x"}],
	 "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/shop","awslogs-create-group":"true"},
		"secretOptions":[{"name":"K","valueFrom":"/shop/key"}]}},
	{"name":"side","image":"registry.example.com/side","repositoryCredentials":{
		"credentialsParameter":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub"},
	 "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/side","awslogs-region":"us-east-1"}}},
	{"name":"new","image":"x","logConfiguration":{"logDriver":"awsfirelens","options":{"awslogs-group":"/none"}}}]}`

func question(t *testing.T) Question {
	t.Helper()
	d, err := taskdef.Parse([]byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	return Question{Document: d, Region: "eu-west-1", Account: "123456789012", Without: []string{"new"}, Subnets: []string{"a"}, Surge: 1}
}

// world answers that all is there but what it names.
func world(t *testing.T, lacks ...string) Reads {
	has := func(name string) bool {
		for _, l := range lacks {
			if strings.Contains(name, l) {
				return false
			}
		}
		return true
	}
	return Reads{
		Platforms: func(_ context.Context, image string) ([]string, error) {
			if image != "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop:1" {
				t.Errorf("asked for %s", image)
			}
			return []string{"linux/amd64"}, nil
		},
		Secret: func(_ context.Context, region, id string) (SecretState, error) {
			if !has(id) {
				return SecretState{}, missing
			}
			return SecretState{Stages: []string{"AWSCURRENT", "AWSPREVIOUS"}}, nil
		},
		Parameters: func(_ context.Context, region string, names []string) (found []string, err error) {
			for _, name := range names {
				if has(name) {
					found = append(found, name)
				}
			}
			return found, nil
		},
		LogGroups: func(_ context.Context, region, prefix string) ([]string, error) {
			if !has(prefix) {
				return nil, nil
			}
			return []string{prefix}, nil
		},
		Addresses: func(context.Context, []string) (map[string]int, error) { return map[string]int{"a": 9}, nil },
		Simulate: func(_ context.Context, _ string, actions, on []string) (denials []Denial, err error) {
			for _, action := range actions {
				for _, resource := range on {
					if !has(action) {
						denials = append(denials, Denial{action, resource})
					}
				}
			}
			return denials, nil
		},
	}
}

func TestRun(t *testing.T) {
	wantChecks(t, "all is there", Run(context.Background(), world(t), question(t)), strings.Join([]string{
		"ok image of app: it is there for linux/amd64",
		"not checked secret shop/db: it is there; whether it has the version v1 is not checked",
		"ok secret shop/db: it has a value (AWSCURRENT)",
		"not checked secret other: it is another account's",
		"ok secret hub: it has a value (AWSCURRENT)",
		"ok parameter /shop/flag: it has a value",
		"not checked parameter token: it is there; whether it has 3 is not checked",
		"ok parameter /token: it has a value",
		"not checked parameter /a/b: it is another account's",
		"not checked parameter /aws/reference/secretsmanager/x: it is AWS's own, or stands for a secret",
		"ok parameter /shop/key: it has a value",
		"ok execution role exec: a simulation of its policies allows what the tasks' start needs",
		"ok log group /ecs/shop: it is there",
		"ok log group /ecs/side: it is there",
		"ok addresses in a: 9 left, 1 needed beside the tasks that run",
	}, "\n"))
	var states []string
	for _, c := range Run(context.Background(), world(t, "hub", "/shop/flag", "/ecs/", "PutLogEvents", createLogGroup), question(t)) {
		if c.State == Absent || c.State == Doubtful {
			states = append(states, c.String())
		}
	}
	want := `secret hub: does not exist
parameter /shop/flag: does not exist
execution role exec: a simulation of its policies denies logs:PutLogEvents on ` +
		`arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/shop:log-stream:*, logs:PutLogEvents on ` +
		`arn:aws:logs:us-east-1:123456789012:log-group:/ecs/side:log-stream:* ` +
		`(policies of keys and secrets are not in it, so that it may be allowed all the same)
log group /ecs/shop: it does not exist and is to be made (awslogs-create-group): a simulation denies the execution role logs:CreateLogGroup
log group /ecs/side: does not exist`
	if got := strings.Join(states, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNothingMayBeRead holds that no denial or failure of a read is taken for an absence.
func TestNothingMayBeRead(t *testing.T) {
	for _, err := range []error{denied, errLost, context.DeadlineExceeded} {
		reads := Reads{
			Platforms:  func(context.Context, string) ([]string, error) { return nil, err },
			Secret:     func(context.Context, string, string) (SecretState, error) { return SecretState{}, err },
			Parameters: func(context.Context, string, []string) ([]string, error) { return nil, err },
			LogGroups:  func(context.Context, string, string) ([]string, error) { return nil, err },
			Addresses:  func(context.Context, []string) (map[string]int, error) { return nil, err },
			Simulate:   func(context.Context, string, []string, []string) ([]Denial, error) { return nil, err },
		}
		checks := Run(context.Background(), reads, question(t))
		for _, c := range checks {
			if c.State != NotChecked {
				t.Errorf("%v: %s %s", err, c.State, c)
			}
		}
		if len(checks) != 15 {
			t.Errorf("%d checks", len(checks))
		}
	}
	simulationAlone := world(t, "/ecs/shop")
	simulationAlone.Simulate = func(context.Context, string, []string, []string) ([]Denial, error) { return nil, denied }
	for _, c := range Run(context.Background(), simulationAlone, question(t)) {
		if c.What == "log group /ecs/shop" && (c.State != NotChecked || !strings.Contains(c.Detail, "whether the execution role may make it")) {
			t.Errorf("%s %s", c.State, c)
		}
	}
	gone := world(t)
	gone.Simulate = func(context.Context, string, []string, []string) ([]Denial, error) {
		return nil, refusal("NoSuchEntity")
	}
	for _, c := range Run(context.Background(), gone, question(t)) {
		if c.What == "execution role exec" && (c.State != Absent || c.Detail != "does not exist") {
			t.Errorf("%s %s", c.State, c)
		}
	}
	d, err := taskdef.Parse([]byte(`{"containerDefinitions":[{"name":"a","logConfiguration":{"logDriver":"awslogs","options":{
		"awslogs-group":"g","awslogs-create-group":"true"}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	wantChecks(t, "no role", Run(context.Background(), world(t, "g"), Question{Document: d}), "not checked log group g: it does not exist "+
		"and is to be made (awslogs-create-group): the task definition names no execution role")
}

func TestPermissions(t *testing.T) {
	var got []string
	for _, p := range needsOf(question(t)).permissions() {
		got = append(got, strings.Join(p.actions, " ")+" on "+strings.Join(p.on, " "))
	}
	want := []string{
		"ecr:GetAuthorizationToken on *",
		"ecr:BatchGetImage ecr:GetDownloadUrlForLayer on arn:aws:ecr:eu-west-1:123456789012:repository/team/shop",
		"secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub " +
			"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf arn:aws:secretsmanager:eu-west-1:999999999999:secret:other-AbCdEf",
		"ssm:GetParameters on arn:aws:ssm:eu-west-1:123456789012:parameter/aws/reference/secretsmanager/x " +
			"arn:aws:ssm:eu-west-1:123456789012:parameter/shop/flag arn:aws:ssm:eu-west-1:123456789012:parameter/shop/key " +
			"arn:aws:ssm:eu-west-1:123456789012:parameter/token arn:aws:ssm:eu-west-1:999999999999:parameter/a/b " +
			"arn:aws:ssm:us-east-1:123456789012:parameter/token",
		"logs:CreateLogStream logs:PutLogEvents on arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/shop:log-stream:* " +
			"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/side:log-stream:*",
		"logs:CreateLogGroup on arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/shop",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
