package ecsrollback_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// dying is a process's way to AWS that ends, with the process, at one of its calls: before it, or after it was carried out.
type dying struct {
	way    http.RoundTripper
	cancel context.CancelCauseFunc
	after  bool // the call is carried out, so that its answer is lost

	mu   sync.Mutex
	left int
	dead bool
}

var errKilled = errors.New("killed")

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	if d.left--; d.left == 0 {
		d.dead = true
	}
	dead, now := d.dead, d.left == 0
	d.mu.Unlock()
	if !dead {
		return d.way.RoundTrip(r)
	}
	if now && d.after {
		if response, err := d.way.RoundTrip(r); err == nil {
			response.Body.Close()
		}
	}
	d.cancel(errKilled)
	return nil, errKilled
}

// killed begins a rollback that is killed at its nth call, and reports whether it had as many.
func (s *site) killed(in ecsrollback.Inputs, n int, after bool) bool {
	s.T.Helper()
	s.Fresh()
	ctx, cancel := context.WithCancelCause(s.T.Context())
	defer cancel(nil)
	way := &dying{way: s.Sandbox.Transport(), cancel: cancel, after: after, left: n}
	s.Env.Transport = way
	_, _ = ecsrollback.Run(ctx, s.Env, in) // what it says nobody hears
	way.mu.Lock()
	defer way.mu.Unlock()
	return way.dead
}

// tag returns a tag of the service.
func (s *site) tag(key string) (value string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, _ := e.Cluster(cluster)
		for _, tag := range c.Service(service).Tags {
			if tag.Key == key {
				value = tag.Value
			}
		}
	})
	return value
}

// digestOf returns the digest that a revision of the service's family is pinned to.
func (s *site) digestOf(revision string) (digest string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		td, err := e.TaskDefinition(family + ":" + revision)
		if err != nil {
			s.T.Fatal(err)
		}
		_, digest, _ = strings.Cut(td.Definition.Containers[0].Image, "@")
	})
	return digest
}

// wantLeft holds that the service is back at a revision, and that exactly what was left is on hold.
func (s *site) wantLeft(at string, left string) {
	s.T.Helper()
	s.wantAt(at)
	if got, want := s.tag("connect2:hold"), s.digestOf(left); got != want {
		s.T.Errorf("on hold is %q, want %q, the image of :%s; that of :%s is %q", got, want, left, at, s.digestOf(at))
	}
}

var strategies = map[string]string{
	"rolling":    "{}",
	"blue/green": "{strategy: BLUE_GREEN, bakeTimeInMinutes: 2}",
	"linear":     "{strategy: LINEAR, linearConfiguration: {stepPercent: 50, stepBakeTimeInMinutes: 1}}",
	"canary":     "{strategy: CANARY, canaryConfiguration: {canaryPercent: 10, canaryBakeTimeInMinutes: 1}}",
}

func withStrategy(strategy string) string {
	return "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2], deployment: " + strategy + "}\n"
}

// TestAgainAfterAKill kills a rollback at each of its calls up to the first look at what it has begun, lets the same run again, soon or
// late, and holds that both end where one would.
func TestAgainAfterAKill(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 11; n <= 13; n++ { // it updates, sets the hold, and follows
				for i, pause := range []time.Duration{1500 * time.Millisecond, 20 * time.Minute} {
					after := (n+i)%2 == 0
					at(t, withStrategy(strategy), func(t *testing.T, s *site) {
						s.killed(inputs(""), n, after)
						time.Sleep(pause)
						out, err := s.rollback(inputs(""))
						if action.OutcomeOf(err).ExitCode() != 0 {
							t.Errorf("killed at call %d, again after %v: %s, %v", n, pause, out.Outcome, err)
						}
						s.wantLeft("1", "2")
					})
				}
			}
		})
	}
}

// TestAgainWhileItsStopGoesOn is the same for the rollback of a deployment in progress.
func TestAgainWhileItsStopGoesOn(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 13; n <= 15; n++ { // it stops, sets the hold, and follows
				at(t, withStrategy(strategy), func(t *testing.T, s *site) {
					s.deploy("v3", nil)
					time.Sleep(30 * time.Second)
					s.killed(inputs(""), n, n%2 == 1)
					time.Sleep(1500 * time.Millisecond)
					out, err := s.rollback(inputs(""))
					if action.OutcomeOf(err).ExitCode() != 0 {
						t.Errorf("killed at call %d: %s, %v", n, out.Outcome, err)
					}
					s.wantLeft("2", "3")
				})
			}
		})
	}
}

// TestDoubled has a second engineer roll back a moment after the first one, and at the same one.
func TestDoubled(t *testing.T) {
	for name, strategy := range strategies {
		for _, deploying := range []bool{false, true} {
			for _, later := range []time.Duration{0, 1500 * time.Millisecond} {
				t.Run(fmt.Sprint(name, deploying, later), func(t *testing.T) {
					t.Parallel()
					at(t, withStrategy(strategy), func(t *testing.T, s *site) {
						back, left := "1", "2"
						if deploying {
							s.deploy("v3", nil)
							time.Sleep(30 * time.Second)
							back, left = "2", "3"
						}
						var both sync.WaitGroup
						for _, pause := range []time.Duration{0, later} {
							env, _ := s.Runner()
							both.Go(func() {
								time.Sleep(pause)
								out, err := ecsrollback.Run(t.Context(), env, inputs(""))
								if action.OutcomeOf(err).ExitCode() != 0 {
									t.Errorf("%s, %v", out.Outcome, err)
								}
							})
						}
						both.Wait()
						s.wantLeft(back, left)
					})
				})
			}
		}
	}
}

// TestWithoutTags holds the same where nothing can be written down, and nothing be held.
func TestWithoutTags(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:TagResource', answer: deny}]\n", func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Second, func() { cancel(action.ErrInterrupted) })
		_, err := ecsrollback.Run(ctx, s.Env, inputs(""))
		if action.OutcomeOf(err) != action.Cancelled {
			t.Fatal(err)
		}
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2")
		if got := s.Mutations(); !slices.Equal(got, []string{"ecs:UpdateService"}) {
			t.Errorf("changed by %v", got)
		}
	})
}

// TestTheWayBackFails holds that a rollback that ends on what it was to leave is not a success, and that this is not held.
func TestTheWayBackFails(t *testing.T) {
	at(t, withStrategy("{}"), func(t *testing.T, s *site) {
		s.Sandbox.SetBehaviour(family+":v1", engine.Behaviour{Start: engine.Unhealthy})
		out, err := s.rollback(inputs(""))
		if outcome := action.OutcomeOf(err); outcome != action.RolledBack {
			t.Errorf("%s (%s): %v", outcome, out.Outcome, err)
		}
		s.wantAt("2")
		if held := s.tag("connect2:hold"); strings.Contains(held, "sha256:") {
			t.Errorf("what serves is on hold: %s", held)
		}
	})
}

// TestAFixThatECSRolledBack goes from a bad v2 to v1, though the newest deployment is that of a fix which ECS rolled back.
func TestAFixThatECSRolledBack(t *testing.T) {
	at(t, withStrategy("{}"), func(t *testing.T, s *site) {
		s.deploy("v3", &engine.Behaviour{Start: engine.Unhealthy})
		time.Sleep(30 * time.Minute)
		s.wantAt("2")
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantLeft("1", "2")
	})
}

// TestAnOrdinaryReleaseOfAnOlderImage is not taken for a rollback.
func TestAnOrdinaryReleaseOfAnOlderImage(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.deploy("v1", nil)
		time.Sleep(30 * time.Minute)
		s.wantAt("4")
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantLeft("3", "4")
	})
}

// TestAfterQuietMonths goes by what the running deployment replaced, since ECS lists no older one any more.
func TestAfterQuietMonths(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		time.Sleep(100 * 24 * time.Hour)
		s.deploy("v4", nil)
		time.Sleep(30 * time.Minute)
		s.wantAt("4")
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantLeft("3", "4")
	})
}

// TestByTag goes to a version by the tag of its image.
func TestByTag(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		out, err := s.rollback(inputs("v1"))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantLeft("1", "3")
		out, err = s.rollback(inputs("v9"))
		wantOutcome(t, out, err, action.Invalid)
	})
}

// TestDryRunSaysWhatWouldServe also does so while a deployment is under way.
func TestDryRunSaysWhatWouldServe(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.deploy("v4", nil)
		time.Sleep(30 * time.Second)
		in := inputs("")
		in.DryRun = true
		out, err := s.rollback(in)
		wantOutcome(t, out, err, action.Succeeded)
		told := s.Log.Text() + s.Log.Summary()
		if !strings.Contains(told, family+":3 would serve then") || !strings.HasSuffix(out.TaskDefinitionARN, ":3") || len(s.Mutations()) > 0 {
			t.Errorf("told %+v\n%s", out, told)
		}
	})
}

// meeting lets somebody else do something right before the first call of an action.
type meeting struct {
	way    http.RoundTripper
	action string
	once   sync.Once
	meet   func()
}

func (m *meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+m.action) {
		m.once.Do(m.meet)
	}
	return m.way.RoundTrip(r)
}

// TestTellsWhatItReplaced holds that a deployment which began while the update was on its way is told of.
func TestTellsWhatItReplaced(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Fresh()
		s.Env.Transport = &meeting{way: s.Sandbox.Transport(), action: "UpdateService", meet: func() { s.deploy("v4", nil) }}
		out, err := ecsrollback.Run(t.Context(), s.Env, inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2")
		if told := s.Log.Text(); !strings.Contains(told, "a deployment of "+family+":4 was begun right before the service was updated") {
			t.Errorf("told\n%s", told)
		}
	})
}

// TestLooksOnceMore holds that what happened while it decided is decided on anew: here somebody deploys a version right before, and
// that is what is left.
func TestLooksOnceMore(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Fresh()
		s.Env.Transport = &meeting{way: s.Sandbox.Transport(), action: "DescribeTaskDefinition", meet: func() { s.deploy("v4", nil) }}
		out, err := ecsrollback.Run(t.Context(), s.Env, inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2") // :3 served when it began, and :4 was deployed since
		if !strings.Contains(s.Log.Text(), "deciding again") {
			t.Errorf("told\n%s", s.Log.Text())
		}
	})
}

// TestWaitsOutThrottling holds that a rollback waits as long as its own time lets it: a throttled call has changed nothing.
func TestWaitsOutThrottling(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:UpdateService', answer: throttle, times: 30}]\n", func(t *testing.T, s *site) {
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		s.wantAt("2")
	})
}
