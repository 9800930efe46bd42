package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const withSecret = `, "secrets": [{"name": "DB", "valueFrom": "arn:aws:secretsmanager:us-west-2:123456789012:secret:db-AbCdEf"}],
	"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs"}}`

// TestEnds tables how tasks of a service end: stop code, reason, and the container's part in it.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name      string
		behaviour Behaviour
		ports     func(*ports)
		code      string
		reason    string // its beginning
		container string // exit code and reason
		missing   string // timestamps that such a task does not have
	}{
		{name: "crash", behaviour: Behaviour{Start: Crash, After: Duration(3 * time.Second)},
			code: EssentialContainerExited, reason: "Essential container in task exited", container: "1"},
		{name: "crash with code", behaviour: Behaviour{Start: Crash, ExitCode: new(139)},
			code: EssentialContainerExited, reason: "Essential container in task exited", container: "139"},
		{name: "out of memory", behaviour: Behaviour{Start: OutOfMemory, After: Duration(5 * time.Second)},
			code: EssentialContainerExited, reason: "Essential container in task exited",
			container: "137 OutOfMemoryError: Container killed due to memory usage"},
		{name: "single image of another architecture", ports: func(p *ports) {
			p.images = map[string]Image{"v2": {Digest: "sha256:2", Platforms: []string{"linux/arm64"}}}
		}, code: EssentialContainerExited, reason: "Essential container in task exited", container: "255"},
		{name: "index without the architecture", ports: func(p *ports) {
			p.images = map[string]Image{"v2": {Digest: "sha256:2", Index: true, Platforms: []string{"linux/arm64", "linux/arm/v7"}}}
		}, code: TaskFailedToStart, reason: "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not " +
			"contain descriptor matching platform 'linux/amd64'",
			missing: "startedAt executionStoppedAt"},
		{name: "tag missing", ports: func(p *ports) { p.images = map[string]Image{"v1": {Digest: "sha256:1"}} },
			code: TaskFailedToStart, reason: "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref " +
				"123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v2: 123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v2: not found",
			missing: "startedAt executionStoppedAt"},
		{name: "secret missing", ports: func(p *ports) {
			p.secrets = map[string]error{"arn:aws:secretsmanager:us-west-2:123456789012:secret:db-AbCdEf": fmt.Errorf("unable to retrieve secret " +
				"from asm: gone")}
		}, code: TaskFailedToStart, reason: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource " +
			"retrieval failed: unable to retrieve secret from asm: gone",
			missing: "pullStartedAt pullStoppedAt startedAt executionStoppedAt"},
		{name: "log group missing", ports: func(p *ports) { p.groups = map[string]bool{} },
			code: TaskFailedToStart, reason: "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 " +
				"times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
			missing: "startedAt executionStoppedAt"},
		{name: "command missing", behaviour: Behaviour{Start: ExecError},
			code: TaskFailedToStart, reason: "CannotStartContainerError: ", missing: "startedAt executionStoppedAt"},
		{name: "no way to the registry", behaviour: Behaviour{Start: NoNetwork},
			code: TaskFailedToStart, reason: "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry " +
				"auth from Amazon ECR",
			missing: "pullStartedAt pullStoppedAt startedAt executionStoppedAt"},
		{name: "own words", behaviour: Behaviour{Start: PullError, Reason: "CannotPullContainerError: of my own"},
			code: TaskFailedToStart, reason: "CannotPullContainerError: of my own", missing: "startedAt executionStoppedAt"},
		{name: "label that cannot be read", ports: func(p *ports) {
			p.images = map[string]Image{"v2": {Digest: "sha256:2", Labels: map[string]string{BehaviourLabel: "start: dance"}}}
		}, code: TaskFailedToStart, reason: "connect2 sandbox: the image label connect2.sandbox cannot be read",
			missing: "startedAt executionStoppedAt"},
		{name: "label", ports: func(p *ports) {
			p.images = map[string]Image{"v2": {Digest: "sha256:2", Labels: map[string]string{BehaviourLabel: `{"start": "crash", "exitCode": 42}`}}}
		}, code: EssentialContainerExited, reason: "Essential container in task exited", container: "42"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(_ *Options, p *ports) {
				if test.ports != nil {
					test.ports(p)
				}
			})
			if test.behaviour.Start != "" {
				w.SetBehaviour("v2", test.behaviour)
			}
			s := w.service(settings{desired: 1, definition: w.define("v2", withSecret)})
			w.pass(6 * time.Minute)
			task := s.Tasks()[0]
			if task.LastStatus != Stopped || task.StopCode != test.code || !strings.HasPrefix(task.StoppedReason, test.reason) {
				t.Errorf("%s %s %q; want STOPPED %s %q", task.LastStatus, task.StopCode, task.StoppedReason, test.code, test.reason)
			}
			c := task.Containers[0]
			got := c.Reason
			if c.ExitCode != nil {
				got = strings.TrimSpace(fmt.Sprint(*c.ExitCode, " ", c.Reason))
			}
			if test.code == TaskFailedToStart && test.container == "" {
				test.container = task.StoppedReason
			}
			if got != test.container {
				t.Errorf("container: %q, want %q", got, test.container)
			}
			if missing := absent(task); missing != test.missing {
				t.Errorf("timestamps that are missing: %q, want %q", missing, test.missing)
			}
		})
	}
}

// absent lists the timestamps that a task lacks, and fails by its text if the others are out of order.
func absent(t *Task) string {
	var out []string
	last := t.CreatedAt
	for _, stamp := range []struct {
		name string
		at   time.Time
	}{
		{"connectivityAt", t.ConnectivityAt}, {"pullStartedAt", t.PullStartedAt}, {"pullStoppedAt", t.PullStoppedAt},
		{"startedAt", t.StartedAt}, {"executionStoppedAt", t.ExecutionStoppedAt}, {"stoppingAt", t.StoppingAt}, {"stoppedAt", t.StoppedAt},
	} {
		switch {
		case stamp.at.IsZero():
			out = append(out, stamp.name)
		case stamp.at.Before(last):
			out = append(out, stamp.name+" out of order")
		default:
			last = stamp.at
		}
	}
	return strings.Join(out, " ")
}

// TestCourse follows one task of a service behind a target group from its start to the end of its visibility.
func TestCourse(t *testing.T) {
	w := newWorld(t, nil)
	s := w.service(settings{desired: 1, targets: true})
	w.pass(16 * time.Second)
	task := s.Tasks()[0]
	var course []string
	note := func(since time.Time) {
		for {
			at, ok := w.Next()
			if !ok || at.Sub(since) > 3*time.Minute {
				return
			}
			before := task.LastStatus
			w.Advance(at)
			if task.LastStatus != before {
				course = append(course, fmt.Sprintf("%.0f %s", at.Sub(since).Seconds(), task.LastStatus))
			}
		}
	}
	note(task.CreatedAt)
	if len(w.ports.targets) != 1 || s.Counts() != (Counts{Running: 1}) {
		t.Errorf("targets %v, counts %+v", w.ports.targets, s.Counts())
	}
	stopped := w.Now()
	w.update(s, ServiceChange{DesiredCount: new(0)})
	note(stopped)
	want := []string{"4 PENDING", "8 ACTIVATING", "34 RUNNING", "6 DEACTIVATING", "55 STOPPING", "56 DEPROVISIONING", "68 STOPPED"}
	if diff := cmp.Diff(want, course); diff != "" {
		t.Error(diff)
	}
	if *task.Containers[0].ExitCode != 0 || task.StopCode != ServiceSchedulerInitiated || len(w.ports.targets) != 0 ||
		task.StoppedReason != "Scaling activity initiated by (deployment "+s.Deployments[0].ID+")" {
		t.Errorf("%+v, targets %v", task, w.ports.targets)
	}
	w.pass(time.Hour)
	if len(s.Tasks()) != 0 {
		t.Error("a stopped task is still visible after more than an hour")
	}
}

// TestStops tables the ends that somebody outside decides.
func TestStops(t *testing.T) {
	for _, test := range []struct {
		name, code, reason string
		exit               int
		stopAfter          time.Duration
		do                 func(*world, *Task)
	}{
		{"by a user", UserInitiated, "Task stopped by user", 0, 0, func(w *world, t *Task) { w.StopTask(t, "") }},
		{"by a user, with a reason", UserInitiated, "drill", 0, 0, func(w *world, t *Task) { w.StopTask(t, "drill") }},
		{"ignores SIGTERM", UserInitiated, "drill", 137, time.Hour, func(w *world, t *Task) { w.StopTask(t, "drill") }},
		{"spot", SpotInterruption, "Your Spot Task was interrupted.", 0, 0, func(w *world, t *Task) { w.InterruptSpot(t) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.SetBehaviour("v1", Behaviour{StopAfter: Duration(test.stopAfter)})
			s := w.service(settings{desired: 1, targets: true})
			w.pass(5 * time.Minute)
			task := s.Tasks()[0]
			test.do(w, task)
			w.pass(5 * time.Minute)
			if task.LastStatus != Stopped || task.StopCode != test.code || task.StoppedReason != test.reason ||
				*task.Containers[0].ExitCode != test.exit {
				t.Errorf("%s %s %q %d", task.LastStatus, task.StopCode, task.StoppedReason, *task.Containers[0].ExitCode)
			}
			if counts := s.Counts(); counts.Running != 1 || s.Deployments[0].FailedTasks != 0 {
				t.Errorf("the task was not replaced, or counted as failed: %+v", counts)
			}
		})
	}
}

// TestRunTask runs one-off tasks of several kinds; the lines and the exit code are what a migration's caller reads.
func TestRunTask(t *testing.T) {
	b := Behaviour{Run: map[string]Run{
		"alembic": {After: Duration(10 * time.Second), Logs: []string{"INFO upgrade", "INFO done"}},
		"broken":  {ExitCode: 2, Logs: []string{"no such revision"}},
		"hungry":  {Start: OutOfMemory},
		"*":       {ExitCode: 9},
	}}
	for command, want := range map[string]string{
		"alembic upgrade head": "0 ;/ecs/api ecs/app INFO upgrade;/ecs/api ecs/app INFO done",
		"broken":               "2 ;/ecs/api ecs/app no such revision",
		"hungry":               "137 OutOfMemoryError: Container killed due to memory usage;",
		"other":                "9 ;",
	} {
		w := newWorld(t, nil)
		w.SetBehaviour("*", b)
		overrides, err := json.Marshal(map[string]any{"containerOverrides": []any{map[string]any{"name": "app",
			"command": strings.Fields(command)}}})
		if err != nil {
			t.Fatal(err)
		}
		tasks, failures, err := w.RunTask(w.cluster, RunRequest{TaskDefinition: w.define("v1", withSecret), LaunchType: "FARGATE",
			NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0a"]}}`), Overrides: overrides})
		if err != nil || len(failures) > 0 {
			t.Fatal(err, failures)
		}
		w.pass(5 * time.Minute)
		c := tasks[0].Containers[0]
		got := fmt.Sprintf("%d %s;%s", *c.ExitCode, c.Reason, strings.Join(w.ports.lines, ";"))
		if tasks[0].LastStatus != Stopped || tasks[0].Group != "family:api" || got != want {
			t.Errorf("%s: %s %q, want %q", command, tasks[0].LastStatus, got, want)
		}
	}
}

// TestDigests pins the tag that the first task of a deployment resolved: what is pushed under it later is not started
// until a new deployment resolves again.
func TestDigests(t *testing.T) {
	w := newWorld(t, func(_ *Options, p *ports) { p.images = map[string]Image{"v1": {Digest: "sha256:old"}} })
	s := w.service(settings{desired: 1})
	if s.Revisions[0].Images[0].Digest != "" {
		t.Error("the digest is known before any task pulled")
	}
	w.pass(5 * time.Minute)
	w.ports.images = map[string]Image{"v1": {Digest: "sha256:new"}, "none": {Digest: "sha256:old"}}
	w.StopTask(s.Tasks()[0], "")
	w.pass(5 * time.Minute)
	w.update(s, ServiceChange{ForceNewDeployment: true})
	w.pass(5 * time.Minute)
	var got []string
	for _, task := range s.Tasks() {
		got = append(got, task.Containers[0].ImageDigest)
	}
	if strings.Join(got, " ") != "sha256:old sha256:old sha256:new" {
		t.Errorf("digests of the tasks: %v", got)
	}
}

// TestRestartPolicy has containers end that have a restart policy: who is started again keeps its task.
func TestRestartPolicy(t *testing.T) {
	const enabled = `"restartPolicy": {"enabled": true`
	crash := func(after time.Duration) Behaviour {
		return Behaviour{Start: Crash, ExitCode: new(3), After: Duration(after)}
	}
	for _, test := range []struct {
		name      string
		policy    string
		behaviour Behaviour
		starts    int // again, within a quarter of an hour, by the first task
		ends      bool
	}{
		{"none", "", crash(5 * time.Minute), 0, true},
		{"it ran for the usual period", ", " + enabled + `}`, crash(5 * time.Minute), 2, false},
		{"it ran for less", ", " + enabled + `}`, crash(5*time.Minute - time.Second), 0, true},
		{"it is off", `, "restartPolicy": {"enabled": false}`, crash(5 * time.Minute), 0, true},
		{"a period of its own", ", " + enabled + `, "restartAttemptPeriod": 60}`, crash(time.Minute), 14, false},
		{"less than that", ", " + enabled + `, "restartAttemptPeriod": 60}`, crash(59 * time.Second), 0, true},
		{"its exit code is ignored", ", " + enabled + `, "ignoredExitCodes": [0, 3]}`, crash(5 * time.Minute), 0, true},
		{"another is", ", " + enabled + `, "ignoredExitCodes": [0, 4]}`, crash(5 * time.Minute), 2, false},
		{"out of memory", ", " + enabled + `}`, Behaviour{Start: OutOfMemory, After: Duration(6 * time.Minute)}, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.SetBehaviour("v2", test.behaviour)
			s := w.service(settings{desired: 1, definition: w.define("v2", test.policy)})
			for len(s.Tasks()) == 0 || s.Tasks()[0].StartedAt.IsZero() {
				w.pass(time.Second)
			}
			task := s.Tasks()[0]
			address := task.Interface.IP
			w.pass(15*time.Minute - 2*time.Second)
			c := task.Containers[0]
			if c.starts != test.starts || (task.LastStatus != Running) != test.ends {
				t.Errorf("started again %d times, and the task is %s", c.starts, task.LastStatus)
			}
			if test.ends {
				return
			}
			if c.LastStatus != Running || c.ExitCode != nil || task.StopCode != "" || task.Interface.IP != address || len(s.Tasks()) != 1 {
				t.Errorf("container %s, exit code %v, stop code %q, %d tasks", c.LastStatus, c.ExitCode, task.StopCode, len(s.Tasks()))
			}
			if d := s.Deployments[0]; d.State != Completed || d.FailedTasks != 0 {
				t.Errorf("the deployment is %s, %d tasks failed", d.State, d.FailedTasks)
			}
		})
	}
}

// TestRestartPolicyIsChecked refuses policies that ECS refuses.
func TestRestartPolicyIsChecked(t *testing.T) {
	codes := strings.TrimSuffix(strings.Repeat("1,", 51), ",")
	for policy, good := range map[string]bool{
		`{"enabled": true, "restartAttemptPeriod": 60}`:               true,
		`{"enabled": true, "restartAttemptPeriod": 1800}`:             true,
		`{"enabled": true, "restartAttemptPeriod": 59}`:               false,
		`{"enabled": true, "restartAttemptPeriod": 1801}`:             false,
		`{"enabled": true, "ignoredExitCodes": [` + codes + `]}`:      false,
		`{"enabled": true, "ignoredExitCodes": [` + codes[:99] + `]}`: true,
	} {
		w := newWorld(t, nil)
		_, err := w.RegisterTaskDefinition([]byte(`{"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 64,
			"restartPolicy": `+policy+`}]}`), "me")
		if (err == nil) != good {
			t.Errorf("%.60s: %v", policy, err)
		}
	}
}
