package rollout

import (
	"errors"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// End is how a deployment ended for whoever followed it.
type End string

// The ends.
const (
	EndSucceeded   End = "succeeded"   // this very deployment is complete
	EndRolledBack  End = "rolled-back" // it failed, and the previous version serves again: by ECS, or put back
	EndTimedOut    End = "timed-out"   // it was not done in its time and was rolled back: the previous version serves again
	EndOverdue     End = "overdue"     // it failed, and the rollback was not done in its time; ECS goes on with it
	EndStuck       End = "stuck"       // it failed, and nothing put the previous version back
	EndFailed      End = "failed"      // it failed, and it is the version that the service was at before: there is no other one
	EndSuperseded  End = "superseded"  // a newer deployment took over
	EndDeleted     End = "deleted"     // the service was deleted
	EndUnknown     End = "unknown"     // nothing could be read for too long: what runs is not known
	EndInterrupted End = "interrupted" // the run was interrupted
)

// By says who ended a deployment before ECS did.
type By string

// Who ends deployments.
const (
	ByECS       By = ""          // nobody did
	ByCause     By = "cause"     // the failures had one certain cause
	ByTimeout   By = "timeout"   // the time was over
	ByInterrupt By = "interrupt" // this run was cancelled
)

// Result is how a deployment went.
type Result struct {
	Target  Target // with the service deployment's ARN, where it was found
	End     End
	By      By
	Verdict Verdict         // the last
	Cause   *record.Finding // why it failed, where that is known
	Failed  []FailedTask    // oldest first
	Events  []SeenEvent
	Steps   []record.Step    // the deployment's phases
	Last    ecsview.Snapshot // the last that was read
	Started time.Time
	Took    time.Duration

	Timeout         time.Duration // what it was given
	RollbackTimeout time.Duration
	Emptied         bool // the first release of the service failed, and its tasks were taken away again

	// Serving is the task definition that the service is at now, as far as it is known: what was deployed, or what it was put
	// back to.
	Serving string
}

// FailedTask is a task of the deployment that failed. One that was stopped because it was not needed any more is none.
type FailedTask struct {
	ecsview.Task
	Seen time.Time // when it was found, by our clock
}

// String tells the failure in one line.
func (t FailedTask) String() string { return t.Failure() }

// SeenEvent is a line of the scheduler and when it was read.
type SeenEvent struct {
	ecsview.ServiceEvent
	Seen time.Time // by our clock
}

// ErrNoWayBack says that there is no earlier version to put back.
var ErrNoWayBack = errors.New("there is no earlier version that worked to go back to")

// Since returns the deployment that somebody has begun since the end was seen, as a later read of the service shows it; nil where it shows
// none.
func (r Result) Since(s ecsview.Snapshot) *ecsview.Deployment {
	primary, was := s.Primary(), r.Last.Primary()
	if primary == nil || was != nil && primary.ID == was.ID || !newer(r.Target, s) {
		return nil
	}
	return primary
}
