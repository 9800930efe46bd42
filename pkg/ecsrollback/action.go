// Package ecsrollback puts an ECS service back to a version that worked: to the newest deployment that succeeded before what
// runs now, or to one that is named.
package ecsrollback

import (
	"context"
	"fmt"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/project"
)

// Action is ecs-rollback, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "ecs-rollback",
	Description: "Puts an Amazon ECS service back to a version that worked, and follows it to the end.",
	Doc: "The target is the newest deployment that succeeded, of another revision, older than the first deployment of what runs now, whose " +
		"image is still there. A deployment that is in progress is stopped with a rollback instead; one that goes back already, begun by " +
		"another run of this action, is followed to its end. What a rollback has brought back is never rolled back to what it left: say where " +
		"to go with --to. The image that was left is put on hold, so that no later run deploys it again.",
	Icon:  "rewind",
	Color: "orange",
	Examples: []action.Example{
		{Title: "Back to the version before",
			Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --reason \"checkout fails\""},
		{Title: "Say what would be done, and why", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --dry-run"},
		{Title: "Back to revision 41", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --to 41"},
	},
}, Run)

// Inputs are what ecs-rollback can be told.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	Cluster           string        `input:"cluster" required:"true" unless:"file" doc:"The ECS cluster: name or ARN."`
	Service           string        `input:"service" required:"true" unless:"file" doc:"The ECS service: name or ARN; or its name in the file. Needed where the file has several."`
	To                string        `input:"to" default:"previous" doc:"Where to go: previous, a revision number, FAMILY:REVISION, an image tag, a commit (7 digits or more), an image digest, or the ARN of a task definition or of a service deployment."`
	Reason            string        `input:"reason" doc:"Why. It is kept in the tags of the service."`
	Hold              string        `input:"hold" default:"image" enum:"image,all,none" doc:"What ecs-deploy and migrate refuse afterwards, until a run with override-hold: the image that was left, all releases, or none."`
	Timeout           time.Duration `input:"timeout" default:"auto" zero:"auto" min:"1m" max:"24h" doc:"How long the rollback may take. auto is 30 minutes, and what the service's own deployment configuration waits."`
	Schedules         []string      `input:"schedules" default:"auto" doc:"Schedules to point at the revision that serves then. auto: those of the service's cluster that run what is left, or what came after the target; none: leave them; or names as ecs-deploy takes them, one per line."`
	DryRun            bool          `input:"dry-run" default:"false" doc:"Say what would be done and why, but change nothing."`
}

// checkService returns what is wrong with the choice of the service: a rollback is of one.
func (in Inputs) checkService() []error {
	if in.Service == "" && in.File != "" {
		return []error{fmt.Errorf("service: %s has several services: name the one to roll back", in.File)}
	}
	return nil
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	TaskDefinitionARN         string `output:"task-definition-arn" doc:"The revision that was gone back to."`
	PreviousTaskDefinitionARN string `output:"previous-task-definition-arn" doc:"The revision that was left."`
	DeploymentARN             string `output:"deployment-arn" doc:"The service deployment that did it, or that was stopped."`
	Digest                    string `output:"digest" doc:"The digest that the first container runs now, where ECS knows it."`
	Commit                    string `output:"commit" doc:"The commit that the version which serves now was made from, where its release has said so."`
	Changed                   bool   `output:"changed" doc:"Whether anything was changed."`
	Cause                     string `output:"cause" doc:"Why the rollback failed, as a stable word; empty otherwise."`
}

// Run rolls back.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	rollback, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	return rollback.Execute(ctx)
}
