package ecsrollback_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const (
	cluster    = sandboxtest.Cluster
	service    = sandboxtest.Service
	family     = sandboxtest.Family
	repository = sandboxtest.Repository

	fast = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2, v3]}\n"
)

// site is a sandbox with a terminal in front of it.
type site struct{ *sandboxtest.Site }

// at runs a test in a bubble where the sandbox and the action share one clock.
func at(t *testing.T, scenario string, test func(t *testing.T, s *site)) {
	t.Helper()
	sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) { test(t, &site{s}) })
}

func inputs(to string) ecsrollback.Inputs {
	return ecsrollback.Inputs{Cluster: cluster, Service: service, To: to, Timeout: 30 * time.Minute, Reason: "checkout fails (see #12)"}
}

// rollback rolls back with a new terminal.
func (s *site) rollback(in ecsrollback.Inputs) (ecsrollback.Outputs, error) {
	s.Fresh()
	return ecsrollback.Run(s.T.Context(), s.Env, in)
}

// deploy updates the service to a new revision with the image of this tag, as somebody else would, and does not wait.
func (s *site) deploy(tag string, behaviour *engine.Behaviour) {
	s.T.Helper()
	img, err := sandbox.NewImage(tag, behaviour)
	if err != nil {
		s.T.Fatal(err)
	}
	digest, err := s.Sandbox.Push(repository, tag, img)
	if err != nil {
		s.T.Fatal(err)
	}
	s.Sandbox.Inspect(func(e *engine.Engine) {
		running, err := e.TaskDefinition(family)
		if err != nil {
			s.T.Fatal(err)
		}
		text, err := json.Marshal(running.Document)
		if err != nil {
			s.T.Fatal(err)
		}
		next := regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAll(text, []byte("@"+digest))
		td, err := e.RegisterTaskDefinition(next, "somebody")
		if err != nil {
			s.T.Fatal(err)
		}
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		if err := e.UpdateService(c.Service(service), engine.ServiceChange{TaskDefinition: td.ARN}); err != nil {
			s.T.Fatal(err)
		}
	})
}

func (s *site) wantAt(want string) {
	s.T.Helper()
	if name, running := s.Primary(); name != family+":"+want || running != 2 {
		s.T.Errorf("the service runs %d tasks of %s, want 2 of :%s", running, name, want)
	}
}

func wantOutcome(t *testing.T, got ecsrollback.Outputs, err error, want action.Outcome) {
	t.Helper()
	outcome := got.Outcome
	if err != nil {
		outcome = action.OutcomeOf(err)
	}
	if outcome != want {
		t.Fatalf("outcome %s, want %s: %v", outcome, want, err)
	}
}

func TestPrevious(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2")
		if !out.Changed || !strings.HasSuffix(out.TaskDefinitionARN, ":2") || !strings.HasSuffix(out.PreviousTaskDefinitionARN, ":3") ||
			out.Digest == "" {
			t.Errorf("outputs %+v", out)
		}
		if got := s.Mutations(); !slices.Equal(got, []string{"ecs:TagResource", "ecs:UpdateService", "ecs:TagResource", "ecs:TagResource"}) {
			t.Errorf("changed by %v", got)
		}
		var tags string
		s.Sandbox.Inspect(func(e *engine.Engine) {
			c, _ := e.Cluster(cluster)
			text, _ := json.Marshal(c.Service(service).Tags)
			tags = string(text)
		})
		if !strings.Contains(tags, "checkout fails _see _12_") {
			t.Errorf("the reason is not kept: %s", tags)
		}
		for _, part := range []string{"checkout fails", "the target"} {
			if !strings.Contains(s.Log.Summary(), part) {
				t.Errorf("the summary lacks %q:\n%s", part, s.Log.Summary())
			}
		}
	})
}

// TestTwoInARow holds that a second rollback does not return to the bad release.
func TestTwoInARow(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		if _, err := s.rollback(inputs("previous")); err != nil {
			t.Fatal(err)
		}
		before := len(s.Mutations())
		out, err := s.rollback(inputs("previous"))
		wantOutcome(t, out, err, action.Invalid)
		if len(s.Mutations()) != before {
			t.Errorf("changed by %v", s.Mutations()[before:])
		}
		s.wantAt("2")
		failure := err.Error()
		if !strings.Contains(failure, "came back by a rollback from "+family+":3") {
			t.Errorf("told as %v", err)
		}
		out, err = s.rollback(inputs("1"))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("1")
	})
}

// TestAfterABreaker holds the same where ECS has put the version before back.
func TestAfterABreaker(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.deploy("v4", &engine.Behaviour{Start: engine.Unhealthy})
		time.Sleep(30 * time.Minute)
		before := len(s.Mutations())
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Invalid)
		if len(s.Mutations()) != before {
			t.Errorf("changed by %v", s.Mutations()[before:])
		}
		s.wantAt("3")
	})
}

func TestStopsADeploymentInProgress(t *testing.T) {
	for _, denied := range []bool{false, true} {
		scenario := fast
		if denied {
			scenario += "faults: [{action: 'ecs:StopServiceDeployment', answer: deny}]\n"
		}
		at(t, scenario, func(t *testing.T, s *site) {
			s.deploy("v4", nil)
			time.Sleep(30 * time.Second)
			out, err := s.rollback(inputs(""))
			wantOutcome(t, out, err, action.Succeeded)
			s.wantAt("3")
			if stopped := slices.Contains(s.Mutations(), "ecs:StopServiceDeployment"); stopped == denied {
				t.Errorf("denied %v, yet stopped %v", denied, stopped)
			}
			if !out.Changed || !strings.HasSuffix(out.TaskDefinitionARN, ":3") {
				t.Errorf("outputs %+v", out)
			}
		})
	}
}

// TestInactiveRevision goes back to a revision that was deregistered: its content is registered anew. Going on from there
// does not flip either.
func TestInactiveRevision(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Sandbox.Inspect(func(e *engine.Engine) {
			td, err := e.TaskDefinition(family + ":2")
			if err != nil {
				t.Fatal(err)
			}
			e.DeregisterTaskDefinition(td)
		})
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("4")
		if !slices.Contains(s.Mutations(), "ecs:RegisterTaskDefinition") {
			t.Errorf("changed by %v", s.Mutations())
		}
		out, err = s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Invalid)
		s.wantAt("4")
	})
}

func TestDryRun(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		in := inputs("")
		in.DryRun = true
		out, err := s.rollback(in)
		wantOutcome(t, out, err, action.Succeeded)
		if len(s.Mutations()) != 0 || out.Changed {
			t.Errorf("changed by %v", s.Mutations())
		}
		told := s.Log.Text() + s.Log.Summary()
		if !strings.Contains(told, family+":2 is the newest version that succeeded") {
			t.Errorf("told\n%s", told)
		}
	})
}

func TestWrongInput(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*ecsrollback.Inputs)
		want   string
	}{
		{"unknown service", func(in *ecsrollback.Inputs) { in.Service = "nobody" }, `no service "nobody"`},
		{"unknown cluster", func(in *ecsrollback.Inputs) { in.Cluster = "nowhere" }, `no cluster "nowhere"`},
		{"unknown revision", func(in *ecsrollback.Inputs) { in.To = "99" }, "no task definition " + family + ":99"},
		{"nonsense", func(in *ecsrollback.Inputs) { in.To = "yesterday" }, `"yesterday" is not a revision number`},
		{"unknown digest", func(in *ecsrollback.Inputs) { in.To = "sha256:" + strings.Repeat("ab", 32) }, "no deployment that succeeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				in := inputs("")
				test.change(&in)
				out, err := s.rollback(in)
				wantOutcome(t, out, err, action.Invalid)
				if !strings.Contains(err.Error(), test.want) || len(s.Mutations()) != 0 {
					t.Errorf("got %v after %v", err, s.Mutations())
				}
			})
		})
	}
}

// TestWithoutHistory holds that previous asks where to go if the history may not be read, and that a named version works.
func TestWithoutHistory(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:*Service*Deployments', answer: deny}]\n", func(t *testing.T, s *site) {
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Invalid)
		if len(s.Mutations()) != 0 {
			t.Errorf("changed by %v", s.Mutations())
		}
		if !strings.Contains(err.Error(), "ecs:ListServiceDeployments") || strings.Contains(err.Error(), "lists no deployment") {
			t.Errorf("the error does not tell that the history was denied: %v", err)
		}
		out, err = s.rollback(inputs("2"))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2")
	})
}

// TestInterruptLeavesTheRollback holds that a cancelled rollback is not itself rolled back to the bad release.
func TestInterruptLeavesTheRollback(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(25*time.Second, cancel).Stop()
		out, err := ecsrollback.Run(ctx, s.Env, inputs(""))
		wantOutcome(t, out, err, action.Cancelled)
		time.Sleep(10 * time.Minute)
		s.wantAt("2")
	})
}

func TestAlreadyThere(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		out, err := s.rollback(inputs("3"))
		wantOutcome(t, out, err, action.NoChange)
		if len(s.Mutations()) != 0 {
			t.Errorf("changed by %v", s.Mutations())
		}
	})
}

// TestFollowsARollbackInProgress holds that a rollback which ECS has begun is only waited for, with the
// service-deployments API and without.
func TestFollowsARollbackInProgress(t *testing.T) {
	for name, faults := range map[string]string{
		"with the API":    "",
		"without the API": "faults: [{action: 'ecs:*Service*Deployment*', answer: deny}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast+faults, func(t *testing.T, s *site) {
				s.deploy("v4", &engine.Behaviour{Start: engine.Unhealthy})
				s.untilRollback()
				out, err := s.rollback(inputs(""))
				wantOutcome(t, out, err, action.Succeeded)
				s.wantAt("3")
				if got := s.Mutations(); len(got) != 0 || out.Changed {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}

// untilRollback waits until the circuit breaker has tripped.
func (s *site) untilRollback() {
	s.T.Helper()
	for range 600 {
		time.Sleep(time.Second)
		tripped := false
		s.Sandbox.Inspect(func(e *engine.Engine) {
			c, _ := e.Cluster(cluster)
			tripped = strings.Contains(c.Service(service).Events[0].Message, "rolling back")
		})
		if tripped {
			return
		}
	}
	s.T.Fatal("the circuit breaker did not trip")
}

// TestNamedVersionInProgress follows a deployment of the very version that is asked for instead of forcing another.
func TestNamedVersionInProgress(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.deploy("v4", nil)
		time.Sleep(20 * time.Second)
		out, err := s.rollback(inputs("4"))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("4")
		if slices.Contains(s.Mutations(), "ecs:UpdateService") {
			t.Errorf("changed by %v", s.Mutations())
		}
	})
}
