package rollout

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// Target is the deployment that is followed.
type Target struct {
	Cluster        string // name or ARN, as the API takes it
	Service        string
	TaskDefinition string    // ARN
	ID             string    // ecs-svc/…, which UpdateService names
	Created        time.Time // createdAt of the ID
	Known          []string  // ids of the deployments that were there before: one that is PRIMARY again is a rollback
	Previous       string    // ARN of the task definition that worked before; empty where there is none to go back to
	TakenUp        bool      // it was under way already, so that its Created says nothing about how far the clocks are apart
	Empty          bool      // the service had no tasks before: if the deployment fails, it is to have none again
	Again          bool      // it is the version that the service was at, and the only one that has worked: what ECS goes back to is the same
	Read           []string  // ARNs of the task definitions whose deployments had been read before the update
	Replaced       []string  // and of those that it replaced unread: somebody began their deployments right before it

	// ServiceDeployment is the ARN in the service-deployments API; empty until it is found. Sources are the ARNs of the task definitions
	// that ran when it began, as it says; nil where it was not asked.
	ServiceDeployment string
	Sources           []string
}

// Phase is what a deployment is doing, or how it ended.
type Phase string

// The phases. The last six are ends.
const (
	Waiting        Phase = "waiting"         // accepted, but not seen yet
	Rolling        Phase = "rolling"         // new tasks start, old ones are stopped
	Settling       Phase = "settling"        // all new tasks run; ECS has not called it complete yet
	Replacing      Phase = "replacing"       // complete, and not all of its tasks run
	Failing        Phase = "failing"         // ECS gives the deployment up, without going back by itself
	RollingBack    Phase = "rolling back"    // ECS puts the previous version back
	Succeeded      Phase = "succeeded"       // this very deployment is complete
	RolledBack     Phase = "rolled back"     // failed; the previous version is in force again
	Failed         Phase = "failed"          // failed, and nothing put the previous version back
	RollbackFailed Phase = "rollback failed" // failed, and so did the way back
	Superseded     Phase = "superseded"      // a newer deployment took over
	Deleted        Phase = "deleted"         // the service itself is gone, or going
)

// Final reports whether the phase is an end.
func (p Phase) Final() bool {
	return slices.Contains([]Phase{Succeeded, RolledBack, Failed, RollbackFailed, Superseded, Deleted}, p)
}

// Verdict is what a snapshot means for the deployment that is followed.
type Verdict struct {
	Phase  Phase
	Reason string // ECS's own words, where it has any
}

// Seen is what earlier snapshots have shown; it tells an answer that is behind the times from a deployment that is over.
type Seen struct {
	Listed      bool          // the deployment was in DescribeServices' list
	RollingBack bool          // it was seen failing or rolling back
	FailedFor   time.Duration // how long ECS has called it FAILED while it stayed PRIMARY
	OverFor     time.Duration // how long its service deployment is known to have ended without success
}

// rolloutFailed is the rolloutState of a deployment that ECS has given up.
const rolloutFailed = string(types.DeploymentRolloutStateFailed)

// rollbackGrace is how long a failed deployment may stay PRIMARY before it counts as one that ECS does not roll back. ECS
// writes both in one step as far as anybody has seen; the reads may be some seconds behind.
const rollbackGrace = 10 * time.Second

// Evaluate says what a snapshot means for the target. It decides from the target's own service deployment where that is
// known, and from the list of deployments otherwise. That the service is stable decides nothing.
func Evaluate(t Target, s ecsview.Snapshot, seen Seen) Verdict {
	if s.Status == "DRAINING" || s.Status == "INACTIVE" {
		return Verdict{Deleted, "the service is " + s.Status}
	}
	if s.Own != nil {
		return evaluateOwn(t, s, seen)
	}
	return evaluateList(t, s, seen)
}

// evaluateOwn reads the state machine of the service-deployments API
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html).
func evaluateOwn(t Target, s ecsview.Snapshot, seen Seen) Verdict {
	own := s.Own
	reason := own.Reason
	if reason == "" {
		reason = own.RollbackReason
	}
	switch own.Status {
	case types.ServiceDeploymentStatusSuccessful:
		// Also after a rollback that was asked for too late: the deployment had arrived.
		return evaluateComplete(t, s, own.Reason)
	case types.ServiceDeploymentStatusRollbackRequested, types.ServiceDeploymentStatusRollbackInProgress:
		return Verdict{RollingBack, reason}
	case types.ServiceDeploymentStatusRollbackSuccessful:
		switch primary := s.Primary(); {
		case newer(t, s):
			return Verdict{Superseded, reason}
		case primary != nil && primary.ID == t.ID: // the list is behind
			return Verdict{RollingBack, reason}
		default: // it may be on its way there once more, from one that came later
			return wayBack(primary, reason)
		}
	case types.ServiceDeploymentStatusRollbackFailed:
		switch {
		case newer(t, s):
			return Verdict{Superseded, reason}
		case behind(s, seen): // what has ended it may not be listed yet
			return Verdict{RollingBack, reason}
		}
		return Verdict{RollbackFailed, joinReasons(own.RollbackReason, own.Reason)}
	case types.ServiceDeploymentStatusStopRequested:
		if newer(t, s) {
			return Verdict{Superseded, reason}
		}
		return Verdict{Failing, orReason(reason, s.Find(t.ID))}
	case types.ServiceDeploymentStatusStopped:
		return evaluateStopped(t, s, seen, reason)
	}
	// PENDING, IN_PROGRESS, and any state that is newer than this program.
	return progress(t, s)
}

// evaluateComplete decides about a deployment that ECS has called complete: whether it is still in force, and stands.
func evaluateComplete(t Target, s ecsview.Snapshot, reason string) Verdict {
	d := s.Find(t.ID)
	switch {
	case newer(t, s):
		return Verdict{Superseded, reason}
	case d == nil || d.Status != "PRIMARY":
		return Verdict{Succeeded, reason}
	case d.InProgress(): // the list is behind, or ECS goes back to this deployment from one that came later
		return Verdict{Settling, d.Reason}
	case d.Running < d.Desired:
		return Verdict{Replacing, reason}
	}
	return Verdict{Succeeded, reason}
}

// behind reports whether the list of deployments does not show yet that a service deployment has ended: both are written in one step as far
// as anybody has seen, and are read apart.
func behind(s ecsview.Snapshot, seen Seen) bool {
	return s.Primary().InProgress() && seen.OverFor < rollbackGrace
}

// evaluateStopped tells the three reasons for STOPPED apart by the deployment that is PRIMARY now: a newer one, an older
// one that was put back, or still this one.
func evaluateStopped(t Target, s ecsview.Snapshot, seen Seen, reason string) Verdict {
	primary := s.Primary()
	switch {
	case primary != nil && primary.ID == t.ID && behind(s, seen): // what has taken over may not be listed yet
		return Verdict{Failing, orReason(reason, primary)}
	case primary == nil || primary.ID == t.ID:
		return Verdict{Failed, orReason(reason, primary)}
	case newer(t, s):
		return Verdict{Superseded, reason}
	default:
		return wayBack(primary, reason)
	}
}

// evaluateList reads the deployments that DescribeServices lists.
func evaluateList(t Target, s ecsview.Snapshot, seen Seen) Verdict {
	primary, own := s.Primary(), s.Find(t.ID)
	switch {
	case primary == nil:
		return Verdict{Waiting, ""}
	case own == nil:
		return evaluateAbsent(t, s, primary, seen)
	case own.Status == "PRIMARY":
		return evaluatePrimary(t, s, own, seen)
	case newer(t, s):
		return Verdict{Superseded, primary.Reason}
	default:
		// An older deployment is PRIMARY again: the way back has begun, even if this one's own state lags behind.
		if own.State == rolloutFailed {
			return Verdict{RollingBack, own.Reason}
		}
		return Verdict{RollingBack, primary.Reason}
	}
}

func evaluatePrimary(t Target, s ecsview.Snapshot, own *ecsview.Deployment, seen Seen) Verdict {
	switch types.DeploymentRolloutState(own.State) {
	case types.DeploymentRolloutStateCompleted:
		return evaluateComplete(t, s, own.Reason)
	case types.DeploymentRolloutStateFailed:
		if seen.FailedFor < rollbackGrace {
			return Verdict{Failing, own.Reason}
		}
		return Verdict{Failed, own.Reason}
	case "":
		// Behind a Classic Load Balancer ECS gives no rollout state: the replaced deployments being gone is all there is.
		if len(s.Deployments) == 1 && own.Running == s.Desired && own.Desired == s.Desired && own.Pending == 0 && own.Failed == 0 {
			return Verdict{Succeeded, ""}
		}
	}
	return progress(t, s)
}

// evaluateAbsent decides about a deployment that is not listed: not yet, or not any more.
func evaluateAbsent(t Target, s ecsview.Snapshot, primary *ecsview.Deployment, seen Seen) Verdict {
	if newer(t, s) {
		return Verdict{Superseded, primary.Reason}
	}
	touched := primary.Updated.After(t.Created) || primary.Created.After(t.Created)
	failure := failureEvent(t, s)
	if seen.RollingBack || failure != "" || seen.Listed && touched {
		if failure == "" {
			failure = primary.Reason
		}
		return wayBack(primary, failure)
	}
	return Verdict{Waiting, ""} // the read is older than the update
}

// wayBack says how far the deployment that was put back has come.
func wayBack(primary *ecsview.Deployment, reason string) Verdict {
	if primary == nil {
		return Verdict{RolledBack, reason}
	}
	switch types.DeploymentRolloutState(primary.State) {
	case types.DeploymentRolloutStateFailed:
		return Verdict{RollbackFailed, joinReasons(reason, primary.Reason)}
	case types.DeploymentRolloutStateInProgress:
		return Verdict{RollingBack, reason}
	default:
		return Verdict{RolledBack, reason}
	}
}

// newer reports whether the service is at a deployment that came after the target and is no way back from it. A circuit
// breaker puts an old id back; should a rollback ever have an id of its own, the event names it.
func newer(t Target, s ecsview.Snapshot) bool {
	primary := s.Primary()
	if primary == nil || primary.ID == t.ID || slices.Contains(t.Known, primary.ID) || primary.Created.Before(t.Created) {
		return false
	}
	if primary.TakesBack() {
		return false
	}
	return !slices.ContainsFunc(s.Events, func(e ecsview.ServiceEvent) bool {
		return strings.Contains(e.Text, "rolling back to deployment "+primary.ID+".")
	})
}

// CameBack reports whether the service is, after another deployment has taken over from the target, at one that was there before both.
func CameBack(t Target, s ecsview.Snapshot) bool {
	primary := s.Primary()
	return primary != nil && primary.ID != t.ID && !newer(t, s)
}

// failureEvent returns the scheduler's words about the failure of the target, or "".
func failureEvent(t Target, s ecsview.Snapshot) string {
	for _, e := range s.Events {
		if _, reason, found := strings.Cut(e.Text, "(deployment "+t.ID+") deployment failed: "); found {
			return reason
		}
	}
	return ""
}

// progress tells the states of a deployment that is under way apart.
func progress(t Target, s ecsview.Snapshot) Verdict {
	d := s.Find(t.ID)
	if d == nil {
		return Verdict{Rolling, ""}
	}
	if d.Status != "PRIMARY" && d.State == rolloutFailed {
		return Verdict{RollingBack, d.Reason}
	}
	if d.State == rolloutFailed {
		return Verdict{Failing, d.Reason}
	}
	if d.Running >= d.Desired && d.Desired >= s.Desired {
		return Verdict{Settling, d.Reason}
	}
	return Verdict{Rolling, d.Reason}
}

func orReason(reason string, d *ecsview.Deployment) string {
	if reason == "" && d != nil {
		return d.Reason
	}
	return reason
}

func joinReasons(a, b string) string {
	if a == "" || b == "" || a == b {
		return a + strings.TrimPrefix(b, a)
	}
	return a + " " + b
}
