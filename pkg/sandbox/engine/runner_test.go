package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hands is a Runner whose containers are moved by the test.
type hands struct{ containers []*container }

type container struct {
	job   Job
	now   Progress
	calls []string
}

func (h *hands) Run(job Job) Process {
	c := &container{job: job}
	h.containers = append(h.containers, c)
	return c
}
func (c *container) Start()                   { c.calls = append(c.calls, "start") }
func (c *container) Stop(grace time.Duration) { c.calls = append(c.calls, "stop "+grace.String()) }
func (c *container) Remove()                  { c.calls = append(c.calls, "remove") }
func (c *container) Poll() Progress {
	p := c.now
	c.now.Lines = nil
	return p
}

const realJob = `, "command": ["serve"], "user": "10001", "readonlyRootFilesystem": true, "stopTimeout": 5,
	"environment": [{"name": "MODE", "value": "live"}, {"name": "LEVEL", "value": "info"}],
	"linuxParameters": {"initProcessEnabled": true, "tmpfs": [{"containerPath": "/tmp", "size": 64, "mountOptions": ["noexec"]}]}` + withSecret

// realWorld has a runner and a one-off task of its own definition.
func realWorld(t *testing.T, extra string, change func(*ports)) (*world, *hands, *Task) {
	t.Helper()
	h := &hands{}
	w := newWorld(t, func(o *Options, p *ports) {
		o.Runner = h
		if change != nil {
			change(p)
		}
	})
	tasks, _, err := w.RunTask(w.cluster, RunRequest{
		TaskDefinition: w.define("v2", extra), LaunchType: "FARGATE",
		NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0a"]}}`),
		Overrides: json.RawMessage(`{"containerOverrides": [{"name": "app", "command": ["alembic", "upgrade", "head"],
			"environment": [{"name": "LEVEL", "value": "debug"}]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, h, tasks[0]
}

// TestRealTaskIsWhatItsContainerDoes follows a task from its definition to its end, which comes when the container says so.
func TestRealTaskIsWhatItsContainerDoes(t *testing.T) {
	w, h, task := realWorld(t, realJob, nil)
	w.pass(time.Hour)
	if len(h.containers) != 1 || task.LastStatus != Activating {
		t.Fatalf("%d containers, task %s", len(h.containers), task.LastStatus)
	}
	c := h.containers[0]
	want := Job{
		Task: task.ID, Container: "app", Image: "123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v2",
		Digest: c.job.Digest, Platform: "linux/amd64",
		Command: []string{"alembic", "upgrade", "head"}, User: "10001", ReadOnly: true, Init: true, Memory: 512 << 20,
		Environment: map[string]string{"MODE": "live", "LEVEL": "debug",
			"DB": "value of arn:aws:secretsmanager:us-west-2:123456789012:secret:db-AbCdEf"},
		Tmpfs: map[string]string{"/tmp": "noexec,size=64m"},
	}
	if diff := cmp.Diff(want, c.job); diff != "" {
		t.Error(diff)
	}
	c.now.Phase = Made
	w.pass(0)
	w.pass(time.Minute)
	if !slices.Equal(c.calls, []string{"start"}) || task.LastStatus == Running {
		t.Fatalf("made: %v, task %s", c.calls, task.LastStatus)
	}
	c.now = Progress{Phase: Started, Lines: []string{"one"}}
	w.pass(time.Hour)
	if task.LastStatus != Running {
		t.Fatalf("started: %s", task.LastStatus)
	}
	c.now = Progress{Phase: Exited, ExitCode: 3, Lines: []string{"two", "three"}}
	w.pass(0)
	if got := task.Containers[0]; got.ExitCode == nil || *got.ExitCode != 3 || task.StopCode != EssentialContainerExited ||
		task.StoppedReason != essentialExited {
		t.Errorf("exited: %+v, %s %q", got.ExitCode, task.StopCode, task.StoppedReason)
	}
	if want := []string{"/ecs/api ecs/app one", "/ecs/api ecs/app two", "/ecs/api ecs/app three"}; !slices.Equal(w.ports.lines, want) {
		t.Errorf("lines %q", w.ports.lines)
	}
	w.pass(time.Minute)
	if task.LastStatus != Stopped || !slices.Equal(c.calls, []string{"start", "remove"}) || len(w.running) != 0 {
		t.Errorf("at the end %s, %v, %d looked at", task.LastStatus, c.calls, len(w.running))
	}
}

// TestRealTasksEndEarly tables what a task is stopped for when its container does not come to its end by itself.
func TestRealTasksEndEarly(t *testing.T) {
	to := func(p Progress) func(*world, *Task, *container) {
		return func(_ *world, _ *Task, c *container) { c.now = p }
	}
	stop := func(w *world, task *Task, _ *container) { w.StopTask(task, "by hand") }
	started := to(Progress{Phase: Started})
	for _, test := range []struct {
		name  string
		steps []func(*world, *Task, *container)
		code  string
		want  string // reason; exit code and reason of the container; calls
	}{
		{"no image", []func(*world, *Task, *container){to(Progress{Phase: NotPulled, Failure: "invalid tar header"})},
			TaskFailedToStart, "CannotPullContainerError: ref pull has been retried 1 time(s): invalid tar header; <nil>; remove"},
		{"no container", []func(*world, *Task, *container){to(Progress{Phase: NotMade, Failure: "invalid CapAdd"})},
			TaskFailedToStart, "CannotCreateContainerError: invalid CapAdd; <nil>; remove"},
		{"no such command", []func(*world, *Task, *container){to(Progress{Phase: Made}),
			to(Progress{Phase: NotBegun, Failure: shimFailure + "OCI runtime create failed"})},
			TaskFailedToStart, startFailure + "OCI runtime create failed; <nil>; start remove"},
		{"out of memory", []func(*world, *Task, *container){to(Progress{Phase: Made}), started,
			to(Progress{Phase: Exited, ExitCode: 137, OutOfMemory: true})},
			EssentialContainerExited, essentialExited + "; 137 " + outOfMemory + "; start remove"},
		{"stopped", []func(*world, *Task, *container){to(Progress{Phase: Made}), started, stop, to(Progress{Phase: Exited, ExitCode: 143})},
			UserInitiated, "by hand; 143; start stop 5s remove"},
		{"stopped while it is fetched", []func(*world, *Task, *container){stop}, UserInitiated, "by hand; <nil>; remove"},
		{"stopped while it begins", []func(*world, *Task, *container){to(Progress{Phase: Made}), stop}, UserInitiated,
			"by hand; <nil>; start remove"},
		{"ended while it is stopped", []func(*world, *Task, *container){to(Progress{Phase: Made}), started,
			func(w *world, task *Task, c *container) {
				w.StopTask(task, "by hand")
				c.now = Progress{Phase: Exited}
				w.pass(0)
			}}, UserInitiated, "by hand; 0; start stop 5s remove"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, h, task := realWorld(t, realJob, nil)
			w.pass(time.Minute)
			c := h.containers[0]
			for _, step := range test.steps {
				step(w, task, c)
				w.pass(20 * time.Second)
				w.pass(20 * time.Second)
			}
			w.pass(time.Minute)
			exit := "<nil>"
			if code := task.Containers[0].ExitCode; code != nil {
				exit = strings.TrimSpace(fmt.Sprint(*code, " ", task.Containers[0].Reason))
			}
			got := fmt.Sprintf("%s; %s; %s", task.StoppedReason, exit, strings.Join(c.calls, " "))
			if task.LastStatus != Stopped || task.StopCode != test.code || got != test.want {
				t.Errorf("%s %s\n%s; want\n%s", task.LastStatus, task.StopCode, got, test.want)
			}
			if len(w.running) != 0 {
				t.Error("it is still looked at")
			}
		})
	}
}

// TestNotRun tables tasks that never reach the runner.
func TestNotRun(t *testing.T) {
	described := func(p *ports) {
		p.images = map[string]Image{"v2": {Digest: "sha256:2", Labels: map[string]string{BehaviourLabel: `{"start": "crash", "exitCode": 42}`}}}
	}
	for _, test := range []struct {
		name, extra, want string
		ports             func(*ports)
	}{
		{"an image with a behaviour does that", realJob, essentialExited, described},
		{"mount points are refused", `, "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]`,
			"CannotCreateContainerError: connect2 sandbox runs no containers with mountPoints", nil},
		{"a secret that cannot be read", realJob, secretFrame + "execution resource retrieval failed: gone", func(p *ports) {
			p.secrets = map[string]error{"arn:aws:secretsmanager:us-west-2:123456789012:secret:db-AbCdEf": fmt.Errorf("gone")}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, h, task := realWorld(t, test.extra, test.ports)
			w.pass(10 * time.Minute)
			if len(h.containers) != 0 || task.LastStatus != Stopped || task.StoppedReason != test.want {
				t.Errorf("%d containers, %s %q", len(h.containers), task.LastStatus, task.StoppedReason)
			}
		})
	}
	h := &hands{}
	w := newWorld(t, func(o *Options, _ *ports) { o.Runner = h })
	s := w.service(settings{desired: 2})
	w.pass(10 * time.Minute)
	if n := len(h.containers); n != 0 || len(s.Tasks()) != 2 || s.Tasks()[0].LastStatus != Running {
		t.Errorf("of a service %d containers are run", n)
	}
}

// TestRealTaskEndsWithItsSiblings: the end of an essential container stops the others, and the task waits for them.
func TestRealTaskEndsWithItsSiblings(t *testing.T) {
	h := &hands{}
	w := newWorld(t, func(o *Options, _ *ports) { o.Runner = h })
	if _, err := w.RegisterTaskDefinition([]byte(`{"family": "pair", "cpu": "256", "memory": "1 GB", "networkMode": "awsvpc",
		"requiresCompatibilities": ["FARGATE"], "containerDefinitions": [
		{"name": "app", "image": "api:v2"}, {"name": "proxy", "image": "proxy:v1", "essential": false, "memory": 128}]}`), "me"); err != nil {
		t.Fatal(err)
	}
	tasks, _, err := w.RunTask(w.cluster, RunRequest{TaskDefinition: "pair", LaunchType: "FARGATE",
		NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0a"]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	app, proxy := h.containers[0], h.containers[1]
	if app.job.Memory != 1<<30 || proxy.job.Memory != 128<<20 {
		t.Errorf("memory %d and %d", app.job.Memory, proxy.job.Memory)
	}
	app.now.Phase, proxy.now.Phase = Made, Made
	w.pass(0)
	w.pass(time.Minute)
	app.now.Phase, proxy.now.Phase = Started, Started
	w.pass(time.Minute)
	app.now.Phase = Exited
	w.pass(time.Hour)
	if !slices.Equal(proxy.calls, []string{"start", "stop 30s"}) || tasks[0].LastStatus != Stopping {
		t.Errorf("sibling %v, task %s", proxy.calls, tasks[0].LastStatus)
	}
	proxy.now = Progress{Phase: Exited, ExitCode: 143}
	w.pass(0)
	w.pass(time.Minute)
	if tasks[0].LastStatus != Stopped || *tasks[0].Containers[1].ExitCode != 143 {
		t.Errorf("task %s, sibling %v", tasks[0].LastStatus, tasks[0].Containers[1].ExitCode)
	}
}
