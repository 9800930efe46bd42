package rollout

import (
	"cmp"
	"context"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Options say how a deployment is followed. The zero value follows for half an hour and never gives a deployment up early.
type Options struct {
	// Timeout is how long the deployment may take; 0 is 30 minutes. After it the deployment is stopped with a rollback.
	Timeout time.Duration
	// RollbackTimeout is how long the way back is followed after that; 0 is 15 minutes.
	RollbackTimeout time.Duration
	// LostAfter is how long reads may fail in a row before what is running counts as unknown; 0 is 3 minutes.
	LostAfter time.Duration
	// Judge is asked when tasks have failed, or when the scheduler reports that it cannot start any. Nil asks nobody.
	Judge func(context.Context, ecsview.Snapshot, []FailedTask) Judgement
	// Retreat is called once when the deployment is being given up, before the way back is followed. Nil does nothing.
	Retreat func(context.Context)
	// Speed is that of the world that is followed.
	Speed action.Speed
	// Log takes warnings about optional reads that are denied; nil discards.
	Log *action.Log
	// Committed says that the deployment is itself a way back, or was stopped already: it is only followed, never stopped.
	Committed bool
	// LeaveOnInterrupt says that a run which is interrupted leaves the deployment to ECS instead of having it rolled back.
	LeaveOnInterrupt bool
}

// Judgement is what somebody who knows causes thinks of the failures so far.
type Judgement struct {
	Cause   string // in one line; empty where there is none yet
	Streak  int    // how many tasks in a row failed with it
	Certain bool   // the release is at fault: other tasks of it will fail as well
}

// enough returns how many failures in a row with one certain cause end a deployment before the circuit breaker does: two,
// so that one unlucky task never ends a release, and three from five tasks on. The breaker's own threshold is at least
// three.
func enough(desired int) int {
	if desired > 4 {
		return 3
	}
	return 2
}

// placementPatience is how long a certain cause without any task to show for it may last: the scheduler says such things
// once and then falls silent for hours.
const placementPatience = 30 * time.Second

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 30*time.Minute)
	o.RollbackTimeout = cmp.Or(o.RollbackTimeout, 15*time.Minute)
	o.LostAfter = cmp.Or(o.LostAfter, 3*time.Minute)
	return o
}

// Result is how a deployment went.
type Result struct {
	Target  Target // with the service deployment's ARN, where it was found
	Verdict Verdict
	Outcome action.Outcome
	Ended   Ended // who ended it early
	Cause   Judgement
	Failed  []FailedTask // oldest first
	Events  []SeenEvent
	Steps   []Step
	Last    ecsview.Snapshot // the last that was read
	Started time.Time
	Took    time.Duration

	// Serving is the task definition that the service is at now, as far as it is known: what was deployed, or what it was put
	// back to.
	Serving string
}

// SeenEvent is a line of the scheduler and when it was read.
type SeenEvent struct {
	ecsview.ServiceEvent
	Seen time.Time // by our clock
}

// Ended says who ended a deployment before ECS did.
type Ended string

// Who ends deployments.
const (
	ByECS       Ended = ""          // nobody did
	ByCause     Ended = "cause"     // the failures had one certain cause
	ByTimeout   Ended = "timeout"   // the time was over
	ByInterrupt Ended = "interrupt" // this run was cancelled
)
