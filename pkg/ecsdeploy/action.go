// Package ecsdeploy deploys an image to an ECS service and follows the deployment to its own end: it renders the task
// definition, registers it where it differs, updates the service, tells what happens, explains a failure, and leaves the
// service on the last version that worked.
package ecsdeploy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/project"
)

// Action is ecs-deploy, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "ecs-deploy",
	Description: "Deploy an image to an Amazon ECS service, follow it to the end, and say why if it fails.",
	Doc: "The latest revision of the family NAME-template (or, where there is none, the revision that runs) is rendered with the image, " +
		"pinned to its digest, into the family NAME; it is registered only where its content is new. Then the service is updated and its own " +
		"deployment followed: exit 0 means that this very deployment succeeded. What ecs-rollback has put on hold is refused. A deployment " +
		"that fails is explained and rolled back, and an " +
		"interrupted run asks ECS to roll back. With file, and without service, all services of the file are deployed, as a release does it.",
	Icon:  "upload-cloud",
	Color: "orange",
	Examples: []action.Example{
		{Title: "Deploy a tag that is in the service's repository",
			Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image v1.2.3"},
		{Title: "See what would change", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image v1.2.3 --dry-run"},
		{Title: "Roll out a change of the template with the image that runs",
			Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev --image running"},
	},
}, Run)

// Inputs are what ecs-deploy can be told.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	commits.Order
	Cluster        string            `input:"cluster" required:"true" unless:"file" doc:"The ECS cluster: name or ARN."`
	Service        string            `input:"service" required:"true" unless:"file" doc:"The ECS service: name or ARN, or its name in the file. With file and without service: all services of the file."`
	Image          string            `input:"image" doc:"The image to deploy: a full reference, REPOSITORY@sha256:…, a tag or a digest. What is left out is taken from the template's image, or, if that is a placeholder such as nginx:latest, from the image that runs. running: the image that runs. Needed unless task-definition or images is given."`
	Container      string            `input:"container" alias:"container-name" doc:"The container that gets the image. Empty: the only one, or the only essential one."`
	TaskDefinition string            `input:"task-definition" alias:"task-definition-arn,task-definition-family" path:"read" doc:"What to render instead of NAME-template: a JSON file, a family, FAMILY:REVISION or an ARN."`
	Environment    map[string]string `input:"environment-variables" doc:"Environment variables to set in the container, KEY=value lines. Values are never printed, but passwords still belong in secrets."`
	OverrideHold   bool              `input:"override-hold" default:"false" doc:"Deploy even if the service was rolled back from this image, or is on hold, and lift that hold."`
	Force          bool              `input:"force" default:"false" alias:"force-new-deployment" doc:"Deploy even if this very revision is in force already."`
	Wait           bool              `input:"wait" default:"true" alias:"wait-for-service-stability" doc:"Follow the deployment to its end. Without this, a failure is neither noticed nor explained."`
	Timeout        time.Duration     `input:"timeout" default:"auto" zero:"auto" min:"1m" max:"24h" alias:"wait-for-minutes(m)" doc:"How long the deployment may take. After that it is rolled back. auto is 30 minutes plus the waits of the service's own deployment configuration: the steps of LINEAR and CANARY, and the bake time. The clock stops while a pause hook waits for somebody."`
	EarlyAbort     string            `input:"early-abort" default:"auto" enum:"auto,off" doc:"auto stops a deployment before the circuit breaker does: as soon as its tasks fail for a reason that cannot go away by itself (a missing image, secret, variable or command), or have failed in the same way in two waves. off leaves that to ECS and to timeout."`
	Queue          time.Duration     `input:"queue" default:"0s" max:"24h" doc:"How long to wait first for a deployment in progress to end. 0s: replace it at once, as a release should."`
	Verify         string            `input:"verify" default:"false" enum:"true,false,only" doc:"true checks, before anything is changed, whether the tasks would start: images for their platform, secrets and parameters, log groups, free addresses in the subnets, and (by simulation) the execution role. What certainly does not exist is refused; what may not be read is not checked. only checks and changes nothing."`
	DryRun         bool              `input:"dry-run" default:"false" doc:"Check everything and print what would change, but change nothing."`
	RenderOnly     string            `input:"render-only" path:"write" doc:"Write the rendered task definition to this file, as RegisterTaskDefinition takes it, and change nothing. The file contains the values of environment variables."`
	RegisterOnly   bool              `input:"register-only" default:"false" doc:"Register the rendered task definition if its content is new, and leave the service unchanged."`
	Edits
	Bake
	Schedules
	Settings
	Revisions
	Together string `input:"together" enum:"true,false" doc:"With several services: if one of them fails, roll back every service that this run has changed, each to its state before, unless somebody has changed it since. true if neither this nor the file says otherwise."`

	// ImageLater says that the image is not known yet: a release pushes it after everything was checked, and then calls
	// Deployment.SetImages. ImagesLater are the keys of Images of which that holds. Neither is an input.
	ImageLater  bool
	ImagesLater []string

	// OfFile is what the file says of all that is released; nil without one. It is not an input.
	OfFile *project.Chosen
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := slices.Concat(in.Inputs.Validate(), in.Order.Problems())
	problems = append(problems, in.checkEdits()...)
	problems = append(problems, in.Bake.problems(in.Wait)...)
	problems = append(problems, in.checkSchedules()...)
	problems = append(problems, in.checkRevisions()...)
	problems = append(problems, in.checkSettings()...)
	if err := in.checkImage(); err != nil {
		problems = append(problems, err)
	}
	return problems
}

// Running is what the input image says for the image that runs.
const Running = "running"

// checkImage refuses an image that is not given. It is empty by accident more often than not (a step that was skipped, an output that
// was blanked), and deploying what runs already would then be green.
func (in Inputs) checkImage() error {
	if in.Image != "" || in.TaskDefinition != "" || in.pushesLater() || len(in.Images) > 0 {
		return nil
	}
	return errors.New("image: is empty: was the step skipped that gives it, or its output blanked? " +
		"To deploy the image that runs, with a changed template, write " + Running)
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	TaskDefinitionARN         string `output:"task-definition-arn" doc:"The revision that was deployed or registered, or that is in force already."`
	TaskDefinition            string `output:"task-definition" doc:"The file that render-only wrote."`
	PreviousTaskDefinitionARN string `output:"previous-task-definition-arn" doc:"The revision that ran before."`
	DeploymentARN             string `output:"deployment-arn" doc:"The service deployment, if the account has that API."`
	Image                     string `output:"image" doc:"The image that was deployed, pinned to its digest."`
	Digest                    string `output:"digest" doc:"The digest of the image; empty if it could not be resolved."`
	Changed                   bool   `output:"changed" doc:"Whether a deployment was started."`
	Cause                     string `output:"cause" doc:"Why the deployment failed, as a stable word such as image-not-found; empty otherwise."`

	Services json.RawMessage `output:"services" doc:"With several services: a JSON list of the name, service, outcome and revision in force of each; otherwise empty."`
}

// Run deploys.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	if err := in.checkImage(); err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "Invalid input", err)
	}
	if in.VerifiesOnly() {
		in.DryRun, in.Queue, in.RegisterOnly, in.RenderOnly = true, 0, false, ""
	}
	chosen, err := in.Choose(in.Service)
	if err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "Invalid input", err)
	}
	in.OfFile = &chosen
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
	if err := queue(ctx, env, ecs.NewFromConfig(conn.Config), in); err != nil {
		return Outputs{}, err
	}
	deployment, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	return deployment.Execute(ctx)
}
