package ecsdeploy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// asked is what one run has asked ECS, apart from the two calls that change something.
type asked struct {
	before, watching, after int
	busiest                 int // in a minute of watching
	took, notice            time.Duration
	names                   map[string]int
}

// perMinute is the average while the rollout was watched.
func (a asked) perMinute() float64 { return float64(a.watching) / a.took.Minutes() }

func (a asked) String() string {
	return fmt.Sprintf("%d calls in %v, %.1f a minute, %d in the busiest; %d before and %d after; noticed after %v; %v",
		a.watching, a.took.Round(time.Second), a.perMinute(), a.busiest, a.before, a.after, a.notice.Round(10*time.Millisecond), a.names)
}

// count counts what a run asks of ECS that deploys v2. What is asked before time passes is before the rollout, and what is asked after the
// last look at the service and its deployment is after it.
func (s *site) count(want action.Outcome) (a asked) {
	s.T.Helper()
	begun, journal := time.Now(), len(s.Sandbox.Journal())
	out, err := s.deploy(inputs("v2"))
	wantOutcome(s.T, out, err, want)
	ended := time.Now()
	a.took, a.names = ended.Sub(begun), map[string]int{}
	s.Sandbox.Inspect(func(e *engine.Engine) {
		found, err := e.Cluster(cluster)
		if err != nil {
			s.T.Error(err)
			return
		}
		a.notice = ended.Sub(found.Service(service).Deployments[0].UpdatedAt)
	})
	var window []time.Time
	for _, entry := range s.Sandbox.Journal()[journal:] {
		changes := entry.Action == "RegisterTaskDefinition" || entry.Action == "UpdateService"
		if entry.Service != "ecs" || changes {
			continue
		}
		if entry.Time.Sub(begun) < time.Second {
			a.before++
			continue
		}
		a.watching, a.after = a.watching+1, a.after+1
		a.names[entry.Action]++
		window = append(window, entry.Time)
		for window[0].Before(entry.Time.Add(-time.Minute)) {
			window = window[1:]
		}
		a.busiest = max(a.busiest, len(window))
		if strings.HasPrefix(entry.Action, "DescribeService") {
			a.after = 0
		}
	}
	a.watching -= a.after
	return a
}

// TestCallsOfARollout holds how much is asked of ECS for a deployment that ends well, and how soon its end is noticed: 15 calls a minute on
// average, 45 at most, and 6 besides.
func TestCallsOfARollout(t *testing.T) {
	for name, test := range map[string]struct{ scenario, behaviour string }{
		"as it is by default":          {},
		"four tasks":                   {"service: {desiredCount: 4}\n", ""},
		"half a minute to pull":        {"", "{pullTime: 30s}"},
		"five minutes of draining":     {"service: {deregisterAfter: 300s}\n", ""},
		"containers that hardly stop":  {"", "{stopAfter: 25s}"},
		"in stages, from one to other": {staged(strategies["blue/green"]), ""},
		"in stages, step by step":      {staged(strategies["linear"]), ""},
		"it is listed late":            {"lag: {serviceDeployments: 5s}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, test.scenario, func(t *testing.T, s *site) {
				s.Push("v2", test.behaviour)
				a := s.count(action.Succeeded)
				t.Log(a)
				if a.busiest > 45 || a.perMinute() > 15 || a.before+a.after > 6 || a.notice > 2100*time.Millisecond {
					t.Error("more than 45 in a minute, 15 on average or 6 besides, or noticed late")
				}
			})
		})
	}
}

// TestCallsOfFailures holds how busy the busiest minute of a deployment is that fails.
func TestCallsOfFailures(t *testing.T) {
	for name, behaviour := range map[string]string{
		"exits at once":  `{start: crash, after: 2s, exitCode: 3}`,
		"never answers":  `{start: unhealthy}`,
		"cannot be read": `{start: pull-error}`,
	} {
		t.Run(name, func(t *testing.T) {
			at(t, "", func(t *testing.T, s *site) {
				s.Push("v2", behaviour)
				a := s.count(action.RolledBack)
				t.Log(a)
				if a.busiest > 45 {
					t.Error("more than 45 in a minute")
				}
			})
		})
	}
}
