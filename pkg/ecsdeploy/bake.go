package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/bake"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Bake is what is watched after the deployment is complete.
type Bake struct {
	For    time.Duration `input:"bake" default:"0s" max:"2h" doc:"How long to keep watching after the deployment is complete: failing tasks, target health, HTTP 5xx and latency of the service's target groups against the hour before, alarms, and a probe. If anything goes wrong, the deployment is rolled back. The bake is not part of timeout. A run that is cancelled during it leaves the release in place. The service's own bake time counts towards it. 0s: no bake."`
	Alarms []string      `input:"alarms" doc:"Names of CloudWatch alarms that end the bake when they go off. Alarms that the service's own deployments watch are always watched."`
	Probe  string        `input:"probe" doc:"A URL that must answer during the bake, with a status below 400, within 10 seconds. It may be followed by status=200, within=2s and, last of all, text=WORDS that the answer must contain. It is judged only if it was good before the deployment."`
}

// problems returns what is wrong with the inputs of a bake by themselves.
func (b Bake) problems(wait bool) (problems []error) {
	switch {
	case b.For == 0 && (len(b.Alarms) > 0 || b.Probe != ""):
		problems = append(problems, errors.New("bake: alarms and probe are given, and no time to watch them in"))
	case b.For > 0 && b.For < 2*time.Minute:
		problems = append(problems, fmt.Errorf("bake: %s is too short to see a whole minute of traffic: give at least 2m", b.For))
	case b.For > 0 && !wait:
		problems = append(problems, errors.New("bake: needs wait: true, since it begins when the deployment is complete"))
	}
	if b.Probe != "" {
		if _, err := bake.ParseProbe(b.Probe); err != nil {
			problems = append(problems, fmt.Errorf("probe: %w", err))
		}
	}
	return problems
}

// bakePlan is what is watched: the alarms of the service's own deployments too, each once.
func (c *current) bakePlan() bake.Plan {
	plan := bake.Plan{For: c.in.Bake.For, Alarms: slices.Concat(c.in.Bake.Alarms, ecsview.WatchedAlarms(c.service)),
		Probes: c.in.Bake.Probe != "", Events: c.env.Events, Clock: c.env.Clock()}
	slices.Sort(plan.Alarms)
	plan.Alarms = slices.Compact(plan.Alarms)
	return plan
}

func (c *current) bakeReads() bake.Reads {
	read := bake.Reads{
		Service: func(ctx context.Context) (ecsview.Snapshot, error) {
			return ecsview.Read(ctx, c.client, c.in.Cluster, c.in.Service)
		},
		Stopped: ecsview.NewTaskReader(c.client, c.in.Cluster, c.in.Service).Stopped,
		Targets: bake.Health(c.conn.Config, c.before.TargetGroups),
		Minutes: bake.Traffic(c.conn.Config, c.before.TargetGroups),
		Alarms:  bake.Alarms(c.conn.Config),
	}
	if probe, err := bake.ParseProbe(c.in.Bake.Probe); err == nil {
		read.Probe = probe.Ask(c.conn.Transport)
	}
	return read
}

// lookBefore reads how alarms and probe are before the deployment, and refuses alarms that do not exist.
func (c *current) lookBefore(ctx context.Context) (before bake.Before, problems []error) {
	if c.in.Bake.For == 0 {
		return before, nil
	}
	before, missing := bake.Look(ctx, c.bakeReads(), c.bakePlan())
	for _, name := range missing {
		if slices.Contains(c.in.Bake.Alarms, name) {
			problems = append(problems, fmt.Errorf("alarms: there is no CloudWatch alarm %q in %s", name, c.conn.Region))
		}
	}
	return before, problems
}

// nativeBake is how long the service's own deployments bake after the traffic is shifted. A rolling one does where alarms watch it, and
// for less than 5 minutes that ECS chooses where it does not say how long: that is not taken off.
func nativeBake(c *types.DeploymentConfiguration) time.Duration {
	switch {
	case c == nil:
		return 0
	case (c.Strategy == "" || c.Strategy == types.DeploymentStrategyRolling) && (c.Alarms == nil || !c.Alarms.Enable):
		return 0
	}
	return time.Duration(aws.ToInt32(c.BakeTimeInMinutes)) * time.Minute
}

// bake goes on watching a deployment that is complete, and takes it back where something goes wrong.
func (e *ended) bake(ctx context.Context, out *Outputs) error {
	primary := e.result.Last.Primary()
	if e.in.Bake.For == 0 || primary == nil || e.wants() == 0 {
		return nil
	}
	events := e.env.Events
	began := primary.Created
	if began.IsZero() {
		began = e.result.Started
	}
	end := events.Group(fmt.Sprintf("Bake of %s for %s", e.revision.Name(), e.in.Bake.For))
	complete := e.env.Clock().Now().Add(-nativeBake(e.service.DeploymentConfiguration))
	plan := e.bakePlan()
	if own := e.result.Last.Own; own != nil { // what has ended in our future shows that our clock is slow
		plan.Ahead = max(0, own.Finished.Sub(e.env.Clock().Now()))
	}
	baked := bake.Watch(ctx, e.bakeReads(), plan, e.earlier, primary.ID, began, complete)
	var list [][]record.Text
	for _, note := range baked.Notes {
		events.Notef("%s", note)
		list = append(list, []record.Text{{Text: note}})
	}
	end()
	events.Section(record.Section{Name: "bake", Title: "Bake: " + string(baked.End), Blocks: []record.Block{{List: list}}})
	switch baked.End {
	case bake.Passed:
		events.Notef("nothing went wrong in the %s after the deployment", e.in.Bake.For)
		return nil
	case bake.Superseded:
		return &action.Error{Outcome: action.Superseded, Title: "A newer deployment took over during the bake",
			Err: fmt.Errorf("the deployment of %s was complete, and another one replaced it", e.revision.Name())}
	case bake.Left:
		return &action.Error{Outcome: action.Cancelled, Title: "Interrupted during the bake", Err: context.Cause(ctx),
			Advice: fmt.Sprintf("The deployment of %s was complete and stays. Whether it would have gone wrong is not known.", e.revision.Name())}
	}
	out.Cause = baked.Finding.Code
	return e.takeBack(ctx, e.disposable, *baked.Finding)
}

// quickTakeBack is how long the look at the service and the update may take by which a run that was interrupted takes a release back.
const quickTakeBack = 1500 * time.Millisecond

// takeBack puts the version before back after a bake that failed. What was begun is not given up when the run is interrupted: that would
// bring the release back that failed.
func (e *ended) takeBack(ctx context.Context, disposable bool, finding record.Finding) error {
	previous := e.result.Target.Previous
	stuck := func(err error) error {
		return &action.Error{Outcome: action.Stuck, Title: finding.Title, Finding: &finding, Err: err,
			Advice: fmt.Sprintf("Act now: look at service %s, and deploy a version that is known to work (ecs-rollback with `to`).", e.in.Service)}
	}
	if previous == "" {
		return stuck(fmt.Errorf("%s went wrong after its deployment, and %w", e.revision.Name(), rollout.ErrNoWayBack))
	}
	e.env.Events.Warnf("The release is taken back", "%s: going back to %s", finding.Title, arn.Revision(previous))
	call := ctx
	if ctx.Err() != nil {
		limited, done := outlive.Cleanup(ctx, quickTakeBack)
		defer done()
		call = limited
	}
	now, err := ecsview.Read(call, e.client, e.in.Cluster, e.in.Service)
	if err != nil {
		return stuck(fmt.Errorf("the service could not be read to take %s back: %w", e.revision.Name(), awserr.Explain(err)))
	}
	target, err := e.startBack(call, now, previous)
	if err != nil {
		return stuck(fmt.Errorf("%s could not be taken back: %w", e.revision.Name(), awserr.Explain(err)))
	}
	result, err := e.followBack(ctx, target, previous)
	switch {
	case result.End == rollout.EndInterrupted:
		return &action.Error{Outcome: action.Cancelled, Title: "The run was interrupted", Finding: &finding,
			Err: fmt.Errorf("%s: the service was told to go back to %s, and that is not waited for: %w", finding.Title, arn.Revision(previous),
				action.ErrInterrupted),
			Advice: "Look whether it has arrived: connect2 status."}
	case err != nil:
		return stuck(fmt.Errorf("%s was to be taken back to %s: %w", e.revision.Name(), arn.Revision(previous), err))
	}
	e.env.Events.Fact("Serving now", record.Text{Text: arn.Revision(previous), Form: record.Code})
	if disposable {
		e.discard(ctx, e.revision)
	}
	return &action.Error{Outcome: action.RolledBack, Title: finding.Title, Finding: &finding,
		Err: fmt.Errorf("%s went wrong after its deployment was complete, and the service is back on %s", e.revision.Name(),
			arn.Revision(previous))}
}
