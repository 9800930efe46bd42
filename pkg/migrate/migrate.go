// Package migrate runs a service's database migrations as a task of their own: in the service's network, with the release's
// image, before that image serves. It follows the task's log to the last line and passes its exit code on.
package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Inputs are the inputs of the action.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	commits.Order
	Cluster      string        `input:"cluster" required:"true" unless:"file" doc:"ECS cluster of the service: its name or ARN."`
	Service      string        `input:"service" required:"true" unless:"file" doc:"ECS service whose network, platform and capacity settings the task gets. With file: its migrate.service."`
	Image        string        `input:"image" required:"true" doc:"Image with the migrations: a full reference, repository@sha256:…, a tag or a digest; what is left out is taken from the template's image, or, if that is a placeholder such as nginx:latest, from the image that runs. running: the image that runs."`
	Container    string        `input:"container" doc:"Container that runs the command. Not needed if the task definition has only one container, or only one essential one."`
	Command      string        `input:"command" alias:"migrate-command" default:"alembic upgrade head" doc:"The migration command: words split as a shell would, without expansion, or a JSON array of strings. For pipes and variables write: sh -c '…'."`
	OverrideHold bool          `input:"override-hold" default:"false" doc:"Run them even if the service was rolled back from this image, or is on hold. The hold itself stays; ecs-deploy lifts it."`
	Timeout      time.Duration `input:"timeout" default:"15m" min:"10s" max:"24h" doc:"How long the migration may take; then its task is stopped."`
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := slices.Concat(in.Inputs.Validate(), in.Order.Problems())
	if in.Service == "" && in.File != "" {
		problems = append(problems, action.Missing("service", in.File+" has several services, and does not say which one "+
			"migrates: name one, or write migrate: {service: NAME} there"))
	}
	if _, err := taskdef.SplitCommand(in.Command); err != nil {
		problems = append(problems, fmt.Errorf("command: %w", err))
	}
	return problems
}

// Outputs are the outputs of the action.
type Outputs struct {
	action.Outputs
	ExitCode          *int   `output:"exit-code" doc:"Exit code of the command; empty if it never ran."`
	Image             string `output:"image" doc:"The image that was run, by digest."`
	TaskARN           string `output:"task-arn" doc:"ARN of the task; empty if none was started."`
	TaskDefinitionARN string `output:"task-definition-arn" doc:"ARN of the revision that the task ran."`
	Cause             string `output:"cause" doc:"Stable identifier of the root cause of a failure, such as app-exit or image-not-found."`
}

// Action is the action.
var Action = action.Define(action.Meta{
	Name:        "migrate",
	Description: "Run a service's database migrations as a one-off ECS task with the new image.",
	Doc: `Runs a command (by default "alembic upgrade head") as a task of its own, with the settings of the service and the image of the
release, shows its log to the last line, and passes its exit code on. A task that was stopped before the command had come to its own
end is a failure, whatever its exit code. One migration runs at a time. A task that is cancelled or takes too
long is stopped. What ecs-rollback has put on hold is refused. The service itself is not touched.`,
	Icon: "database", Color: "blue",
	Examples: []action.Example{
		{Title: "Run the migrations of a tag", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image v1.2.3"},
		{Title: "See what would be " +
			"migrated", Args: `--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image v1.2.3 --command "alembic current --verbose"`},
		{Title: "Two " +
			"commands", Args: `--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image v1.2.3 --command "sh -c 'alembic upgrade head && python -m app.seed'"`},
	},
}, Run)

// Run connects, checks everything, and runs the migration.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	plan, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	return plan.Execute(ctx, env)
}
