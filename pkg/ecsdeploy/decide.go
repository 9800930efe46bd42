package ecsdeploy

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// step is what a deployment has to do.
type step string

const (
	nothing  step = "nothing"  // this very revision is in force
	follow   step = "follow"   // this very revision is being deployed
	deploy   step = "deploy"   // update the service to a revision that exists
	register step = "register" // register the revision first
)

// decide says what has to be done for the revision to run. existing is the ARN of the registered revision with the wanted
// content, or "". That the service is at the revision is not enough to do nothing: its deployment must be complete and all of
// its tasks running, or what runs is something else.
func decide(s ecsview.Snapshot, existing string, force bool) step {
	if existing == "" {
		return register
	}
	primary := s.Primary()
	if primary == nil || primary.TaskDefinition != existing || force {
		return deploy
	}
	switch types.DeploymentRolloutState(primary.State) {
	case types.DeploymentRolloutStateInProgress:
		return follow
	case types.DeploymentRolloutStateCompleted:
		if s.Running == s.Desired && primary.Running == s.Desired {
			return nothing
		}
	}
	return deploy
}

// todo is what this deployment has to do, as far as it is rendered.
func (d *Deployment) todo() step {
	existing := ""
	if d.existing != nil {
		existing = d.existing.ARN
	}
	return decide(d.before, existing, d.in.Force)
}
