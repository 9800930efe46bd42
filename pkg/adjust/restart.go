package adjust

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Restart is `connect2 restart`.
var Restart = action.Define(action.Meta{
	Name:        "restart",
	Description: "Replace all tasks of a service, or of all services, with new ones of the same revision, and follow that to the end",
	Doc: "The service stays at its revision: ECS starts new tasks, which read secrets and parameters anew, and stops the old ones when " +
		"the new ones are healthy. It is refused while a deployment is under way. With --template what has changed in the template is " +
		"rolled out as well, with the image that runs: that makes a new revision, and goes back as a deployment does where it fails.\n\n" +
		"Of a connect2.yaml with several services all are restarted, in the order of `after`, unless --service names one.",
	Examples: []action.Example{{Title: "Start over", Args: "--environment prod"},
		{Title: "With what has changed in the template", Args: "--environment prod --template"}},
}, runRestart)

// RestartInputs are what restart can be told.
type RestartInputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	Cluster           string        `input:"cluster" required:"true" unless:"file" doc:"The ECS cluster: name or ARN."`
	Service           string        `input:"service" required:"true" unless:"file" doc:"The ECS service: name or ARN, or its name in the file. With file and without service: all services of the file."`
	Template          bool          `input:"template" default:"false" doc:"Roll out what has changed in the template as well, with the image that runs."`
	Timeout           time.Duration `input:"timeout" default:"auto" zero:"auto" min:"1m" max:"24h" doc:"How long it may take. auto is 30 minutes plus the service's own waits."`
}

// RestartOutputs are what came of it.
type RestartOutputs struct {
	action.Outputs
	TaskDefinitionARN string          `output:"task-definition-arn" doc:"The revision that the service is on; empty with several services."`
	Services          json.RawMessage `output:"services" doc:"With several services: a JSON list of the name, service, outcome and revision in force of each; otherwise empty."`
}

func runRestart(ctx context.Context, env *action.Env, in RestartInputs) (RestartOutputs, error) {
	if in.Template {
		deployed, err := ecsdeploy.Run(ctx, env, ecsdeploy.Inputs{Inputs: in.Inputs, Selection: in.Selection, Cluster: in.Cluster,
			Service: in.Service, Image: ecsdeploy.Running, Force: true, Wait: true, Timeout: in.Timeout})
		return RestartOutputs{deployed.Outputs, deployed.TaskDefinitionARN, deployed.Services}, err
	}
	chosen, err := in.Choose(in.Service)
	if err != nil {
		return RestartOutputs{}, awsconn.Refuse(ctx, "Invalid input", err)
	}
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return RestartOutputs{}, err
	}
	if len(chosen.Members) > 1 {
		return restartAll(ctx, env, conn, in, chosen)
	}
	in.Service = chosen.Members[0].Service
	one, err := prepareRestart(ctx, env, conn, in)
	out := RestartOutputs{TaskDefinitionARN: one.now.TaskDefinition}
	if err == nil && one.empty {
		err = refuse("There is nothing to restart", "%s is to have no tasks", one.name())
	}
	if err == nil {
		err = one.run(ctx)
	}
	return out, err
}

// restart is one service that is to be restarted.
type restart struct {
	site
	in    RestartInputs
	limit time.Duration
	empty bool // it is to have no tasks
}

// prepareRestart reads a service and says what keeps it from being restarted.
func prepareRestart(ctx context.Context, env *action.Env, conn *awsconn.Conn, in RestartInputs) (*restart, error) {
	r := &restart{site: site{env: env, conn: conn, client: ecs.NewFromConfig(conn.Config)}, in: in}
	service, err := ecsview.Lookup(ctx, r.client, in.Cluster, in.Service, hold.Unread(env.Events))
	if err != nil {
		return r, awsconn.Refuse(ctx, "The service cannot be worked on", err)
	}
	r.service, r.now = service, ecsview.SnapshotOf(service)
	r.limit, err = rollout.TimeFor(in.Timeout, r.now)
	switch {
	case err != nil:
		return r, refuse("The time is too short", "timeout: %w", err)
	case r.now.Primary().InProgress():
		return r, refuse("A deployment is under way", "%s is being deployed to %s: see how it ends (connect2 status), then restart",
			arn.Revision(r.now.TaskDefinition), r.name())
	}
	r.empty = r.now.Desired == 0
	return r, nil
}

// run replaces the tasks and follows that to its end.
func (r *restart) run(ctx context.Context) error {
	target, err := rollout.Start(ctx, r.client, rollout.Update{Cluster: r.in.Cluster, Service: r.in.Service,
		TaskDefinition: r.now.TaskDefinition, Before: r.now, Patience: r.limit, Clock: r.env.Clock()})
	if err != nil {
		return failed("The service could not be restarted", err)
	}
	r.env.Events.Notef("restarting %s of %s at %s", operate.Count(r.now.Desired, "task"), r.name(), arn.Revision(r.now.TaskDefinition))
	_, err = verdict.Follow(ctx, r.env, r.conn.Config, target, rollout.Timeout(r.limit))
	return err
}

// restartAll restarts several services in their order. What has no tasks is left out. Where one fails, those that come after it are not
// begun; there is no way back, since each stays at its revision.
func restartAll(ctx context.Context, env *action.Env, conn *awsconn.Conn, in RestartInputs,
	chosen project.Chosen) (RestartOutputs, error) {
	sharing := *conn
	sharing.Config = ecsview.Share(conn.Config, conn.Config, env.Clock())
	n := len(chosen.Members)
	services, problems := make([]*restart, n), make([]error, n)
	members, names := fleet.MembersOf(chosen.Members)
	fleet.Each(n, fleet.AtOnce, func(i int) {
		own := in
		own.Service = chosen.Members[i].Service
		services[i], problems[i] = prepareRestart(ctx, env.Lane(names[i]), &sharing, own)
	})
	if err := fleet.Refusal("Nothing was restarted", names, problems); err != nil {
		return RestartOutputs{}, awsconn.Refuse(ctx, "Nothing was restarted", err)
	}
	changed := false
	results := fleet.Run(ctx, members, false, func(ctx context.Context, i int) error {
		if services[i].empty {
			services[i].env.Events.Notef("%s is to have no tasks: there is nothing to restart", services[i].name())
			return nil
		}
		_, end := fleet.Begin(env, names[i])
		err := services[i].run(ctx)
		end("", err)
		return err
	})
	all := make([]fleet.Standing, n)
	for i, result := range results {
		r := services[i]
		all[i] = fleet.Standing{Name: names[i], Service: r.name(), Place: result.Place, Err: result.Err, After: fleet.Arrived,
			Revision: arn.Revision(r.now.TaskDefinition)}
		switch {
		case result.State == fleet.Skipped:
			all[i].After = fleet.Untouched
		case r.empty:
			all[i].After = fleet.Unchanged
		case result.Err != nil:
			all[i].After = fleet.Ended
		}
		changed = changed || all[i].After == fleet.Arrived
	}
	fleet.Tell(env.Events, all)
	interrupted := ctx.Err() != nil && !fleet.EndedWell(all)
	out := RestartOutputs{Services: fleet.JSON(all)}
	out.Outcome = fleet.Outcome(all, interrupted, changed)
	err := fleet.Verdict(all, interrupted, changed)
	var failure *action.Error
	if errors.As(err, &failure) && failure.Advice == "" {
		failure.Advice = "Find out why its new tasks fail (connect2 status), then restart again what is said above, one alone with --service."
	}
	return out, err
}
