package ecsdeploy_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// scheduledFile is the file of three services with a rule of the api and a schedule of the worker.
const scheduledFile = severalFile + `schedules:
  digest: {rule: "digest-{environment}"}
  sweep: {schedule: "sweep-{environment}"}
builds: {app: .}
containers: {connect2-api: app}
`

// ofScheduled are the inputs of a release of these services and schedules.
func ofScheduled(t *testing.T, image string) ecsdeploy.Inputs {
	t.Helper()
	in := ofSeveral(t, image)
	if err := os.WriteFile(in.File, []byte(scheduledFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return in
}

// TestSeveralTakeSchedulesAlong points the file's schedules once all services stand; what fails leaves all of it as it was.
func TestSeveralTakeSchedulesAlong(t *testing.T) {
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		s.PutRule("digest-dev", "connect2-api-dev:1")
		s.PutSchedule("sweep-dev", worker+":1")
		runs := func(digest, sweep string) {
			t.Helper()
			if rule, schedule := s.RuleRuns("digest-dev"), s.ScheduleRuns("sweep-dev"); rule != "connect2-api-dev:"+digest ||
				schedule != worker+":"+sweep {
				t.Errorf("the rule runs %s, the schedule %s; want :%s and :%s", rule, schedule, digest, sweep)
			}
		}
		deploy := func(image string, change func(*ecsdeploy.Inputs)) (ecsdeploy.Outputs, error) {
			s.Fresh()
			in := ofScheduled(t, image)
			if change != nil {
				change(&in)
			}
			return ecsdeploy.Run(t.Context(), s.Env, in)
		}
		s.Push("v2", bad)
		if out, err := deploy("v2", nil); action.OutcomeOf(err) != action.RolledBack || len(out.Services) == 0 {
			t.Fatalf("%s: %v", out.Outcome, err)
		}
		runs("1", "1")

		// One of the two cannot be pointed: all go back, and the rule that was pointed first does too.
		s.Push("v3", "")
		if err := s.Sandbox.Inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: sandbox.Deny}); err != nil {
			t.Fatal(err)
		}
		out, err := deploy("v3", nil)
		if action.OutcomeOf(err) != action.RolledBack || out.Cause != "schedule-not-pointed" ||
			outcomes(out) != "api rolled-back, worker rolled-back, mail rolled-back" {
			t.Errorf("%s, %s, %s: %v", out.Outcome, out.Cause, outcomes(out), err)
		}
		runs("1", "1")
		s.Sandbox.ClearFaults()
		if got := serving(s); !maps.Equal(got, versions(1, 1, 1)) {
			t.Errorf("serving %v", got)
		}

		s.Sandbox.ResetJournal()
		out, err = deploy("v3", func(in *ecsdeploy.Inputs) { in.Verify = "only" })
		if err != nil || !strings.Contains(s.Log.Text(), "schedule:sweep-dev would be pointed at what is released") || len(s.Mutations()) > 0 {
			t.Errorf("%s: %v\n%s", out.Outcome, err, s.Log.Text())
		}
		if out, err = deploy("v3", nil); err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("%s: %v", out.Outcome, err)
		}
		got := serving(s)
		at := func(service string) string { return strings.TrimPrefix(strings.Fields(got[service])[0], service+":") }
		runs(strings.TrimPrefix(at(sandboxtest.Service), "connect2-api-dev:"), at(worker))

		// One alone takes its own along, and nobody else's; what is not there is refused.
		s.PutRule("digest-dev", "connect2-api-dev:1")
		if out, err = deploy("v3", func(in *ecsdeploy.Inputs) { in.Service = worker }); err != nil || out.Outcome != action.NoChange {
			t.Errorf("%s: %v", out.Outcome, err)
		}
		runs("1", at(worker))
		s.Sandbox.ResetJournal()
		_, err = deploy("v3", func(in *ecsdeploy.Inputs) {
			text := strings.NewReplacer("sweep-{", "swep-{", "connect2-api: app", "connect2-ap: app").Replace(scheduledFile)
			if err := os.WriteFile(in.File, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		for _, want := range []string{"schedule:swep-dev",
			"no task definition that is deployed has a container connect2-ap: did you mean connect2-api?"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %v", want, err)
			}
		}
		if len(s.Mutations()) > 0 {
			t.Errorf("changed by %v", s.Mutations())
		}
	})
}

// TestSchedulesOfAKilledAttempt has a run die between two schedules: all services have arrived, and one schedule was pointed. Where the run
// after it cannot point the other one either, that schedule goes back as well, with all services; where it can, all stay.
func TestSchedulesOfAKilledAttempt(t *testing.T) {
	for _, denied := range []bool{true, false} {
		sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
			s.PutRule("digest-dev", "connect2-api-dev:1")
			s.PutSchedule("sweep-dev", worker+":1")
			s.Push("v2", "")
			in := ofScheduled(t, "v2")
			dying := *s.Env
			ctx, cancel := context.WithCancel(t.Context())
			dying.Transport = &dead{through: s.Sandbox.Transport(), die: cancel, at: func(r *http.Request) bool {
				return r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/schedules/")
			}}
			_, _ = ecsdeploy.Run(ctx, &dying, in)
			if rule, schedule := s.RuleRuns("digest-dev"), s.ScheduleRuns("sweep-dev"); rule != "connect2-api-dev:2" || schedule != worker+":1" {
				t.Fatalf("the rule runs %s, the schedule %s", rule, schedule)
			}
			s.Fresh()
			want, rule, schedule, serve := action.Succeeded, "connect2-api-dev:2", worker+":2", versions(2, 2, 2)
			if denied {
				if err := s.Sandbox.Inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: sandbox.Deny}); err != nil {
					t.Fatal(err)
				}
				want, rule, schedule, serve = action.RolledBack, "connect2-api-dev:1", worker+":1", versions(1, 1, 1)
			}
			out, err := ecsdeploy.Run(t.Context(), s.Env, in)
			if out.Outcome != want || (err != nil) != denied {
				t.Errorf("denied %t: %s: %v", denied, out.Outcome, err)
			}
			if r, o := s.RuleRuns("digest-dev"), s.ScheduleRuns("sweep-dev"); r != rule || o != schedule {
				t.Errorf("denied %t: the rule runs %s, the schedule %s", denied, r, o)
			}
			if got := serving(s); !maps.Equal(got, serve) {
				t.Errorf("denied %t: serving %v", denied, got)
			}
		})
	}
}

// dead carries the calls of a run that dies at one of them: neither that one nor any after it arrives.
type dead struct {
	through http.RoundTripper
	at      func(*http.Request) bool
	die     func()
	mu      sync.Mutex
	gone    bool
}

func (d *dead) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone = d.gone || d.at(r); d.gone {
		d.die()
		return nil, io.ErrClosedPipe
	}
	return d.through.RoundTrip(r)
}

// TestSeveralInterruptedWhileSchedulesArePointed ends a run while a schedule cannot be pointed: what was pointed before it goes back, and
// so do the services, and the run ends in time.
func TestSeveralInterruptedWhileSchedulesArePointed(t *testing.T) {
	for name, answer := range map[string]sandbox.Answer{"throttled": sandbox.Throttle, "never answered": sandbox.Hang} {
		sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
			s.PutRule("digest-dev", "connect2-api-dev:1")
			s.PutSchedule("sweep-dev", worker+":1")
			s.Push("v2", "")
			in := ofScheduled(t, "v2")
			if err := s.Sandbox.Inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: answer}); err != nil {
				t.Fatal(err)
			}
			var interrupted time.Time
			ctx, cancel := context.WithCancelCause(t.Context())
			s.Env.Transport = &onCall{RoundTripper: s.Env.Transport, tell: func(r *http.Request) {
				if interrupted.IsZero() && r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/schedules/") {
					interrupted = time.Now()
					cancel(action.ErrInterrupted)
				}
			}}
			out, err := ecsdeploy.Run(ctx, s.Env, in)
			if took := time.Since(interrupted); interrupted.IsZero() || action.OutcomeOf(err) != action.Cancelled || took > 7*time.Second ||
				outcomes(out) != "api rolled-back, worker rolled-back, mail rolled-back" {
				t.Errorf("%s: %s after %s: %v", name, action.OutcomeOf(err), took, err)
			}
			if rule, schedule := s.RuleRuns("digest-dev"), s.ScheduleRuns("sweep-dev"); rule != "connect2-api-dev:1" || schedule != worker+":1" {
				t.Errorf("%s: the rule runs %s, the schedule %s", name, rule, schedule)
			}
			time.Sleep(10 * time.Minute)
			if got := serving(s); !maps.Equal(got, versions(1, 1, 1)) {
				t.Errorf("%s: serving %v", name, got)
			}
		})
	}
}
