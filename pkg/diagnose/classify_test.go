package diagnose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

func code(n int) *int { return &n }

// exited is a task whose essential container app ended with this code after these lines.
func exited(n int, logs ...string) Task {
	return Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", LastStatus: "STOPPED",
		StopCode: "EssentialContainerExited",
		Reason:   "Essential container in task exited", Containers: []Container{
			{Name: "log-router", Sidecar: true, ExitCode: code(1)},
			{Name: "app", ExitCode: code(n), Ports: []int{8000}, Memory: 512, LogGroup: "/ecs/api",
				Stream: "ecs/app/0f9d", Logs: logs},
			{Name: "proxy", ExitCode: code(137)}}}
}

// In a one-off task a missing relation is the migration's own failure, not a migration that nobody ran.
func TestSchemaInAOneOffTask(t *testing.T) {
	task := exited(1, `psycopg2.errors.UndefinedTable: relation "users" does not exist`)
	for service, want := range map[string]string{"api": "schema-not-migrated", "": "schema-unexpected"} {
		c := Classify(Evidence{Service: service, Cluster: "prod", Tasks: []Task{task}})
		if c.Code != want || c.Fault != record.FaultRelease || c.Certain || !strings.Contains(c.Title, `relation "users" does not exist`) {
			t.Errorf("service %q: got %s %q (%s, certain %v), want %s", service, c.Code, c.Title, c.Fault, c.Certain, want)
		}
	}
}

// alone is a task of one container that ended with this code.
func alone(n int, logs ...string) Task {
	t := exited(n, logs...)
	t.Containers = t.Containers[1:2]
	return t
}

func TestExits(t *testing.T) {
	traceback := func(last string) []string {
		return []string{"INFO: starting", "Traceback (most recent call last):",
			`  File "/app/main.py", line 3, in <module>`, "    from app import x", last}
	}
	oom := exited(137)
	oom.Containers[1].Reason = "OutOfMemoryError: Container killed due to memory usage"
	oomWithoutCode := exited(0)
	oomWithoutCode.Containers[1].ExitCode = nil
	oomWithoutCode.Containers[1].Reason = "OutOfMemoryError: Container killed due to memory usage"
	armTask := exited(255, "exec /app/start: exec format error")
	armTask.Containers[1].Arch = "ARM64"

	tests := []struct {
		name    string
		task    Task
		code    string
		title   string
		quote   string // a line of the evidence
		fault   record.Fault
		certain bool
	}{
		{"killed for memory", oom, "out-of-memory", "app ran out of memory (limit 512 MiB)",
			"OutOfMemoryError: Container killed", record.FaultRelease, false},
		{"killed for memory, no code", oomWithoutCode, "out-of-memory", "app ran out of memory", "OutOfMemoryError",
			record.FaultRelease, false},
		{"killed", exited(137, "ModuleNotFoundError: No module named 'x'"), "killed", "SIGKILL", "app: exit code 137",
			record.FaultUnclear, false},
		{"worker killed for memory", exited(137, "[1] [ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?"),
			"out-of-memory", "memory", "Perhaps", record.FaultRelease, false},
		{"architecture", armTask, "architecture-mismatch", "(ARM64)", "app | exec /app/start: exec format error", record.FaultRelease,
			true},
		{"missing module", exited(1, traceback("ModuleNotFoundError: No module named 'asyncpg'")...), "app-import-error",
			"No module named 'asyncpg'",
			"app | ModuleNotFoundError: No module named 'asyncpg'", record.FaultRelease, true},
		{"uvicorn attribute", exited(1, `ERROR:    Error loading ASGI app. Attribute "app" not found in module "main".`),
			"app-import-error",
			`Attribute "app" not found`, "app | ERROR:    Error loading", record.FaultRelease, true},
		{"uvicorn module", exited(1, `ERROR:    Error loading ASGI app. Could not import module "mian".`),
			"app-import-error", "mian", "mian", record.FaultRelease, true},
		{"syntax", exited(1, traceback("SyntaxError: invalid syntax")...), "app-syntax-error", "invalid syntax",
			"SyntaxError", record.FaultRelease, true},
		{"settings", exited(1, "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings",
			"database_url",
			"  Field required [type=missing, input_value={'redis_password': 'hunter2'}, input_type=dict]"),
			"app-config-invalid", "2 validation errors for Settings", "database_url", record.FaultRelease, true},
		{"environment", exited(1, traceback("KeyError: 'DATABASE_URL'")...), "app-config-invalid", "DATABASE_URL",
			"KeyError", record.FaultRelease, true},
		{"port in use", exited(1, "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in "+
			"use"), "port-in-use",
			"address is already in use", "Errno 98", record.FaultRelease, false},
		{"alembic revision", exited(255, "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
			"FAILED: Can't locate revision identified by 'a1b2c3'"),
			"schema-revision-missing", "a1b2c3", "FAILED: Can't locate", record.FaultRelease, false},
		{"alembic heads", exited(255, "FAILED: Multiple head revisions are present for given argument 'head'; please specify"),
			"schema-many-heads", "several heads",
			"Multiple head", record.FaultRelease, false},
		{"database password", exited(1,
			`sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at "db.internal" (10.0.1.5), port 5432 `+
				`failed: FATAL:  password authentication failed for user "app"`), "database-auth-failed", "wrong user or password", "FATAL",
			record.FaultInfrastructure, false},
		{"database down", exited(1, `psycopg2.OperationalError: connection to server at "db.internal" (10.0.1.5), port 5432 failed: Connection refused`),
			"database-unreachable", "db.internal:5432", "Connection refused", record.FaultInfrastructure, false},
		{"redis down", exited(1, "redis.exceptions.ConnectionError: Error 111 connecting to cache.internal:6379. Connection refused."),
			"dependency-unreachable",
			"cache.internal:6379", "Error 111", record.FaultInfrastructure, false},
		{"asyncpg down", exited(3, traceback("ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.1.5', 5432)")...),
			"dependency-unreachable",
			"Connect call failed", "10.0.1.5", record.FaultInfrastructure, false},
		{"name", exited(1, "socket.gaierror: [Errno -2] Name or service not known"), "dependency-unreachable",
			"host name", "gaierror", record.FaultInfrastructure, false},
		{"schema", exited(1, `asyncpg.exceptions.UndefinedTableError: relation "users" does not exist`),
			"schema-not-migrated", `relation "users" does not exist`,
			"UndefinedTableError", record.FaultRelease, false},
		{"shell", exited(127, "/bin/sh: 1: uvicorn: not found"), "command-not-found", "uvicorn", "not found", record.FaultRelease,
			true},
		{"exception", exited(1, traceback("app.errors.StartupError: boom")...), "app-exit",
			"app exited with code 1: app.errors.StartupError: boom", "boom", record.FaultRelease, false},
		{"chained exception", exited(1, append(traceback("ValueError: first"),
			append([]string{"", "During handling of the above exception, another exception occurred:", ""},
				traceback("RuntimeError: second")...)...)...), "app-exit", "RuntimeError: second", "second", record.FaultRelease, false},
		{"go panic", exited(2, "panic: runtime error: index out of range [3]", "", "goroutine 1 [running]:",
			"main.main()"), "app-exit", "panic: runtime error", "goroutine", record.FaultRelease, false},
		{"no words", exited(3, "starting"), "app-exit", "app exited with code 3", "app | starting", record.FaultUnclear, false},
		{"no logs", exited(1), "app-exit", "app exited with code 1", "Essential container in task exited", record.FaultUnclear,
			false},
		{"zero", alone(0, "done"), "exited-zero", "must keep running", "app | done", record.FaultRelease, false},
		{"segmentation fault", exited(139), "segmentation-fault", "segmentation fault", "app: exit code 139", record.FaultRelease,
			false},
		{"terminated", alone(143, "ModuleNotFoundError: No module named 'x'"), "terminated", "SIGTERM",
			"app: exit code 143", record.FaultUnclear, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Classify(Evidence{Service: "api", Cluster: "prod", Tasks: []Task{tt.task},
				RolloutReason: "ECS deployment circuit breaker: tasks failed to start."})
			if c.Code != tt.code || c.Fault != tt.fault || c.Certain != tt.certain ||
				!strings.Contains(c.Title, tt.title) {
				t.Errorf("got %s %q (%s, certain %v), want %s with %q (%s, certain %v)", c.Code, c.Title, c.Fault,
					c.Certain,
					tt.code, tt.title, tt.fault, tt.certain)
			}
			if all := strings.Join(c.Evidence, "\n"); !strings.Contains(all, tt.quote) ||
				strings.Contains(all, "hunter2") {
				t.Errorf("evidence %q lacks %q or shows a secret", all, tt.quote)
			}
			if c.Container != "app" || c.Task == "" || len(c.Fix) == 0 {
				t.Errorf("container %q, task %q, fix %q", c.Container, c.Task, c.Fix)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/api/73e2d6bc24d8a067"
	failed := func(logs ...string) Task {
		return Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", LastStatus: "STOPPED",
			StopCode: "ServiceSchedulerInitiated",
			Reason:   "Task failed ELB health checks in (target-group " + group + ")", IP: "10.0.3.17",
			Containers: []Container{{Name: "app", Ports: []int{8000}, ExitCode: code(137), Logs: logs}}}
	}
	event := func(why string) []Event {
		return []Event{{Text: "(service api) (task 0f9d) (port 8000) is unhealthy in (target-group " + group +
			") due to (reason " + why + ")."}}
	}
	older := []Event{{Text: "(service api) (port 8000) is unhealthy in (target-group " + group +
		") due to (reason Request timed out)."}}
	running := Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", LastStatus: "RUNNING", IP: "10.0.3.17",
		Containers: []Container{{Name: "app", Ports: []int{8000},
			Logs: []string{"INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)"}}}}
	target := func(reason, why string) []Target {
		return []Target{{Group: group, ID: "10.0.9.9", Port: 8000, State: "healthy"},
			{Group: group, ID: "10.0.3.17", Port: 8000, State: "unhealthy", Reason: reason, Description: why}}
	}
	check := Task{ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", LastStatus: "STOPPED",
		StopCode: "ServiceSchedulerInitiated",
		Reason:   "Task failed container health checks", Containers: []Container{{Name: "app",
			Check: "curl -f http://localhost:8000/health", Health: "UNHEALTHY"}}}

	tests := []struct {
		name  string
		e     Evidence
		code  string
		title string
		fault record.Fault
		sure  bool
	}{
		{"503", Evidence{Tasks: []Task{failed()}, Events: event("Health checks failed with these codes: [503]")},
			"elb-health-error", "503", record.FaultUnclear, false},
		{"503 and the database", Evidence{Tasks: []Task{failed(`connection to server at "db", port 5432 failed: timeout`)},
			Events: event("Health checks failed with these codes: [503]")}, "elb-health-error", "cannot reach its database at db:5432",
			record.FaultInfrastructure, false},
		{"404", Evidence{Tasks: []Task{failed()}, Events: event("Health checks failed with these codes: [404]")},
			"elb-health-path", "404", record.FaultRelease, false},
		{"redirect", Evidence{Tasks: []Task{failed()}, Events: event("Health checks failed with these codes: [307]")},
			"elb-health-redirect", "307", record.FaultRelease, false},
		{"login", Evidence{Tasks: []Task{failed()}, Events: event("Health checks failed with these codes: [401]")},
			"elb-health-denied", "401", record.FaultRelease, false},
		{"timeout", Evidence{Tasks: []Task{failed()}, Events: event("Request timed out")}, "elb-health-timeout",
			"no answer in time", record.FaultUnclear, false},
		{"timeout, older event", Evidence{Tasks: []Task{failed()}, Events: older}, "elb-health-timeout",
			"no answer in time", record.FaultUnclear, false},
		{"refused", Evidence{Tasks: []Task{failed()}, Events: event("Health checks failed")}, "elb-health-refused",
			"port 8000", record.FaultUnclear, false},
		{"event alone", Evidence{Events: event("Health checks failed with these codes: [404]")}, "elb-health-path", "404",
			record.FaultRelease, false},
		{"other port", Evidence{Tasks: []Task{failed("INFO:     Uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)")},
			Events: event("Health checks failed")},
			"listens-on-other-port", "listens on port 8080, but the load balancer checks port 8000", record.FaultRelease, false},
		{"gunicorn on another port", Evidence{Tasks: []Task{failed("[1] [INFO] Listening at: http://0.0.0.0:8001 (1)")},
			Events: event("Health checks failed")},
			"listens-on-other-port", "port 8001", record.FaultRelease, false},
		{"right port", Evidence{Tasks: []Task{failed("INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)")},
			Events: event("Request timed out")},
			"elb-health-timeout", "no answer", record.FaultUnclear, false},
		{"loopback, still running", Evidence{Tasks: []Task{running}, Targets: target("Target.FailedHealthChecks",
			"Health checks failed")}, "listens-on-loopback",
			"127.0.0.1:8000", record.FaultRelease, false},
		{"target says the code", Evidence{Tasks: []Task{running}, Targets: target("Target.ResponseCodeMismatch",
			"Health checks failed with these codes: [404]")},
			"elb-health-path", "404", record.FaultRelease, false},
		{"no reason left", Evidence{Tasks: []Task{failed()}}, "elb-health-failed", "finds app unhealthy", record.FaultUnclear, false},
		{"container check", Evidence{Tasks: []Task{check}}, "container-health-failed", "health check of app", record.FaultRelease,
			false},
		{"container check, event alone", Evidence{Events: []Event{{Text: "(service api) (task 0f9d) failed container health checks."}}},
			"container-health-failed",
			"health check of", record.FaultRelease, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.Service = "api"
			c := Classify(tt.e)
			if c.Code != tt.code || c.Fault != tt.fault || c.Certain != tt.sure || !strings.Contains(c.Title, tt.title) {
				t.Errorf("got %s %q (%s, certain %v), want %s with %q (%s, certain %v)", c.Code, c.Title, c.Fault,
					c.Certain,
					tt.code, tt.title, tt.fault, tt.sure)
			}
			if len(c.Evidence) == 0 || len(c.Fix) == 0 {
				t.Errorf("evidence %q, fix %q", c.Evidence, c.Fix)
			}
		})
	}
}

func TestEventsAndReasons(t *testing.T) {
	event := func(text string) Evidence { return Evidence{Events: []Event{{Text: text}}} }
	stopped := func(stop, reason string) Evidence {
		return Evidence{Tasks: []Task{{LastStatus: "STOPPED", StopCode: stop, Reason: reason,
			Containers: []Container{{Name: "app", ExitCode: code(143)}}}}}
	}
	tests := []struct {
		name string
		e    Evidence
		code string
	}{
		{"capacity", event("(service api) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later " +
			"or in a different availability zone."), "capacity-unavailable"},
		{"part of a batch", event("service api could not launch 2 tasks for deployment ecs-svc/1."),
			"capacity-unavailable"},
		{"task quota", event("(service api) was unable to place a task. Reason: You've reached the limit on the number of tasks you can run " +
			"concurrently"), "quota-tasks"},
		{"vCPU quota", event("(service api) was unable to place a task. Reason: You’ve reached the limit on the number of vCPUs you can run " +
			"concurrently"), "quota-tasks"},
		{"size", event("(service api) was unable to place a task. Reason: The requested CPU configuration is above your limit."), "quota-size"},
		{"internal error", event("(service api) was unable to place a task. Reason: Internal error."),
			"placement-internal-error"},
		{"unheard of", event("(service api) was unable to place a task. Reason: The moon is full."), "placement-failed"},
		{"blocked", event("(service api) was unable to place a task because your account is currently blocked."),
			"account-blocked"},
		{"role", event("(service api) failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::1:role/R' that was " +
			"provided for this task. Please verify " +
			"that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this " +
			"role.)."), "role-not-assumable"},
		{"target group", event("service api task set (ecs-svc/1) (task a1) is not healthy in target-group (arn:x) due to TARGET GROUP IS NOT " +
			"FOUND."), "target-group-missing"},
		{"describe health", event("(service api) failed to describe target health on target-group arn:tg with (error User: arn:x is not " +
			"authorized to perform: " +
			"elasticloadbalancing:DescribeTargetHealth because no identity-based policy allows the elasticloadbalancing:DescribeTargetHealth " +
			"action)"), "target-registration-denied"},
		{"register targets", event("(service api) failed to register targets in (target-group arn:tg) with (error something)"),
			"target-registration-failed"},
		{"cannot move", event("(service api) was unable to stop or start tasks during a deployment because of the service deployment " +
			"configuration. Update the " +
			"minimumHealthyPercent or maximumPercent value and try again."), "deployment-cannot-move"},
		{"protected", event("(service api) was unable to reach steady state because (taskSet ecs-svc/1) was unable to scale in due to " +
			"(reason 2 tasks under protection)"), "tasks-protected"},
		{"500 provisioning", event("service api was unable to place tasks in your cluster because the tasks provisioning capacity limit was " +
			"exceeded."), "provisioning-limit"},
		{"IAM permissions", event("IAM permissions policies have been misconfigured or changed, and ECS can no longer maintain your " +
			"service"), "service-iam-broken"},
		{"IAM trust", event("IAM trust relationship has been misconfigured or changed, and ECS can no longer maintain your service"),
			"service-iam-broken"},
		{"EC2", event("(service api) was unable to place a task because no container instance met all of its requirements. The closest " +
			"matching (container-instance 1) has " +
			"insufficient memory available."), "no-container-instance"},
		{"throttled", event("(service api) operations are being throttled on elb. Will try again later."), "throttled"},
		{"alarm event", event("(service api) (deployment ecs-svc/1) deployment failed: alarm detected."), "alarm"},
		{"breaker event", event("(service api) (deployment ecs-svc/1) deployment failed: tasks failed to start."),
			"circuit-breaker"},
		{"blocked account's event", event("(service api) (deployment ecs-svc/1) deployment failed: deployment failure."),
			"circuit-breaker"},
		{"hook event", event("(service api) (deployment ecs-svc/1) deployment failed: Service deployment rolled back because PRE_SCALE_UP " +
			"lifecycle hook(s) failed. Lifecycle hook " +
			"target arn:aws:lambda:eu-west-1:1:function:F returned FAILED status."), "hook-failed"},
		{"good news only", event("(service api) has reached a steady state."), "unknown"},
		{"started", event("(service api) has started 1 tasks: (task a1). Amazon ECS replaced 1 tasks due to an unhealthy status."), "unknown"},
		{"rebalancing", event("(service api) is not AZ balanced with 3 tasks in R-1a, 1 tasks in R-1c, 1 tasks in R-1b. AZ Rebalancing in " +
			"progress."), "unknown"},
		{"nothing", Evidence{}, "unknown"},

		{"hook unparsable", Evidence{StatusReason: "Service deployment rolled back because POST_SCALE_UP lifecycle hook(s) failed. ECS was " +
			"unable to parse the response from arn:l due " +
			"to HookStatus must not be null"}, "hook-answer-invalid"},
		{"hook denied", Evidence{StatusReason: "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed. ECS was unable " +
			"to invoke hook target arn:l due to User: arn:u is " +
			"not authorized to perform: lambda:InvokeFunction on resource: arn:l because no identity-based policy allows the " +
			"lambda:InvokeFunction action"}, "hook-not-invocable"},
		{"hook role", Evidence{StatusReason: "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed. ECS was unable " +
			"to assume role arn:aws:iam::1:role/H"}, "hook-role-not-assumable"},
		{"pause", Evidence{StatusReason: "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."},
			"hook-timed-out"},
		{"listener", Evidence{StatusReason: "Service deployment rolled back because of invalid networking configuration. Both targetGroup " +
			"and alternateTargetGroup must be associated with the " +
			"productionListenerRule or testListenerRule."}, "listener-rules-invalid"},
		{"infrastructure role", Evidence{StatusReason: "Service deployment rolled back because of invalid networking configuration. ECS was " +
			"unable to manage the ELB resources due to missing " +
			"permissions on ECS Infrastructure Role 'arn:aws:iam::1:role/I'."}, "load-balancer-denied"},
		{"threshold", Evidence{StatusReason: "Service deployment rolled back because the circuit breaker threshold was exceeded."},
			"circuit-breaker"},
		{"rollout reason", Evidence{RolloutReason: "ECS deployment circuit breaker: tasks failed to start."},
			"circuit-breaker"},

		{"scale-in is not a failure", stopped("ServiceSchedulerInitiated",
			"Scaling activity initiated by (deployment ecs-svc/1)"), "unknown"},
		{"maintenance", stopped("ServiceSchedulerInitiated",
			"Service api: ECS is performing maintenance on the underlying infrastructure hosting the task"), "maintenance"},
		{"by a user", stopped("UserInitiated", "Task stopped by user"), "stopped-by-user"},
		{"Spot", stopped("SpotInterruption", "Your Spot Task was interrupted."), "spot-interrupted"},
		{"Spot, 2023", stopped("TerminationNotice", "Your Spot Task was interrupted."), "spot-interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.Cluster, tt.e.Service = "prod", "api"
			c := Classify(tt.e)
			if c.Code != tt.code {
				t.Errorf("got %s %q, want %s", c.Code, c.Title, tt.code)
			}
			if len(c.Fix) == 0 || c.Title == "" || c.Fault == "" {
				t.Errorf("incomplete: %+v", c)
			}
			if tt.code != "unknown" && len(c.Evidence) == 0 {
				t.Errorf("no evidence: %+v", c)
			}
			if want := tt.code != "unknown" && tt.code != "circuit-breaker"; c.Known() != want {
				t.Errorf("Known() = %v, want %v", c.Known(), want)
			}
		})
	}
}

// What explains more wins over what merely happened at the same time or later.
func TestPrecedence(t *testing.T) {
	crash := exited(1, "ModuleNotFoundError: No module named 'x'")
	spot := Task{LastStatus: "STOPPED", StopCode: "SpotInterruption", Reason: "Your Spot Task was interrupted."}
	capacity := Event{Text: "(service api) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again " +
		"later or in a different availability zone."}
	unread := exited(1)
	tests := []struct {
		name string
		e    Evidence
		want string
	}{
		{"a crash over a newer Spot interruption", Evidence{Tasks: []Task{spot, crash}}, "app-import-error"},
		{"a crash over missing capacity", Evidence{Tasks: []Task{crash}, Events: []Event{capacity}}, "app-import-error"},
		{"a crash that is explained over a newer one that is not yet", Evidence{Tasks: []Task{unread, crash}},
			"app-import-error"},
		{"a crash over an alarm", Evidence{Tasks: []Task{crash},
			Events: []Event{{Text: "(service api) (deployment ecs-svc/1) deployment failed: alarm detected."}}}, "app-import-error"},
		{"capacity over a Spot interruption", Evidence{Tasks: []Task{spot}, Events: []Event{capacity}},
			"capacity-unavailable"},
		{"a hook over a crash", Evidence{Tasks: []Task{crash},
			StatusReason: "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed. Lifecycle hook target " +
				"arn:l returned FAILED status."}, "hook-failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if c := Classify(tt.e); c.Code != tt.want {
				t.Errorf("got %s %q, want %s", c.Code, c.Title, tt.want)
			}
		})
	}
}

func TestStreak(t *testing.T) {
	crash := exited(1, "ModuleNotFoundError: No module named 'x'")
	other := exited(1, "SyntaxError: invalid syntax")
	spot := Task{LastStatus: "STOPPED", StopCode: "SpotInterruption", Reason: "Your Spot Task was interrupted."}
	scaled := Task{LastStatus: "STOPPED", StopCode: "ServiceSchedulerInitiated",
		Reason: "Scaling activity initiated by (deployment ecs-svc/1)"}
	starting := Task{LastStatus: "PENDING"}
	healthy := Task{LastStatus: "RUNNING", Health: "HEALTHY"}
	behind := Task{LastStatus: "RUNNING", Health: "HEALTHY", IP: "10.0.0.1"}
	tests := []struct {
		name    string
		tasks   []Task
		targets []Target
		want    int
	}{
		{"none", nil, nil, 0},
		{"three alike", []Task{crash, crash, crash}, nil, 3},
		{"others between do not count", []Task{starting, crash, spot, crash, scaled}, nil, 2},
		{"another cause ends it", []Task{crash, crash, other, crash}, nil, 2},
		{"a healthy task ends it", []Task{crash, healthy, crash}, nil, 1},
		{"healthy for itself but not for the load balancer", []Task{crash, behind, crash},
			[]Target{{ID: "10.0.0.1", State: "initial"}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := Streak(Evidence{Service: "api", Tasks: tt.tasks, Targets: tt.targets})
			if row.Alike != tt.want || row.Alike > 0 && row.Finding.Code != "app-import-error" {
				t.Errorf("got %d of %s, want %d", row.Alike, row.Finding.Code, tt.want)
			}
		})
	}
}

// TestStreakOfWhatMayPass counts failures that are not certain: they have to be told in the same words, and are counted in waves.
func TestStreakOfWhatMayPass(t *testing.T) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failed := func(second int, words string) Task {
		t := exited(1, words)
		t.ARN += words + fmt.Sprint(second)
		t.CreatedAt, t.StoppingAt = epoch.Add(time.Duration(second)*time.Second), epoch.Add(time.Duration(second+5)*time.Second)
		return t
	}
	const lost, lostLater = "RuntimeError: no broker at 10.0.0.7:5672", "RuntimeError: no broker at 10.0.3.9:5672"
	platform := failed(60, "")
	platform.Containers = nil
	platform.StopCode, platform.Reason = "TaskFailedToStart", "Timeout waiting for network interface provisioning to complete."
	terminated := failed(60, "")
	terminated.Containers = []Container{{Name: "app", ExitCode: code(143)}}
	noRoom := failed(60, "")
	noRoom.Containers = nil
	noRoom.StopCode, noRoom.Reason = "TaskFailedToStart", "RESOURCE:MEMORY"
	silent := func(second int) Task { // it stopped, and no container has an exit code
		t := failed(second, "")
		t.Containers = []Container{{Name: "app"}}
		return t
	}
	for _, test := range []struct {
		name   string
		tasks  []Task
		unread []Task
		alike  int
		waves  int
	}{
		{"without an exit code", []Task{silent(60), silent(0)}, nil, 2, 2},
		{"two at once", []Task{failed(1, lost), failed(0, lost)}, nil, 2, 1},
		{"in two waves", []Task{failed(60, lost), failed(0, lost)}, nil, 2, 2},
		{"in other numbers", []Task{failed(60, lostLater), failed(0, lost)}, nil, 2, 2},
		{"in other words", []Task{failed(60, "RuntimeError: no cache"), failed(0, lost)}, nil, 1, 1},
		{"without words", []Task{failed(60, "bye"), failed(0, "bye")}, nil, 2, 2},
		{"AWS's fault between", []Task{failed(90, lost), platform, failed(0, lost)}, nil, 2, 2},
		{"stopped from outside between", []Task{failed(90, lost), terminated, failed(0, lost)}, nil, 2, 2},
		{"no room between", []Task{failed(90, lost), noRoom, failed(0, lost)}, nil, 2, 2},
		{"not read between", []Task{failed(120, lost), failed(60, "x"), failed(0, lost)}, []Task{failed(60, "x")}, 2, 2},
		{"read between", []Task{failed(120, lost), failed(60, "x"), failed(0, lost)}, nil, 1, 1},
	} {
		e := Evidence{Service: "api", Tasks: test.tasks}
		for _, task := range test.unread {
			e.Unread = append(e.Unread, task.ARN)
		}
		if row := Streak(e); row.Alike != test.alike || row.Waves != test.waves || row.Finding.Certain {
			t.Errorf("%s: got %+v", test.name, row)
		}
	}
}

// TestSurvivedErrorIsNotCertain holds that what was logged before another error is not a certain cause.
func TestSurvivedErrorIsNotCertain(t *testing.T) {
	const optional = "ModuleNotFoundError: No module named 'uvloop'"
	for _, test := range []struct {
		name string
		logs []string
		want bool
	}{
		{"the last line", []string{"starting", optional}, true},
		{"blank lines and talk after it", []string{optional, "", "bye"}, true},
		{"gunicorn's last lines", []string{optional, "[7] [INFO] Worker exiting (pid: 7)", "[1] [ERROR] Worker (pid:7) exited with code 3",
			"[1] [ERROR] Shutting down: Master", "[1] [ERROR] Reason: Worker failed to boot."}, true},
		{"told twice", []string{optional, optional}, true},
		{"a timeout after it", []string{optional, "falling back to asyncio", "connect timeout to broker"}, false},
		{"a database that starts", []string{optional, "the database system is starting up"}, false},
		{"another exception", []string{optional, "During handling of the above exception, another exception occurred:", "StartupError: boom"},
			false},
		{"throttled", []string{optional, "GetSecretValue: Rate exceeded"}, false},
		{"unknown last words", []string{optional, "giving up"}, false},
	} {
		c := Classify(Evidence{Service: "api", Tasks: []Task{alone(1, test.logs...)}})
		if c.Certain != test.want {
			t.Errorf("%s: certain %v of %q", test.name, c.Certain, c.Title)
		}
	}
}

func TestUnreadLogsAreSaid(t *testing.T) {
	c := Classify(Evidence{Service: "api", Tasks: []Task{exited(1)},
		Missing: []string{"the log of app: no permission logs:GetLogEvents"}})
	if fix := strings.Join(c.Fix, "\n"); !strings.Contains(fix, "logs:GetLogEvents") {
		t.Errorf("the advice does not say that logs could not be read: %q", c.Fix)
	}
}

func TestPlacementFailure(t *testing.T) {
	for reason, want := range map[string]string{
		"Capacity is unavailable at this time. Please try again later or in a different availability zone": "capacity-unavailable",
		"RESOURCE:ENI": "no-container-instance",
		"SOMETHING":    "placement-failed",
	} {
		if c := PlacementFailure(reason, ""); c.Code != want {
			t.Errorf("%s: got %s, want %s", reason, c.Code, want)
		}
	}
}

// TestSameFailure flips each part of what makes two failures one.
func TestSameFailure(t *testing.T) {
	first := record.Finding{Code: "app-exit", Container: "app", Title: "app exited with code 1: no broker at 10.0.0.7"}
	for _, test := range []struct {
		name string
		edit func(a, b *record.Finding)
		want bool
	}{
		{"the same", func(_, _ *record.Finding) {}, true},
		{"another code", func(_, b *record.Finding) { b.Code = "killed" }, false},
		{"another container", func(_, b *record.Finding) { b.Container = "proxy" }, false},
		{"other numbers", func(_, b *record.Finding) { b.Title = "app exited with code 2: no broker at 10.0.3.9" }, true},
		{"other words", func(_, b *record.Finding) { b.Title = "app exited with code 1: no cache" }, false},
		{"other words of what is certain", func(a, b *record.Finding) { a.Certain, b.Certain, b.Title = true, true, "another" }, true},
		{"one of them is certain", func(a, _ *record.Finding) { a.Certain = true }, false},
		{"the other is certain", func(_, b *record.Finding) { b.Certain = true }, false},
	} {
		a, b := first, first
		test.edit(&a, &b)
		if got := sameFailure(a, b); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestFinal says which line is the last word on why a program ended.
func TestFinal(t *testing.T) {
	for _, test := range []struct {
		name  string
		later []string
		want  bool
	}{
		{"nothing follows", nil, true},
		{"another error follows", []string{"error: no database"}, false},
		{"it is said again", []string{"error: no module x"}, true},
		{"it is said again, and then another", []string{"error: no module x", "error: no database"}, false},
		{"no error follows", []string{"INFO: stopping"}, true},
		{"the server says that it ends", []string{"ERROR: Application startup failed. Exiting."}, true},
	} {
		if got := final(append([]string{"error: nothing here counts", "error: no module x"}, test.later...), 1); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestAdviceOnAnExit: a service's image can be tried alone; a migration's shows nothing without its database.
func TestAdviceOnAnExit(t *testing.T) {
	for service, want := range map[string]string{"api": "docker run", "": "the quoted lines are the command's own"} {
		c := Classify(Evidence{Service: service, Tasks: []Task{exited(1, "RuntimeError: boom")}})
		if c.Code != "app-exit" || !strings.Contains(strings.Join(c.Fix, "; "), want) {
			t.Errorf("service %q: %s: %q, want %q", service, c.Code, c.Fix, want)
		}
	}
}
