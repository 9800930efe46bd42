package ecsdeploy

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// wayBack is what has to be done for a service to be as it was before its deployment.
type wayBack string

const (
	backAlready wayBack = "already" // it is as it was
	backAwait   wayBack = "await"   // it is on its way there
	backUpdate  wayBack = "update"  // it runs what was deployed, or what it was at before has failed meanwhile
	backLeave   wayBack = "leave"   // somebody has deployed something else since
)

// goesBack decides whether what a release of several services has changed goes back: where one has failed. Of a run that was interrupted
// when all had arrived they stay, as the deployment of one service does.
func goesBack(all []fleet.Standing, interrupted bool) bool {
	arrived := true
	for _, s := range all {
		arrived = arrived && (s.After == fleet.Arrived || s.After == fleet.Unchanged)
	}
	return !arrived && (interrupted || fleet.Fault(all) != nil)
}

// isPutBack decides whether one service of a release that goes back is put back: what this run or an earlier attempt at the release has
// changed, also where this run has not come to it. The one at fault is left as its own verdict says where that is stuck or superseded.
func isPutBack(one fleet.Standing, fault *fleet.Standing, changed, replaced bool) bool {
	if fault != nil && fault.Name == one.Name {
		switch action.OutcomeOf(one.Err) {
		case action.Stuck, action.Superseded:
			return false
		}
	}
	return changed || replaced
}

// wayBackOf decides how a service gets back from what was deployed to what it was at before. empty says that it had no tasks then, and
// began is the id of the deployment that brought it, or "" where that is not known: another one of the same revision is somebody else's.
func wayBackOf(now ecsview.Snapshot, deployed, began, before string, empty bool) wayBack {
	primary := now.Primary()
	switch {
	case primary == nil:
		return backLeave
	case primary.TaskDefinition != deployed && primary.TaskDefinition != before:
		return backLeave
	case deployed == before: // the same revision was deployed once more: there is nothing else to go to
		return backAlready
	case empty && now.Desired == 0:
		return backAlready
	case primary.TaskDefinition == deployed && began != "" && primary.ID != began:
		return backLeave
	case primary.TaskDefinition == deployed:
		return backUpdate
	}
	switch types.DeploymentRolloutState(primary.State) {
	case types.DeploymentRolloutStateInProgress:
		return backAwait
	case types.DeploymentRolloutStateFailed: // ECS starts no more tasks of it
		return backUpdate
	}
	return backAlready
}

// replacedBy returns the ARN of the revision that a service was at before the deployment of another, and whether it had no tasks then.
// attempt is what it ran before an earlier attempt at the release, FAMILY:NUMBER; "": there was none.
func replacedBy(deployed string, s ecsview.Snapshot, attempt string) (before string, empty bool) {
	before = s.TaskDefinition
	if worked := s.Complete(deployed); worked != "" {
		before = worked
	}
	if attempt != "" {
		before = arn.Sibling(deployed, attempt)
	}
	return before, strings.HasSuffix(arn.Family(before), taskdef.TemplateSuffix)
}
