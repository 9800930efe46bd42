package ecsrollback

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Execute does what Prepare decided and follows it. The outputs are what is known in every case.
func (r *Rollback) Execute(ctx context.Context) (Outputs, error) {
	out := Outputs{PreviousTaskDefinitionARN: r.before.TaskDefinition, Digest: r.digest}
	if r.revision != nil {
		out.TaskDefinitionARN = r.revision.ARN // the dry run's as well
	}
	r.tellPlan()
	switch {
	case r.in.DryRun:
		out.Outcome = action.Succeeded
		return out, nil
	case r.plan == stay:
		out.Outcome = action.NoChange
		return out, nil
	case r.plan == stopRunning, r.plan == awaitOther:
		return r.endRunning(ctx, out)
	default:
		return r.goBack(ctx, out)
	}
}

// goBack updates the service to the earlier revision.
func (r *Rollback) goBack(ctx context.Context, out Outputs) (Outputs, error) {
	if r.needsCopy() {
		if err := r.registerCopy(ctx); err != nil {
			return out, awserr.Explain(err)
		}
	}
	out.TaskDefinitionARN, out.Digest = r.revision.ARN, r.digest
	target, err := r.start(ctx)
	if err != nil {
		outcome := action.OutcomeAfterChange(err)
		if awserr.IsDenied(err) {
			outcome = action.Failed // the service is as it was
		}
		return out, &action.Error{Outcome: outcome, Title: "The service could not be updated", Err: awserr.Explain(err)}
	}
	out.Changed = true
	r.note(ctx, r.revision.ARN)
	end := r.env.Log.Group(fmt.Sprintf("Rollback of %s to %s", r.in.Service, r.revision.Name()))
	result, err := verdict.Follow(ctx, r.env, r.conn.Config, target, rollout.Timeout(r.in.Timeout), rollout.LeaveOnInterrupt())
	end()
	verdict.Report(r.env.Events, result)
	out.Outcome, out.DeploymentARN, out.Cause = action.OutcomeOf(err), result.Target.ServiceDeployment, verdict.Cause(result)
	return out, err
}

// start begins the deployment of the revision, or takes up the one that is under way.
func (r *Rollback) start(ctx context.Context) (rollout.Target, error) {
	primary := r.before.Primary()
	if primary.InProgress() {
		if target, ok := rollout.Attach(r.in.Cluster, r.in.Service, r.before, r.revision.ARN); ok {
			r.env.Log.Eventf("%s is being deployed already: following that deployment", r.revision.Name())
			return target, nil
		}
	}
	target, err := rollout.Start(ctx, r.client, r.in.Cluster, r.in.Service, r.before, r.revision.ARN)
	if err == nil {
		r.env.Log.Eventf("updated service %s to %s", r.in.Service, r.revision.Name())
	}
	return target, err
}

// registerCopy registers the content of the revision anew, where the revision itself cannot be deployed.
func (r *Rollback) registerCopy(ctx context.Context) error {
	document := r.document.Registrable()
	copied, err := taskdef.Register(ctx, r.client, document, map[string]string{
		taskdef.ContentTag: document.ContentHash(),
		"connect2:copy-of": taskdef.TagValue(r.revision.Name()),
	})
	if err != nil {
		return err
	}
	awserr.Optional(r.env.Log.Sink(), "The tags of the new revision", copied.Untagged)
	why := "which is INACTIVE"
	if r.revision.Active {
		why = "pinned to the digests that it ran"
	}
	r.env.Log.Eventf("registered %s as a copy of %s, %s", copied.Name(), r.revision.Name(), why)
	r.revision = copied
	return nil
}

// endRunning stops the deployment that is in progress and follows its rollback, or only follows one that goes on already.
func (r *Rollback) endRunning(ctx context.Context, out Outputs) (Outputs, error) {
	target, ok := r.running()
	if !ok {
		return out, fmt.Errorf("service %s lists no deployment to stop", r.in.Service)
	}
	out.DeploymentARN = r.stop
	if r.plan == stopRunning {
		err := rollout.RequestRollback(ctx, r.client, r.stop)
		if before := r.before.Worked(); (awserr.IsDenied(err) || awserr.IsUnsupported(err)) && before != target.TaskDefinition {
			awserr.Optional(r.env.Log.Sink(), "Stopping the deployment in progress (it is replaced by an update instead)", err)
			if err := r.goTo(ctx, before, nil); err != nil {
				return out, awserr.Explain(err)
			}
			return r.goBack(ctx, out)
		}
		var over *types.ConflictException // it has ended meanwhile: following it tells how
		if err != nil && !errors.As(err, &over) {
			return out, &action.Error{Outcome: action.OutcomeAfterChange(err), Title: "The deployment could not be stopped",
				Err: awserr.Explain(err)}
		}
		out.Changed = true
		r.env.Log.Eventf("asked ECS to stop the deployment of %s and to roll back", arn.Revision(target.TaskDefinition))
		r.note(ctx, r.before.Worked())
	}
	end := r.env.Log.Group("Rollback of " + r.in.Service)
	result, err := verdict.Follow(ctx, r.env, r.conn.Config, target, rollout.Timeout(r.in.Timeout), rollout.RollbackTimeout(r.in.Timeout), rollout.Committed())
	end()
	verdict.Report(r.env.Events, result)
	phase := result.Verdict.Phase
	if phase == rollout.Succeeded && r.stop == "" {
		phase = rollout.RolledBack // without the API, what is followed is the deployment that is being put back
	}
	switch phase {
	case rollout.RolledBack:
		out.Outcome, out.TaskDefinitionARN = action.Succeeded, result.Serving
		return out, nil
	case rollout.Succeeded:
		return r.tooLate(ctx, out)
	}
	out.Outcome = action.OutcomeOf(err)
	return out, err
}

// running returns the deployment that is in progress as something to follow.
func (r *Rollback) running() (rollout.Target, bool) {
	primary := r.before.Primary()
	if primary == nil {
		return rollout.Target{}, false
	}
	taskDefinition := primary.TaskDefinition
	for _, d := range r.deployments {
		if d.ARN == r.stop && d.TaskDefinition != "" {
			taskDefinition = d.TaskDefinition
		}
	}
	target := rollout.Target{Cluster: r.in.Cluster, Service: r.in.Service, TaskDefinition: taskDefinition, ServiceDeployment: r.stop}
	for _, d := range r.before.Deployments {
		if d.TaskDefinition == taskDefinition && target.ID == "" {
			target.ID, target.Created = d.ID, d.Created
			continue
		}
		target.Known = append(target.Known, d.ID)
	}
	return target, true
}

// tooLate goes back by history where the deployment arrived before the stop did.
func (r *Rollback) tooLate(ctx context.Context, out Outputs) (Outputs, error) {
	r.env.Log.Eventf("the deployment had arrived before it could be stopped: going back by history")
	again, err := Prepare(ctx, r.env, r.conn, r.in)
	if err != nil {
		return out, err
	}
	if again.plan != update {
		return out, action.Failf(action.Failed,
			"the deployment of service %s arrived before it could be stopped, and another is in progress since", r.in.Service)
	}
	return again.Execute(ctx)
}
