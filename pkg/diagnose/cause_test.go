package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

const (
	taskARN = "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d"
	groupA  = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/a/73e2d6bc24d8a067"
	groupB  = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/b/73e2d6bc24d8a067"

	noModule   = "ModuleNotFoundError: No module named 'x'"
	noDatabase = `connection to server at "db", port 5432 failed: timeout`
)

func said(text string) Event { return Event{Text: text} }

// unhealthyAt is ECS's event of a task that a load balancer finds unhealthy.
func unhealthyAt(task string, port int, group, why string) Event {
	return said(fmt.Sprintf("(service api) (task %s) (port %d) is unhealthy in (target-group %s) due to (reason %s).", task, port, group, why))
}

func TestHealthyTask(t *testing.T) {
	target := func(ip, state string) []Target { return []Target{{ID: ip, State: state}} }
	for _, test := range []struct {
		name    string
		task    Task
		targets []Target
		want    bool
	}{
		{"its own check passes", Task{LastStatus: "RUNNING", Health: "HEALTHY"}, nil, true},
		{"it has no check", Task{LastStatus: "RUNNING", Health: "UNKNOWN"}, nil, false},
		{"it is not running yet", Task{LastStatus: "PENDING", Health: "HEALTHY"}, nil, false},
		{"the load balancer alone checks it", Task{LastStatus: "RUNNING", Health: "UNKNOWN", IP: "10.0.0.1"},
			target("10.0.0.1", "healthy"), true},
		{"the load balancer is not content yet", Task{LastStatus: "RUNNING", Health: "HEALTHY", IP: "10.0.0.1"},
			target("10.0.0.1", "initial"), false},
		{"its own check fails", Task{LastStatus: "RUNNING", Health: "UNHEALTHY", IP: "10.0.0.1"}, target("10.0.0.1", "healthy"), false},
		{"another task fails", Task{LastStatus: "RUNNING", Health: "HEALTHY", IP: "10.0.0.1"}, target("10.0.0.2", "unhealthy"), true},
		{"neither has an address", Task{LastStatus: "RUNNING", Health: "HEALTHY"}, target("", "unhealthy"), true},
	} {
		if got := (Evidence{Targets: test.targets}).healthy(test.task); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

func TestStreakIsOfOneCauseInOneContainer(t *testing.T) {
	crash := exited(1, noModule)
	newest := exited(1, noModule)
	newest.ARN = taskARN + "/newest"
	other := exited(1, "SyntaxError: invalid syntax")
	elsewhere := exited(1, noModule)
	elsewhere.Containers = slices.Clone(elsewhere.Containers)
	elsewhere.Containers[1].Name = "web"
	unhealthy := Task{LastStatus: "RUNNING", Health: "UNHEALTHY", Containers: []Container{{Name: "app", Health: "UNHEALTHY"}}}
	for _, test := range []struct {
		name  string
		tasks []Task
		want  int
	}{
		{"another cause after one", []Task{newest, other, crash}, 1},
		{"the same in another container", []Task{newest, elsewhere}, 1},
		{"the same in another container, later", []Task{newest, crash, elsewhere}, 2},
		{"a task that still runs does not count", []Task{unhealthy, newest, crash}, 2},
	} {
		row := Streak(Evidence{Service: "api", Tasks: test.tasks})
		got, n := row.Finding, row.Alike
		if n != test.want || got.Code != "app-import-error" || got.Task != newest.ARN {
			t.Errorf("%s: got %d of %s of %s; want %d of the newest task", test.name, n, got.Code, got.Task, test.want)
		}
	}
}

func TestTasksThatDidNotFail(t *testing.T) {
	for name, task := range map[string]Task{
		"running":              {ARN: taskARN, LastStatus: "RUNNING", Health: "HEALTHY", IP: "10.0.0.1"},
		"replaced":             {ARN: taskARN, LastStatus: "STOPPED", Reason: "Scaling activity initiated by (deployment ecs-svc/1)"},
		"ended without a word": {ARN: taskARN, LastStatus: "STOPPED"},
	} {
		e := Evidence{Targets: []Target{{ID: "10.0.0.1", State: "healthy"}, {ID: "10.0.0.2", State: "unhealthy"}}}
		if c := taskCause(e, task); c.rank != rankNothing || c.Task != "" || c.Code != "" {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestUnhealthyTasks(t *testing.T) {
	running := Task{ARN: taskARN, LastStatus: "RUNNING", IP: "10.0.0.1", Containers: []Container{{Name: "app", Ports: []int{8000}}}}
	nowhere := running
	nowhere.IP = ""
	sick := running
	sick.Health = "UNHEALTHY"
	for _, test := range []struct {
		name    string
		task    Task
		targets []Target
		want    string // code; empty: no cause
	}{
		{"its target is unhealthy", running, []Target{{ID: "10.0.0.1", State: "unhealthy"}}, "elb-health-failed"},
		{"its target is starting", running, []Target{{ID: "10.0.0.1", State: "initial"}}, ""},
		{"another's target is unhealthy", running, []Target{{ID: "10.0.0.2", State: "unhealthy"}}, ""},
		{"neither has an address", nowhere, []Target{{ID: "", State: "unhealthy"}}, ""},
		{"its own check fails", sick, nil, "container-health-failed"},
		{"both fail", sick, []Target{{ID: "10.0.0.1", State: "unhealthy"}}, "container-health-failed"},
	} {
		if c := taskCause(Evidence{Targets: test.targets}, test.task); c.Code != test.want || (c.Task == taskARN) != (test.want != "") {
			t.Errorf("%s: got %q of %q, want %q", test.name, c.Code, c.Task, test.want)
		}
	}
}

// TestStops reads each sign of a stop alone, where the others are missing.
func TestStops(t *testing.T) {
	one := []Container{{Name: "app", ExitCode: code(143)}}
	for _, test := range []struct {
		name  string
		task  Task
		code  string
		title string
	}{
		{"Spot, by its code", Task{StopCode: "SpotInterruption", Containers: one}, "spot-interrupted", "Spot"},
		{"Spot, by its older code", Task{StopCode: "TerminationNotice", Containers: one}, "spot-interrupted", "Spot"},
		{"Spot, by the reason", Task{Reason: "Your Spot Task was interrupted.", Containers: one}, "spot-interrupted", "Spot"},
		{"no container ended: the reason", Task{Reason: "Something odd"}, "task-stopped", "no container has an exit code: Something odd"},
		{"no container ended: the code", Task{StopCode: "Oddity"}, "task-stopped", "no container has an exit code: Oddity"},
		{"no container ended: the reason before the code", Task{StopCode: "Oddity", Reason: "Something odd"}, "task-stopped", ": Something odd"},
		{"a start failure without a word", Task{StopCode: "TaskFailedToStart"}, "task-start-failed", "ECS gives no reason"},
		{"the task's reason", Task{StopCode: "TaskFailedToStart", Reason: "Odd task",
			Containers: []Container{{Name: "a", Reason: "odd container"}}},
			"task-start-failed", "could not start: Odd task"},
		{"the container's, where the task has none", Task{StopCode: "TaskFailedToStart",
			Containers: []Container{{Name: "a", Reason: "odd container"}}},
			"task-start-failed", "could not start: odd container"},
		{"the container's, where the task's is empty words", Task{StopCode: "TaskFailedToStart", Reason: "Task failed to start",
			Containers: []Container{{Name: "a"}, {Name: "b", Reason: "odd container"}, {Name: "c", Reason: "odd too"}}},
			"task-start-failed", "could not start: odd container"},
		{"empty words alone", Task{StopCode: "TaskFailedToStart", Reason: "Task failed to start", Containers: []Container{{Name: "a"}}},
			"task-start-failed", "could not start: Task failed to start"},
		{"a container's words that read as a placement's", Task{StopCode: "EssentialContainerExited",
			Containers: []Container{{Name: "app", ExitCode: code(3), Reason: "lost the AGENT"}}}, "app-exit", "code 3"},
		{"a placement", Task{StopCode: "TaskFailedToStart", Reason: "RESOURCE:MEMORY"}, "no-container-instance", "MEMORY"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.task.ARN, test.task.LastStatus = taskARN, "STOPPED"
			c := Classify(Evidence{Service: "api", Tasks: []Task{test.task}})
			if c.Code != test.code || !strings.Contains(c.Title, test.title) || c.Task != taskARN {
				t.Errorf("got %s %q of %q, want %s with %q", c.Code, c.Title, c.Task, test.code, test.title)
			}
		})
	}
	c := Classify(Evidence{Tasks: []Task{{LastStatus: "STOPPED", StopCode: "TaskFailedToStart", Containers: []Container{
		{Name: "log"}, {Name: "app", Reason: `CannotStartContainerError: exec: "serve": permission denied`}}}}})
	if c.Code != "command-not-executable" || c.Container != "app" {
		t.Errorf("a container that cannot start: got %s in %q", c.Code, c.Container)
	}
}

func TestCulprit(t *testing.T) {
	end := func(name string, n int) Container { return Container{Name: name, ExitCode: code(n)} }
	sidecar := func(c Container) Container { c.Sidecar = true; return c }
	memory := Container{Name: "memory", Reason: "OutOfMemoryError: killed"}
	memoryWithCode := Container{Name: "memory", Reason: "OutOfMemoryError: killed", ExitCode: code(0)}
	// From the one that is least to blame to the one that is most.
	order := []Container{
		{Name: "never ran"}, sidecar(end("side zero", 0)), sidecar(end("side term", 143)), sidecar(end("side kill", 137)),
		sidecar(end("side error", 1)), sidecar(Container{Name: "side memory", Reason: "OutOfMemory"}),
		end("zero", 0), end("term", 143), end("kill", 137), end("error", 1), memory,
	}
	for i, more := range order[1:] {
		for _, less := range order[:i+1] {
			for _, both := range [][]Container{{less, more}, {more, less}} {
				if got, ok := culprit(Task{Containers: both}); !ok || got.Name != more.Name {
					t.Errorf("of %q and %q, %q is taken (%v)", both[0].Name, both[1].Name, got.Name, ok)
				}
			}
		}
	}
	if got, ok := culprit(Task{Containers: []Container{end("error", 1), memoryWithCode}}); !ok || got.Name != "memory" {
		t.Errorf("killed for memory, with an exit code: %q is taken (%v)", got.Name, ok)
	}
	if got, ok := culprit(Task{Containers: []Container{end("first", 1), end("second", 2)}}); !ok || got.Name != "first" {
		t.Errorf("of two alike %q is taken (%v)", got.Name, ok)
	}
	for _, none := range [][]Container{nil, {{Name: "never ran"}}} {
		if got, ok := culprit(Task{Containers: none}); ok {
			t.Errorf("%q is to blame, and never ran", got.Name)
		}
	}
}

// numbered returns lines "noise 1", "noise 2", …
func numbered(n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("noise %d", i+1))
	}
	return lines
}

func TestExitEvidence(t *testing.T) {
	const first = "Essential container in task exited"
	last15 := func(lines []string) (quoted []string) {
		for _, line := range lines[max(0, len(lines)-15):] {
			quoted = append(quoted, "app | "+line)
		}
		return quoted
	}
	early := append([]string{"KeyError: 'DATABASE_URL'"}, numbered(20)...)
	killed := alone(0)
	killed.Containers[0].ExitCode, killed.Containers[0].Reason = nil, "OutOfMemoryError: too much"
	said := alone(4)
	said.Containers[0].Reason = "it said so"
	for _, test := range []struct {
		name string
		task Task
		code string
		want []string
	}{
		{"the last lines", alone(3, numbered(20)...), "app-exit", slices.Concat([]string{first, "app: exit code 3"}, last15(numbered(20)))},
		{"the line that says why, further up", alone(1, early...), "app-config-invalid",
			slices.Concat([]string{first, "app: exit code 1"}, last15(early), []string{"app | KeyError: 'DATABASE_URL'"})},
		{"the line that says why, among the last", alone(1, "KeyError: 'DATABASE_URL'", "bye"), "app-config-invalid",
			[]string{first, "app: exit code 1", "app | KeyError: 'DATABASE_URL'", "app | bye"}},
		{"the container's own words", said, "app-exit", []string{first, "app: exit code 4, it said so"}},
		{"without a code", killed, "out-of-memory", []string{first, "app: exit code 137, OutOfMemoryError: too much"}},
	} {
		c := Classify(Evidence{Service: "api", Tasks: []Task{test.task}})
		if c.Code != test.code || !slices.Equal(c.Evidence, test.want) {
			t.Errorf("%s: got %s with %q, want %s with %q", test.name, c.Code, c.Evidence, test.code, test.want)
		}
	}
}

func TestExitAdvice(t *testing.T) {
	unlogged := alone(3)
	unlogged.Containers[0].LogGroup = ""
	for name, test := range map[string]struct {
		task Task
		want string // in the first advice
	}{
		"a log to read":      {alone(3), "aws logs tail /ecs/api --log-stream-names ecs/app/0f9d"},
		"no log":             {unlogged, "docker run --rm IMAGE"},
		"a log that is read": {alone(3, "panic: boom"), "docker run --rm IMAGE"},
	} {
		if c := Classify(Evidence{Service: "api", Tasks: []Task{test.task}}); len(c.Fix) == 0 || !strings.Contains(c.Fix[0], test.want) {
			t.Errorf("%s: got %q, want %q", name, c.Fix, test.want)
		}
	}

	// What could not be read matters as long as the cause is not known for sure.
	missing := []string{"the log of app: denied"}
	for name, test := range map[string]struct {
		task Task
		want bool
	}{
		"not understood": {alone(3), true},
		"understood":     {alone(1, noModule), false},
		"a crash":        {alone(139), false},
	} {
		c := Classify(Evidence{Service: "api", Tasks: []Task{test.task}, Missing: missing})
		if got := slices.Contains(c.Fix, "not read: the log of app: denied"); got != test.want {
			t.Errorf("%s: the advice is %q", name, c.Fix)
		}
	}

	// A log line does not explain a crash of the process itself; and a one-off task may end with 0.
	if c := Classify(Evidence{Service: "api", Tasks: []Task{alone(139, noModule)}}); c.Code != "segmentation-fault" {
		t.Errorf("a segmentation fault after an error in the log: got %s", c.Code)
	}
	for _, service := range []string{"api", ""} {
		if c := Classify(Evidence{Service: service, Tasks: []Task{alone(0)}}); c.Code != "exited-zero" || c.Certain {
			t.Errorf("service %q: got %s, certain %v", service, c.Code, c.Certain)
		}
	}
}

func TestContainerHealthCause(t *testing.T) {
	failed := func(containers ...Container) Task {
		return Task{ARN: taskARN, LastStatus: "STOPPED", StopCode: "ServiceSchedulerInitiated", Reason: "Task failed container health checks",
			Containers: containers}
	}
	app := Container{Name: "app", Ports: []int{8000}, Health: "HEALTHY", Check: "/check"}
	worker := Container{Name: "worker", Health: "UNHEALTHY"}
	second := Container{Name: "second", Health: "UNHEALTHY"}
	withLog := app
	withLog.Logs = []string{noDatabase}
	for _, test := range []struct {
		name      string
		task      Task
		container string
		title     string
		fault     record.Fault
		fix       string // in the first advice
	}{
		{"the one that is unhealthy", failed(app, worker, second), "worker",
			"the container health check of worker fails", record.FaultRelease,
			"docker exec app CHECK"},
		{"nobody knows which", failed(app), "app",
			"the container health check of app fails", record.FaultRelease, "docker exec app /check"},
		{"its log says why", failed(withLog), "app", "the container health check of app fails: app cannot reach its database at db:5432",
			record.FaultInfrastructure, "database"},
	} {
		c := Classify(Evidence{Service: "api", Tasks: []Task{test.task}})
		if c.Code != "container-health-failed" || c.Container != test.container || c.Title != test.title || c.Certain ||
			c.Fault != test.fault || len(c.Fix) == 0 || !strings.Contains(c.Fix[0], test.fix) {
			t.Errorf("%s: got %+v", test.name, c)
		}
	}
}

func TestTargetCause(t *testing.T) {
	const ip = "10.0.3.17"
	failed := func(ip string, containers ...Container) []Task {
		return []Task{{ARN: taskARN, LastStatus: "STOPPED", StopCode: "ServiceSchedulerInitiated", IP: ip,
			Reason: "Task failed ELB health checks in (target-group " + groupA + ")", Containers: containers}}
	}
	app := Container{Name: "app", Ports: []int{8000}}
	admin := Container{Name: "admin", Ports: []int{9000}}
	logging := func(c Container, lines ...string) Container { c.Logs = lines; return c }
	const codes = "Health checks failed with these codes: "
	target := func(group, ip, state string, port int, description string) Target {
		return Target{Group: group, ID: ip, Port: port, State: state, Reason: "Target.X", Description: description}
	}
	for _, test := range []struct {
		name      string
		e         Evidence
		code      string
		container string
		title     string
		fix       string   // in the advice
		evidence  []string // all of it
	}{
		{"what its target says", Evidence{Tasks: failed(ip, app), Targets: []Target{target(groupB, ip, "unhealthy", 8000, codes+"[503]")}},
			"elb-health-error", "app", "with 503", groupB, []string{"Target.X: " + codes + "[503]"}},
		{"the first of its targets", Evidence{Tasks: failed(ip, app), Targets: []Target{
			target(groupB, ip, "unhealthy", 8000, codes+"[503]"), target(groupA, ip, "unhealthy", 8000, codes+"[502]")}},
			"elb-health-error", "app", "with 503", groupB, []string{"Target.X: " + codes + "[503]"}},
		{"another task's target", Evidence{Tasks: failed(ip, app),
			Targets: []Target{target(groupB, "10.0.9.9", "unhealthy", 8000, codes+"[503]")}},
			"elb-health-failed", "app", "finds app unhealthy", "--target-group-arn GROUP", nil},
		{"a target that is healthy again", Evidence{Tasks: failed(ip, app),
			Targets: []Target{target(groupB, ip, "healthy", 8000, codes+"[503]")}},
			"elb-health-failed", "app", "finds app unhealthy", "GROUP", nil},
		{"a target without an address", Evidence{Tasks: failed("", app), Targets: []Target{target(groupB, "", "unhealthy", 8000, codes+"[503]")}},
			"elb-health-failed", "app", "finds app unhealthy", "GROUP", nil},
		{"what the event says", Evidence{Tasks: failed(ip, app), Events: []Event{unhealthyAt("0f9d", 8000, groupA, codes+"[503]")}},
			"elb-health-error", "app", "with 503", groupA, []string{unhealthyAt("0f9d", 8000, groupA, codes+"[503]").Text}},
		{"the newest event", Evidence{Tasks: failed(ip, app), Events: []Event{said("(service api) has started 1 tasks."),
			unhealthyAt("0f9d", 8000, groupA, codes+"[503]"), unhealthyAt("0f9d", 8000, groupA, codes+"[502]")}},
			"elb-health-error", "app", "with 503", groupA, []string{unhealthyAt("0f9d", 8000, groupA, codes+"[503]").Text}},
		{"another task's event", Evidence{Tasks: failed(ip, app), Events: []Event{unhealthyAt("abcd", 8000, groupA, codes+"[503]")}},
			"elb-health-failed", "app", "finds app unhealthy", "GROUP", nil},
		{"the target before the event", Evidence{Tasks: failed(ip, app), Targets: []Target{target(groupB, ip, "unhealthy", 8000, codes+"[503]")},
			Events: []Event{unhealthyAt("0f9d", 8001, groupA, codes+"[502]")}}, "elb-health-error", "app", "with 503", groupB,
			[]string{"Target.X: " + codes + "[503]", unhealthyAt("0f9d", 8001, groupA, codes+"[502]").Text}},
		{"the container behind the port", Evidence{Tasks: failed(ip, app, admin),
			Events: []Event{unhealthyAt("0f9d", 9000, groupA, codes+"[503]")}},
			"elb-health-error", "admin", "admin answers", groupA, nil},
		{"not the last container", Evidence{Tasks: failed(ip, app, admin), Events: []Event{unhealthyAt("0f9d", 8000, groupA, codes+"[503]")}},
			"elb-health-error", "app", "app answers", groupA, nil},
		{"the port of the event", Evidence{Tasks: failed(ip, app), Events: []Event{unhealthyAt("0f9d", 9001, groupA, "Health checks failed")}},
			"elb-health-refused", "app", "on port 9001", "0.0.0.0:9001", nil},
		{"the port of the target", Evidence{Tasks: failed(ip, Container{Name: "app", Ports: []int{8000, 9000}}),
			Targets: []Target{target(groupB, ip, "unhealthy", 9000, "Health checks failed")}},
			"elb-health-refused", "app", "on port 9000", "0.0.0.0:9000", nil},
		{"no port anywhere", Evidence{Tasks: failed(ip, logging(Container{Name: "app"}, "Uvicorn running on http://0.0.0.0:8080"))},
			"elb-health-failed", "app", "finds app unhealthy", "GROUP", []string{"app | Uvicorn running on http://0.0.0.0:8080"}},
		{"the container's port, where nobody names one",
			Evidence{Tasks: failed(ip, logging(app, "starting", "Uvicorn running on http://0.0.0.0:8080", "ready"))},
			"listens-on-other-port", "app", "listens on port 8080, but the load balancer checks port 8000", "8000",
			[]string{"app | Uvicorn running on http://0.0.0.0:8080", "app | starting", "app | ready"}},
		{"a code was answered, so the address is right", Evidence{Tasks: failed(ip, logging(app, "Uvicorn running on http://0.0.0.0:8080")),
			Events: []Event{unhealthyAt("0f9d", 8000, groupA, codes+"[503]")}}, "elb-health-error", "app", "with 503", groupA, nil},
		{"the log says more", Evidence{Tasks: failed(ip, logging(app, noDatabase)),
			Events: []Event{unhealthyAt("0f9d", 8000, groupA, codes+"[503]")}},
			"elb-health-error", "app", "with 503; its log: app cannot reach its database", "database", nil},
		{"the log is beside the point", Evidence{Tasks: failed(ip, logging(app, noDatabase)),
			Events: []Event{unhealthyAt("0f9d", 8000, groupA, codes+"[404]")}}, "elb-health-path", "app", "(404)", groupA, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.e.Service = "api"
			c := Classify(test.e)
			if c.Code != test.code || c.Container != test.container || !strings.Contains(c.Title, test.title) || c.Task != taskARN {
				t.Errorf("got %s %q in %q of %q; want %s %q in %q", c.Code, c.Title, c.Container, c.Task, test.code, test.title, test.container)
			}
			if fix := strings.Join(c.Fix, "\n"); !strings.Contains(fix, test.fix) {
				t.Errorf("the advice %q lacks %q", fix, test.fix)
			}
			// The task's own reason comes first, but where the program's words on its address do.
			reason := test.e.Tasks[0].Reason
			if want := append([]string{reason}, test.evidence...); test.evidence != nil && !slices.Equal(sortedCopy(c.Evidence), sortedCopy(want)) {
				t.Errorf("evidence %q, want %q", c.Evidence, want)
			}
			if strings.Contains(c.Title, "its log") != strings.Contains(test.title, "its log") {
				t.Errorf("title %q", c.Title)
			}
		})
	}
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestLogAdviceComesFirst(t *testing.T) {
	e := Evidence{Service: "api", Events: []Event{unhealthyAt("0f9d", 8000, groupA, "Health checks failed with these codes: [503]")},
		Tasks: []Task{{ARN: taskARN, LastStatus: "STOPPED", Reason: "Task failed ELB health checks in (target-group " + groupA + ")",
			Containers: []Container{{Name: "app", Ports: []int{8000}, Logs: []string{noDatabase}}}}}}
	c := Classify(e)
	said, _ := inLines(logRules, e.varsOf(e.Tasks[0], ""), []string{noDatabase})
	if len(said.Fix) == 0 || len(c.Fix) <= len(said.Fix) || !slices.Equal(c.Fix[:len(said.Fix)], said.Fix) || c.Fault != said.Fault {
		t.Errorf("got %q (%s), want %q (%s) first", c.Fix, c.Fault, said.Fix, said.Fault)
	}
}

func TestMainContainer(t *testing.T) {
	side := Container{Name: "side", Sidecar: true, Ports: []int{1}}
	plain, second := Container{Name: "plain"}, Container{Name: "second"}
	web, admin := Container{Name: "web", Ports: []int{8000}}, Container{Name: "admin", Ports: []int{9000, 9001}}
	for _, test := range []struct {
		containers []Container
		want       string
	}{
		{nil, "the task"},
		{[]Container{{}}, "the task"},
		{[]Container{side}, "side"},
		{[]Container{side, plain}, "plain"},
		{[]Container{plain, side}, "plain"},
		{[]Container{plain, second}, "plain"},
		{[]Container{plain, web}, "web"},
		{[]Container{web, plain}, "web"},
		{[]Container{web, admin}, "web"},
		{[]Container{admin, web}, "admin"},
		{[]Container{side, plain, second, admin, web}, "admin"},
	} {
		if got := mainContainer(Task{Containers: test.containers}).Name; got != test.want {
			t.Errorf("%+v: got %s, want %s", test.containers, got, test.want)
		}
	}
}

func TestVarsOf(t *testing.T) {
	task := Task{Containers: []Container{
		{Name: "app", Image: "repo/app:1", Memory: 512, Arch: "ARM64", Ports: []int{8000}},
		{Name: "log", Image: "repo/log:1", Memory: 1, LogGroup: "/ecs/log", Arch: "X86_64"},
		{Name: "late", Image: "repo/late:1", LogGroup: "/ecs/late"},
	}}
	e := Evidence{Cluster: "arn:aws:ecs:eu-west-1:111122223333:cluster/prod", Service: "api",
		TaskDefinition: "arn:aws:ecs:eu-west-1:111122223333:task-definition/api:7"}
	for _, test := range []struct {
		container string
		want      map[string]string
	}{
		{"", map[string]string{"cluster": "prod", "service": "api", "family": "api", "container": "app", "image": "repo/app:1",
			"log_group": "/ecs/log", "memory": "limit 512 MiB", "arch": "ARM64", "platform_arch": "arm64", "capacity": "Fargate"}},
		{"log", map[string]string{"container": "log", "image": "repo/log:1", "log_group": "/ecs/log", "memory": "limit 1 MiB",
			"arch": "X86_64", "platform_arch": "amd64"}},
		{"late", map[string]string{"container": "late", "image": "repo/late:1", "log_group": "/ecs/late", "memory": "limit not known",
			"arch": "X86_64", "platform_arch": "amd64"}},
		{"nobody", map[string]string{"container": "app"}},
	} {
		got := e.varsOf(task, test.container)
		for name, want := range test.want {
			if got[name] != want {
				t.Errorf("%q: %s is %q, want %q", test.container, name, got[name], want)
			}
		}
	}
}

func TestQuotes(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " \n": nil, "\x1b[31m": nil, "~": {"~"}, "  words ": {"words"}, "password=hunter2": {"password=" + hidden},
	} {
		if got := quotes(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestBrief(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for text, want := range map[string]string{
		"one\ntwo": "one", "\n one": "one", "password=hunter2\n": "password=" + hidden,
		long: long, long + "b": strings.Repeat("ä", 199) + "…",
	} {
		if got := brief(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestCertainIsWhatCannotPass holds the codes that are certain: what the image, the task definition or a secret lacks.
func TestCertainIsWhatCannotPass(t *testing.T) {
	want := []string{"app-config-invalid", "app-import-error", "app-syntax-error", "architecture-mismatch", "command-not-executable",
		"command-not-found", "env-file-missing", "image-digest-gone", "image-not-found", "log-driver-invalid", "parameter-missing",
		"repository-missing", "secret-deleted", "secret-empty", "secret-key-missing", "secret-missing", "secret-not-json",
		"secret-reference-invalid", "secret-version-missing"}
	var got []string
	for _, rules := range [][]rule{startRules, logRules, placementRules} {
		for _, r := range rules {
			if r.certain {
				got = append(got, r.code)
			}
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("certain are %q", got)
	}
}
