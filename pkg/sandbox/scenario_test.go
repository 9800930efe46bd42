package sandbox_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

func TestScenarioRefusesWhatItDoesNotKnow(t *testing.T) {
	for text, want := range map[string]string{
		"service: {desired: 3}":                                   "line 1: field desired not found",
		"speeed: 2":                                               "field speeed not found",
		"images:\n  v2: {start: explode}":                         "explode",
		"images:\n  v2: {startt: crash}":                          `unknown member "startt"`,
		"faults: [{action: ecs:RunTask, answer: maybe}]":          `answer "maybe"`,
		"faults: [{action: RunTask, answer: cut}]":                `"RunTask" is not of the form service:Action`,
		"faults: [{action: ecs:RunTask, answer: deny, every: 2}]": "a denial is in force for every call",
		"roles: {r: {policy: {Statement: [{Effect: Allow}]}}}":    "exactly one of Action and NotAction",
		"credentials: {expireAfter: soon}":                        `"soon" is not a duration`,
		"users: {u: {}}":                                          "u has no accessKey",
		"account: '1'":                                            "12 digits",
		"scaling: {min: 3, max: 1}":                               "0 <= min <= max",
		"bastion: {state: asleep}":                                `"asleep" is neither running, stopped nor none`,
		"bastion: {agent: maybe}":                                 `"maybe" is neither online, lost nor none`,
		"schedules: {d: {expression: at noon}}":                   "schedules: d: ",
		"schedules: {d: {expression: rate(1 day), timezone: X}}":  `schedules: d: "X" is not a time zone`,
		"schedules: {d: {expression: rate(1 day), service: w}}":   `schedules: d: "w" is not one of services`,
		"broken: [database-closed]":                               `"database-closed" is not one of acl-answers, `,
		"broken: [dns-missing]":                                   "dns-missing needs a domain",
		"domain: {host: api.example.com}":                         "zone and host go together",
		"domain: {host: api.example.com, zone: example.org}":      `"api.example.com" is not in the zone "example.org"`,
	} {
		if _, err := sandbox.ParseScenario([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// TestExampleScenarios opens every scenario that users are shown.
func TestExampleScenarios(t *testing.T) {
	files, err := filepath.Glob("../../examples/scenarios/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			scenario, err := sandbox.LoadScenario(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sandbox.Open(sandbox.Options{Scenario: scenario}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestScenarioSchedules: a schedule runs what its service runs at the beginning, and starts it at its time with its own command.
func TestScenarioSchedules(t *testing.T) {
	scenario, err := sandbox.ParseScenario([]byte("services: {w: {container: w, command: [work]}}\nschedules:\n" +
		"  digest: {expression: rate(1 hour), command: [digest]}\n  sweep: {expression: rate(2 hours), service: w}\n"))
	if err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.Open(sandbox.Options{Scenario: scenario})
	if err != nil {
		t.Fatal(err)
	}
	started := func() (all []string) {
		sb.Inspect(func(e *engine.Engine) {
			for _, task := range e.Clusters()[0].Tasks {
				if strings.HasPrefix(task.StartedBy, "chronos-schedule/") {
					all = append(all, task.StartedBy+" "+arn.Revision(task.Definition.ARN)+" "+string(task.OverridesRaw))
				}
			}
		})
		return all
	}
	if got := started(); len(got) > 0 {
		t.Errorf("before their time: %q", got)
	}
	sb.Forward(90 * time.Minute)
	want := []string{`chronos-schedule/digest connect2-api-dev:1 {"containerOverrides":[{"command":["digest"],"name":"connect2-api"}]}`}
	if got := started(); !slices.Equal(got, want) {
		t.Errorf("after an hour and a half: %q, want %q", got, want)
	}
	sb.Forward(time.Hour)
	if got := started(); !slices.Contains(got, "chronos-schedule/sweep w:1 ") {
		t.Errorf("after two hours and a half: %q", got)
	}
	if _, err := sandbox.ParseScenario([]byte("service: {releases: []}\nschedules: {d: {expression: rate(1 day)}}")); err != nil {
		t.Fatal(err)
	}
	none := &sandbox.Scenario{Service: sandbox.ServiceScenario{Releases: []string{}},
		Schedules: map[string]sandbox.ScheduleScenario{"d": {Expression: "rate(1 day)"}}}
	if _, err := sandbox.Open(sandbox.Options{Scenario: none}); err == nil || !strings.Contains(err.Error(), "there is no service") {
		t.Errorf("without a service: %v", err)
	}
}

// TestOneSeedOneHistory compares what two worlds of one seed show, and that another seed differs.
func TestOneSeedOneHistory(t *testing.T) {
	arn := func(seed uint64) string {
		sb := sandbox.New(sandbox.Options{Seed: seed})
		return describeSecret(t, sb)
	}
	first, second := arn(7), arn(7)
	if first != second {
		t.Error("the same seed gives two different ARNs")
	}
	if first == arn(8) {
		t.Error("two seeds give the same ARN")
	}
}
