// Package status tells what a service runs and how it is doing: the first look of whoever is woken up at night. It reads and
// changes nothing.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/operate"
)

// Action is `connect2 status`. It is a command for a terminal or a step of a workflow, and has no action.yml.
var Action = action.Define(action.Meta{
	Name:        "status",
	Looks:       true,
	Description: "Show what a service runs, how it is doing, why its tasks fail, and what a rollback would go back to",
	Doc: "One look at an ECS service: the revision, image and commit that run, a deployment or rollback that is under way, a hold, the last " +
		"ten deployments with their outcome and duration, its tasks, the alarms of the service and its environment, the schedules that run " +
		"its family with their next run, and what a rollback would go back to. Where tasks " +
		"have failed within the last hour, or are unhealthy, the cause is shown with its evidence and its fix. It changes nothing, and " +
		"ends with 0 whatever it finds: the output state is for scripts.",
	Examples: []action.Example{
		{Title: "How is it doing?", Args: "--cluster connect2-api-cluster-prod --service connect2-api-service-prod"},
		{Title: "The same for a script", Args: "--cluster connect2-api-cluster-prod --service connect2-api-service-prod --json"},
	},
}, Run)

// Inputs are what status can be told.
type Inputs struct {
	awsconn.Inputs `group:"AWS"`
	Cluster        string `input:"cluster" required:"true" doc:"The ECS cluster: name or ARN."`
	Service        string `input:"service" required:"true" doc:"The ECS service: name or ARN."`
	Watch          bool   `input:"watch" short:"w" default:"false" doc:"Look again every few seconds, until Ctrl-C."`
}

// Outputs are what was found.
type Outputs struct {
	action.Outputs
	State             State           `output:"state" doc:"steady, deploying, rolling-back, degraded or empty."`
	TaskDefinitionARN string          `output:"task-definition-arn" doc:"The revision that the service is on."`
	Image             string          `output:"image" doc:"The image of its main container."`
	ImageTag          string          `output:"image-tag" doc:"The tag it was deployed by, if a release recorded it."`
	By                string          `output:"by" doc:"Who released it, if a release recorded it."`
	Run               string          `output:"run" doc:"The URL of the run that released it, if a release recorded it."`
	Since             string          `output:"since" doc:"When the deployment in force was created, such as 2026-01-02T15:04:05Z."`
	Commit            string          `output:"commit" doc:"The commit it was released from, if a release recorded it."`
	Running           int             `output:"running" doc:"How many tasks run, over all deployments."`
	Desired           int             `output:"desired" doc:"How many should run."`
	FailedTasks       int             `output:"failed-tasks" doc:"How many tasks of the current deployment failed within the last hour."`
	Cause             string          `output:"cause" doc:"Why they failed, as a stable word; empty if none did or the reason is unknown."`
	Tasks             json.RawMessage `output:"tasks" doc:"The tasks that run or are starting: id, arn, revision, zone, status, health, age in seconds."`
	Deployments       json.RawMessage `output:"deployments" doc:"The last ten deployments, newest first: when, revision, outcome, duration in seconds, why."`
	Scaling           json.RawMessage `output:"scaling" doc:"The limits of its scalable target, min and max; null if nothing scales it or they could not be read."`
	Alarms            []string        `output:"alarms" doc:"The CloudWatch alarms that its deployments watch."`
	AlarmStates       json.RawMessage `output:"alarm-states" doc:"These and the environment's (by name prefix), those that went off first: name, state (OK, ALARM, INSUFFICIENT_DATA, MISSING), since, reason, description, watched; null if they could not be read."`
	Schedules         json.RawMessage `output:"schedules" doc:"The schedules of its cluster that run its family: name, revision, whether that revision is in force, when it runs next."`
	DeploymentARN     string          `output:"deployment-arn" doc:"The service deployment in progress; empty if there is none."`
	Hold              string          `output:"hold" doc:"What is on hold since a rollback: all, or digests; empty if nothing is."`
	HoldReason        string          `output:"hold-reason" doc:"Why, or since when, something is on hold."`
	Events            json.RawMessage `output:"events" doc:"What ECS said last, if something is not as it should be."`
	Failure           json.RawMessage `output:"failure" doc:"About tasks that failed within the last hour, or are unhealthy: tasks, cause, title, evidence, fix; null if there are none."`
	Console           string          `output:"console" doc:"The service's page in the AWS console."`
	Rollback          string          `output:"rollback" doc:"What a rollback to previous would do, in words."`
	RollbackTarget    string          `output:"rollback-target" doc:"The revision that a rollback to previous would choose; empty if it would ask. Whether its image still exists is not checked."`
}

// between is the time between two looks of --watch.
const between = 5 * time.Second

// window is how far back failed tasks are of interest. ECS itself forgets stopped tasks after about an hour.
const window = time.Hour

// Run looks and tells.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	out := operate.Out(env)
	for shown := false; ; shown = true {
		found, err := look(ctx, env.Events, conn, in, env.Clock().Now())
		if err != nil && shown && ctx.Err() != nil {
			return Outputs{}, nil //nolint:nilerr // it was watched for as long as somebody wanted
		}
		if err != nil {
			return Outputs{}, awsconn.Refuse(ctx, "The service could not be read", err)
		}
		report := found.report(env.Screen)
		switch {
		case in.Watch && env.Screen.Width != nil:
			report = clearScreen + report
		case shown:
			report = "\n" + report
		}
		if _, err := io.WriteString(out, report); err != nil {
			return found.outputs(), fmt.Errorf("writing the report to standard output: %w", err)
		}
		if !in.Watch {
			found.tell(env.Events)
			return found.outputs(), nil
		}
		if env.Clock().Sleep(ctx, between) != nil {
			return found.outputs(), nil //nolint:nilerr // it was watched for as long as somebody wanted
		}
	}
}

// clearScreen makes a terminal empty and puts its cursor into the corner.
const clearScreen = "\x1b[H\x1b[2J"
