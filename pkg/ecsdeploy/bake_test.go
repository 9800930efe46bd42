package ecsdeploy_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
)

// busy is a service with 20 requests a second, of which 0.1 % fail.
const busy = fast + "traffic: {rate: 20, errors: 0.001, latency: 80ms}\nalarms: {checkout: OK, noisy: ALARM}\n"

func baking(image string) ecsdeploy.Inputs {
	in := inputs(image)
	in.Bake.For = 10 * time.Minute
	return in
}

// probed answers requests of the probe, and passes the others on.
type probed struct {
	next   http.RoundTripper
	answer func() int
}

func (p probed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "shop.example.com" {
		return p.next.RoundTrip(r)
	}
	return &http.Response{StatusCode: p.answer(), Body: http.NoBody, Request: r}, nil
}

// TestBakePasses watches a good release for as long as it was told to.
func TestBakePasses(t *testing.T) {
	at(t, busy, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.Env.Transport = probed{s.Env.Transport, func() int { return 200 }}
		in := baking("v2")
		in.Bake.Alarms, in.Bake.Probe = []string{"checkout", "noisy"}, "https://shop.example.com/health"
		begun := time.Now()
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if took := time.Since(begun); took < 10*time.Minute {
			t.Errorf("ended after %s", took)
		}
		told := s.Log.Text() + s.Log.Summary()
		for _, want := range []string{"HTTP 5xx and latency as in the hour before", "alarm checkout: OK before, OK after",
			"alarm noisy: not judged, it was in ALARM", "probe: asked 41 times", "Bake: passed"} {
			if !strings.Contains(told, want) {
				t.Errorf("it lacks %q:\n%s", want, told)
			}
		}
	})
}

// TestBakeTakesBack takes a release back for each thing that goes wrong, and says what was compared with what.
func TestBakeTakesBack(t *testing.T) {
	for name, tt := range map[string]struct {
		behaviour string
		change    func(s *site, in *ecsdeploy.Inputs)
		cause     string
		want      []string
	}{
		"errors": {`{serves: {errors: 0.02}}`, nil, "bake-errors",
			[]string{"HTTP 5xx rose from 0.08 % to 2.08 %",
				"in the hour before: 59 of 70800 requests (0.08 %)", "| **Serving now** | `connect2-api-dev:1` |", "after it: 25 of 1200 requests"}},
		"latency": {`{serves: {latency: 300ms}}`, nil, "bake-latency", []string{"Answers take 380ms instead of 80ms"}},
		"an alarm": {``, func(s *site, in *ecsdeploy.Inputs) {
			in.Bake.Alarms = []string{"checkout"}
			time.AfterFunc(5*time.Minute, func() { s.Sandbox.SetAlarm("checkout", "ALARM") })
		}, "bake-alarm", []string{"The CloudWatch alarm checkout went off", "before the deployment: OK"}},
		"the probe": {``, func(s *site, in *ecsdeploy.Inputs) {
			in.Bake.Probe = "https://shop.example.com/health"
			begun := time.Now()
			s.Env.Transport = probed{s.Env.Transport, func() int {
				if time.Since(begun) < time.Minute {
					return 200
				}
				return 503
			}}
		}, "bake-probe", []string{"before the deployment: a good answer", "3 times in a row: status 503"}},
		"tasks": {`{start: crash, after: 4m, exitCode: 3}`, nil, "bake-tasks",
			[]string{"tasks failed after the deployment", "exited with 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, busy, func(t *testing.T, s *site) {
				s.Push("v2", tt.behaviour)
				in := baking("v2")
				if tt.change != nil {
					tt.change(s, &in)
				}
				out, err := s.deploy(in)
				wantOutcome(t, out, err, action.RolledBack)
				if primary, running := s.Primary(); primary != family+":1" || running != 2 || out.Cause != tt.cause {
					t.Errorf("%d tasks of %s, cause %s", running, primary, out.Cause)
				}
				told := s.Log.Text() + s.Log.Summary()
				for _, want := range tt.want {
					if !strings.Contains(told, want) {
						t.Errorf("it lacks %q:\n%s", want, told)
					}
				}
				if !slices.Contains(s.Mutations(), "ecs:DeregisterTaskDefinition") {
					t.Error("the revision that failed is still registered")
				}
			})
		})
	}
}

// TestBakeOfBothTargetGroups bakes a service whose releases go to its two target groups in turn: the hour before was served by the one,
// the minutes after by the other, and the way back goes to the first.
func TestBakeOfBothTargetGroups(t *testing.T) {
	for name, tt := range map[string]struct {
		behaviour, cause string
		want             []string
	}{
		"good": {"", "", []string{"HTTP 5xx and latency as in the hour before",
			"targets: 2 healthy, 0 unhealthy before, 2 healthy, 0 unhealthy after"}},
		"errors":  {"{serves: {errors: 0.02}}", "bake-errors", []string{"HTTP 5xx rose from 0.08 % to 2.08 %", "of 72000 requests"}},
		"targets": {"{unhealthyAfter: 6m, check: elb, status: 500}", "bake-targets", targetsTold},
	} {
		t.Run(name, func(t *testing.T) {
			scenario := "traffic: {rate: 20, errors: 0.001, latency: 80ms}\n" +
				"service: {healthInterval: 5s, gracePeriod: 3600, deregisterAfter: 5s, deployment: " + strategies["blue/green"] + "}\n"
			at(t, scenario, func(t *testing.T, s *site) {
				s.Push("v2", "")
				s.Push("v3", tt.behaviour)
				s.mustDeploy("v2") // from the first group into the second
				time.Sleep(2 * time.Hour)
				s.Fresh()
				out, err := s.deploy(baking("v3"))
				serving := family + ":3"
				if tt.cause == "" {
					wantOutcome(t, out, err, action.Succeeded)
				} else {
					wantOutcome(t, out, err, action.RolledBack)
					serving = family + ":2"
				}
				if primary, running := s.Primary(); primary != serving || running != 2 || out.Cause != tt.cause {
					t.Errorf("%d tasks of %s, cause %q", running, primary, out.Cause)
				}
				told := s.Log.Text() + s.Log.Summary()
				for _, want := range tt.want {
					if !strings.Contains(told, want) {
						t.Errorf("it lacks %q:\n%s", want, told)
					}
				}
			})
		})
	}
}

var targetsTold = []string{"The load balancer finds 2 targets unhealthy after the deployment",
	"before the deployment: 2 healthy, 0 unhealthy",
	"after it, 3 times in a row: 0 healthy, 2 unhealthy: Health checks failed with these codes: [500]"}

// TestBakeSeesWhatTheGracePeriodHides takes back a release whose tasks turn unhealthy behind the load balancer while ECS looks away.
func TestBakeSeesWhatTheGracePeriodHides(t *testing.T) {
	at(t, "service: {healthInterval: 5s, gracePeriod: 3600, deregisterAfter: 5s}\n", func(t *testing.T, s *site) {
		s.Push("v2", "{unhealthyAfter: 4m, check: elb, status: 500}")
		out, err := s.deploy(baking("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if primary, _ := s.Primary(); primary != family+":1" || out.Cause != "bake-targets" {
			t.Errorf("the service is at %s, cause %q", primary, out.Cause)
		}
		told := s.Log.Text() + s.Log.Summary()
		for _, want := range targetsTold {
			if !strings.Contains(told, want) {
				t.Errorf("it lacks %q:\n%s", want, told)
			}
		}
	})
}

// TestBakeWaitsForLateMinutes judges the newest minutes that CloudWatch has, where it has them late.
func TestBakeWaitsForLateMinutes(t *testing.T) {
	at(t, strings.Replace(busy, "latency: 80ms", "latency: 80ms, lag: 100s", 1), func(t *testing.T, s *site) {
		s.Push("v2", "{serves: {errors: 0.02}}")
		out, err := s.deploy(baking("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if out.Cause != "bake-errors" {
			t.Errorf("cause %q", out.Cause)
		}
	})
}

// TestBakeDoublesNothing watches an alarm of the service's own deployments once though it is named again, and takes off what the
// service itself has baked.
func TestBakeDoublesNothing(t *testing.T) {
	const own = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, deployment: {bakeTimeInMinutes: 3, " +
		"alarms: {enable: true, rollback: true, alarmNames: [checkout, latency]}}}\nalarms: {checkout: OK, latency: OK, disk: OK}\n"
	at(t, own, func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := baking("v2")
		in.Bake.Alarms = []string{"disk", "checkout"}
		begun := time.Now()
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		// The rollout takes five minutes, ECS's own three, which are among the ten, with it.
		if took := time.Since(begun); took < 11*time.Minute || took > 13*time.Minute {
			t.Errorf("ended after %s", took)
		}
		told := s.Log.Text()
		for _, name := range []string{"checkout", "latency", "disk"} {
			if n := strings.Count(told, "alarm "+name+": OK before, OK after"); n != 1 {
				t.Errorf("alarm %s is told %d times:\n%s", name, n, told)
			}
		}
	})
}

// TestBakeThatIsCancelled leaves the release as it is.
func TestBakeThatIsCancelled(t *testing.T) {
	at(t, busy, func(t *testing.T, s *site) {
		s.Push("v2", "")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		time.AfterFunc(6*time.Minute, func() { cancel(action.ErrInterrupted) })
		out, err := ecsdeploy.Run(ctx, s.Env, baking("v2"))
		wantOutcome(t, out, err, action.Cancelled)
		if primary, _ := s.Primary(); primary != family+":2" {
			t.Errorf("the service is at %s", primary)
		}
		var failure *action.Error
		if !errors.As(err, &failure) || !strings.Contains(failure.Advice, "was complete and stays") {
			t.Errorf("%v", err)
		}
	})
}

// TestBakeIsChecked refuses what cannot be watched before anything is changed.
func TestBakeIsChecked(t *testing.T) {
	at(t, busy, func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := baking("v2")
		in.Bake.Alarms = []string{"chekout"}
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Invalid)
		if !strings.Contains(err.Error(), `alarms: there is no CloudWatch alarm "chekout"`) || len(s.Mutations()) > 0 {
			t.Errorf("%v, %v", err, s.Mutations())
		}
	})
	for want, in := range map[string]ecsdeploy.Inputs{
		"no time to watch them in": {Bake: ecsdeploy.Bake{Alarms: []string{"a"}}},
		"too short":                {Bake: ecsdeploy.Bake{For: time.Minute}, Wait: true},
		"needs wait: true":         {Bake: ecsdeploy.Bake{For: time.Hour}},
		"must begin with http":     {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "shop"}, Wait: true},
		"not a status of HTTP":     {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "https://a status=ok"}, Wait: true},
		"not a time":               {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "https://a within=2"}, Wait: true},
		"https:// does not name":   {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "https:// status=200"}, Wait: true},
		"http://:80 does not name": {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "http://:80"}, Wait: true},
		"http://a%z does not name": {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "http://a%z"}, Wait: true},
		"is not one of":            {Bake: ecsdeploy.Bake{For: time.Hour, Probe: "https://a now"}, Wait: true},
	} {
		in.Image = "v2"
		if err := errors.Join(in.Validate()...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
