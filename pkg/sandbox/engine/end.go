package engine

import (
	"fmt"
	"slices"
	"time"
)

// stop ends a task on somebody's decision: targets are deregistered and drained, then the containers get SIGTERM (developer guide,
// task-lifecycle-explanation). One of Spot gets it at once (developer guide, fargate-capacity-providers).
func (t *Task) stop(code, reason string) {
	if t.DesiredStatus == Stopped {
		return
	}
	e, timing := t.engine, t.engine.options.Timing
	ran := t.LastStatus == Running
	t.epoch++
	t.DesiredStatus, t.StopCode, t.StoppedReason, t.StoppingAt = Stopped, code, reason, e.now
	if s := t.Service; s != nil {
		s.steady = false
		s.wake(timing.React)
	}
	if !ran {
		t.discard()
		t.become(Deprovisioning)
		for _, c := range t.Containers {
			c.LastStatus = Stopped
		}
		t.then(timing.Deprovision, t.end)
		return
	}
	t.become(Deactivating)
	delay, registered := t.drain()
	switch {
	case code == SpotInterruption:
		t.deregister(timing.Deregister)
		t.then(0, t.signal)
	case registered:
		t.deregister(timing.Deregister)
		t.then(timing.Deregister+delay+timing.Drained, t.signal)
	case t.stage == working: // really run: whoever stops it may never look again, and it must end all the same
		t.signal()
	default:
		t.then(timing.Signal, t.signal)
	}
}

// drain returns the longest deregistration delay of the task's target groups, and whether it is registered at all. SIGTERM comes when
// that is over (measured).
func (t *Task) drain() (delay time.Duration, registered bool) {
	for _, g := range t.targets {
		if g.registered {
			registered = true
			delay = max(delay, t.engine.options.Targets.Settings(g.group).filled().DeregistrationDelay)
		}
	}
	return delay, registered
}

// deregister plans the deregistration of the task's targets; it happens whatever else becomes of the task.
func (t *Task) deregister(wait time.Duration) {
	if _, registered := t.drain(); !registered || t.Service == nil {
		return
	}
	t.deregisterAt = t.engine.now.Add(wait)
	t.engine.after(wait, t.Service.deregisterDue)
}

// deregisterDue takes all tasks out of their target groups whose time has come, and tells of them together: the events of the draining
// follow those of the deregistration, and name the deployment of the stopped tasks (measured).
func (s *Service) deregisterDue() {
	e := s.engine
	groups, draining := map[string]int{}, map[string]int{}
	for _, t := range s.Tasks() {
		if t.deregisterAt.IsZero() || e.now.Before(t.deregisterAt) {
			continue
		}
		t.deregisterAt = time.Time{}
		for i := range t.targets {
			g := &t.targets[i]
			if !g.registered {
				continue
			}
			g.registered = false
			e.options.Targets.Deregister(g.group, t.Interface.IP, g.port, e.now)
			groups[g.group]++
		}
		draining[t.Deployment.ID]++
	}
	for _, group := range sortedKeys(groups) {
		s.tell("(service %s) deregistered %d targets in (target-group %s)", s.Name, groups[group], group)
	}
	for _, id := range sortedKeys(draining) {
		s.tell("(service %s, taskSet %s) has begun draining connections on %d tasks.", s.Name, id, draining[id])
	}
}

// signal sends SIGTERM to all containers, and SIGKILL to those that outlive their stop timeout (API model, StopTask).
func (t *Task) signal() {
	t.become(Stopping)
	if t.stage == working {
		t.stopAll(t.halted)
		return
	}
	t.then(t.terminate(nil), t.halted)
}

// terminate stops the running containers but one, and returns when the last of them is gone.
func (t *Task) terminate(except *Container) time.Duration {
	var last time.Duration
	for _, c := range t.Containers {
		if c == except || c.LastStatus != Running {
			continue
		}
		wait, code := time.Duration(c.behaviour.StopAfter), 0
		if wait == 0 {
			wait = t.engine.options.Timing.StopAfter
		}
		limit := c.graceOf(t.StopCode, t.engine.options.Timing)
		if wait > limit {
			wait, code = limit, 137
		}
		last = max(last, wait)
		t.then(wait, func() {
			c.LastStatus, c.ExitCode = Stopped, &code
			t.Version++
		})
	}
	return last
}

// graceOf is the time between SIGTERM and SIGKILL, at most the two minutes of Spot's warning (developer guide,
// fargate-capacity-providers).
func (c *Container) graceOf(stopCode string, timing Timing) time.Duration {
	if stopCode == SpotInterruption {
		return min(c.definition.stopTimeout(), timing.SpotWarning)
	}
	return c.definition.stopTimeout()
}

// halted is the moment after the last container's end.
func (t *Task) halted() {
	t.ExecutionStoppedAt = t.engine.now
	t.become(Deprovisioning)
	t.then(t.engine.options.Timing.Deprovision, t.end)
}

// exit is a container's own end. That of an essential container ends the task (API model, ContainerDefinition.essential).
func (t *Task) exit(c *Container, code int, reason string) {
	e, timing := t.engine, t.engine.options.Timing
	if c.process == nil && c.definition.restarts(code, e.now.Sub(c.StartedAt)) {
		t.startAgain(c)
		return
	}
	c.LastStatus, c.ExitCode, c.Reason = Stopped, &code, reason
	t.Version++
	if !c.definition.essential() {
		return
	}
	t.epoch++
	t.DesiredStatus, t.StopCode, t.StoppedReason = Stopped, EssentialContainerExited, essentialExited
	t.become(Stopping)
	if t.stage == working {
		t.stopAll(func() {
			t.ExecutionStoppedAt = e.now
			t.then(timing.Exited, t.leave)
		})
		return
	}
	t.then(t.terminate(c), func() { t.ExecutionStoppedAt = e.now })
	t.then(max(timing.Exited, t.terminateTime(c)), t.leave)
}

// startAgain starts a container again in its place: the task stays RUNNING, with its address and its targets, and the container's own
// health check begins anew (developer guide, "Restart individual containers in Amazon ECS tasks with container restart policies").
func (t *Task) startAgain(c *Container) {
	c.starts++
	c.StartedAt, c.Reason = t.engine.now, ""
	if c.definition.HealthCheck != nil {
		c.HealthStatus = HealthUnknown
	}
	t.Version++
	t.live(c)
}

// leave is the moment at which ECS notices that a task has ended by itself, some seconds later (measured).
func (t *Task) leave() {
	timing := t.engine.options.Timing
	t.StoppingAt = t.engine.now
	t.become(Deprovisioning)
	if s := t.Service; s != nil {
		s.steady = false
		t.deregister(0)
		s.wake(timing.React)
	}
	t.then(timing.Deprovision, t.end)
}

// terminateTime is how long the siblings of a container take to stop.
func (t *Task) terminateTime(except *Container) time.Duration {
	var last time.Duration
	for _, c := range t.Containers {
		if c != except && c.LastStatus == Running {
			wait := max(time.Duration(c.behaviour.StopAfter), t.engine.options.Timing.StopAfter)
			last = max(last, min(wait, c.definition.stopTimeout()))
		}
	}
	return last
}

// end is the task's arrival at STOPPED. It stays visible for an hour (API model, DescribeTasks). A failed start, and a stop for its
// health, count as failures of its deployment (developer guide, deployment-circuit-breaker).
func (t *Task) end() {
	e := t.engine
	t.discard()
	t.StoppedAt = e.now
	t.Interface.Status = "DELETED"
	t.become(Stopped)
	if s := t.Service; s != nil {
		early := t.StopCode == EssentialContainerExited && t.runTime() < e.options.Timing.Settle
		if t.StopCode == TaskFailedToStart || early || t.unhealthyStop {
			s.failed(t)
		}
		s.wake(time.Second)
	}
	e.after(e.options.Timing.Keep, func() {
		t.Cluster.Tasks = slices.DeleteFunc(t.Cluster.Tasks, func(other *Task) bool { return other == t })
	})
}

// runTime is how long the containers ran.
func (t *Task) runTime() time.Duration {
	if t.StartedAt.IsZero() {
		return 0
	}
	return t.ExecutionStoppedAt.Sub(t.StartedAt)
}

// stopUnhealthy ends a task for its health, and says which check failed, in the order of published captures (measured).
func (s *Service) stopUnhealthy(t *Task) {
	t.unhealthyStop = true
	reason := failedContainerCheck
	if t.HealthStatus() == HealthUnhealthy {
		s.tell("(service %s) (task %s) failed container health checks.", s.Name, t.ID)
	} else {
		for _, g := range t.targets {
			if g.health.State == TargetUnhealthy {
				reason = failedTargetCheck(g.group)
				s.tell("(service %s) (task %s) (port %d) is unhealthy in (target-group %s) due to (reason %s).",
					s.Name, t.ID, g.port, g.group, g.health.Description)
				break
			}
		}
	}
	t.stop(ServiceSchedulerInitiated, reason)
	s.tell("(service %s) has stopped 1 running tasks: %s.", s.Name, fmt.Sprintf("(task %s)", t.ID))
}
