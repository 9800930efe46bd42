package doctor

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/pkg/alarm"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
)

const group = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/api/0123"

// healthy is a service with which nothing is wrong.
func healthy() Facts {
	return Facts{
		Service: ecsview.Snapshot{Desired: 2, Running: 2, TargetGroups: []string{group},
			Deployments: []ecsview.Deployment{{Status: "PRIMARY", State: "COMPLETED", TaskDefinition: "api:7"}}},
		Definition: Definition{Name: "api:7", ExecutionRole: "arn:aws:iam::1:role/x", NeedsRole: []string{"logs"}},
		Evidence:   diagnose.Evidence{Targets: []diagnose.Target{{Group: group, ID: "10.0.0.1", State: "healthy"}}},
		Images:     []Thing{{Name: "i", For: "api"}},
		Secrets:    []Thing{{Name: "s", For: "api"}},
		Groups:     []Thing{{Name: "g", For: "api"}},
		Alarms: Known[[]operate.Alarm]{Is: []operate.Alarm{{Alarm: alarm.Alarm{Name: "5xx", State: alarm.OK}, Watched: true},
			{Alarm: alarm.Alarm{Name: "cpu", State: alarm.NoData}}}},
		Around:   around(),
		Delivery: Delivery{Look: &githubsetup.Look{Toolkit: githubsetup.Lender{Public: true}}},
	}
}

// TestExamine changes one thing of a healthy service at a time: one check alone notices, by its name.
func TestExamine(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Facts)
		check  string
		state  State
	}{
		{"nothing", func(*Facts) {}, "", OK},
		{"a task is missing", func(f *Facts) { f.Service.Running = 1 }, "tasks", Wrong},
		{"no deployment", func(f *Facts) { f.Service.Deployments = nil }, "deployment", Wrong},
		{"it failed", func(f *Facts) { f.Service.Deployments[0].State = "FAILED" }, "deployment", Wrong},
		{"it is taken back", func(f *Facts) { f.Service.Deployments[0].Reason = "rolling back to x" }, "deployment", Wrong},
		{"one is under way", func(f *Facts) { f.Service.Deployments[0].State = "IN_PROGRESS" }, "", OK},
		{"tasks failed", func(f *Facts) { f.Failed = 2 }, "failures", Wrong},
		{"tasks failed for a known cause", func(f *Facts) {
			f.Failed, f.Cause = 2, record.Finding{Code: "x", Title: "it crashed"}
		}, "failures", Wrong},
		{"tasks were not read", func(f *Facts) { f.Evidence.Missing = []string{"the tasks: denied"} }, "failures", NotChecked},
		{"tasks were not read, nor their targets", func(f *Facts) {
			f.Evidence.Missing, f.Evidence.Targets = []string{"the tasks: denied"}, nil
		}, "failures, targets", NotChecked},
		{"something is on hold", func(f *Facts) { f.Held = "all" }, "", OK},
		{"no role", func(f *Facts) { f.Definition.ExecutionRole = "" }, "execution role", Wrong},
		{"no role, and no need", func(f *Facts) { f.Definition.ExecutionRole, f.Definition.NeedsRole = "", nil }, "", OK},
		{"the image is gone", func(f *Facts) { f.Images[0].Missing = "is not in ECR any more" }, "image", Wrong},
		{"the image is elsewhere", func(f *Facts) { f.Images[0].Skipped = "its registry is not ECR" }, "image", NotChecked},
		{"the image may not be read", func(f *Facts) { f.Images[0].Err = errors.New("denied") }, "image", NotChecked},
		{"a secret is gone", func(f *Facts) { f.Secrets[0].Missing = "does not exist" }, "secret", Wrong},
		{"a log group is gone", func(f *Facts) { f.Groups[0].Missing = "does not exist" }, "log group", Wrong},
		{"an alarm went off", func(f *Facts) { f.Alarms.Is[0].State = alarm.Fired }, "alarm", Wrong},
		{"one that nobody watches", func(f *Facts) { f.Alarms.Is[1].State = alarm.Fired }, "alarm", Wrong},
		{"one that is watched is not there", func(f *Facts) { f.Alarms.Is[0].State = alarm.Missing }, "alarm", Wrong},
		{"there is none", func(f *Facts) { f.Alarms.Is = nil }, "", OK},
		{"the alarms may not be read", func(f *Facts) { f.Alarms.Is, f.Alarms.Err = nil, errors.New("denied") }, "alarm", NotChecked},
		{"an alarm went off, in another area", func(f *Facts) { f.Area, f.Alarms.Is[0].State = "network", alarm.Fired }, "", OK},
		{"a target is unhealthy", func(f *Facts) {
			f.Evidence.Targets = append(f.Evidence.Targets, diagnose.Target{Group: group, ID: "10.0.0.2", State: "unhealthy"})
		}, "targets", Wrong},
		{"a target drains", func(f *Facts) {
			f.Evidence.Targets = append(f.Evidence.Targets, diagnose.Target{Group: group, ID: "10.0.0.2", State: "draining"})
		}, "", OK},
		{"no target", func(f *Facts) { f.Evidence.Targets = nil }, "targets", Wrong},
		{"no target, and no task wanted", func(f *Facts) { f.Evidence.Targets, f.Service.Desired, f.Service.Running = nil, 0, 0 }, "", OK},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := healthy()
			test.change(&f)
			noticed := ""
			for _, c := range Examine(f) {
				if c.What == "" || c.State == Wrong && len(c.Fix) == 0 && !f.Cause.Known() {
					t.Errorf("%+v says too little", c)
				}
				if c.State == OK {
					continue
				}
				noticed = strings.TrimPrefix(noticed+", "+c.Name, ", ")
				if c.State != test.state {
					t.Errorf("noticed by %+v, want %s by %q", c, test.state, test.check)
				}
			}
			if noticed != test.check {
				t.Errorf("noticed by %q, want %q", noticed, test.check)
			}
		})
	}
}

func TestUnreadDefinition(t *testing.T) {
	f := healthy()
	f.DefinitionErr, f.Images, f.Secrets, f.Groups = errors.New("denied"), nil, nil, nil
	states := map[string]State{}
	for _, c := range Examine(f) {
		states[c.Name] = c.State
	}
	for _, name := range []string{"image", "secret", "log group", "execution role"} {
		if states[name] != NotChecked {
			t.Errorf("%s is %q, want not checked", name, states[name])
		}
	}
}

// TestAlarms: each alarm that went off is a finding of its own, with what it says; the others are counted.
func TestAlarms(t *testing.T) {
	since := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	errs := alarm.Alarm{Name: "5xx", State: alarm.Fired, Since: since, Reason: "2 datapoints", Description: "answers are 5xx"}
	f := Facts{}
	for _, test := range []struct {
		alarms []operate.Alarm
		want   []Check
	}{
		{nil, []Check{{State: OK, What: "there is none: deployments watch none, and none is called as the environment's are"}}},
		{[]operate.Alarm{{Alarm: alarm.Alarm{State: alarm.OK}}}, []Check{{State: OK, What: "none of 1 alarm went off"}}},
		{[]operate.Alarm{{Alarm: alarm.Alarm{State: alarm.OK}}, {Alarm: alarm.Alarm{State: alarm.NoData}}},
			[]Check{{State: OK, What: "none of 2 alarms went off, 1 without data"}}},
		{[]operate.Alarm{{Alarm: errs, Watched: true}, {Alarm: alarm.Alarm{Name: "cpu", State: alarm.Fired}},
			{Alarm: alarm.Alarm{Name: "gone", State: alarm.Missing}, Watched: true}, {Alarm: alarm.Alarm{State: alarm.NoData}}}, []Check{
			{State: Wrong, What: "the alarm 5xx went off at 2026-03-01 02:03 UTC", Evidence: []string{"answers are 5xx", "2 datapoints"},
				Fix: []string{lookBack, goesBack}},
			{State: Wrong, What: "the alarm cpu went off", Fix: []string{lookBack}},
			{State: Wrong, What: "the service's deployments watch the alarm gone, and there is no such alarm", Fix: []string{madeAgain}}}},
	} {
		f.Alarms.Is = test.alarms
		for i := range test.want {
			test.want[i].Area, test.want[i].Name = "container", "alarm"
		}
		if got := f.alarms(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("of %+v:\n%+v, want\n%+v", test.alarms, got, test.want)
		}
	}
}
