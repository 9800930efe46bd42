package engine

import "time"

// Timing is how long the steps of ECS take. The defaults are fitted to published captures of Fargate services behind
// Application Load Balancers; the comments give what was measured. Those that are documented are the API model's (minimumHealthyPercent:
// 40 s, DescribeTasks: an hour) and the developer guide's (fargate-capacity-providers: two minutes).
type Timing struct {
	Accept      time.Duration // UpdateService to the first start (11 to 17 s)
	React       time.Duration // a task is seen to be gone, to its replacement (1 to 17 s)
	Provision   time.Duration // start to the network interface being attached
	Prepare     time.Duration // start to the secrets being read
	PullStart   time.Duration // start to the pull (11 to 14 s)
	Pull        time.Duration // the pull itself (8 s)
	Run         time.Duration // start to the containers running (30 to 37 s)
	PullRetries time.Duration // how long a pull that fails is tried (115 s)
	Register    time.Duration // containers running to the target's registration (4 to 7 s)
	Notice      time.Duration // target turned healthy to the scheduler acting on it (12 to 20 s)
	Deregister  time.Duration // decision to stop, to the deregistration (9.6 and 10.1 s)
	Drained     time.Duration // end of the deregistration delay to SIGTERM (9 s)
	Signal      time.Duration // decision to stop a task without targets, to SIGTERM
	StopAfter   time.Duration // SIGTERM to the exit of a container that obeys
	Exited      time.Duration // a container's own exit to stoppingAt (11 s)
	Deprovision time.Duration // stoppingAt to stoppedAt (10 to 23 s)
	Trip        time.Duration // failure that fills the breaker, to its trip (5 to 45 s)
	Steady      time.Duration // RUNNING without any health check, until it counts as healthy (40 s, documented)
	Settle      time.Duration // an exit within this time after the start counts as a failed start (unconfirmed limit)
	Begin       time.Duration // a service deployment's createdAt to its startedAt (1.6 s)
	Keep        time.Duration // how long stopped tasks stay visible (an hour, documented)
	SpotWarning time.Duration // Spot interruption to SIGKILL (2 min, documented)
}

// DefaultTiming returns the durations that a Timing without own values has.
func DefaultTiming() Timing {
	return Timing{
		Accept: 15 * time.Second, React: 6 * time.Second, Provision: 4 * time.Second, Prepare: 8 * time.Second,
		PullStart: 11 * time.Second, Pull: 8 * time.Second, Run: 34 * time.Second, PullRetries: 115 * time.Second,
		Register: 6 * time.Second, Notice: 14 * time.Second, Deregister: 10 * time.Second, Drained: 9 * time.Second,
		Signal: 3 * time.Second, StopAfter: time.Second, Exited: 11 * time.Second, Deprovision: 12 * time.Second,
		Trip: 5 * time.Second, Steady: 40 * time.Second, Settle: 10 * time.Second, Begin: 1600 * time.Millisecond,
		Keep: time.Hour, SpotWarning: 2 * time.Minute,
	}
}

func (t Timing) filled() Timing {
	d := DefaultTiming()
	for _, field := range []struct{ have, want *time.Duration }{
		{&t.Accept, &d.Accept}, {&t.React, &d.React}, {&t.Provision, &d.Provision}, {&t.Prepare, &d.Prepare},
		{&t.PullStart, &d.PullStart}, {&t.Pull, &d.Pull}, {&t.Run, &d.Run}, {&t.PullRetries, &d.PullRetries},
		{&t.Register, &d.Register}, {&t.Notice, &d.Notice}, {&t.Deregister, &d.Deregister}, {&t.Drained, &d.Drained},
		{&t.Signal, &d.Signal}, {&t.StopAfter, &d.StopAfter}, {&t.Exited, &d.Exited}, {&t.Deprovision, &d.Deprovision},
		{&t.Trip, &d.Trip}, {&t.Steady, &d.Steady}, {&t.Settle, &d.Settle}, {&t.Begin, &d.Begin}, {&t.Keep, &d.Keep},
		{&t.SpotWarning, &d.SpotWarning},
	} {
		if *field.have == 0 {
			*field.have = *field.want
		}
	}
	return t
}
