package engine

import (
	"fmt"
	"strings"
	"time"
)

// live plans what a container does from its start on: lines that it logs, its health, its end.
func (t *Task) live(c *Container) {
	if c.process != nil {
		return
	}
	b := c.behaviour
	if run, ok := t.job(c); ok {
		t.runJob(c, run)
		return
	}
	after := time.Duration(b.After)
	t.write(c, b.Logs, min(after, time.Duration(len(b.Logs)+1)*200*time.Millisecond))
	code := 1
	if b.ExitCode != nil {
		code = *b.ExitCode
	}
	switch {
	case b.Start == Crash:
		t.then(after, func() { t.exit(c, code, "") })
	case b.Start == OutOfMemory:
		t.then(after, func() { t.exit(c, 137, outOfMemory) })
	case b.Start == WrongArch || !c.runs(t):
		t.write(c, []string{"exec " + program(t.Command(c.Name)) + ": exec format error"}, 0)
		t.then(0, func() { t.exit(c, 255, "") })
	}
	t.checkContainer(c)
}

func program(command []string) string {
	if len(command) == 0 {
		return "/app"
	}
	return command[0]
}

// job says what a container of a one-off task does, and whether it is the one that does the work: one whose command was
// overridden, that has an entry for its command, or the only one. Its companions run until they are stopped.
func (t *Task) job(c *Container) (Run, bool) {
	if t.Service != nil || c.behaviour.Start == WrongArch || !c.runs(t) {
		return Run{}, false
	}
	if run, ok := c.behaviour.runFor(strings.Join(t.Command(c.Name), " ")); ok {
		return run, true
	}
	overridden := false
	for _, o := range t.Overrides.Containers {
		overridden = overridden || o.Name == c.Name && len(o.Command) > 0
	}
	worker := overridden || len(t.Containers) == 1 || t.worker() == c
	if !worker || c.behaviour.Start == Crash || c.behaviour.Start == OutOfMemory {
		return Run{}, false
	}
	return Run{}, true
}

// worker is the first essential container, if no other is marked as the one that works.
func (t *Task) worker() *Container {
	for _, o := range t.Overrides.Containers {
		if len(o.Command) > 0 {
			return nil
		}
	}
	for _, c := range t.Containers {
		if _, ok := c.behaviour.runFor(strings.Join(t.Command(c.Name), " ")); ok {
			return nil
		}
	}
	for _, c := range t.Containers {
		if c.definition.essential() {
			return c
		}
	}
	return nil
}

func (t *Task) runJob(c *Container, run Run) {
	after := time.Duration(run.After)
	if after == 0 {
		after = 5 * time.Second
	}
	t.write(c, run.Logs, after)
	code, reason := run.ExitCode, ""
	switch run.Start {
	case OutOfMemory:
		code, reason = 137, outOfMemory
	case Crash:
		if code == 0 {
			code = 1
		}
	case Healthy, Slow, Unhealthy: // runs until it is stopped
		return
	}
	t.then(after, func() { t.exit(c, code, reason) })
}

// write spreads lines over a time that begins now.
func (t *Task) write(c *Container, lines []string, over time.Duration) {
	group, stream, ok := t.LogStream(c)
	if !ok {
		return
	}
	e := t.engine
	for i, line := range lines {
		at := over * time.Duration(i+1) / time.Duration(len(lines)+1)
		t.then(at, func() {
			if c.LastStatus == Running {
				e.options.Logs.Append(group, stream, e.now, line)
			}
		})
	}
}

// goodFrom is the time after the start from which the container answers well; ok is false if it never does.
func (b Behaviour) goodFrom(check string) (from time.Duration, ok bool) {
	affected := b.Check == "" || b.Check == check
	switch {
	case b.Start == Unhealthy && affected:
		return 0, false
	case b.Start == Slow && b.HealthyAfter == 0:
		return 2 * time.Minute, true
	default:
		return time.Duration(b.HealthyAfter), true
	}
}

// badFrom is the time after the start from which the container answers no more; ok is false if it always does.
func (b Behaviour) badFrom(check string) (from time.Duration, ok bool) {
	return time.Duration(b.UnhealthyAfter), b.UnhealthyAfter > 0 && (b.Check == "" || b.Check == check)
}

// probe is a health check's course: when it turns healthy and unhealthy, counted from its beginning.
type probe struct {
	first, interval   time.Duration // of the first check, and between checks
	passes, fails     int           // checks in a row that turn it healthy again, or unhealthy
	goodFrom, badFrom time.Duration // when answers begin to be good, and bad again
	never, turns      bool          // never good; turns bad at badFrom
	tolerated         time.Duration // failures before this do not count (startPeriod)
}

// change is a turn of a health check.
type change struct {
	after   time.Duration
	healthy bool
}

// course computes the turns of a health check. The first passed check is enough for one that is not yet healthy (ELBv2 user guide,
// target-group-health-checks); one that turned unhealthy needs its number of passes.
func (p probe) course() []change {
	const horizon = 1 << 20 // checks; a check every 5 s for two months
	var out []change
	state, good, bad := 0, 0, 0 // 0 unknown, 1 healthy, -1 unhealthy
	for i := 0; i < horizon; i++ {
		at := p.first + time.Duration(i)*p.interval
		if wait := p.badFrom - at; state == 1 && p.turns && wait > p.interval { // nothing happens before
			i += int(wait/p.interval) - 1
			continue
		}
		answers := !p.never && at >= p.goodFrom && !(p.turns && at >= p.badFrom)
		if answers {
			good, bad = good+1, 0
			if state == 0 || state == -1 && good >= p.passes {
				state = 1
				out = append(out, change{at, true})
			}
		} else if at >= p.tolerated {
			good, bad = 0, bad+1
			if bad >= p.fails && state != -1 {
				state = -1
				out = append(out, change{at, false})
			}
		}
		final := p.never && state == -1 || state == 1 && !p.turns || p.turns && at >= p.badFrom && state == -1
		if final {
			break
		}
	}
	return out
}

// checkContainer plans the turns of the container's own health check: every 30 s unless it says otherwise, UNHEALTHY after three failures
// in a row, of which those in the startPeriod do not count (API model, HealthCheck).
func (t *Task) checkContainer(c *Container) {
	check := c.definition.HealthCheck
	if check == nil || len(check.Command) > 0 && check.Command[0] == "NONE" {
		return
	}
	retries := 3
	if check.Retries != nil {
		retries = *check.Retries
	}
	p := probe{interval: seconds(check.Interval, 30), passes: 1, fails: retries, tolerated: seconds(check.StartPeriod, 0)}
	p.first = p.interval
	from, ok := c.behaviour.goodFrom("container")
	p.goodFrom, p.never = from, !ok
	p.badFrom, p.turns = c.behaviour.badFrom("container")
	start := c.starts
	for _, turn := range p.course() {
		t.then(turn.after, func() {
			if c.starts != start {
				return // it was started again since
			}
			c.HealthStatus = HealthUnhealthy
			if turn.healthy {
				c.HealthStatus = HealthHealthy
			}
			t.Version++
			if t.Service != nil {
				t.Service.wake(t.engine.options.Timing.React)
			}
		})
	}
}

// registerDue registers the targets of all tasks that have been RUNNING for long enough: 4 to 7 s (measured).
func (s *Service) registerDue() {
	e := s.engine
	registered := map[string]int{}
	for _, t := range s.Tasks() {
		if t.DesiredStatus != Running || t.LastStatus != Running || e.now.Before(t.StartedAt.Add(e.options.Timing.Register)) {
			continue
		}
		for i := range t.targets {
			if t.targets[i].registered {
				continue
			}
			t.register(&t.targets[i])
			registered[t.targets[i].group]++
		}
	}
	for _, group := range sortedKeys(registered) {
		s.steady = false
		s.tell("(service %s) registered %d targets in (target-group %s)", s.Name, registered[group], group)
	}
}

// register adds the task to a target group and plans the turns of its health.
func (t *Task) register(g *target) {
	e := t.engine
	g.registered = true
	g.health = Health{State: TargetInitial, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress"}
	e.options.Targets.Register(g.group, t.Interface.IP, g.port, e.now)
	e.options.Targets.SetHealth(g.group, t.Interface.IP, g.port, g.health)
	settings := e.options.Targets.Settings(g.group).filled()
	b := t.serving(g.port)
	sinceStart := e.now.Sub(t.StartedAt)
	p := probe{interval: settings.Interval, first: settings.Interval, passes: settings.HealthyThreshold, fails: settings.UnhealthyThreshold}
	from, ok := b.goodFrom("elb")
	p.goodFrom, p.never = from-sinceStart, !ok
	bad, turns := b.badFrom("elb")
	p.badFrom, p.turns = bad-sinceStart, turns
	for _, turn := range p.course() {
		t.then(turn.after, func() {
			g.health = Health{State: TargetHealthy}
			if !turn.healthy {
				g.health = b.sick()
			}
			e.options.Targets.SetHealth(g.group, t.Interface.IP, g.port, g.health)
			t.Service.wake(e.options.Timing.Notice)
		})
	}
}

// serving is the behaviour of the container that listens on a port.
func (t *Task) serving(port int) Behaviour {
	for _, c := range t.Containers {
		for _, p := range c.definition.PortMappings {
			if p.ContainerPort == port {
				return c.behaviour
			}
		}
	}
	return Behaviour{}
}

// sick is what the load balancer says of a target that does not answer well (ELBv2 API reference, TargetHealth).
func (b Behaviour) sick() Health {
	if b.Status != 0 {
		return Health{State: TargetUnhealthy, Reason: "Target.ResponseCodeMismatch",
			Description: fmt.Sprintf("Health checks failed with these codes: [%d]", b.Status)}
	}
	return Health{State: TargetUnhealthy, Reason: "Target.Timeout", Description: "Request timed out"}
}

// condition is what the scheduler knows of a task. Failing checks, also the containers' own, count after the grace period alone. Without
// any check, a task is healthy after 40 s of RUNNING; behind a load balancer both its target and its containers have to be (API model,
// healthCheckGracePeriodSeconds and minimumHealthyPercent).
func (s *Service) condition(t *Task) condition {
	now := s.engine.now
	if t.LastStatus != Running {
		return starting
	}
	inGrace := now.Before(t.StartedAt.Add(time.Duration(s.Grace) * time.Second))
	good := true
	for _, c := range t.Containers {
		if c.definition.HealthCheck == nil || !c.definition.essential() {
			continue
		}
		if c.HealthStatus == HealthUnhealthy && !inGrace {
			return unhealthy
		}
		good = good && c.HealthStatus == HealthHealthy
	}
	for _, g := range t.targets {
		if g.health.State == TargetUnhealthy && !inGrace {
			return unhealthy
		}
		good = good && g.health.State == TargetHealthy
	}
	if !t.checked() {
		good = !now.Before(t.StartedAt.Add(s.engine.options.Timing.Steady))
	}
	if good {
		return healthy
	}
	return starting
}
