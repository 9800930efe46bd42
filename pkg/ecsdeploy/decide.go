package ecsdeploy

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/taskdef"
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
// content, or "". That the service is at the revision is not enough to do nothing: its deployment must be complete, and its tasks
// must run, or be on their way (or on their way out), since the service is being scaled. If tasks of it fail by their own fault, or
// tasks of another deployment run, what runs is something else, and it is deployed once more.
func decide(s ecsview.Snapshot, existing string, force, failing bool) step {
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
		if all(s, primary) || s.Running == primary.Running && !failing {
			return nothing
		}
	}
	return deploy
}

// all reports whether the tasks that the service wants run, and all of its newest deployment.
func all(s ecsview.Snapshot, primary *ecsview.Deployment) bool {
	return s.Running == s.Desired && primary.Running == s.Desired
}

// recently is how long ago a task may have failed for the service to be called failing. ECS replaces one within some minutes.
const recently = 10 * time.Minute

// completionSlack is how long before its deployment was called complete a task may have failed that nobody has replaced since. What
// failed earlier was replaced, since the deployment would not have completed.
const completionSlack = 30 * time.Second

// fails reports whether tasks of a deployment fail by their own fault: ECS counts failures, or one that it started has failed
// recently. tasks are those that have stopped.
func fails(d ecsview.Deployment, tasks []ecsview.Task, now time.Time) bool {
	return d.Failed > 0 || slices.ContainsFunc(tasks, func(t ecsview.Task) bool {
		ended := t.Ended()
		if ended.IsZero() { // its containers have exited, and ECS has not noticed yet
			ended = now
		}
		return t.StartedBy == d.ID && t.Failed() && now.Sub(ended) < recently && !ended.Before(d.Updated.Add(-completionSlack))
	})
}

// todo is what this deployment has to do, as far as it is rendered.
func (p *plan) todo() step {
	existing := ""
	if p.existing != nil {
		existing = p.existing.ARN
	}
	todo := decide(p.before, existing, p.in.Force, p.failing)
	return deployable(withSettings(todo, len(p.in.Settings.differing(p.service)) > 0), p.existing)
}

// deployable has a revision registered anew that is to be deployed and is not ACTIVE any more: ECS refuses it.
func deployable(todo step, existing *taskdef.Revision) step {
	if todo == deploy && existing != nil && !existing.Active {
		return register
	}
	return todo
}

// hangsOnTasks reports whether what has to be done hangs on why tasks are missing: the revision is in force, and not all of them run.
func hangsOnTasks(s ecsview.Snapshot, existing string, force bool) bool {
	primary := s.Primary()
	return primary != nil && primary.TaskDefinition == existing && !force && !all(s, primary) &&
		types.DeploymentRolloutState(primary.State) == types.DeploymentRolloutStateCompleted
}
