package schedule_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/schedule"
)

const (
	account = "arn:aws:ecs:us-west-2:123456789012:"
	api     = account + "task-definition/connect2-api-dev"
	cluster = account + "cluster/connect2-api-cluster-dev"
	role    = "arn:aws:iam::123456789012:role/connect2-api-dev-execution"
)

// site is a sandbox with a client in front of it.
type site struct {
	*testing.T
	sb     *sandbox.Sandbox
	cfg    aws.Config
	client *schedule.Client
	events record.Sink
	told   []string
}

func run(t *testing.T, test func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		cfg := aws.Config{
			Region: "us-west-2", BaseEndpoint: aws.String(sb.Environ()["AWS_ENDPOINT_URL"]),
			HTTPClient:  &http.Client{Transport: sb.Transport()},
			Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, "any", ""),
		}
		s := &site{T: t, sb: sb, cfg: cfg, client: schedule.New(cfg, nil)}
		s.events = func(e record.Event) { s.told = append(s.told, e.Title+": "+e.Text) }
		test(s)
	})
}

func (s *site) wants(parts ...string) {
	s.Helper()
	for _, part := range parts {
		if !strings.Contains(strings.Join(s.told, "\n"), part) {
			s.Errorf("%q is not told:\n%s", part, strings.Join(s.told, "\n"))
		}
	}
}

func (s *site) events1(operation string, in any) map[string]any {
	s.Helper()
	var out map[string]any
	if err := awscall.JSON(s.Context(), s.cfg, awscall.EventBridge, operation, in, &out); err != nil {
		s.Fatal(err)
	}
	return out
}

func (s *site) rest(operation, method, path string, query url.Values, in any) map[string]any {
	s.Helper()
	var out map[string]any
	if err := awscall.REST(s.Context(), s.cfg, awscall.Scheduler, operation, method, path, query, in, &out); err != nil {
		s.Fatal(err)
	}
	return out
}

type object = map[string]any

var network = object{"awsvpcConfiguration": object{"Subnets": []string{"subnet-0a1b2c3d4e5f60001"}, "AssignPublicIp": "DISABLED"}}

func parameters(revision string) object {
	return object{"TaskDefinitionArn": revision, "TaskCount": 1, "LaunchType": "FARGATE", "NetworkConfiguration": network,
		"PropagateTags": "TASK_DEFINITION", "Tags": []object{{"Key": "team", "Value": "a"}}}
}

// rule puts a rule with targets: the first ones run revisions.
func (s *site) rule(name, expression string, targets ...object) {
	s.Helper()
	s.events1("PutRule", object{"Name": name, "ScheduleExpression": expression})
	s.events1("PutTargets", object{"Rule": name, "Targets": targets})
}

func ecsTarget(id, revision string) object {
	return object{"Id": id, "Arn": cluster, "RoleArn": role, "EcsParameters": parameters(revision),
		"Input":            `{"containerOverrides":[{"name":"connect2-api","command":["python","-m","app.digest"]}]}`,
		"RetryPolicy":      object{"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 600},
		"DeadLetterConfig": object{"Arn": "arn:aws:sqs:us-west-2:123456789012:dead"}}
}

// schedule makes a schedule with everything that one can have.
func (s *site) schedule(group, name, expression string, change func(object)) {
	s.Helper()
	in := object{"GroupName": group, "ScheduleExpression": expression, "ScheduleExpressionTimezone": "Europe/Berlin", "State": "ENABLED",
		"Description": "sends the digest", "FlexibleTimeWindow": object{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
		"KmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/k", "ActionAfterCompletion": "DELETE",
		"Target": object{"Arn": cluster, "RoleArn": role, "EcsParameters": parameters(api + ":1"), "Input": `{"a":"<b>"}`,
			"RetryPolicy": object{"MaximumRetryAttempts": 0}, "DeadLetterConfig": object{"Arn": "arn:aws:sqs:us-west-2:123456789012:dead"}}}
	if change != nil {
		change(in)
	}
	s.rest("CreateSchedule", http.MethodPost, "/schedules/"+name, nil, in)
}

func (s *site) open(names ...string) *schedule.Set {
	s.Helper()
	var list []schedule.Name
	for _, text := range names {
		name, err := schedule.ParseName(text)
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, name)
	}
	set, problems := s.client.Open(s.Context(), list, "connect2-api-dev")
	if len(problems) > 0 {
		s.Fatal(problems)
	}
	return set
}

// but returns what AWS holds of a schedule, without what changes with every update.
func (s *site) but(name string) object {
	out := s.rest("GetSchedule", http.MethodGet, "/schedules/"+name, url.Values{"groupName": {"api"}}, nil)
	delete(out, "LastModificationDate")
	return out
}

func (s *site) targets(rule string) []any {
	return s.events1("ListTargetsByRule", object{"Rule": rule})["Targets"].([]any)
}

func text(v any) string {
	encoded, _ := json.Marshal(v)
	return string(encoded)
}

// TestThereAndBack points two rules' targets and two schedules at a revision and back, and holds that nothing else changes.
func TestThereAndBack(t *testing.T) {
	run(t, func(s *site) {
		s.rule("digest", "cron(0 7 * * ? *)", ecsTarget("one", api+":1"), ecsTarget("two", api+":1"),
			ecsTarget("other", account+"task-definition/other:5"),
			object{"Id": "f", "Arn": "arn:aws:lambda:us-west-2:123456789012:function:f"})
		s.rest("CreateScheduleGroup", http.MethodPost, "/schedule-groups/api", nil, object{})
		s.schedule("api", "full", "cron(0 8 * * ? *)", nil)
		s.schedule("api", "call", "rate(5 minutes)", func(in object) {
			in["Target"] = object{"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": role,
				"Input": `{"Cluster":"connect2-api-cluster-dev","TaskDefinition":"connect2-api-dev","Count":1}`}
			in["State"] = "DISABLED"
		})
		rule, full, call := s.targets("digest"), s.but("full"), s.but("call")
		set := s.open("rule:digest", "schedule:api/full", "schedule:api/call", "rule:default/digest")
		if len(set.Schedules()) != 3 {
			s.Errorf("%d schedules", len(set.Schedules()))
		}
		if err := set.Point(s.Context(), s.events, "connect2-api-dev", api+":2"); err != nil {
			s.Fatal(err)
		}
		s.wants("rule:digest is pointed at connect2-api-dev:2 (it ran connect2-api-dev:1); next run",
			"(08:00 CET), or up to 15 minutes later", "it ran the newest revision of connect2-api-dev", "schedule:api/call is disabled")
		want := strings.ReplaceAll(text(rule), "connect2-api-dev:1", "connect2-api-dev:2")
		if got := text(s.targets("digest")); got != want {
			s.Errorf("got  %s\nwant %s", got, want)
		}
		if got, want := text(s.but("full")), strings.ReplaceAll(text(full), "connect2-api-dev:1", "connect2-api-dev:2"); got != want {
			s.Errorf("got  %s\nwant %s", got, want)
		}
		if got := text(s.but("call")); got != strings.ReplaceAll(text(call), `connect2-api-dev\"`, `connect2-api-dev:2\"`) || got == text(call) {
			s.Errorf("got %s", got)
		}
		if err := set.Back(s.Context(), s.events); err != nil {
			s.Fatal(err)
		}
		if got := text([]any{s.targets("digest"), s.but("full"), s.but("call")}); got != text([]any{rule, full, call}) {
			s.Errorf("got  %s\nwant %s", got, text([]any{rule, full, call}))
		}
		if calls := len(s.sb.Journal()); set.Back(s.Context(), s.events) != nil || len(s.sb.Journal()) != calls {
			s.Error("it is pointed back a second time")
		}
	})
}

// TestSomebodyElse holds that what somebody else has pointed elsewhere since, or deleted, stays.
func TestSomebodyElse(t *testing.T) {
	run(t, func(s *site) {
		for _, name := range []string{"moved", "deleted", "gone-before", "edited"} {
			s.rule(name, "rate(1 hour)", ecsTarget("one", api+":1"))
		}
		set := s.open("rule:moved", "rule:deleted", "rule:gone-before", "rule:edited")
		drop := func(name string) {
			s.events1("RemoveTargets", object{"Rule": name, "Ids": []string{"one"}})
			s.events1("DeleteRule", object{"Name": name})
		}
		drop("gone-before")
		if err := set.Point(s.Context(), s.events, "connect2-api-dev", api+":2"); err != nil {
			s.Fatal(err)
		}
		s.wants("rule:gone-before was deleted")
		s.events1("PutTargets", object{"Rule": "moved", "Targets": []object{ecsTarget("one", api+":9")}})
		drop("deleted")
		edited := ecsTarget("one", api+":2")
		edited["Input"] = "{}"
		s.events1("PutTargets", object{"Rule": "edited", "Targets": []object{edited}})
		if err := set.Back(s.Context(), s.events); err != nil {
			s.Fatal(err)
		}
		s.wants("rule:moved was pointed at connect2-api-dev:9 meanwhile", "rule:deleted is gone", "rule:edited is pointed back")
		if got := text(s.targets("moved")); !strings.Contains(got, "dev:9") {
			s.Errorf("got %s", got)
		}
		if got := text(s.targets("edited")); !strings.Contains(got, "dev:1") || !strings.Contains(got, `"Input":"{}"`) {
			s.Errorf("what somebody else has changed beside it is lost: %s", got)
		}
	})
}

// TestFaults points at a revision while calls fail, and holds what is known then: what has arrived is pointed back.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  sandbox.Fault
		fails  string
		arrive bool
	}{
		{"somebody else at the same moment", sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.Refuse,
			Code: "ConcurrentModificationException", Times: 2}, "", true},
		{"always somebody else", sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.Refuse, Code: "ConcurrentModificationException"},
			"ConcurrentModificationException", false},
		{"denied", sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.Deny}, "events:PutTargets", false},
		{"the role may not be passed", sandbox.Fault{Action: "iam:PassRole", Answer: sandbox.Deny}, "iam:PassRole", false},
		{"the answer is lost", sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.CutAfter, Times: 1}, "pointing rule:b", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(s *site) {
				s.rule("b", "rate(1 hour)", ecsTarget("one", api+":1"))
				set := s.open("rule:b")
				if err := s.sb.Inject(tt.fault); err != nil {
					s.Fatal(err)
				}
				err := set.Point(s.Context(), s.events, "connect2-api-dev", api+":2")
				if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
					s.Errorf("got %v, want %q", err, tt.fails)
				}
				if got := strings.Contains(text(s.targets("b")), "dev:2"); got != tt.arrive {
					s.Errorf("arrived: %v", got)
				}
				s.sb.ClearFaults()
				if err := set.Back(s.Context(), s.events); err != nil {
					s.Error(err)
				}
				if got := text(s.targets("b")); !strings.Contains(got, "dev:1") || strings.Contains(strings.Join(s.told, ""), "somebody else") {
					s.Errorf("%s\n%v", got, s.told)
				}
			})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	run(t, func(s *site) {
		s.rule("other", "rate(1 hour)", ecsTarget("one", account+"task-definition/other:1"))
		s.rule("function", "rate(1 hour)", object{"Id": "f", "Arn": "arn:aws:lambda:us-west-2:123456789012:function:f"})
		_, problems := s.client.Open(s.Context(), []schedule.Name{{Rule: "none"}, {Schedule: "none"}, {Schedule: "none", Group: "none"},
			{Rule: "other"}, {Rule: "function"}}, "connect2-api-dev")
		if len(problems) != 5 {
			s.Fatalf("got %v", problems)
		}
		for i, want := range []string{"rule:none: there is no such schedule in us-west-2", "schedule:none: there is no such",
			"schedule:none/none",
			"rule:other runs other, and this releases connect2-api-dev", "rule:function starts no ECS task"} {
			if !strings.Contains(problems[i].Error(), want) || (i < 3) != errors.Is(problems[i], schedule.ErrNotFound) {
				s.Errorf("got %v, want %q", problems[i], want)
			}
		}
	})
}

// TestFind finds what starts tasks in a cluster: more rules, targets and schedules than fit on a page.
func TestFind(t *testing.T) {
	run(t, func(s *site) {
		want := map[string]string{"rule:team/event": api + ":1"}
		for i := range 103 {
			name := "r" + strings.Repeat("x", i/26) + string(rune('a'+i%26))
			s.rule(name, "rate(1 hour)", ecsTarget("one", api+":1"))
			want["rule:"+name] = api + ":1"
			s.schedule("default", name, "rate(1 hour)", nil)
			want["schedule:"+name] = api + ":1"
		}
		s.rule("elsewhere", "rate(1 hour)", object{"Id": "f", "Arn": "arn:aws:lambda:us-west-2:123456789012:function:f"})
		s.events1("CreateEventBus", object{"Name": "team"})
		s.events1("PutRule", object{"Name": "event", "EventBusName": "team", "EventPattern": `{"source":["team"]}`})
		s.events1("PutTargets", object{"Rule": "event", "EventBusName": "team", "Targets": []object{ecsTarget("one", api+":1")}})
		found, err := s.client.Find(s.Context(), cluster)
		if err != nil {
			s.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range found {
			got[f.Name.String()] = f.Targets[0].TaskDefinition
		}
		if !maps.Equal(got, want) {
			s.Errorf("%d found, want %d", len(got), len(want))
		}
	})
}

// TestSandboxRuns holds that the sandbox starts what a schedule names at its time, and nothing of one that was pointed elsewhere.
func TestSandboxRuns(t *testing.T) {
	run(t, func(s *site) {
		s.rule("digest", "rate(10 minutes)", ecsTarget("one", api+":1"))
		s.schedule("default", "once", "at(2000-01-01T02:30:00)", func(in object) { in["ScheduleExpressionTimezone"] = "UTC" })
		time.Sleep(15 * time.Minute)
		set := s.open("rule:digest")
		if err := set.Point(s.Context(), s.events, "connect2-api-dev", api+":1"); err != nil {
			s.Fatal(err)
		}
		s.wants("rule:digest runs connect2-api-dev:1 already; it runs every 10 minutes")
		time.Sleep(3 * time.Hour)
		started := map[string]int{}
		s.sb.Inspect(func(e *engine.Engine) {
			c, err := e.Cluster(cluster)
			if err != nil {
				s.Fatal(err)
			}
			for _, task := range c.Tasks {
				started[task.StartedBy]++
			}
		})
		if started["events-rule/digest"] < 6 || started["chronos-schedule/once"] != 1 {
			s.Errorf("started: %v at %s", started, s.sb.Now())
		}
		if _, err := s.client.Read(s.Context(), schedule.Name{Schedule: "once"}); !errors.Is(err, schedule.ErrNotFound) {
			s.Errorf("what is over and to be deleted is still there: %v", err)
		}
	})
}

// TestPastStart holds that a schedule whose start is long past can be pointed: AWS refuses such a start in every update.
func TestPastStart(t *testing.T) {
	run(t, func(s *site) {
		s.rest("CreateScheduleGroup", http.MethodPost, "/schedule-groups/api", nil, object{})
		s.schedule("api", "old", "cron(0 8 * * ? *)", func(in object) { in["StartDate"] = s.sb.Now().Unix() })
		time.Sleep(48 * time.Hour)
		set := s.open("schedule:api/old")
		if err := set.Point(s.Context(), s.events, "connect2-api-dev", api+":2"); err != nil {
			s.Fatal(err)
		}
		was := s.but("old")
		if _, there := was["StartDate"]; there || !strings.Contains(text(was), "dev:2") {
			s.Errorf("got %s", text(was))
		}
	})
}
