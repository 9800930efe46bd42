package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// list is deployments[] as DescribeServices shows it: id, status, state, and desired/running/pending/failed.
func (w *world) list(s *Service) string {
	var out []string
	for _, d := range s.Deployments {
		c := s.DeploymentCounts(d)
		out = append(out, fmt.Sprintf("%s %s %s %d/%d/%d/%d", w.readable(d.ID), d.Status, d.State, d.Desired, c.Running,
			c.Pending, d.FailedTasks))
	}
	return strings.Join(out, ", ")
}

// TestPhases follows deployments[] and the service deployment's status through rollouts, change by change.
func TestPhases(t *testing.T) {
	for name, test := range map[string]struct {
		breaker string
		v2      Kind
		do      func(w *world, s *Service)
		want    []string
	}{
		"good": {want: []string{
			"0 PENDING D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"1 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"15 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"49 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/2/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"89 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/2/0/0, D1 ACTIVE COMPLETED 0/0/0/0",
			"106 SUCCESSFUL D2 PRIMARY COMPLETED 2/2/0/0",
		}},
		"rolled back": {breaker: rollbackBreaker, v2: Crash, want: []string{
			"0 PENDING D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"1 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"15 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"49 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"66 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/0, D1 ACTIVE COMPLETED 2/2/0/0",
			"72 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/2, D1 ACTIVE COMPLETED 2/2/0/0",
			"100 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/0/2, D1 ACTIVE COMPLETED 2/2/0/0",
			"117 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/2, D1 ACTIVE COMPLETED 2/2/0/0",
			"123 IN_PROGRESS D2 PRIMARY IN_PROGRESS 2/0/2/4, D1 ACTIVE COMPLETED 2/2/0/0",
			"128 ROLLBACK_IN_PROGRESS D1 PRIMARY IN_PROGRESS 2/2/0/0, D2 ACTIVE FAILED 0/0/0/4",
			"141 ROLLBACK_IN_PROGRESS D1 PRIMARY IN_PROGRESS 2/2/0/0",
			"146 ROLLBACK_SUCCESSFUL D1 PRIMARY COMPLETED 2/2/0/0",
		}},
		"user rolls back": {
			do: func(w *world, s *Service) {
				if err := w.StopServiceDeployment(s.History[1], ""); err != nil {
					w.t.Error(err)
				}
			},
			want: []string{
				"0 ROLLBACK_REQUESTED D2 PRIMARY IN_PROGRESS 2/0/0/0, D1 ACTIVE COMPLETED 2/2/0/0",
				"2 ROLLBACK_IN_PROGRESS D1 PRIMARY IN_PROGRESS 2/2/0/0, D2 ACTIVE FAILED 0/0/0/0",
				"15 ROLLBACK_IN_PROGRESS D1 PRIMARY IN_PROGRESS 2/2/0/0",
				"20 ROLLBACK_SUCCESSFUL D1 PRIMARY COMPLETED 2/2/0/0",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			s := w.service(settings{desired: 2, breaker: test.breaker})
			w.pass(10 * time.Minute)
			w.knows(s)
			w.SetBehaviour("v2", Behaviour{Start: test.v2})
			begin := w.Now()
			w.update(s, ServiceChange{TaskDefinition: w.define("v2", "")})
			if test.do != nil {
				test.do(w, s)
			}
			var got []string
			for {
				now := fmt.Sprintf("%s %s", s.History[1].Status, w.list(s))
				if at := int(w.Now().Sub(begin).Seconds()); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], " "+now) {
					if n := len(got); n > 0 && strings.HasPrefix(got[n-1], fmt.Sprint(at, " ")) {
						got = got[:n-1] // the last state of a second is told
					}
					got = append(got, fmt.Sprint(at, " ", now))
				}
				at, ok := w.Next()
				if !ok || at.Sub(begin) > 10*time.Minute {
					break
				}
				w.Advance(at)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoCandidate lets the first deployment of a service fail: there is nothing to go back to.
func TestNoCandidate(t *testing.T) {
	w := newWorld(t, nil)
	w.SetBehaviour("v1", Behaviour{Start: Crash})
	s := w.service(settings{desired: 1, breaker: rollbackBreaker})
	w.pass(time.Hour)
	d := s.History[0]
	if d.Status != RolloutRollbackFailed || d.StatusReason != noCandidate || d.Rollback == nil || d.Rollback.Reason != breakerReason {
		t.Errorf("%+v", d)
	}
	if got := w.list(s); !strings.Contains(got, "PRIMARY FAILED 1/0/0/") {
		t.Errorf("the service is not stalled: %s", got)
	}
}

// TestFailureDuringRollback follows the developer guide's own example: the old deployment is IN_PROGRESS while it is
// being rolled back to, so that a release which begins then and fails has nothing to go back to.
func TestFailureDuringRollback(t *testing.T) {
	w := newWorld(t, nil)
	s := w.service(settings{desired: 1, breaker: rollbackBreaker})
	w.pass(10 * time.Minute)
	w.SetBehaviour("v2", Behaviour{Start: Crash})
	w.update(s, ServiceChange{TaskDefinition: w.define("v2", "")})
	for s.History[1].Status != RolloutRollbackInProgress {
		at, _ := w.Next()
		w.Advance(at)
	}
	w.update(s, ServiceChange{TaskDefinition: w.define("v2", "")})
	w.pass(time.Hour)
	if s.History[1].Status != RolloutRollbackFailed || s.History[2].Status != RolloutRollbackFailed {
		t.Errorf("ended %s and %s", s.History[1].Status, s.History[2].Status)
	}
	if s.Counts().Running != 1 {
		t.Error("the old version serves no more")
	}
}

// TestAlarm fails a deployment in its bake time, and completes one that nothing disturbs.
func TestAlarm(t *testing.T) {
	for _, rings := range []bool{true, false} {
		w := newWorld(t, nil)
		s := w.service(settings{desired: 1})
		w.pass(10 * time.Minute)
		w.knows(s)
		config := map[string]json.RawMessage{
			"alarms":            json.RawMessage(`{"alarmNames": ["5xx"], "enable": true, "rollback": true}`),
			"bakeTimeInMinutes": json.RawMessage("3"),
		}
		begin := w.Now()
		w.update(s, ServiceChange{TaskDefinition: w.define("v2", ""), DeploymentConfiguration: config})
		w.pass(3 * time.Minute)
		if s.History[1].Status != RolloutInProgress || s.primary().State != InProgress || len(s.Deployments) != 1 {
			t.Errorf("in the bake time: %s, %s", s.History[1].Status, w.list(s))
		}
		want := "15 has started 1 tasks: a.|89 has stopped 1 running tasks: b.|286 (deployment D2) deployment completed.|286 has reached a " +
			"steady state."
		status := RolloutSuccessful
		if rings {
			w.TriggerAlarm("other")
			w.TriggerAlarm("5xx")
			status = RolloutRollbackSuccessful
			want = "15 has started 1 tasks: a.|89 has stopped 1 running tasks: b.|180 (deployment D2) deployment failed: alarm detected.|" +
				"180 rolling back to deployment D1.|198 has started 1 tasks: c.|272 has stopped 1 running tasks: a.|" +
				"289 (deployment D1) deployment completed.|289 has reached a steady state."
		}
		w.pass(10 * time.Minute)
		if got := strings.Join(w.said(s, begin), "|"); got != want || s.History[1].Status != status {
			t.Errorf("%s\n%s\nwant %s\n%s", s.History[1].Status, got, status, want)
		}
	}
}

// TestWhatDeploys says which updates start a deployment.
func TestWhatDeploys(t *testing.T) {
	w := newWorld(t, nil)
	s := w.service(settings{desired: 1})
	w.pass(10 * time.Minute)
	for name, test := range map[string]struct {
		change  ServiceChange
		deploys bool
	}{
		"another task definition":  {ServiceChange{TaskDefinition: w.define("v2", "")}, true},
		"the same task definition": {ServiceChange{TaskDefinition: "api:1"}, false},
		"force":                    {ServiceChange{ForceNewDeployment: true}, true},
		"another platform":         {ServiceChange{PlatformVersion: "1.4.0"}, true},
		"other subnets":            {ServiceChange{NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0c"]}}`)}, true},
		"the same subnets":         {ServiceChange{NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration":{"subnets":["subnet-0a","subnet-0b"]}}`)}, false},
		"desired count":            {ServiceChange{DesiredCount: new(1)}, false},
		"grace period":             {ServiceChange{HealthCheckGracePeriodSeconds: new(5)}, false},
		"capacity": {ServiceChange{CapacityProviderStrategy: []StrategyItem{{CapacityProvider: "FARGATE_SPOT", Weight: 1}}},
			false},
		"deployment configuration": {ServiceChange{DeploymentConfiguration: map[string]json.RawMessage{"maximumPercent": json.RawMessage("150")}},
			false},
	} {
		before := *s
		w.update(s, test.change)
		if got := len(s.History) > len(before.History); got != test.deploys {
			t.Errorf("%s: deploys %v, want %v", name, got, test.deploys)
		}
		*s = before
	}
}

// TestDelete ends a service by force, and makes one of the same name again.
func TestDelete(t *testing.T) {
	w := newWorld(t, nil)
	s := w.service(settings{desired: 2, targets: true})
	w.pass(5 * time.Minute)
	if err := w.DeleteService(s, false); err == nil {
		t.Error("a service that runs tasks was deleted without force")
	}
	if err := w.DeleteService(s, true); err != nil || s.Status != "DRAINING" {
		t.Fatal(err, s.Status)
	}
	w.pass(5 * time.Minute)
	if s.Status != Inactive || s.Counts() != (Counts{}) || len(w.ports.targets) != 0 {
		t.Errorf("%s, %+v, targets %v", s.Status, s.Counts(), w.ports.targets)
	}
	if err := w.UpdateService(s, ServiceChange{}); err == nil || err.Error() != "ServiceNotActiveException: Service was not ACTIVE." {
		t.Error(err)
	}
	again := w.service(settings{desired: 1})
	if w.cluster.Service("api") != again {
		t.Error("the name finds the dead service")
	}
}

// TestQuiet lets a steady service alone for two days: it repeats that it is steady every 6 hours, and nothing else.
func TestQuiet(t *testing.T) {
	w := newWorld(t, nil)
	s := w.service(settings{desired: 1})
	w.pass(10 * time.Minute)
	before := len(s.Events)
	w.pass(48 * time.Hour)
	if got := len(s.Events) - before; got != 8 {
		t.Errorf("%d events in 48 quiet hours, want 8", got)
	}
	for _, e := range s.Events[:8] {
		if e.Message != "(service api) has reached a steady state." {
			t.Error(e.Message)
		}
	}
}

// TestTurnsUnhealthy replaces a task of a steady service that stops answering: the new one serves before the old one goes.
func TestTurnsUnhealthy(t *testing.T) {
	w := newWorld(t, nil)
	w.SetBehaviour("v1", Behaviour{UnhealthyAfter: Duration(10 * time.Minute), Status: 500, Times: 1})
	s := w.service(settings{desired: 1, targets: true})
	w.pass(5 * time.Minute)
	begin := w.Now()
	w.pass(time.Hour)
	got := strings.Join(w.said(s, begin), "|")
	want := "399 has started 1 tasks: a. Amazon ECS replaced 1 tasks due to an unhealthy status.|439 registered 1 targets in TG|" +
		"483 b (port 8000) is unhealthy in TG due to (reason Health checks failed with these codes: [500]).|" +
		"483 has stopped 1 running tasks: b.|493 deregistered 1 targets in TG|493 (D1) has begun draining connections on 1 tasks.|" +
		"546 has reached a steady state."
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestThresholdConfiguration trips at a threshold of one's own, and shows the configuration as it was given.
func TestThresholdConfiguration(t *testing.T) {
	const breaker = `{"enable":true,"rollback":true,"thresholdConfiguration":{"type":"COUNT","value":1},"later":[]}`
	w := newWorld(t, nil)
	s := w.service(settings{desired: 1, breaker: breaker})
	w.pass(10 * time.Minute)
	w.SetBehaviour("v2", Behaviour{Start: Crash})
	w.update(s, ServiceChange{TaskDefinition: w.define("v2", "")})
	w.pass(5 * time.Minute)
	if r := s.History[1]; r.Status != RolloutRollbackSuccessful || r.FailureCount != 1 {
		t.Errorf("%s after %d failures", r.Status, r.FailureCount)
	}
	if got := string(s.Config.Document["deploymentCircuitBreaker"]); got != breaker {
		t.Errorf("the configuration became %s", got)
	}
}
