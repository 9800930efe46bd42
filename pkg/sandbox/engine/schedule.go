package engine

import (
	"fmt"
	"strings"
	"time"
)

// wake plans a run of the service's scheduler.
func (s *Service) wake(d time.Duration) {
	at := s.engine.now.Add(max(d, 0))
	if s.ticks[at] {
		return
	}
	s.ticks[at] = true
	s.engine.until(at, func() {
		delete(s.ticks, at)
		s.schedule()
	})
}

// schedule is one run of the scheduler: look, decide, act, and see whether an end is reached.
func (s *Service) schedule() {
	if s.Status == Inactive {
		return
	}
	members := s.members()
	s.act(members, plan(s.situation(members)))
	s.prune()
	s.advance()
	s.conclude()
}

// members are the tasks that are meant to run, by deployment in the order of s.Deployments, oldest first.
func (s *Service) members() [][]*Task {
	out := make([][]*Task, len(s.Deployments))
	for _, t := range s.Tasks() {
		if t.DesiredStatus != Running {
			continue
		}
		for i, d := range s.Deployments {
			if t.Deployment == d {
				out[i] = append(out[i], t)
			}
		}
	}
	return out
}

func (s *Service) situation(members [][]*Task) situation {
	now := s.engine.now
	out := situation{desired: s.Desired}
	out.lower, out.upper = s.Config.bounds(s.Desired)
	if out.beside = s.beside(); out.beside {
		out.upper = 2 * s.Desired
	}
	for i, d := range s.Deployments {
		gone := d.leaving && s.staged() != nil && s.staged().Stage == Reconcile
		g := group{failed: d.State == Failed || gone, held: now.Before(d.notBefore), worked: d.worked || d == s.serving, empty: d.Desired == 0}
		for _, t := range members[i] {
			c := s.condition(t)
			if c == healthy {
				s.prove(d)
			}
			g.tasks = append(g.tasks, c)
		}
		out.groups = append(out.groups, g)
	}
	if r := s.staged(); r != nil && (r.Stage == "" || r.Stage == Reconcile || r.Stage == PreScaleUp) {
		out.groups[0].held = true
	}
	out.stay = len(out.groups) > 0 && out.groups[0].failed
	return out
}

// prove notes that a deployment has a healthy task: its failures are forgotten (API model, Deployment.failedTasks), the breaker's unless
// resetOnHealthyTask is false (developer guide, deployment-circuit-breaker).
func (s *Service) prove(d *Deployment) {
	d.FailedTasks, d.badStarts = 0, 0
	if s.Config.Breaker.resets() {
		d.failures = 0
		if d.Rollout.deployment == d && !d.Rollout.Over() && d.Rollout.BreakerStatus != monitorTripped {
			d.Rollout.FailureCount = 0
		}
	}
}

// act carries out a decision. The order of the events is that of published captures: a stop that makes room precedes the
// start, and the start of a replacement precedes the stop of the unhealthy task.
func (s *Service) act(members [][]*Task, d decision) {
	var pending, surplus, sick []*Task
	for _, stop := range d.stops {
		t := members[stop.group][stop.task]
		switch {
		case s.condition(t) == unhealthy:
			sick = append(sick, t)
		case t.LastStatus == Running:
			surplus = append(surplus, t)
		default:
			pending = append(pending, t)
		}
		if deployment := s.Deployments[stop.group]; stop.group > 0 {
			deployment.Desired = max(0, deployment.Desired-1)
		}
	}
	s.scaleIn(pending, surplus)
	for i, n := range d.starts {
		if n > 0 {
			s.start(s.Deployments[i], n, s.replacing(members[i], n))
		}
	}
	for _, t := range sick {
		s.stopUnhealthy(t)
	}
	if d.stuck {
		s.complain("(service %s) was unable to stop or start tasks during a deployment because of the service deployment "+
			"configuration. Update the minimumHealthyPercent or maximumPercent value and try again.", s.Name)
	}
}

// replacing counts the unhealthy tasks of a deployment, up to a limit, that have no replacement yet, and marks them.
func (s *Service) replacing(members []*Task, limit int) int {
	n := 0
	for _, t := range members {
		if n < limit && !t.replaced && s.condition(t) == unhealthy {
			t.replaced = true
			n++
		}
	}
	return n
}

func (s *Service) scaleIn(pending, running []*Task) {
	for _, t := range append(append([]*Task{}, pending...), running...) {
		t.stop(ServiceSchedulerInitiated, fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.Deployment.ID))
	}
	if len(pending) > 0 {
		s.steady = false
		s.tell("(service %s) stopped %d pending tasks.", s.Name, len(pending))
	}
	if len(running) > 0 {
		s.steady = false
		s.tell("(service %s) has stopped %d running tasks: %s.", s.Name, len(running), taskList(running))
	}
}

// stopPending ends the starts of a deployment that is given up.
func (s *Service) stopPending(d *Deployment) {
	var pending []*Task
	for _, t := range s.Tasks() {
		if t.Deployment == d && t.DesiredStatus == Running && t.LastStatus != Running {
			pending = append(pending, t)
		}
	}
	s.scaleIn(pending, nil)
}

func taskList(tasks []*Task) string {
	var parts []string
	for _, t := range tasks {
		parts = append(parts, "(task "+t.ID+")")
	}
	return strings.Join(parts, " ")
}

// start launches tasks of a deployment; replaced of them stand in for unhealthy ones.
func (s *Service) start(d *Deployment, n, replaced int) {
	e := s.engine
	s.steady = false
	var started []*Task
	for range n {
		if e.noCapacity(d.Revision) {
			s.complain("(service %s) was unable to place a task. Reason: %s.", s.Name, capacityReason)
			d.FailedTasks++
			d.badStarts++
			s.hold(d, 30*time.Second+backOff(d.badStarts, false)) // the pause is a guess (unconfirmed)
			break
		}
		t := e.newTask(s.Cluster, d.Revision.Spec.Definition)
		t.Service, t.Deployment, t.StartedBy, t.Group = s, d, d.ID, "service:"+s.Name
		t.spec(d.Revision.Spec, len(s.Tasks()))
		t.aim(d)
		t.Tags, t.Exec = s.tagsFor(d.Revision.Spec.Definition), string(s.Kept["enableExecuteCommand"]) == "true"
		s.Cluster.Tasks = append(s.Cluster.Tasks, t)
		started = append(started, t)
		t.launch()
	}
	if len(started) == 0 {
		return
	}
	text := fmt.Sprintf("(service %s) has started %d tasks: %s.", s.Name, len(started), taskList(started))
	if replaced > 0 {
		text += fmt.Sprintf(" Amazon ECS replaced %d tasks due to an unhealthy status.", replaced)
	}
	s.tell("%s", text)
}

// tagsFor are the tags that a new task takes over: those of its service or definition, and ECS's own (API model, propagateTags and
// enableECSManagedTags).
func (s *Service) tagsFor(td *TaskDefinition) []Tag {
	var tags []Tag
	switch string(s.Kept["propagateTags"]) {
	case `"SERVICE"`:
		tags = SetTags(nil, s.Tags)
	case `"TASK_DEFINITION"`:
		tags = SetTags(nil, td.Tags)
	}
	if string(s.Kept["enableECSManagedTags"]) == "true" {
		tags = SetTags(tags, []Tag{{"aws:ecs:clusterName", s.Cluster.Name}, {"aws:ecs:serviceName", s.Name}})
	}
	return tags
}

// hold lets a deployment start nothing for a while.
func (s *Service) hold(d *Deployment, wait time.Duration) {
	d.notBefore = s.engine.now.Add(wait)
	s.wake(wait)
}

// backOff is the pause after the nth start in a row that never reached RUNNING. Pull failures were seen at gaps of 2:12
// and 6:14, secrets about every 30 s at first (measured); that it is these alone, and the limit of 15 min, is the developer guide's
// (service-throttle-logic, 2023).
func backOff(n int, pull bool) time.Duration {
	steps := []time.Duration{0, 0, 0, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute}
	if pull {
		steps = []time.Duration{0, 4 * time.Minute, 8 * time.Minute}
	}
	if n-1 < len(steps) {
		return steps[n-1]
	}
	return 15 * time.Minute
}

// prune takes deployments off the list that have nothing left to run: a replaced one goes when its last task is stopped (measured).
func (s *Service) prune() {
	primary := s.primary()
	if primary == nil {
		return
	}
	fully := s.healthyTasks(primary) >= s.Desired
	kept := s.Deployments[:0:0]
	for i, d := range s.Deployments {
		if i == 0 || s.alive(d) || !d.leaving && !fully && d.State != Failed && d.Desired > 0 {
			kept = append(kept, d)
		}
	}
	s.Deployments = kept
}

// alive says whether a deployment has tasks that are not yet stopped.
func (s *Service) alive(d *Deployment) bool {
	for _, t := range s.Tasks() {
		if t.Deployment == d && t.LastStatus != Stopped {
			return true
		}
	}
	return false
}

func (s *Service) healthyTasks(d *Deployment) int {
	n := 0
	for _, t := range s.Tasks() {
		if t.Deployment == d && t.DesiredStatus == Running && s.condition(t) == healthy {
			n++
		}
	}
	return n
}

// conclude sees whether the service has arrived: at a deployment's completion, at a steady state, which is told again after six hours
// (measured), or at its own end: it is DRAINING until its last task is stopped (API model, DeleteService).
func (s *Service) conclude() {
	e, d := s.engine, s.primary()
	live := 0
	for _, t := range s.Tasks() {
		if t.LastStatus != Stopped {
			live++
		}
	}
	if s.Status == "DRAINING" {
		if live == 0 {
			s.Status, s.Deployments = Inactive, nil
		}
		return
	}
	if d == nil || e.now.Before(d.notBefore) && s.Desired > 0 || live != s.Desired ||
		s.healthyTasks(d) != s.Desired || len(s.Deployments) > 1 {
		return
	}
	if s.beside() {
		return
	}
	if d.State == InProgress && d.Rollout.Status != RolloutRollbackRequested {
		if wait := s.baking(d); wait > 0 {
			s.wake(wait)
			return
		}
		s.finish(d)
		s.steady = false
	}
	if d.State != Completed {
		return
	}
	if !s.steady || e.now.Sub(s.steadyAt) >= 6*time.Hour {
		s.steady, s.steadyAt, s.problems = true, e.now, map[string]time.Time{}
		s.tell("(service %s) has reached a steady state.", s.Name)
		s.wake(6 * time.Hour)
	}
}

// baking returns how long a fully replaced deployment still watches its alarms; until then it is IN_PROGRESS (developer guide,
// deployment-alarm-failure).
func (s *Service) baking(d *Deployment) time.Duration {
	bake := s.Config.bake()
	if bake == 0 || d.Rollout.Over() { // what a rollback went back to has nothing to prove
		return 0
	}
	if d.bakedAt.IsZero() {
		d.bakedAt = s.engine.now.Add(bake)
	}
	return d.bakedAt.Sub(s.engine.now)
}
