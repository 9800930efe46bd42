package schedule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const (
	prefix  = "arn:aws:ecs:us-west-2:123456789012:task-definition/"
	cluster = "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev"
)

func parse(t *testing.T, text string) Target {
	t.Helper()
	var document object
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	target, ok := targetOf(document)
	if !ok {
		t.Fatalf("%s starts no task", text)
	}
	return target
}

// TestRunning holds that nothing but the name of the revision changes in a target, whatever else stands in it.
func TestRunning(t *testing.T) {
	for _, tt := range []struct{ name, was, want, runs string }{
		{"everything of today, and more",
			`{"Id":"a","Arn":"` + cluster + `","RoleArn":"r","Input":"{\"a\":1}","EcsParameters":{"TaskDefinitionArn":"` + prefix + `api:3",` +
				`"TaskCount":2,"NetworkConfiguration":{"awsvpcConfiguration":{"Subnets":["s"]}},"FromTheFuture":[1.0,null]},` +
				`"RetryPolicy":{"MaximumRetryAttempts":0},"DeadLetterConfig":{"Arn":"q"},"New":{}}`,
			`{"Id":"a","Arn":"` + cluster + `","RoleArn":"r","Input":"{\"a\":1}","EcsParameters":{"TaskDefinitionArn":"` + prefix + `api:4",` +
				`"TaskCount":2,"NetworkConfiguration":{"awsvpcConfiguration":{"Subnets":["s"]}},"FromTheFuture":[1.0,null]},` +
				`"RetryPolicy":{"MaximumRetryAttempts":0},"DeadLetterConfig":{"Arn":"q"},"New":{}}`, prefix + "api:3"},
		{"the newest revision", `{"Arn":"` + cluster + `","EcsParameters":{"TaskDefinitionArn":"` + prefix + `api"}}`,
			`{"Arn":"` + cluster + `","EcsParameters":{"TaskDefinitionArn":"` + prefix + `api:4"}}`, prefix + "api"},
		{"a call of RunTask", `{"Arn":"arn:aws:scheduler:::aws-sdk:ecs:runTask","Input":"{\"Cluster\":\"c\",\"TaskDefinition\":\"api:3\",\"Count\":1}"}`,
			`{"Arn":"arn:aws:scheduler:::aws-sdk:ecs:runTask","Input":"{\"Cluster\":\"c\",\"TaskDefinition\":\"api:4\",\"Count\":1}"}`, "api:3"},
		{"a call of RunTask with an ARN", `{"Arn":"arn:aws-us-gov:scheduler:::aws-sdk:ecs:runTask","Input":"{\"TaskDefinition\":\"` + prefix + `api:3\"}"}`,
			`{"Arn":"arn:aws-us-gov:scheduler:::aws-sdk:ecs:runTask","Input":"{\"TaskDefinition\":\"` + prefix + `api:4\"}"}`, prefix + "api:3"},
	} {
		target := parse(t, tt.was)
		if target.TaskDefinition != tt.runs || target.Family() != "api" {
			t.Errorf("%s: it runs %s of %s", tt.name, target.TaskDefinition, target.Family())
		}
		if text := target.running(prefix + "api:4").json(); string(text) != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, text, tt.want)
		}
		again := parse(t, tt.want)
		if text := again.running(tt.runs).json(); string(text) != tt.was {
			t.Errorf("%s: pointed back it is %s", tt.name, text)
		}
		if !again.Runs(prefix+"api:4") || again.Runs(prefix+"api:3") || again.Newest() {
			t.Errorf("%s: it does not run what it was given", tt.name)
		}
	}
	for _, other := range []string{`{"Arn":"arn:aws:lambda:us-west-2:123456789012:function:f"}`,
		`{"Arn":"arn:aws:scheduler:::aws-sdk:ecs:runTask","Input":"{}"}`, `{"Arn":"arn:aws:scheduler:::aws-sdk:sqs:sendMessage","Input":"{\"TaskDefinition\":\"x\"}"}`} {
		var document object
		if err := json.Unmarshal([]byte(other), &document); err != nil {
			t.Fatal(err)
		}
		if _, ok := targetOf(document); ok {
			t.Errorf("%s is taken for an ECS task", other)
		}
	}
}

// TestDecide has a row for each condition that flips it alone.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	target := func(name string) Target { return Target{TaskDefinition: name} }
	base := func() Schedule {
		return Schedule{Enabled: true, Expression: "cron(0 8 * * ? *)", location: time.UTC, Targets: []Target{target(prefix + "api:3")}}
	}
	for _, tt := range []struct {
		name   string
		change func(*Schedule)
		want   step
	}{
		{"an older revision", func(*Schedule) {}, point},
		{"the template's", func(s *Schedule) { s.Targets[0].TaskDefinition = prefix + "api-template:9" }, point},
		{"the newest, whichever that is", func(s *Schedule) { s.Targets[0].TaskDefinition = prefix + "api" }, point},
		{"the revision itself", func(s *Schedule) { s.Targets[0].TaskDefinition = prefix + "api:4" }, keep},
		{"of two targets one", func(s *Schedule) { s.Targets = append(s.Targets, target(prefix+"api:4")) }, point},
		{"another family beside it", func(s *Schedule) {
			s.Targets = []Target{target(prefix + "api:4"), target(prefix + "other:1")}
		}, keep},
		{"the same number in another account", func(s *Schedule) {
			s.Targets[0].TaskDefinition = "arn:aws:ecs:us-west-2:999999999999:task-definition/api:4"
		}, point},
		{"disabled", func(s *Schedule) { s.Enabled = false }, point},
		{"its end has passed", func(s *Schedule) { s.End = now.Add(-time.Second) }, over},
		{"its end is before its next run", func(s *Schedule) { s.End = now.Add(time.Hour) }, over},
		{"its end is after its next run", func(s *Schedule) { s.End = now.Add(21 * time.Hour) }, point},
		{"once, and it is past", func(s *Schedule) { s.Expression = "at(2026-11-27T11:59:00)" }, over},
		{"once, and it is to come", func(s *Schedule) { s.Expression = "at(2026-11-27T12:01:00)" }, point},
		{"by rate", func(s *Schedule) { s.Expression = "rate(5 minutes)" }, point},
		{"by rate, ended", func(s *Schedule) { s.Expression, s.End = "rate(5 minutes)", now.Add(-time.Second) }, over},
		{"on events", func(s *Schedule) { s.Expression = "" }, point},
		{"a zone that is not known here", func(s *Schedule) { s.location = nil }, point},
	} {
		s := base()
		tt.change(&s)
		if got := decide(s, "api", prefix+"api:4", now); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Schedule{
		"next run 2026-11-28 08:00 UTC":             {Enabled: true, Expression: "cron(0 8 * * ? *)", location: time.UTC},
		"next run 2026-11-28 07:00 UTC (08:00 CET)": {Enabled: true, Expression: "cron(0 8 * * ? *)", location: berlin},
		"next run 2026-11-28 08:00 UTC, or up to 15 minutes later": {Enabled: true, Expression: "cron(0 8 * * ? *)", location: time.UTC,
			Window: 15 * time.Minute},
		"it is disabled":                             {Expression: "cron(0 8 * * ? *)", location: time.UTC},
		"it runs on events":                          {Enabled: true, location: time.UTC},
		"it runs every 5 minutes":                    {Enabled: true, Expression: "rate(5 minutes)", location: time.UTC},
		"it runs every hour":                         {Enabled: true, Expression: "rate(1 hour)", location: time.UTC},
		"it runs every 2 days":                       {Enabled: true, Expression: "rate(2 days)", location: time.UTC},
		"it will not run again":                      {Enabled: true, Expression: "at(2026-11-01T00:00:00)", location: time.UTC},
		"it runs by cron(0 8 * * ? *), Mars/Olympus": {Enabled: true, Expression: "cron(0 8 * * ? *)", Zone: "Mars/Olympus"},
	} {
		if got := s.When(now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRefuse(t *testing.T) {
	api := Schedule{Name: Name{Rule: "digest"}, Targets: []Target{{TaskDefinition: prefix + "api:3"}}}
	managed, empty := api, api
	managed.Managed, empty.Targets = "batch.amazonaws.com", nil
	for _, tt := range []struct {
		s        Schedule
		families []string
		want     string
	}{
		{api, []string{"api"}, ""},
		{api, []string{"worker", "api"}, ""},
		{api, []string{"worker"}, "rule:digest runs api, and this releases worker"},
		{Schedule{Name: api.Name, Targets: []Target{{TaskDefinition: prefix + "mail:1"}, {TaskDefinition: prefix + "api:3"}}}, []string{"worker"},
			"rule:digest runs api and mail, and this releases worker"},
		{managed, []string{"api"}, "a rule of batch.amazonaws.com"},
		{empty, []string{"api"}, "starts no ECS task"},
	} {
		err := refuse(tt.s, tt.families)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
