package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestInvariants drives services through random actions and looks at the world after every single transition.
func TestInvariants(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			history := wander(t, seed)
			if seed < 10 {
				if again := wander(t, seed); again != history {
					t.Error("one seed gave two histories")
				}
			}
		})
	}
}

// wander makes one random history and returns it as text.
func wander(t *testing.T, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, func(o *Options, p *ports) {
		o.Seed = seed
		p.settings.DeregistrationDelay = time.Duration(random.IntN(90)) * time.Second
		p.settings.NoDelay = true
		p.settings.Interval = time.Duration(5+random.IntN(25)) * time.Second
	})
	percents := [][2]int{{100, 200}, {0, 100}, {50, 100}, {50, 200}, {100, 150}, {100, 100}, {75, 133}}[random.IntN(7)]
	check := ""
	if random.IntN(2) == 0 {
		check = `, "healthCheck": {"command": ["CMD", "true"], "interval": 10, "retries": 2}`
	}
	s := w.service(settings{
		desired: random.IntN(5), min: percents[0], max: percents[1], targets: random.IntN(2) == 0, grace: random.IntN(60),
		definition: w.define("v0", check),
		breaker:    []string{"", `{"enable":true,"rollback":true}`, `{"enable":true,"rollback":false}`}[random.IntN(3)],
	})
	for step := range 14 {
		tag := fmt.Sprintf("v%d", step+1)
		switch random.IntN(8) {
		case 0, 1, 2:
			w.SetBehaviour(tag, Behaviour{
				Start: kinds[random.IntN(len(kinds))], After: Duration(random.IntN(40)) * Duration(time.Second), Times: random.IntN(4),
			})
			w.update(s, ServiceChange{TaskDefinition: w.define(tag, check)})
		case 3:
			w.update(s, ServiceChange{DesiredCount: new(random.IntN(6))})
		case 4:
			w.update(s, ServiceChange{ForceNewDeployment: true})
		case 5:
			if tasks := s.Tasks(); len(tasks) > 0 {
				w.StopTask(tasks[random.IntN(len(tasks))], "")
			}
		case 6:
			how := []string{"ROLLBACK", "ABORT"}[random.IntN(2)]
			if err := w.StopServiceDeployment(s.History[len(s.History)-1], how); err != nil && !strings.HasPrefix(err.Error(), "ConflictException") {
				t.Error(err)
			}
		case 7:
			strategy := []string{"ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"}[random.IntN(4)]
			if len(s.Spec.LoadBalancers) > 0 {
				strategy = "ROLLING"
			}
			config := fmt.Sprintf(`{"maximumPercent": %d, "strategy": "%s"}`, 100+random.IntN(100), strategy)
			var members map[string]json.RawMessage
			if err := json.Unmarshal([]byte(config), &members); err != nil {
				t.Fatal(err)
			}
			w.update(s, ServiceChange{DeploymentConfiguration: members})
		}
		w.watch(s, w.Now().Add(time.Duration(random.IntN(600))*time.Second))
	}
	w.watch(s, w.Now().Add(2*time.Hour))
	var history strings.Builder
	for _, e := range s.Events {
		fmt.Fprintln(&history, e.ID, e.At, e.Message)
	}
	for _, d := range s.History {
		fmt.Fprintln(&history, d.ARN, d.Status, d.StatusReason, d.FinishedAt)
	}
	return history.String()
}

// watch advances transition by transition and checks what must always hold.
func (w *world) watch(s *Service, end time.Time) {
	known := map[string]bool{}
	for _, task := range s.Tasks() {
		known[task.ID] = true
	}
	before := s.healthyAll()
	for {
		at, ok := w.Next()
		if !ok || at.After(end) {
			break
		}
		if at.Before(w.Now()) {
			w.t.Fatalf("time runs backwards: %s after %s", at, w.Now())
		}
		w.Advance(at)
		w.invariants(s, known, before)
		before = s.healthyAll()
	}
	w.Advance(end)
}

// healthyAll are the healthy tasks of all deployments that are meant to run.
func (s *Service) healthyAll() map[*Task]bool {
	out := map[*Task]bool{}
	for _, t := range s.Tasks() {
		if t.DesiredStatus == Running && s.condition(t) == healthy {
			out[t] = true
		}
	}
	return out
}

func (w *world) invariants(s *Service, known map[string]bool, before map[*Task]bool) {
	w.t.Helper()
	lower, upper := s.Config.bounds(s.Desired)
	if s.beside() {
		upper = 2 * s.Desired
	}
	started, stopped, wanted := 0, 0, 0
	for _, task := range s.Tasks() {
		if !known[task.ID] {
			known[task.ID] = true
			started++
		}
		if task.DesiredStatus == Running {
			wanted++
		}
		if before[task] && task.StopCode == ServiceSchedulerInitiated {
			stopped++
		}
		if task.LastStatus == Running && task.StartedAt.IsZero() {
			w.t.Fatalf("task %s is RUNNING and never started", task.ID)
		}
		if task.LastStatus == Stopped && task.DesiredStatus != Stopped {
			w.t.Fatalf("task %s is STOPPED and wanted", task.ID)
		}
	}
	if started > 0 && wanted > upper {
		w.t.Fatalf("%s: a start made %d tasks of at most %d", w.Now(), wanted, upper)
	}
	if stopped > 0 && len(s.healthyAll()) < lower {
		w.t.Fatalf("%s: stopping %d left %d healthy tasks of at least %d", w.Now(), stopped, len(s.healthyAll()), lower)
	}
	w.counts(s)
	for i := 1; i < len(s.Events); i++ {
		if !s.Events[i-1].At.After(s.Events[i].At) {
			w.t.Fatalf("events out of order: %v, then %v", s.Events[i], s.Events[i-1])
		}
	}
	open := 0
	for _, d := range s.History {
		if !d.Over() && d.Status != RolloutStopRequested {
			open++
		}
	}
	if open > 1 || len(s.Events) > 100 {
		w.t.Fatalf("%d service deployments are open, %d events", open, len(s.Events))
	}
}

// counts checks that there is one PRIMARY, which comes first, and that the deployments' counts add up to the service's.
func (w *world) counts(s *Service) {
	w.t.Helper()
	var sum Counts
	ids := map[string]bool{}
	for i, d := range s.Deployments {
		if (d.Status == "PRIMARY") != (i == 0) || ids[d.ID] {
			w.t.Fatalf("deployment %d is %s %s", i, d.ID, d.Status)
		}
		ids[d.ID] = true
		c := s.DeploymentCounts(d)
		sum.Running += c.Running
		sum.Pending += c.Pending
	}
	if len(s.Deployments) == 0 || sum != s.Counts() {
		w.t.Fatalf("%s: deployments count %+v, the service %+v", w.Now(), sum, s.Counts())
	}
}
