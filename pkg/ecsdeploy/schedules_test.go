package ecsdeploy_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// scheduled are the inputs of a deployment that takes a rule and a schedule along.
func scheduled(image string) ecsdeploy.Inputs {
	in := inputs(image)
	in.Schedules.Names = []string{"rule:digest", "schedule:report"}
	return in
}

func (s *site) wantSchedules(revision string) {
	s.T.Helper()
	if rule, schedule := s.RuleRuns("digest"), s.ScheduleRuns("report"); rule != family+":"+revision || schedule != family+":"+revision {
		s.T.Errorf("the rule runs %s, the schedule %s, want :%s", rule, schedule, revision)
	}
}

// TestSchedulesGoAlong points schedules at what was deployed, once it has baked, and at what serves already; what fails leaves them.
func TestSchedulesGoAlong(t *testing.T) {
	at(t, busy, func(t *testing.T, s *site) {
		s.PutRule("digest", family+":1")
		s.PutSchedule("report", family+":1")
		s.Push("v2", "")
		s.Push("v3", "{start: crash, exitCode: 3}")
		in := scheduled("v2")
		in.Bake.For = 10 * time.Minute
		time.AfterFunc(8*time.Minute, func() { s.wantSchedules("1") }) // it bakes
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		s.wantSchedules("2")
		for _, want := range []string{"rule:digest is pointed at connect2-api-dev:2 (it ran connect2-api-dev:1); next run",
			"| **schedule:report** | connect2-api-dev:2; next run"} {
			if told := s.Log.Text() + s.Log.Summary(); !strings.Contains(told, want) {
				t.Errorf("it lacks %q:\n%s", want, told)
			}
		}
		out, err = s.deploy(scheduled("v3"))
		wantOutcome(t, out, err, action.RolledBack)
		s.wantSchedules("2")
		before := len(s.Mutations())
		out, err = s.deploy(scheduled("v2"))
		wantOutcome(t, out, err, action.NoChange)
		if after := s.Mutations(); len(after) != before {
			t.Errorf("changed by %v", after[before:])
		}
		s.PutRule("digest", family+":1")
		dry := scheduled("v2")
		dry.DryRun = true
		if _, err := s.deploy(dry); err != nil || !strings.Contains(s.Log.Text(), "rule:digest would be pointed at connect2-api-dev:2") {
			t.Errorf("dry run: %v\n%s", err, s.Log.Text())
		}
		out, err = s.deploy(scheduled("v2"))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantSchedules("2")
	})
}

// TestSchedulesThatCannotBePointed takes the whole back: schedules and service.
func TestSchedulesThatCannotBePointed(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.PutRule("digest", family+":1")
		s.PutSchedule("report", family+":1")
		s.Push("v2", "")
		s.inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: sandbox.Deny})
		out, err := s.deploy(scheduled("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		s.wantSchedules("1")
		if primary, running := s.Primary(); primary != family+":1" || running != 2 || out.Cause != "schedule-not-pointed" ||
			!strings.Contains(err.Error(), "back on connect2-api-dev:1") {
			t.Errorf("%d tasks of %s, cause %s: %v", running, primary, out.Cause, err)
		}
	})
}

// TestSchedulesOfARunThatIsInterrupted ends a run while a schedule cannot be pointed: what it has changed goes back, and it ends in time.
func TestSchedulesOfARunThatIsInterrupted(t *testing.T) {
	for name, answer := range map[string]sandbox.Answer{"throttled": sandbox.Throttle, "never answered": sandbox.Hang} {
		at(t, fast, func(t *testing.T, s *site) {
			s.PutRule("digest", family+":1")
			s.PutSchedule("report", family+":1")
			s.Push("v2", "")
			s.inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: answer})
			var interrupted time.Time
			ctx, cancel := context.WithCancelCause(t.Context())
			s.Env.Transport = &onCall{RoundTripper: s.Env.Transport, tell: func(r *http.Request) {
				if interrupted.IsZero() && r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/schedules/") {
					interrupted = time.Now()
					cancel(action.ErrInterrupted)
				}
			}}
			_, err := ecsdeploy.Run(ctx, s.Env, scheduled("v2"))
			if took := time.Since(interrupted); interrupted.IsZero() || action.OutcomeOf(err) != action.Cancelled || took > 7*time.Second {
				t.Errorf("%s: %s after %s: %v", name, action.OutcomeOf(err), took, err)
			}
			s.wantSchedules("1")
			time.Sleep(10 * time.Minute)
			if primary, _ := s.Primary(); primary != family+":1" {
				t.Errorf("%s: %s serves: %v", name, primary, err)
			}
		})
	}
}

// onCall tells somebody of each call before it is made, of one after the other.
type onCall struct {
	http.RoundTripper
	tell func(*http.Request)
	mu   sync.Mutex
}

func (c *onCall) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.tell(r)
	c.mu.Unlock()
	return c.RoundTripper.RoundTrip(r)
}

// TestSchedulesThatStay is stuck where a schedule cannot be pointed back, and keeps the revision that it runs.
func TestSchedulesThatStay(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.PutRule("digest", family+":1")
		s.PutSchedule("report", family+":1")
		s.Push("v2", "")
		s.inject(sandbox.Fault{Action: "scheduler:UpdateSchedule", Answer: sandbox.Deny},
			sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.Refuse, Code: "ValidationException", Skip: 1})
		out, err := s.deploy(scheduled("v2"))
		wantOutcome(t, out, err, action.Stuck)
		if s.RuleRuns("digest") != family+":2" || !strings.Contains(err.Error(), "pointing rule:digest back at connect2-api-dev:1") {
			t.Errorf("the rule runs %s: %v", s.RuleRuns("digest"), err)
		}
		for _, call := range s.Mutations() {
			if call == "ecs:DeregisterTaskDefinition" {
				t.Error("what a schedule runs was deregistered")
			}
		}
	})
}

func (s *site) inject(faults ...sandbox.Fault) {
	s.T.Helper()
	if err := s.Sandbox.Inject(faults...); err != nil {
		s.T.Fatal(err)
	}
}

// TestSchedulesRefused holds that all that is wrong is told before anything is changed.
func TestSchedulesRefused(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.PutRule("other", "other:1")
		s.Push("v2", "")
		in := inputs("v2")
		in.Schedules.Names = []string{"rule:other", "schedule:none"}
		before := len(s.Mutations())
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Invalid)
		for _, want := range []string{"rule:other runs other, and this releases connect2-api-dev", "schedule:none: there is no such schedule"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not told: %v", want, err)
			}
		}
		if after := s.Mutations(); len(after) != before {
			t.Errorf("changed by %v", after[before:])
		}
	})
	for _, change := range []func(*ecsdeploy.Inputs){
		func(in *ecsdeploy.Inputs) { in.Schedules.Names = []string{"digest"} },
		func(in *ecsdeploy.Inputs) { in.Wait = false },
		func(in *ecsdeploy.Inputs) { in.RegisterOnly = true },
		func(in *ecsdeploy.Inputs) { in.RenderOnly = "file" },
	} {
		in := scheduled("v2")
		if problems := in.Validate(); len(problems) != 0 {
			t.Fatal(problems)
		}
		if change(&in); len(in.Validate()) != 1 {
			t.Errorf("%+v: %v", in.Schedules, in.Validate())
		}
	}
}
