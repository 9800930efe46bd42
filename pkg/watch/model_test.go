package watch

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/record"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func TestPhase(t *testing.T) {
	target := func(state string) *ecsview.Target { return &ecsview.Target{State: state} }
	checked := []ecsview.Container{{Check: "curl localhost"}}
	running := func(health string, containers []ecsview.Container) ecsview.Task {
		return ecsview.Task{LastStatus: "RUNNING", StartedAt: at(1), Health: health, Containers: containers}
	}
	for _, test := range []struct {
		name     string
		task     ecsview.Task
		target   *ecsview.Target
		balanced bool
		want     Phase
	}{
		{"new", ecsview.Task{LastStatus: "PROVISIONING"}, nil, true, Provisioning},
		{"its image is pulled", ecsview.Task{LastStatus: "PENDING"}, nil, true, Pending},
		{"its containers start", ecsview.Task{LastStatus: "ACTIVATING"}, nil, true, Pending},
		{"it runs, without a check", running("UNKNOWN", nil), nil, false, Running},
		{"its check has not passed", running("UNKNOWN", checked), nil, false, Running},
		{"its check passes", running("HEALTHY", checked), nil, false, Healthy},
		{"its check fails", running("UNHEALTHY", checked), nil, false, Unhealthy},
		{"it is not registered yet", running("HEALTHY", checked), nil, true, Running},
		{"the load balancer looks for the first time", running("HEALTHY", checked), target("initial"), true, Running},
		{"the load balancer takes it, its own check does not", running("UNKNOWN", checked), target("healthy"), true, Running},
		{"both take it", running("HEALTHY", checked), target("healthy"), true, Healthy},
		{"the load balancer takes it, and it has no check", running("UNKNOWN", nil), target("healthy"), true, Healthy},
		{"the load balancer does not", running("HEALTHY", checked), target("unhealthy"), true, Unhealthy},
		{"it is drained", running("HEALTHY", checked), target("draining"), true, Draining},
		{"it stops", ecsview.Task{LastStatus: "DEACTIVATING", StartedAt: at(1)}, nil, true, Draining},
		{"it is to stop", ecsview.Task{LastStatus: "RUNNING", StartedAt: at(1), StopCode: "UserInitiated"}, nil, true, Draining},
		{"it is said to be stopping", ecsview.Task{LastStatus: "RUNNING", StartedAt: at(1), StoppingAt: at(2)}, nil, true, Draining},
		{"its network goes", ecsview.Task{LastStatus: "DEPROVISIONING"}, nil, true, Stopped},
		{"it is gone", ecsview.Task{LastStatus: "STOPPED"}, nil, true, Stopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := phaseOf(test.task, test.target, test.balanced); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	task := ecsview.Task{CreatedAt: at(0), PullStartedAt: at(10), StartedAt: at(30)}
	ended := task
	ended.StoppingAt, ended.EndedAt, ended.StoppedAt = at(100), at(110), at(120)
	crashed := task
	crashed.EndedAt, crashed.StoppedAt = at(33), at(40)
	unpulled := ecsview.Task{CreatedAt: at(0), StoppingAt: at(5), StoppedAt: at(6)}
	for _, test := range []struct {
		name string
		task ecsview.Task
		now  Phase
		seen sightings
		want string
	}{
		{"just made", ecsview.Task{CreatedAt: at(0)}, Provisioning, sightings{{Provisioning, at(1)}}, "provisioning 0-"},
		{"pending, and no pull is told yet", ecsview.Task{CreatedAt: at(0)}, Pending, sightings{{Provisioning, at(1)}, {Pending, at(4)}},
			"provisioning 0-4, pending 4-"},
		{"running", task, Running, sightings{{Running, at(31)}}, "provisioning 0-10, pending 10-30, running 30-"},
		{"healthy", task, Healthy, sightings{{Running, at(31)}, {Healthy, at(50)}},
			"provisioning 0-10, pending 10-30, running 30-50, healthy 50-"},
		{"healthy since before the page was opened", task, Healthy, sightings{{Healthy, at(30)}},
			"provisioning 0-10, pending 10-30, healthy 30-"},
		{"unhealthy for a while", task, Healthy, sightings{{Healthy, at(50)}, {Unhealthy, at(60)}, {Healthy, at(70)}},
			"provisioning 0-10, pending 10-30, running 30-50, healthy 50-60, unhealthy 60-70, healthy 70-"},
		{"draining", ecsview.Task{CreatedAt: at(0), PullStartedAt: at(10), StartedAt: at(30), StoppingAt: at(100)}, Draining,
			sightings{{Healthy, at(50)}, {Draining, at(101)}}, "provisioning 0-10, pending 10-30, running 30-50, healthy 50-100, draining 100-"},
		{"stopped", ended, Stopped, sightings{{Healthy, at(50)}, {Stopped, at(130)}},
			"provisioning 0-10, pending 10-30, running 30-50, healthy 50-100, draining 100-110, stopped 110-"},
		{"crashed", crashed, Stopped, nil, "provisioning 0-10, pending 10-30, running 30-33, stopped 33-"},
		{"never pulled", unpulled, Stopped, nil, "provisioning 0-5, draining 5-6, stopped 6-"},
		{"ECS gives no time at all", ecsview.Task{}, Running, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, s := range spansOf(test.task, test.now, test.seen) {
				text := string(s.Phase) + " " + seconds(s.From) + "-"
				if !s.To.IsZero() {
					text += seconds(s.To)
				}
				got = append(got, text)
			}
			if strings.Join(got, ", ") != test.want {
				t.Errorf("got %s, want %s", strings.Join(got, ", "), test.want)
			}
		})
	}
}

func seconds(t time.Time) string { return strconv.Itoa(int(t.Sub(noon).Seconds())) }

const (
	v1 = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:1"
	v2 = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:2"
)

func TestRolled(t *testing.T) {
	listed := []ecsview.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: v1, State: "IN_PROGRESS", Created: at(0)},
		{ID: "ecs-svc/2", Status: "ACTIVE", TaskDefinition: v2, State: "FAILED", Reason: "circuit breaker", Created: at(10), Updated: at(20)}}
	complete := []ecsview.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: v1, State: "COMPLETED", Created: at(0),
		Updated: at(9)}}
	own := []history.Deployment{{ARN: "d2", Status: types.ServiceDeploymentStatusInProgress, TaskDefinition: v2, Created: at(10)}}
	failed := complete[:1:1]
	failed = append(failed, listed[1])
	for _, test := range []struct {
		name    string
		r       reading
		td      string
		status  types.ServiceDeploymentStatus
		running bool
	}{
		{"nothing", reading{}, "", "", false},
		{"by the API", reading{deployments: own}, v2, types.ServiceDeploymentStatusInProgress, true},
		{"a newer description of it", reading{deployments: own, own: &ecsview.ServiceDeployment{ARN: "d2",
			Status: types.ServiceDeploymentStatusSuccessful, Finished: at(30)}}, v2, types.ServiceDeploymentStatusSuccessful, false},
		{"a description of another", reading{deployments: own, own: &ecsview.ServiceDeployment{ARN: "d1",
			Status: types.ServiceDeploymentStatusSuccessful}}, v2, types.ServiceDeploymentStatusInProgress, true},
		{"by the service's own list", reading{service: ecsview.Snapshot{Deployments: complete}}, v1,
			types.ServiceDeploymentStatusSuccessful, false},
		{"one that is taken back", reading{service: ecsview.Snapshot{Deployments: listed}}, v2,
			types.ServiceDeploymentStatusRollbackInProgress, true},
		{"one that was taken back", reading{service: ecsview.Snapshot{Deployments: failed}}, v2,
			types.ServiceDeploymentStatusRollbackSuccessful, false},
		{"one under way", reading{service: ecsview.Snapshot{Deployments: listed[:1]}}, v1, types.ServiceDeploymentStatusInProgress, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := rolledOf(test.r)
			if got.td != test.td || got.status != test.status || got.running != test.running || got.running && !got.ended.IsZero() {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestView is the whole of a page in the middle of a rollout that fails.
func TestView(t *testing.T) {
	old := ecsview.Task{ARN: "arn:aws:ecs:us-west-2:123456789012:task/c/aaaaaaaaaaaa1", TaskDefinition: v1, StartedBy: "ecs-svc/1",
		LastStatus: "RUNNING", Health: "HEALTHY", IP: "10.0.0.1", CreatedAt: at(-9000), StartedAt: at(-8990)}
	one := 1
	crashed := ecsview.Task{ARN: "arn:aws:ecs:us-west-2:123456789012:task/c/bbbbbbbbbbbb2", TaskDefinition: v2, StartedBy: "ecs-svc/2",
		LastStatus: "STOPPED", StopCode: "EssentialContainerExited", Reason: "Essential container in task exited", CreatedAt: at(5),
		PullStartedAt: at(8), StartedAt: at(20), EndedAt: at(22), StoppedAt: at(25),
		Containers: []ecsview.Container{{Name: "api", ExitCode: &one}}}
	ancient := crashed
	ancient.ARN, ancient.TaskDefinition, ancient.StartedBy = "arn:aws:ecs:us-west-2:123456789012:task/c/cccccccccccc3", v1, "ecs-svc/0"
	ancient.CreatedAt, ancient.EndedAt, ancient.StoppedAt = at(-3000), at(-2900), at(-2890)
	r := reading{
		at: at(60), names: Names{Cluster: "c", Service: "api", Flags: "--cluster c --service api"},
		service: ecsview.Snapshot{TaskDefinition: v2, Desired: 1, Running: 1, TargetGroups: []string{"arn:x:targetgroup/tg/1"},
			Deployments: []ecsview.Deployment{{ID: "ecs-svc/2", Status: "PRIMARY", TaskDefinition: v2, State: "IN_PROGRESS", Desired: 1,
				Created: at(0)},
				{ID: "ecs-svc/1", Status: "ACTIVE", TaskDefinition: v1, State: "COMPLETED", Desired: 1, Running: 1, Created: at(-9000)}},
			Events: []ecsview.ServiceEvent{{At: at(30), Text: "password=hunter22 \x1b[31mred"}}},
		own:     &ecsview.ServiceDeployment{ARN: "d2", Status: types.ServiceDeploymentStatusInProgress, Failures: 1, Threshold: 3},
		tasks:   []ecsview.Task{old, crashed, ancient},
		targets: []ecsview.Target{{Group: "arn:x:targetgroup/tg/1", ID: "10.0.0.1", Port: 8000, State: "healthy"}},
		finding: record.Finding{Code: "missing-setting", Title: "api needs DATABASE_URL", Evidence: []string{"KeyError: <b>"},
			Fix: []string{"set it; token=abcdefgh1234"}, Task: crashed.ARN},
		deployments: []history.Deployment{{ARN: "d2", Status: types.ServiceDeploymentStatusInProgress, TaskDefinition: v2, Created: at(0)},
			{ARN: "d1", Status: types.ServiceDeploymentStatusSuccessful, TaskDefinition: v1, Created: at(-9000), Finished: at(-8900)}},
		plan: history.Plan{Do: history.Update, Back: v1, Choice: history.Choice{Options: []history.Option{
			{Deployment: history.Deployment{ARN: "d1", TaskDefinition: v1}, Why: "its image is gone"}}}},
	}
	v := viewOf(r, trace{}.with(r))
	if v.State != "deploying" || v.Headline != "api:2 is being deployed to api: 0 of 1 task of api:2 runs, and 1 of api:1" {
		t.Errorf("%s, %q", v.State, v.Headline)
	}
	if c := v.Card; c == nil || c.Title != "Api needs DATABASE_URL" || c.Of != "api:2" || c.Failed != 1 || c.Unhealthy != 0 ||
		!c.At.Equal(at(22)) ||
		strings.Contains(c.Fix[0], "abcdefgh1234") || c.Evidence[0] != "KeyError: <b>" {
		t.Errorf("card %+v", c)
	}
	if o := v.Rollout; o == nil || o.Failed != 1 || o.Started != 0 || o.Healthy != 0 || o.Desired != 1 || o.Outcome != "in progress" ||
		o.Tone != Open {
		t.Errorf("rollout %+v", o)
	}
	var told []string
	for _, m := range v.Rollout.Moments {
		told = append(told, seconds(m.At)+" "+m.Text)
	}
	want := []string{"0 the deployment of api:2 began", "5 its first task, bbbbbbbb, was started", "20 task bbbbbbbb runs",
		"22 task bbbbbbbb failed: api exited with 1", "60 ECS counts 1 of the 3 failures at which it gives up"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if len(v.Lanes) != 2 || v.Lanes[0].ID != "aaaaaaaa" || v.Lanes[0].New || v.Lanes[0].Phase != Healthy || !v.Lanes[1].New ||
		!v.Lanes[1].Failed || v.Lanes[1].Why != "api exited with 1" {
		t.Errorf("lanes %+v", v.Lanes)
	}
	if len(v.Targets) != 1 || v.Targets[0].Group != "tg" || v.Targets[0].Task != "aaaaaaaa" || v.Targets[0].Tone != Good {
		t.Errorf("targets %+v", v.Targets)
	}
	if got := v.Events[0].Text; strings.Contains(got, "hunter22") || strings.Contains(got, "\x1b") {
		t.Errorf("event %q", got)
	}
	if h := v.History; len(h) != 2 || h[0].Back != "" || h[1].Remark != "its image is gone" || !h[1].Previous ||
		h[1].Back != "connect2 rollback --cluster c --service api --to api:1 --reason 'WHY'" {
		t.Errorf("history %+v", h)
	}

	// What an earlier deployment left behind is no failure of this one, nor is a finding without a task.
	r.tasks = []ecsview.Task{old, ancient}
	if bad := suspects(r); len(bad) != 0 {
		t.Errorf("suspects %+v", bad)
	}
	r.finding = record.Finding{}
	if viewOf(r, trace{}).Card != nil {
		t.Error("a card without a cause")
	}
}

func TestTraceChanges(t *testing.T) {
	r := reading{at: at(0), service: ecsview.Snapshot{Desired: 1}, tasks: []ecsview.Task{{ARN: "a", LastStatus: "PENDING"}}}
	seen := trace{}.with(r)
	r.at = at(5)
	same := seen.with(r)
	if !same.changed.Equal(at(0)) {
		t.Errorf("changed at %s without a change", seconds(same.changed))
	}
	r.at, r.tasks = at(9), []ecsview.Task{{ARN: "a", LastStatus: "RUNNING", StartedAt: at(8), Health: "HEALTHY"}}
	next := same.with(r)
	if !next.changed.Equal(at(9)) || !next.tasks["a"].first(Healthy).Equal(at(9)) || len(same.tasks["a"]) != 1 {
		t.Errorf("changed at %s, %v", seconds(next.changed), next.tasks)
	}
	opened := trace{}.with(r)
	if !opened.tasks["a"].first(Healthy).Equal(at(8)) {
		t.Errorf("healthy at %s where the page was opened later", seconds(opened.tasks["a"].first(Healthy)))
	}
}

func TestProblem(t *testing.T) {
	api := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }
	for _, test := range []struct {
		err              error
		kind, title, say string
	}{
		{api("ThrottlingException"), "throttled", "AWS throttles the reads", "asks less often"},
		{api("ExpiredTokenException"), "credentials", "The credentials are not valid any more", "aws sso login"},
		{api("UnrecognizedClientException"), "credentials", "The credentials are not valid any more", "Ctrl-C"},
		{api("AccessDeniedException"), "denied", "", ""},
		{errors.New("password=hunter22 is wrong"), "other", "The service could not be read", "password=***"},
	} {
		got := problemOf(test.err, noon)
		if got.Kind != test.kind || test.title != "" && got.Title != test.title || !strings.Contains(got.Text, test.say) ||
			!got.Since.Equal(noon) {
			t.Errorf("%v: %+v", test.err, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{"api:1": "api:1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'",
		"a;b": "'a;b'"} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s", word, got)
		}
	}
}
