package history

import (
	"cmp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
)

// Seen is what was read of a service at one moment, for deciding about a rollback.
type Seen struct {
	Service     ecsview.Snapshot
	Deployments []Deployment  // newest first; empty where they cannot be read
	Unread      bool          // they cannot be read
	Undoing     string        // ARN of the task definition that ECS is going back to, where it says so
	Last        hold.Rollback // as it was written down
	Unwritten   bool          // nothing can be written down here: that Last knows of none says nothing
	Now         time.Time
}

// State is what a service is doing.
type State string

// The states.
const (
	Idle      State = "idle"      // nothing is under way
	Deploying State = "deploying" // a deployment is under way
	Returning State = "returning" // ECS is rolling a deployment back
	Joining   State = "joining"   // an update that goes back to an earlier version is under way
)

// Situation is what a service is doing, and what a rollback of it would leave.
type Situation struct {
	State      State
	Left       string // ARN of the task definition that is being left, or that is to be left
	Back       string // ARN of the one that serves once that is done; "" where there is none
	Deployment string // ARN of the service deployment that is under way; "" where it is not known
	Noted      bool   // it is the rollback that was written down
	Unclear    bool   // the API has not listed yet what DescribeServices shows: worth another look
}

// listedWithin is how far the two APIs may be apart with the moment at which a deployment began.
const listedWithin = time.Second

// SituationOf says what a service is doing.
func SituationOf(s Seen) Situation {
	primary := s.Service.Primary()
	if primary == nil {
		return Situation{State: Idle, Left: s.Service.TaskDefinition}
	}
	own := ownOf(*primary, s.Deployments)
	var newest Deployment
	if len(s.Deployments) > 0 {
		newest = s.Deployments[0]
	}
	switch {
	case newest.Running() && newest.RolledBack() && s.undone(newest) != "":
		return Situation{State: Returning, Left: newest.TaskDefinition, Back: s.undone(newest), Deployment: newest.ARN,
			Noted: s.Last.From == newest.Name()}
	case !primary.InProgress():
		return Situation{State: Idle, Left: primary.TaskDefinition,
			Unclear: newest.Running() && newest.Created.After(primary.Created) && own != newest.ARN}
	case primary.TakesBack():
		left := cmp.Or(s.failed(primary.TaskDefinition), s.Service.TaskDefinition)
		return Situation{State: Returning, Left: left, Back: primary.TaskDefinition, Noted: s.Last.From == arn.Revision(left)}
	case brings(s.Last, *primary):
		return Situation{State: Joining, Left: arn.Sibling(primary.TaskDefinition, s.Last.From), Back: primary.TaskDefinition, Noted: true}
	case s.stepsBackFrom(primary.TaskDefinition) != "":
		return Situation{State: Joining, Left: s.stepsBackFrom(primary.TaskDefinition), Back: primary.TaskDefinition}
	}
	return Situation{State: Deploying, Left: primary.TaskDefinition, Back: completed(s.Service), Deployment: own,
		Unclear: own == "" && len(s.Deployments) > 0}
}

// undone returns what the service is at once a deployment is rolled back: what ECS says that it goes back to, or else what is PRIMARY
// again. It is "" where something else is PRIMARY: a newer deployment that is not listed yet.
func (s Seen) undone(d Deployment) string {
	primary := s.Service.Primary().TaskDefinition
	switch {
	case primary == d.TaskDefinition:
		return cmp.Or(s.Undoing, s.Service.Complete(d.TaskDefinition), primary)
	case s.Undoing == "" || s.Undoing == primary:
		return primary
	}
	return ""
}

// failed returns the task definition of the newest deployment that ECS calls FAILED, other than this one; "" if there is none.
func (s Seen) failed(except string) string {
	var newest ecsview.Deployment
	for _, d := range s.Service.Deployments {
		if d.State == "FAILED" && d.TaskDefinition != except && d.Created.After(newest.Created) {
			newest = d
		}
	}
	return newest.TaskDefinition
}

// ownOf returns the ARN of the service deployment that a deployment is, if it is listed and under way: the first that began when it
// did, or later, for its task definition.
func ownOf(d ecsview.Deployment, newestFirst []Deployment) (own string) {
	for _, listed := range newestFirst {
		if listed.Created.Before(d.Created.Add(-listedWithin)) {
			break
		}
		if listed.TaskDefinition == d.TaskDefinition && listed.Running() {
			own = listed.ARN
		}
	}
	return own
}

// brings reports whether a deployment is what a rollback that was written down has begun, or has ECS go back to.
func brings(r hold.Rollback, d ecsview.Deployment) bool {
	return r.Step == hold.Begun && r.To != r.From && r.To == arn.Revision(d.TaskDefinition) && r.Left != d.ID &&
		(r.Began == "" || r.Began == d.ID)
}

// stepsBackFrom returns what a deployment in progress of a task definition goes back from, or "". That is the newest other one, if it
// did not succeed, where the one in progress had succeeded before it was first deployed, and has not done so since: a release that
// failed puts back what it replaced. Where ECS has put that back already, what is in progress since is not a part of it. One that did
// succeed may be left by an ordinary release of an older version; only where nothing can be written down is that taken for a rollback.
func (s Seen) stepsBackFrom(taskDefinition string) string {
	left, before := "", false
	for _, d := range s.Deployments {
		succeeded := d.TaskDefinition == taskDefinition && d.Succeeded()
		switch {
		case left == "" && d.Succeeded() && (succeeded || !s.Unwritten):
			return ""
		case left == "" && d.TaskDefinition != taskDefinition && d.Status == types.ServiceDeploymentStatusRollbackSuccessful:
			return ""
		case left == "" && d.TaskDefinition != taskDefinition:
			left = d.TaskDefinition
		case d.TaskDefinition == left:
			before = false
		case succeeded:
			before = true
		}
	}
	if before {
		return left
	}
	return ""
}

// completed returns what ECS goes back to if the deployment in progress is stopped: the newest that is complete.
func completed(s ecsview.Snapshot) string {
	var newest ecsview.Deployment
	for _, d := range s.Deployments {
		if strings.EqualFold(d.State, "COMPLETED") && !d.Created.Before(newest.Created) {
			newest = d
		}
	}
	return newest.TaskDefinition
}
