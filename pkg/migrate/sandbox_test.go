package migrate_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// scenario is one migration against the stand-in, in virtual time.
type scenario struct {
	scenario sandbox.Scenario
	run      map[string]engine.Run // what the image v2 does as a one-off task
	start    engine.Kind           // and how it starts
	faults   []sandbox.Fault
	inputs   func(*migrate.Inputs)
	cancel   time.Duration
	before   func(t *testing.T, sb *sandbox.Sandbox, env *action.Env, in migrate.Inputs)
}

// told is what came of it.
type told struct {
	out     migrate.Outputs
	err     error
	sb      *sandbox.Sandbox
	log     string
	entries []actiontest.Entry
	summary string
	took    time.Duration
}

const secret = "canary-7f3a9"

func (s scenario) play(t *testing.T, check func(t *testing.T, r told)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{Scenario: &s.scenario})
		pushImage(t, sb, "v2", engine.Behaviour{Start: s.start, Run: s.run})
		environ := maps.Clone(sb.Environ())
		environ["GITHUB_ACTIONS"] = "true"
		env, recorder := actiontest.NewTestEnv(t, environ)
		env.Transport = sb.Transport()
		in := migrate.Inputs{Cluster: "connect2-api-cluster-dev", Service: "connect2-api-service-dev", Image: "v2",
			Command: "alembic upgrade head", Timeout: 15 * time.Minute}
		if s.inputs != nil {
			s.inputs(&in)
		}
		if s.before != nil {
			s.before(t, sb, env, in)
		}
		if err := sb.Inject(s.faults...); err != nil {
			t.Fatal(err)
		}
		sb.ResetJournal()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		if s.cancel > 0 {
			timer := time.AfterFunc(s.cancel, func() { cancel(action.ErrInterrupted) })
			defer timer.Stop()
		}
		began := time.Now()
		r := told{sb: sb}
		r.out, r.err = migrate.Run(ctx, env, in)
		r.took, r.log, r.entries = time.Since(began), recorder.Text(), recorder.Entries()
		recorder.End(r.out.Outcome, r.err)
		r.summary = recorder.Summary()
		for what, text := range map[string]string{"log": r.log, "summary": r.summary, "error": errorText(r.err)} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s shows a secret:\n%s", what, text)
			}
		}
		check(t, r)
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func pushImage(t *testing.T, sb *sandbox.Sandbox, tag string, b engine.Behaviour) {
	t.Helper()
	img, err := sandbox.NewImage(tag, &b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Push("connect2-api-dev", tag, img); err != nil {
		t.Fatal(err)
	}
}

func (r told) wantOutcome(t *testing.T, want action.Outcome) {
	t.Helper()
	if got := action.OutcomeOf(r.err); got != want {
		t.Errorf("outcome %s, want %s: %v", got, want, r.err)
	}
}

// called counts the successful calls of an action.
func (r told) called(name string) int {
	n := 0
	for _, entry := range r.sb.Journal() {
		if entry.Name() == name && entry.OK() {
			n++
		}
	}
	return n
}

// changes lists the calls that may have changed something.
func (r told) changes() (names []string) {
	for _, entry := range r.sb.Journal() {
		if entry.Mutating {
			names = append(names, entry.Name())
		}
	}
	return names
}

func (r told) foreign() (lines []string) {
	for _, entry := range r.entries {
		if entry.Kind == "foreign" {
			lines = append(lines, entry.Text)
		}
	}
	return lines
}

func runs(after time.Duration, code int, logs ...string) map[string]engine.Run {
	return map[string]engine.Run{"alembic": {After: engine.Duration(after), ExitCode: code, Logs: logs}}
}

func TestMigrationSucceeds(t *testing.T) {
	lines := []string{"INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
		"connecting to postgres://app:" + secret + "@db/api", "::error::not a command",
		"INFO  [alembic.runtime.migration] Running upgrade  -> a1b2c3"}
	scenario{run: runs(9*time.Second, 0, lines...)}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if r.out.ExitCode == nil || *r.out.ExitCode != 0 || !strings.Contains(r.out.TaskARN,
			":task/connect2-api-cluster-dev/") ||
			!strings.Contains(r.out.TaskDefinitionARN, ":task-definition/connect2-api-dev-migrate:1") ||
			!strings.Contains(r.out.Image, "@sha256:") {
			t.Errorf("outputs %+v", r.out)
		}
		want := slices.Clone(lines)
		want[1] = "connecting to postgres://app:***@db/api"
		if got := r.foreign(); !slices.Equal(got, want) {
			t.Errorf("log lines %q, want %q", got, want)
		}
		if got := r.changes(); !slices.Equal(got, []string{"ecs:RegisterTaskDefinition", "ecs:RunTask"}) {
			t.Errorf("changes %q", got)
		}
		if r.took > 75*time.Second {
			t.Errorf("took %s", r.took)
		}
		for _, part := range []string{": succeeded", "`alembic upgrade head`", "Running upgrade"} {
			if !strings.Contains(r.summary, part) {
				t.Errorf("no %q in the summary:\n%s", part, r.summary)
			}
		}
	})
}

// A second migration with the same image registers nothing.
func TestDefinitionIsRegisteredOnce(t *testing.T) {
	scenario{run: runs(5*time.Second, 0), before: func(t *testing.T, _ *sandbox.Sandbox, env *action.Env,
		in migrate.Inputs) {
		if _, err := migrate.Run(t.Context(), env, in); err != nil {
			t.Fatal(err)
		}
	}}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if got := r.changes(); !slices.Equal(got, []string{"ecs:RunTask"}) {
			t.Errorf("changes %q", got)
		}
	})
}

func TestExitCodeAndLastLine(t *testing.T) {
	scenario{run: runs(5*time.Second, 3, "starting", "Traceback (most recent call last):", `  File "/app/env.py", line 1`,
		"app.MigrationError: column is in use")}.play(t,
		func(t *testing.T, r told) {
			r.wantOutcome(t, action.Failed)
			if r.out.ExitCode == nil || *r.out.ExitCode != 3 || r.out.Cause != "app-exit" {
				t.Errorf("outputs %+v", r.out)
			}
			if lines := r.foreign(); len(lines) != 4 || lines[3] != "app.MigrationError: column is in use" {
				t.Errorf("log lines %q", lines)
			}
			if !strings.Contains(r.summary, "column is in use") || !strings.Contains(r.summary, "CAUTION") ||
				!strings.Contains(r.err.Error(), "exit code 3") {
				t.Errorf("error %v, summary:\n%s", r.err, r.summary)
			}
		})
}

func TestTaskThatCannotStart(t *testing.T) {
	scenario{start: engine.PullError}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Failed)
		if r.out.ExitCode != nil || r.out.TaskARN == "" || r.out.Cause == "" || r.out.Cause == "unknown" {
			t.Errorf("outputs %+v: %v", r.out, r.err)
		}
	})
}

func TestCancelStopsTheTask(t *testing.T) {
	scenario{run: runs(10*time.Minute, 0, "waiting"), cancel: 50 * time.Second}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Cancelled)
		if r.called("ecs:StopTask") != 1 || r.took > 50*time.Second+7500*time.Millisecond || r.out.TaskARN == "" {
			t.Errorf("%d stops, took %s, outputs %+v", r.called("ecs:StopTask"), r.took, r.out)
		}
	})
}

func TestTimeout(t *testing.T) {
	scenario{run: runs(time.Hour, 0, "waiting for a lock"),
		inputs: func(in *migrate.Inputs) { in.Timeout = 3 * time.Minute }}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.TimedOut)
		if r.called("ecs:StopTask") != 1 || r.out.Cause != "timed-out" || r.took > 5*time.Minute {
			t.Errorf("%d stops, outputs %+v after %s", r.called("ecs:StopTask"), r.out, r.took)
		}
	})
}

func TestLateKnowledge(t *testing.T) {
	tasks, logs := engine.Duration(8*time.Second), engine.Duration(7*time.Second)
	s := scenario{run: runs(5*time.Second, 0, "one", "two", "three")}
	s.scenario.Lag = sandbox.LagScenario{Tasks: &tasks, Logs: &logs}
	s.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if got := r.foreign(); !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("log lines %q", got)
		}
	})
}

func TestLogsDenied(t *testing.T) {
	scenario{run: runs(5*time.Second, 4, "one"), faults: []sandbox.Fault{{Action: "logs:GetLogEvents",
		Answer: sandbox.Deny}}}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Failed)
		warnings := 0
		for _, entry := range r.entries {
			if entry.Kind == "warning" {
				warnings++
			}
		}
		if warnings != 1 || *r.out.ExitCode != 4 || !strings.Contains(r.log, "logs:GetLogEvents") ||
			!strings.Contains(r.summary, "incomplete") {
			t.Errorf("%d warnings, outputs %+v, summary:\n%s", warnings, r.out, r.summary)
		}
	})
}

func TestThrottledAndCutCalls(t *testing.T) {
	scenario{run: runs(5*time.Second, 0, "one", "two"), faults: []sandbox.Fault{
		{Action: "ecs:RunTask", Answer: sandbox.CutAfter, Times: 1},
		{Action: "ecs:DescribeTasks", Answer: sandbox.Throttle, Every: 3},
		{Action: "logs:GetLogEvents", Answer: sandbox.Unavailable, Every: 4},
	}}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if got := r.foreign(); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("log lines %q", got)
		}
		count := 0
		r.sb.Inspect(func(e *engine.Engine) {
			cluster, err := e.Cluster("connect2-api-cluster-dev")
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range cluster.Tasks {
				if strings.Contains(task.Definition.ARN, "-migrate:") {
					count++
				}
			}
		})
		if count != 1 {
			t.Errorf("%d tasks were started", count)
		}
	})
}

func TestConcurrentMigrationIsRefused(t *testing.T) {
	done := make(chan struct{})
	scenario{run: runs(5*time.Minute, 0), before: func(t *testing.T, sb *sandbox.Sandbox, env *action.Env,
		in migrate.Inputs) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		pushImage(t, sb, "v3", engine.Behaviour{Run: runs(5*time.Minute, 0)})
		in.Image = "v3" // another image: a second run that is not refused would register a revision
		go func() { _, _ = migrate.Run(ctx, env, in); close(ended) }()
		t.Cleanup(func() { cancel(); <-ended; close(done) })
		time.Sleep(30 * time.Second)
	}}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Invalid)
		if !strings.Contains(r.err.Error(), ":task/") || r.called("ecs:RegisterTaskDefinition") > 0 ||
			r.called("ecs:RunTask") > 0 {
			t.Errorf("error %v, changes %q", r.err, r.changes())
		}
	})
	<-done
}

func TestWrongInputs(t *testing.T) {
	tests := []struct {
		name   string
		inputs func(*migrate.Inputs)
		want   []string
	}{
		{"cluster", func(in *migrate.Inputs) { in.Cluster = "nope" }, []string{"nope"}},
		{"service", func(in *migrate.Inputs) { in.Service = "nope" }, []string{"there is no service \"nope\""}},
		{"image", func(in *migrate.Inputs) { in.Image = "v99" }, []string{"image:", "v99"}},
		{"everything at once", func(in *migrate.Inputs) { in.Container, in.Command = "nope", "a | b" },
			[]string{"container:", `"nope"`, "command:", "sh -c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			scenario{inputs: tt.inputs}.play(t, func(t *testing.T, r told) {
				r.wantOutcome(t, action.Invalid)
				for _, part := range tt.want {
					if !strings.Contains(r.err.Error(), part) {
						t.Errorf("no %q in %v", part, r.err)
					}
				}
				if got := r.changes(); len(got) > 0 {
					t.Errorf("changes %q", got)
				}
			})
		})
	}
}

func TestSpotIsAvoided(t *testing.T) {
	s := scenario{run: runs(5*time.Second, 0)}
	s.scenario.Service.CapacityProvider = "FARGATE_SPOT"
	s.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if !strings.Contains(r.log, "on-demand Fargate") {
			t.Errorf("the log does not say so:\n%s", r.log)
		}
		r.sb.Inspect(func(e *engine.Engine) {
			cluster, err := e.Cluster("connect2-api-cluster-dev")
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range cluster.Tasks {
				if strings.Contains(task.Definition.ARN, "-migrate:") && strings.Contains(task.CapacityProvider, "SPOT") {
					t.Errorf("the migration ran on %s", task.CapacityProvider)
				}
			}
		})
	})
}

// A release checks its migration before it has pushed the image.
func TestPrepareWithoutImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		env, _ := actiontest.NewTestEnv(t, sb.Environ())
		env.Transport = sb.Transport()
		conn, err := awsconn.Connect(t.Context(), env, awsconn.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		in := migrate.Inputs{Cluster: "connect2-api-cluster-dev", Service: "connect2-api-service-dev",
			Command: "alembic upgrade head", Timeout: time.Minute}
		plan, err := migrate.Prepare(t.Context(), env, conn, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Execute(t.Context(), env); action.OutcomeOf(err) != action.Defect {
			t.Errorf("without an image: %v", err)
		}
		pushImage(t, sb, "v2", engine.Behaviour{Run: runs(5*time.Second, 0)})
		if err := plan.SetImage(t.Context(), "v2"); err != nil {
			t.Fatal(err)
		}
		out, err := plan.Execute(t.Context(), env)
		if err != nil || out.ExitCode == nil || *out.ExitCode != 0 {
			t.Errorf("%+v: %v", out, err)
		}
	})
}

// TestRunDenied holds that a revision which was registered, and may not be run, is not a run that changed nothing.
func TestRunDenied(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(*testing.T, *sandbox.Sandbox, *action.Env, migrate.Inputs)
		want   action.Outcome
	}{
		"new revision": {nil, action.Failed},
		"revision that was there": {func(t *testing.T, _ *sandbox.Sandbox, env *action.Env, in migrate.Inputs) {
			if _, err := migrate.Run(t.Context(), env, in); err != nil {
				t.Fatal(err)
			}
		}, action.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			scenario{run: runs(5*time.Second, 0), before: tt.before, faults: []sandbox.Fault{{Action: "ecs:RunTask",
				Answer: sandbox.Deny}}}.play(t, func(t *testing.T, r told) {
				r.wantOutcome(t, tt.want)
				if !strings.Contains(errorText(r.err), "ecs:RunTask") {
					t.Errorf("the permission is not named: %v", r.err)
				}
			})
		})
	}
}

// stopped ends the migration's task by a call that comes from elsewhere, while its command works.
func stopped(after time.Duration, how func(*engine.Engine, *engine.Task)) func(
	*testing.T, *sandbox.Sandbox, *action.Env, migrate.Inputs) {
	return func(t *testing.T, sb *sandbox.Sandbox, _ *action.Env, _ migrate.Inputs) {
		timer := time.AfterFunc(after, func() {
			sb.Inspect(func(e *engine.Engine) {
				c, err := e.Cluster("connect2-api-cluster-dev")
				if err != nil {
					t.Error(err)
					return
				}
				for _, task := range c.Tasks {
					if strings.HasSuffix(task.Definition.Family, "-migrate") {
						how(e, task)
					}
				}
			})
		})
		t.Cleanup(func() { timer.Stop() })
	}
}

// A process that takes SIGTERM well exits with 0; it was stopped in the middle of its work all the same.
func TestStoppedMigrationIsNotGreen(t *testing.T) {
	for name, how := range map[string]func(*engine.Engine, *engine.Task){
		"by a person": func(e *engine.Engine, task *engine.Task) { e.StopTask(task, "") },
		"by Spot":     func(e *engine.Engine, task *engine.Task) { e.InterruptSpot(task) },
	} {
		t.Run(name, func(t *testing.T) {
			scenario{run: runs(5*time.Minute, 0), before: stopped(90*time.Second, how)}.play(t, func(t *testing.T, r told) {
				r.wantOutcome(t, action.Failed)
				if r.out.ExitCode == nil || *r.out.ExitCode != 0 || !strings.Contains(errorText(r.err), "had come to its own end") {
					t.Errorf("exit code %v, error %v", r.out.ExitCode, r.err)
				}
			})
		})
	}
}

// Two migrations that begin within one second of each other: whatever each sees of the other, one container runs at a time.
func TestTwoMigrationsAtOnce(t *testing.T) {
	for _, apart := range []time.Duration{0, time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			var ends [2]action.Outcome
			var ended chan struct{} // made in the bubble, whose time may then pass while it is waited for
			lag := engine.Duration(4 * time.Second)
			scenario{run: runs(time.Minute, 0), scenario: sandbox.Scenario{Lag: sandbox.LagScenario{Tasks: &lag}},
				before: func(t *testing.T, sb *sandbox.Sandbox, env *action.Env, in migrate.Inputs) {
					environ := maps.Clone(sb.Environ())
					environ["GITHUB_ACTIONS"] = "true"
					other, _ := actiontest.NewTestEnv(t, environ)
					other.Transport = env.Transport
					ended = make(chan struct{})
					go func() {
						defer close(ended)
						time.Sleep(apart)
						_, err := migrate.Run(t.Context(), other, in)
						ends[1] = action.OutcomeOf(err)
					}()
				}}.play(t, func(t *testing.T, r told) {
				<-ended
				ends[0] = action.OutcomeOf(r.err)
				if !slices.Contains(ends[:], action.Succeeded) || !slices.Contains(ends[:], action.Invalid) {
					t.Errorf("outcomes %q: %v", ends, r.err)
				}
				begun := 0
				r.sb.Inspect(func(e *engine.Engine) {
					c, _ := e.Cluster("connect2-api-cluster-dev")
					for _, task := range c.Tasks {
						if strings.HasSuffix(task.Definition.Family, "-migrate") && !task.StartedAt.IsZero() {
							begun++
						}
					}
				})
				if begun != 1 {
					t.Errorf("%d containers ran", begun)
				}
			})
		})
	}
}

func TestImageThatRuns(t *testing.T) {
	scenario{inputs: func(in *migrate.Inputs) { in.Image = "running" }}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if !strings.Contains(r.out.Image, "connect2-api-dev@sha256:") && !strings.Contains(r.out.Image, "connect2-api-dev:v1@sha256:") {
			t.Errorf("image %s", r.out.Image)
		}
	})
}

// TestWaitsOutThrottling holds that a migration waits as long as its own time lets it: a throttled call has changed nothing.
func TestWaitsOutThrottling(t *testing.T) {
	scenario{run: map[string]engine.Run{"*": {}}, faults: []sandbox.Fault{
		{Action: "ecs:RegisterTaskDefinition", Answer: sandbox.Throttle, Times: 30},
		{Action: "ecs:RunTask", Answer: sandbox.Throttle, Times: 30},
	}}.play(t, func(t *testing.T, r told) {
		r.wantOutcome(t, action.Succeeded)
		if n := strings.Count(r.log, "asking again, for up to"); n != 1 {
			t.Errorf("it was told %d times:\n%s", n, r.log)
		}
	})
}
