package ecsdeploy

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/taskdef"
)

func TestDecide(t *testing.T) {
	at := func(td, state string, running, desired int) ecsview.Snapshot {
		return ecsview.Snapshot{Desired: desired, Running: running, TaskDefinition: td, Deployments: []ecsview.Deployment{
			{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: td, State: state, Running: running, Desired: desired},
		}}
	}
	counts := func(service, primary, desired int) ecsview.Snapshot {
		s := at("a", "COMPLETED", primary, desired)
		s.Running = service
		return s
	}
	for _, test := range []struct {
		name     string
		snapshot ecsview.Snapshot
		existing string
		force    bool
		failing  bool
		want     step
	}{
		{"new content", at("a", "COMPLETED", 2, 2), "", false, false, register},
		{"new content, forced", at("a", "COMPLETED", 2, 2), "", true, false, register},
		{"registered before", at("a", "COMPLETED", 2, 2), "b", false, false, deploy},
		{"in force", at("a", "COMPLETED", 2, 2), "a", false, false, nothing},
		{"in force, wants no tasks", at("a", "COMPLETED", 0, 0), "a", false, false, nothing},
		{"in force, forced", at("a", "COMPLETED", 2, 2), "a", true, false, deploy},
		{"in force, and a task failed before", at("a", "COMPLETED", 2, 2), "a", false, true, nothing},
		{"being scaled out", at("a", "COMPLETED", 2, 4), "a", false, false, nothing},
		{"being scaled in", at("a", "COMPLETED", 4, 2), "a", false, false, nothing},
		{"being scaled out, and tasks fail", at("a", "COMPLETED", 2, 4), "a", false, true, deploy},
		{"a task has failed", at("a", "COMPLETED", 1, 2), "a", false, true, deploy},
		{"a task of the revision is missing", counts(2, 1, 2), "a", false, false, deploy},
		{"a task of the service is missing", counts(1, 2, 2), "a", false, false, deploy},
		{"a task too many of the service", counts(3, 2, 2), "a", false, false, deploy},
		{"being deployed", at("a", "IN_PROGRESS", 1, 2), "a", false, false, follow},
		{"being deployed and all run already", at("a", "IN_PROGRESS", 2, 2), "a", false, false, follow},
		{"being deployed, forced", at("a", "IN_PROGRESS", 1, 2), "a", true, false, deploy},
		{"failed", at("a", "FAILED", 0, 2), "a", false, false, deploy},
		{"no rollout state", at("a", "", 2, 2), "a", false, false, deploy},
		{"nothing is deployed", ecsview.Snapshot{}, "a", false, false, deploy},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := decide(test.snapshot, test.existing, test.force, test.failing); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFails(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	mine := ecsview.Deployment{ID: "ecs-svc/1"}
	task := ecsview.Task{StartedBy: "ecs-svc/1", StopCode: "EssentialContainerExited", StoppedAt: now.Add(-time.Minute)}
	with := func(change func(*ecsview.Task)) []ecsview.Task {
		t := task
		change(&t)
		return []ecsview.Task{t}
	}
	updated := func(at time.Time) ecsview.Deployment { return ecsview.Deployment{ID: "ecs-svc/1", Updated: at} }
	for _, test := range []struct {
		name       string
		deployment ecsview.Deployment
		tasks      []ecsview.Task
		want       bool
	}{
		{"none has stopped", mine, nil, false},
		{"ECS counts failures", ecsview.Deployment{ID: "ecs-svc/1", Failed: 1}, nil, true},
		{"one exited a minute ago", mine, []ecsview.Task{task}, true},
		{"of another deployment", mine, with(func(t *ecsview.Task) { t.StartedBy = "ecs-svc/2" }), false},
		{"scaled in", mine, with(func(t *ecsview.Task) { t.StopCode = "ServiceSchedulerInitiated" }), false},
		{"ten minutes ago", mine, with(func(t *ecsview.Task) { t.StoppedAt = now.Add(-10 * time.Minute) }), false},
		{"a moment less", mine, with(func(t *ecsview.Task) { t.StoppedAt = now.Add(1 - 10*time.Minute) }), true},
		{"right before the deployment was complete", updated(now.Add(-30 * time.Second)), []ecsview.Task{task}, true},
		{"long before that", updated(now.Add(1 - 30*time.Second)), []ecsview.Task{task}, false},
		{"its containers have exited", mine, with(func(t *ecsview.Task) { t.StoppedAt, t.EndedAt = time.Time{}, now }), true},
		{"they have just exited", mine, with(func(t *ecsview.Task) { t.StoppedAt = time.Time{} }), true},
		{"they exited long ago", mine, with(func(t *ecsview.Task) { t.StoppedAt, t.EndedAt = time.Time{}, now.Add(-10*time.Minute) }), false},
		{"it is stopping", mine, with(func(t *ecsview.Task) { t.StoppedAt, t.StoppingAt = time.Time{}, now }), true},
	} {
		if got := fails(test.deployment, test.tasks, now); got != test.want {
			t.Errorf("%s: fails %v", test.name, got)
		}
	}
}

func TestHangsOnTasks(t *testing.T) {
	primary := ecsview.Deployment{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: "td:1", State: "COMPLETED", Running: 1}
	for name, test := range map[string]struct {
		change func(*ecsview.Snapshot)
		force  bool
		want   bool
	}{
		"one is missing":      {func(*ecsview.Snapshot) {}, false, true},
		"forced":              {func(*ecsview.Snapshot) {}, true, false},
		"all run":             {func(s *ecsview.Snapshot) { s.Running, s.Deployments[0].Running = 2, 2 }, false, false},
		"another revision":    {func(s *ecsview.Snapshot) { s.Deployments[0].TaskDefinition = "td:2" }, false, false},
		"in progress":         {func(s *ecsview.Snapshot) { s.Deployments[0].State = "IN_PROGRESS" }, false, false},
		"nothing is in force": {func(s *ecsview.Snapshot) { s.Deployments = nil }, false, false},
	} {
		s := ecsview.Snapshot{Desired: 2, Running: 1, Deployments: []ecsview.Deployment{primary}}
		test.change(&s)
		if got := hangsOnTasks(s, "td:1", test.force); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestDeployable(t *testing.T) {
	active, inactive := &taskdef.Revision{Active: true}, &taskdef.Revision{}
	for _, test := range []struct {
		todo     step
		existing *taskdef.Revision
		want     step
	}{
		{deploy, active, deploy}, {deploy, inactive, register}, {deploy, nil, deploy},
		{nothing, inactive, nothing}, {follow, inactive, follow}, {register, nil, register},
	} {
		if got := deployable(test.todo, test.existing); got != test.want {
			t.Errorf("%s of %+v: got %s, want %s", test.todo, test.existing, got, test.want)
		}
	}
}

func TestFamilyOf(t *testing.T) {
	for running, want := range map[string]string{"api-dev": "api-dev", "api-dev-template": "api-dev", "template": "template"} {
		if got := familyOf(running); got != want {
			t.Errorf("familyOf(%q) = %q, want %q", running, got, want)
		}
	}
}

func TestLiveTag(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))
	if got := liveTag("arn:aws:ecs:r:1:service/c/api", at); got != "live-api-20260304T040607Z" {
		t.Errorf("got %s", got)
	}
	if got := liveTag(strings.Repeat("x", 255), at); len(got) > 128 {
		t.Errorf("%d characters: ECR takes 128", len(got))
	}
}

func TestOnFargate(t *testing.T) {
	provider := func(names ...string) (s types.Service) {
		for _, name := range names {
			s.CapacityProviderStrategy = append(s.CapacityProviderStrategy, types.CapacityProviderStrategyItem{CapacityProvider: aws.String(name)})
		}
		return s
	}
	for _, test := range []struct {
		name    string
		service types.Service
		want    bool
	}{
		{"launch type", types.Service{LaunchType: types.LaunchTypeFargate}, true},
		{"EC2", types.Service{LaunchType: types.LaunchTypeEc2}, false},
		{"providers", provider("FARGATE", "FARGATE_SPOT"), true},
		{"managed instances", provider("my-instances"), false},
		{"mixed", provider("FARGATE", "my-instances"), false},
	} {
		if got := ecsview.OnFargate(test.service); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
