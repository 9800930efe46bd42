// Package ecsrollback puts an ECS service back to a version that worked: to the newest deployment that succeeded before what
// runs now, or to one that is named.
package ecsrollback

import (
	"context"
	"encoding/json"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/project"
)

// Action is ecs-rollback, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "ecs-rollback",
	Description: "Put an Amazon ECS service back to a version that worked, and follow it to the end.",
	Doc: "The target is the newest deployment that succeeded, of another revision, older than the first deployment of what runs now, whose " +
		"image is still there. A deployment that is in progress is stopped with a rollback instead; one that goes back already, begun by " +
		"another run of this action, is followed to its end. What a rollback has brought back is never rolled back to what it left: say where " +
		"to go with --to. The image that was left is put on hold, so that no later run deploys it again.\n\n" +
		"With a connect2.yaml that has several services, and without service, all that the newest release has changed go back, in the reverse " +
		"order of `after`; all are checked before the first is changed. Where one cannot go back, the verdict says what each service is on.",
	Icon:  "rewind",
	Color: "orange",
	Examples: []action.Example{
		{Title: "Back to the version before",
			Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --reason \"checkout fails\""},
		{Title: "Say what would be done, and why", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --dry-run"},
		{Title: "All services of a connect2.yaml", Args: "--file connect2.yaml --environment dev --reason \"checkout fails\""},
		{Title: "Back to revision 41", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --to 41"},
	},
}, Run)

// Inputs are what ecs-rollback can be told.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	Cluster           string        `input:"cluster" required:"true" unless:"file" doc:"The ECS cluster: name or ARN."`
	Service           string        `input:"service" required:"true" unless:"file" doc:"The ECS service: name or ARN, or its name in the file. With file and without service: all services of the file."`
	To                string        `input:"to" default:"previous" doc:"What to go back to: previous, a revision number, FAMILY:REVISION, an image tag, a commit (7 digits or more), an image digest, or the ARN of a task definition or of a service deployment. For several services: previous, a tag, a commit or a digest."`
	Reason            string        `input:"reason" doc:"Why. It is kept in the service's tags."`
	Hold              string        `input:"hold" default:"image" enum:"image,all,none" doc:"What ecs-deploy and migrate refuse afterwards, until a run with override-hold: the image that was rolled back, all releases, or none."`
	Timeout           time.Duration `input:"timeout" default:"auto" zero:"auto" min:"1m" max:"24h" doc:"How long the rollback may take. auto is 30 minutes plus the waits of the service's own deployment configuration."`
	Schedules         []string      `input:"schedules" default:"auto" doc:"Schedules to point at the revision that is in force afterwards. auto: those of the service's cluster that run the revision rolled back, or one newer than the target; none: leave them; or names as ecs-deploy takes them, one per line."`
	DryRun            bool          `input:"dry-run" default:"false" doc:"Say what would be done and why, but change nothing."`
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	TaskDefinitionARN         string `output:"task-definition-arn" doc:"The revision that the service was put back to."`
	PreviousTaskDefinitionARN string `output:"previous-task-definition-arn" doc:"The revision that was rolled back."`
	DeploymentARN             string `output:"deployment-arn" doc:"The service deployment that rolled back, or that was stopped."`
	Digest                    string `output:"digest" doc:"The digest that the first container runs now, if ECS knows it. With several services: if all that went back have the same."`
	Commit                    string `output:"commit" doc:"The commit of the version now in force, if its release recorded it. With several services: if all that went back have the same."`
	Changed                   bool   `output:"changed" doc:"Whether anything was changed."`
	Cause                     string `output:"cause" doc:"Why the rollback failed, as a stable word; empty otherwise."`

	Services json.RawMessage `output:"services" doc:"With several services: a JSON list of the name, service, outcome and revision in force of each; otherwise empty."`
}

// Run rolls back.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	chosen, err := in.Choose(in.Service)
	if err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "Invalid input", err)
	}
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	if len(chosen.Members) > 1 {
		all, err := PrepareFleet(ctx, env, conn, in, chosen)
		if err != nil {
			return Outputs{}, err
		}
		return all.Execute(ctx)
	}
	in.Service = chosen.Members[0].Service
	rollback, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	return rollback.Execute(ctx)
}
