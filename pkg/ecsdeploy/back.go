package ecsdeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/verdict"
)

// quickBack is how long the calls of a way back may take that a run makes which was interrupted.
const quickBack = 4 * time.Second

// goBack puts the service back to what it was before the deployment, unless somebody has changed it since. A run that was interrupted
// does not wait for the end.
func (e *ended) goBack(ctx context.Context) (after fleet.After, revision string, err error) {
	if e.result.End == rollout.EndInterrupted && ctx.Err() == nil {
		end := e.env.Events.Group("Way back of " + e.in.Service)
		_, err := verdict.Follow(ctx, e.env, e.conn.Config, e.result.Target, rollout.Committed(), rollout.Timeout(e.limit))
		e.env.Events.Debugf("what was stopped has ended: %v", err)
		end()
	}
	call := ctx
	if ctx.Err() != nil {
		limited, done := outlive.Cleanup(ctx, quickBack)
		defer done()
		call = limited
	}
	before, empty := replacedBy(e.revision.ARN, e.before, e.replaces)
	name := arn.Revision(before)
	now, err := ecsview.Read(call, e.client, e.in.Cluster, e.in.Service)
	if err != nil {
		return fleet.Stranded, "", fmt.Errorf("reading %s to put it back to %s: %w", e.in.Service, name, awserr.Explain(err))
	}
	var target rollout.Target
	switch wayBackOf(now, e.revision.ARN, e.result.Target.ID, before, empty) {
	case backLeave:
		e.deregister(ctx) // it was taken back all the same
		return fleet.Changed, arn.Revision(now.TaskDefinition), nil
	case backAlready:
		e.deregister(ctx)
		return fleet.Back, name, nil
	case backAwait:
		target, _ = rollout.Attach(e.in.Cluster, e.in.Service, now, before)
	case backUpdate:
		if empty {
			return e.scaleToZero(call, before)
		}
		e.env.Events.Notef("going back to %s", name)
		target, err = e.startBack(call, now, before)
		if overtaken := verdict.Overtaken(err); overtaken != nil {
			return fleet.Changed, "", nil
		}
		if err != nil {
			return fleet.Stranded, "", fmt.Errorf("putting %s back to %s: %w", e.in.Service, name, awserr.Explain(err))
		}
	}
	if ctx.Err() != nil {
		return fleet.GoingBack, name, nil
	}
	result, err := e.followBack(ctx, target, before)
	switch {
	case result.End == rollout.EndInterrupted:
		return fleet.GoingBack, name, nil
	case result.End == rollout.EndSuperseded:
		return fleet.Changed, arn.Revision(result.Serving), nil
	case err != nil:
		return fleet.Stranded, "", fmt.Errorf("putting %s back to %s: %w", e.in.Service, name, err)
	}
	e.deregister(ctx)
	return fleet.Back, name, nil
}

// startBack has the service updated to the version before, which is written down first.
func (e *ended) startBack(ctx context.Context, now ecsview.Snapshot, before string) (rollout.Target, error) {
	e.noted = e.noteBack(ctx, now, before, noteLimit)
	target, err := rollout.Start(ctx, e.client, rollout.Update{Cluster: e.in.Cluster, Service: e.in.Service, TaskDefinition: before,
		Before: now, Patience: e.limit, Clock: e.env.Clock()})
	if err != nil && notSent(err) {
		e.noteOver(ctx, e.noted, e.hold.Last)
	}
	return target, err
}

// followBack follows a way back, and writes down that it has ended.
func (e *ended) followBack(ctx context.Context, target rollout.Target, before string) (rollout.Result, error) {
	end := e.env.Events.Group("Way back to " + arn.Revision(before))
	result, err := verdict.Follow(ctx, e.env, e.conn.Config, target, rollout.Timeout(e.limit), rollout.LeaveOnInterrupt())
	end()
	if isOver(result) {
		over := e.noted
		over.Step = hold.Done
		e.noteOver(ctx, e.noted, over)
	}
	return result, err
}

// scaleToZero takes the tasks of a first release away again.
func (e *ended) scaleToZero(ctx context.Context, before string) (fleet.After, string, error) {
	e.env.Events.Notef("taking the tasks of the first release away again")
	_, err := e.client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String(e.in.Cluster), Service: aws.String(e.in.Service),
		TaskDefinition: aws.String(before), DesiredCount: aws.Int32(0)})
	if err != nil {
		return fleet.Stranded, "", fmt.Errorf("taking the tasks of %s away again: %w", e.in.Service, awserr.Explain(err))
	}
	return fleet.Back, arn.Revision(before) + ", without tasks", nil
}

// deregister deregisters a revision that was made for a release which was taken back, unless tasks of it run on.
func (e *ended) deregister(ctx context.Context) {
	if e.fresh {
		e.discard(ctx, e.revision)
	}
}
