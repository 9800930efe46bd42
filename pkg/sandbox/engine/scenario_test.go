package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const rollbackBreaker = `{"enable": true, "rollback": true}`

// TestScenarios tells whole rollouts by the service's events: seconds since the action, and what was said. Letters are
// tasks in the order of their appearance, D1 is the deployment that ran before.
func TestScenarios(t *testing.T) {
	for _, scenario := range []struct {
		name    string
		service settings
		v2      Behaviour
		extra   string // of v2's container
		do      func(w *world, s *Service)
		lasts   time.Duration // 30 minutes unless given
		ends    string        // status of each service deployment after the first
		want    string
	}{
		{
			name: "good", service: settings{desired: 1, targets: true},
			ends: "SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
55 registered 1 targets in TG
99 has stopped 1 running tasks: b.
109 deregistered 1 targets in TG
109 (D1) has begun draining connections on 1 tasks.
162 (deployment D2) deployment completed.
162 has reached a steady state.`,
		},
		{
			name: "good, two tasks", service: settings{desired: 2, targets: true},
			ends: "SUCCESSFUL",
			want: `
15 has started 2 tasks: a b.
55 registered 2 targets in TG
99 has stopped 2 running tasks: c d.
109 deregistered 2 targets in TG
109 (D1) has begun draining connections on 2 tasks.
162 (deployment D2) deployment completed.
162 has reached a steady state.`,
		},
		{
			name: "good, no load balancer", service: settings{desired: 1},
			ends: "SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
89 has stopped 1 running tasks: b.
106 (deployment D2) deployment completed.
106 has reached a steady state.`,
		},
		{
			name: "stop first", service: settings{desired: 1, min: 0, max: 100, targets: true},
			ends: "SUCCESSFUL",
			want: `
15 has stopped 1 running tasks: a.
15 has started 1 tasks: b.
25 deregistered 1 targets in TG
25 (D1) has begun draining connections on 1 tasks.
55 registered 1 targets in TG
99 (deployment D2) deployment completed.
99 has reached a steady state.`,
		},
		{
			name: "half first", service: settings{desired: 4, min: 50, max: 100},
			ends: "SUCCESSFUL",
			want: `
15 has stopped 2 running tasks: a b.
15 has started 2 tasks: c d.
89 has stopped 2 running tasks: e f.
89 has started 2 tasks: g h.
163 (deployment D2) deployment completed.
163 has reached a steady state.`,
		},
		{
			name: "no way to go on", service: settings{desired: 3, min: 100, max: 125},
			ends: "IN_PROGRESS",
			want: `
15 was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPe…`,
		},
		{
			name: "exits at once", service: settings{desired: 1, targets: true, breaker: rollbackBreaker}, v2: Behaviour{Start: Crash},
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
66 has started 1 tasks: b.
117 has started 1 tasks: c.
168 has started 1 tasks: d.
179 stopped 1 pending tasks.
179 (deployment D2) deployment failed: tasks failed to start.
179 rolling back to deployment D1.
197 (deployment D1) deployment completed.
197 has reached a steady state.`,
		},
		{
			name: "exits later, the breaker's blind spot", service: settings{desired: 1, targets: true, breaker: rollbackBreaker},
			v2:    Behaviour{Start: Crash, After: Duration(20 * time.Second)},
			lasts: 3 * time.Minute,
			ends:  "IN_PROGRESS",
			want: `
15 has started 1 tasks: a.
55 registered 1 targets in TG
80 deregistered 1 targets in TG
80 (D2) has begun draining connections on 1 tasks.
86 has started 1 tasks: b.
126 registered 1 targets in TG
151 deregistered 1 targets in TG
151 (D2) has begun draining connections on 1 tasks.
157 has started 1 tasks: c.`,
		},
		{
			name: "container check fails", service: settings{desired: 1, breaker: rollbackBreaker},
			v2: Behaviour{Start: Unhealthy}, extra: `, "healthCheck": {"command": ["CMD-SHELL", "curl -f localhost"]}`,
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
145 has started 1 tasks: b. Amazon ECS replaced 1 tasks due to an unhealthy status.
145 a failed container health checks.
145 has stopped 1 running tasks: a.
275 has started 1 tasks: c. Amazon ECS replaced 1 tasks due to an unhealthy status.
275 b failed container health checks.
275 has stopped 1 running tasks: b.
405 has started 1 tasks: d. Amazon ECS replaced 1 tasks due to an unhealthy status.
405 c failed container health checks.
405 has stopped 1 running tasks: c.
426 stopped 1 pending tasks.
426 (deployment D2) deployment failed: tasks failed to start.
426 rolling back to deployment D1.
444 (deployment D1) deployment completed.
444 has reached a steady state.`,
		},
		{
			name: "target check fails", service: settings{desired: 1, targets: true, grace: 60, breaker: rollbackBreaker},
			v2:   Behaviour{Start: Unhealthy, Status: 503},
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
55 registered 1 targets in TG
129 has started 1 tasks: b. Amazon ECS replaced 1 tasks due to an unhealthy status.
129 a (port 8000) is unhealthy in TG due to (reason Health checks failed with these codes: [503]).
129 has stopped 1 running tasks: a.
139 deregistered 1 targets in TG
139 (D2) has begun draining connections on 1 tasks.
169 registered 1 targets in TG
243 has started 1 tasks: c. Amazon ECS replaced 1 tasks due to an unhealthy status.
243 b (port 8000) is unhealthy in TG due to (reason Health checks failed with these codes: [503]).
243 has stopped 1 running tasks: b.
253 deregistered 1 targets in TG
253 (D2) has begun draining connections on 1 tasks.
283 registered 1 targets in TG
357 has started 1 tasks: d. Amazon ECS replaced 1 tasks due to an unhealthy status.
357 c (port 8000) is unhealthy in TG due to (reason Health checks failed with these codes: [503]).
357 has stopped 1 running tasks: c.
367 deregistered 1 targets in TG
367 (D2) has begun draining connections on 1 tasks.
397 registered 1 targets in TG
424 (deployment D2) deployment failed: tasks failed to start.
424 rolling back to deployment D1.
442 has stopped 1 running tasks: d.
452 deregistered 1 targets in TG
452 (D2) has begun draining connections on 1 tasks.
505 (deployment D1) deployment completed.
505 has reached a steady state.`,
		},
		{
			name: "image missing", service: settings{desired: 1, targets: true, breaker: rollbackBreaker}, v2: Behaviour{Start: PullError},
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
152 was unable to place a task. Reason: CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve re…
158 has started 1 tasks: b.
541 has started 1 tasks: c.
695 (deployment D2) deployment failed: tasks failed to start.
695 rolling back to deployment D1.
713 (deployment D1) deployment completed.
713 has reached a steady state.`,
		},
		{
			name: "secret missing", service: settings{desired: 1, targets: true, breaker: rollbackBreaker}, v2: Behaviour{Start: MissingSecret},
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
36 was unable to place a task. Reason: ResourceInitializationError: unable to pull secrets or registry auth: execution resource retri…
42 has started 1 tasks: b.
69 has started 1 tasks: c.
96 has started 1 tasks: d.
107 (deployment D2) deployment failed: tasks failed to start.
107 rolling back to deployment D1.
130 (deployment D1) deployment completed.
130 has reached a steady state.`,
		},
		{
			name: "breaker without rollback", service: settings{desired: 1, targets: true, breaker: `{"enable": true, "rollback": false}`},
			v2:   Behaviour{Start: Crash},
			ends: "STOPPED",
			want: `
15 has started 1 tasks: a.
66 has started 1 tasks: b.
117 has started 1 tasks: c.
168 has started 1 tasks: d.
179 stopped 1 pending tasks.
179 (deployment D2) deployment failed: tasks failed to start.`,
		},
		{
			name: "superseded", service: settings{desired: 1, targets: true},
			do: func(w *world, s *Service) {
				w.pass(30 * time.Second)
				w.update(s, ServiceChange{TaskDefinition: w.define("v3", "")})
			},
			ends: "STOPPED SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
45 stopped 1 pending tasks.
45 has started 1 tasks: b.
85 registered 1 targets in TG
129 has stopped 1 running tasks: c.
139 deregistered 1 targets in TG
139 (D1) has begun draining connections on 1 tasks.
192 (deployment D2) deployment completed.
192 has reached a steady state.`,
		},
		{
			name: "stopped with rollback", service: settings{desired: 2, targets: true},
			do: func(w *world, s *Service) {
				w.pass(time.Minute)
				if err := w.StopServiceDeployment(s.History[1], "ROLLBACK"); err != nil {
					w.t.Error(err)
				}
			},
			ends: "ROLLBACK_SUCCESSFUL",
			want: `
15 has started 2 tasks: a b.
55 registered 2 targets in TG
62 rolling back to deployment D1.
80 has stopped 2 running tasks: b a.
90 deregistered 2 targets in TG
90 (D2) has begun draining connections on 2 tasks.
143 (deployment D1) deployment completed.
143 has reached a steady state.`,
		},
		{
			name: "aborted", service: settings{desired: 1, targets: true},
			do: func(w *world, s *Service) {
				w.pass(30 * time.Second)
				if err := w.StopServiceDeployment(s.History[1], "ABORT"); err != nil {
					w.t.Error(err)
				}
			},
			ends: "STOPPED",
			want: `
15 has started 1 tasks: a.
30 stopped 1 pending tasks.`,
		},
		{
			name: "scaled out and in", service: settings{desired: 1, targets: true},
			do: func(w *world, s *Service) {
				w.pass(5 * time.Minute)
				w.update(s, ServiceChange{DesiredCount: new(3)})
				w.pass(5 * time.Minute)
				w.update(s, ServiceChange{DesiredCount: new(1)})
			},
			ends: "SUCCESSFUL",
			want: `
15 has started 1 tasks: a.
55 registered 1 targets in TG
99 has stopped 1 running tasks: b.
109 deregistered 1 targets in TG
109 (D1) has begun draining connections on 1 tasks.
162 (deployment D2) deployment completed.
162 has reached a steady state.
306 has started 2 tasks: c d.
346 registered 2 targets in TG
390 has reached a steady state.
606 has stopped 2 running tasks: d c.
616 deregistered 2 targets in TG
616 (D2) has begun draining connections on 2 tasks.
669 has reached a steady state.`,
		},
		{
			name: "desired 0", service: settings{desired: 2, targets: true},
			do:   func(w *world, s *Service) { w.update(s, ServiceChange{DesiredCount: new(0)}) },
			ends: "SUCCESSFUL",
			want: `
6 has stopped 2 running tasks: a b.
16 deregistered 2 targets in TG
16 (D1) has begun draining connections on 2 tasks.
69 (deployment D2) deployment completed.
69 has reached a steady state.`,
		},
		{
			name: "no capacity for a while", service: settings{desired: 1}, v2: Behaviour{Start: NoCapacity, Times: 2},
			ends: "SUCCESSFUL",
			want: `
15 was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zo…
75 has started 1 tasks: a.
149 has stopped 1 running tasks: b.
166 (deployment D2) deployment completed.
166 has reached a steady state.`,
		},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			w := newWorld(t, nil)
			s := w.service(scenario.service)
			w.pass(10 * time.Minute)
			w.knows(s)
			w.SetBehaviour("v2", scenario.v2)
			start := w.Now()
			w.update(s, ServiceChange{TaskDefinition: w.define("v2", scenario.extra)})
			if scenario.do != nil {
				scenario.do(w, s)
			}
			if scenario.lasts == 0 {
				scenario.lasts = 30 * time.Minute
			}
			w.pass(scenario.lasts)
			var statuses []string
			for _, d := range s.History {
				statuses = append(statuses, d.Status)
			}
			got := strings.Join(w.said(s, start), "\n")
			if diff := cmp.Diff(strings.TrimSpace(scenario.want), got); diff != "" {
				t.Error(diff)
			}
			if got := strings.Join(statuses, " "); got != "SUCCESSFUL "+scenario.ends {
				t.Errorf("service deployments ended %s; want SUCCESSFUL %s", got, scenario.ends)
			}
		})
	}
}
