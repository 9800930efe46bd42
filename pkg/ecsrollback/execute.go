package ecsrollback

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Execute does what Prepare decided and follows it, and takes the schedules along. What is changed is looked at once more before. The
// outputs are what is known in every case.
func (r *Rollback) Execute(ctx context.Context) (Outputs, error) {
	out, err := r.execute(ctx)
	if err != nil || r.in.DryRun {
		return out, err
	}
	if err := r.takeSchedules(ctx, &out, r.decided.Back); err != nil {
		out.Outcome = action.OutcomeOf(err)
		return out, err
	}
	return out, nil
}

func (r *Rollback) execute(ctx context.Context) (Outputs, error) {
	if !r.in.DryRun && r.decided.changes() {
		if err := r.again(ctx); err != nil {
			return Outputs{PreviousTaskDefinitionARN: r.read.Service.TaskDefinition}, err
		}
	}
	d := r.decided
	out := Outputs{PreviousTaskDefinitionARN: d.Left, TaskDefinitionARN: d.Back, DeploymentARN: d.Deployment, Commit: d.commit()}
	if d.target != nil {
		out.Digest = d.target.digest
	} else if d.Ran != nil {
		out.Digest = firstDigest(*d.Ran)
	}
	r.tellPlan()
	switch {
	case r.in.DryRun:
		out.Outcome = action.Succeeded
		return out, nil
	case d.stay:
		out.Outcome = action.NoChange
		r.tellServing(d.Back)
		return out, nil
	case d.Do == history.Finish:
		r.finish(ctx, d.Back)
		out.Outcome = action.NoChange
		r.tellServing(d.Back)
		return out, nil
	case d.Do == history.Stop, d.Do == history.Await:
		return r.endRunning(ctx, out)
	case d.Do == history.Join:
		return r.join(ctx, out)
	}
	return r.goBack(ctx, out, d.target)
}

// commit returns the commit of what is gone back to, or "".
func (d decision) commit() string {
	if d.target != nil {
		return d.target.revision.Tags[commits.Tag]
	}
	for _, version := range d.versions {
		if version.Deployment.TaskDefinition == d.Back {
			return version.Commit
		}
	}
	return ""
}

// firstDigest returns the digest of the first container that has one.
func firstDigest(d history.Deployment) string {
	for _, image := range d.Images {
		if image.Digest != "" {
			return image.Digest
		}
	}
	return ""
}

// goBack updates the service to an earlier version.
func (r *Rollback) goBack(ctx context.Context, out Outputs, to *target) (Outputs, error) {
	revision, fresh := to.revision, to.needsCopy()
	if fresh {
		var err error
		if revision, err = r.registerCopy(ctx, to); err != nil {
			return out, awserr.Explain(err)
		}
	}
	out.TaskDefinitionARN, out.Digest = revision.ARN, to.digest
	target, attached := r.underWay(revision.ARN)
	if !attached {
		if fresh {
			r.begin(ctx, revision.ARN) // by its name
		}
		var err error
		target, err = rollout.Start(ctx, r.client, rollout.Update{Cluster: r.in.Cluster, Service: r.in.Service,
			TaskDefinition: revision.ARN, Before: r.read.Service, Patience: r.limit, Clock: r.env.Clock()})
		if err != nil {
			return out, r.notStarted(ctx, fresh, err)
		}
		r.env.Events.Notef("updated service %s to %s", r.in.Service, revision.Name())
		verdict.WarnReplaced(r.env.Events, target)
	}
	out.Changed = true
	r.putOnHold(ctx, revision.ARN, target.ID)
	return r.follow(ctx, out, target)
}

// notStarted is the error of an update that was refused, or whose answer was lost. fresh says that a copy was registered for it.
func (r *Rollback) notStarted(ctx context.Context, fresh bool, err error) error {
	if overtaken := verdict.Overtaken(err); overtaken != nil {
		r.forget(ctx)
		return overtaken
	}
	outcome := action.OutcomeAfterChange(err)
	if awserr.IsDenied(err) || errors.Is(err, rollout.ErrNotSent) && outcome == action.Unknown { // the service is as it was
		outcome = action.Failed
	}
	if outcome == action.Failed {
		r.forget(ctx)
	}
	if outcome == action.Failed && r.read.Unwritten && !fresh && awserr.IsDenied(err) {
		outcome = action.Invalid // nothing at all was changed
	}
	return &action.Error{Outcome: outcome, Title: "The service could not be updated", Err: awserr.Explain(err)}
}

// underWay returns the deployment of a revision that is in progress already.
func (r *Rollback) underWay(revision string) (rollout.Target, bool) {
	if !r.read.Service.Primary().InProgress() {
		return rollout.Target{}, false
	}
	target, ok := rollout.Attach(r.in.Cluster, r.in.Service, r.read.Service, revision)
	if ok {
		r.env.Events.Notef("%s is being deployed already: following that deployment", arn.Revision(revision))
	}
	return target, ok
}

// join follows the deployment that goes back already, and writes down what the run that began it could not.
func (r *Rollback) join(ctx context.Context, out Outputs) (Outputs, error) {
	target, ok := r.underWay(r.decided.Back)
	if !ok {
		return out, action.Failf(action.Failed, "the deployment of %s, which was to be followed, is not in progress",
			arn.Revision(r.decided.Back))
	}
	r.putOnHold(ctx, r.decided.Back, target.ID)
	return r.follow(ctx, out, target)
}

// follow follows the deployment of an earlier version to its end.
func (r *Rollback) follow(ctx context.Context, out Outputs, target rollout.Target) (Outputs, error) {
	verdict.TellTime(r.env.Events, r.in.Timeout, r.read.Service)
	end := r.env.Events.Group(fmt.Sprintf("Rollback of %s to %s", r.in.Service, arn.Revision(target.TaskDefinition)))
	result, err := verdict.Follow(ctx, r.env, r.conn.Config, target, rollout.Timeout(r.limit), rollout.LeaveOnInterrupt())
	end()
	verdict.Report(r.env.Events, result)
	out.Outcome, out.DeploymentARN, out.Cause = action.OutcomeOf(err), result.Target.ServiceDeployment, verdict.Cause(result)
	if r.decided.changes() {
		verdict.TellReplaced(ctx, r.env.Events, r.client, result)
	}
	r.conclude(ctx, result)
	return out, err
}

// registerCopy registers the content of a revision anew, where the revision itself cannot be deployed.
func (r *Rollback) registerCopy(ctx context.Context, to *target) (*taskdef.Revision, error) {
	document := to.document.Registrable()
	tags := map[string]string{
		taskdef.ContentTag: document.ContentHash(),
		copyTag:            taskdef.TagValue(to.revision.Name()),
	}
	for _, kept := range []string{commits.Tag, fleet.ReleaseTag} { // later releases and rollbacks go by them
		if value := to.revision.Tags[kept]; value != "" {
			tags[kept] = value
		}
	}
	copied, err := taskdef.Register(ctx, r.client, document, tags)
	if err != nil {
		return nil, err
	}
	awserr.Optional(r.env.Events, "The tags of the new revision", copied.Untagged)
	why := "which is INACTIVE"
	if to.revision.Active {
		why = "pinned to the digests that it ran"
	}
	r.env.Events.Notef("registered %s as a copy of %s, %s", copied.Name(), to.revision.Name(), why)
	return copied, nil
}

// endRunning stops the deployment that is in progress and follows its rollback, or only follows one that goes on already.
func (r *Rollback) endRunning(ctx context.Context, out Outputs) (Outputs, error) {
	d := r.decided
	if d.Do == history.Stop {
		err := rollout.RequestRollback(ctx, r.client, d.Deployment)
		if awserr.IsDenied(err) || awserr.IsUnsupported(err) {
			awserr.Optional(r.env.Events, "Stopping the deployment in progress (it is replaced by an update instead)", err)
			to, err := r.targetOf(ctx, d.Plan, nil)
			if err != nil {
				r.forget(ctx)
				return out, awserr.Explain(err)
			}
			return r.goBack(ctx, out, to)
		}
		var over *types.ConflictException // it has ended meanwhile: following it tells how
		if err != nil && !errors.As(err, &over) {
			return out, &action.Error{Outcome: action.OutcomeAfterChange(err), Title: "The deployment could not be stopped",
				Err: awserr.Explain(err)}
		}
		out.Changed = true
		r.env.Events.Notef("asked ECS to stop the deployment of %s and to roll back to %s", arn.Revision(d.Left), arn.Revision(d.Back))
		r.putOnHold(ctx, d.Back, "")
	} else if d.Noted {
		r.putOnHold(ctx, d.Back, "")
	}
	end := r.env.Events.Group("Rollback of " + r.in.Service)
	result, err := verdict.Follow(ctx, r.env, r.conn.Config, r.running(), rollout.Timeout(r.limit),
		rollout.RollbackTimeout(r.limit), rollout.Committed())
	end()
	verdict.Report(r.env.Events, result)
	phase := result.Verdict.Phase
	if phase == rollout.Succeeded && d.Deployment == "" {
		phase = rollout.RolledBack // without the API, what is followed is the deployment that is being put back
	}
	switch phase {
	case rollout.RolledBack:
		out.TaskDefinitionARN = result.Serving
		r.conclude(ctx, result)
		if err := r.wrongEnd(result.Serving); err != nil {
			return out, err
		}
		out.Outcome = action.Succeeded
		return out, nil
	case rollout.Succeeded:
		return r.tooLate(ctx, out)
	}
	r.conclude(ctx, result)
	out.Outcome = action.OutcomeOf(err)
	return out, err
}

// wrongEnd is the error of a rollback that has ended on the version that it, or the one before it, was to leave.
func (r *Rollback) wrongEnd(serving string) error {
	last := r.read.Last
	undone := last.Step == hold.Begun && last.From == arn.Revision(serving) && last.To == arn.Revision(r.decided.Left)
	if !r.met[serving] && !undone {
		return nil
	}
	return &action.Error{
		Outcome: action.Failed,
		Title:   fmt.Sprintf("%s, which was to be left, serves again", arn.Revision(serving)),
		Advice:  "Run it again: it goes by history then. Or say where to go with the input `to`.",
		Err: fmt.Errorf("rolling back service %s: the deployment of %s was itself rolled back, and %s serves again", r.in.Service,
			arn.Revision(r.decided.Left), arn.Revision(serving)),
	}
}

// running returns the deployment that is in progress, or being rolled back, as something to follow.
func (r *Rollback) running() rollout.Target {
	d := r.decided
	target := rollout.Target{Cluster: r.in.Cluster, Service: r.in.Service, TaskDefinition: d.Left, ServiceDeployment: d.Deployment,
		TakenUp: true}
	if d.Do == history.Stop {
		target.Previous = d.Back
	}
	if d.Deployment == "" { // what can be followed is the deployment that is put back
		target.TaskDefinition = d.Back
	}
	for _, listed := range r.read.Service.Deployments {
		if listed.TaskDefinition == target.TaskDefinition && target.ID == "" {
			target.ID, target.Created = listed.ID, listed.Created
			continue
		}
		target.Known = append(target.Known, listed.ID)
	}
	return target
}

// tooLate goes back by history where the deployment arrived before the stop did.
func (r *Rollback) tooLate(ctx context.Context, out Outputs) (Outputs, error) {
	r.env.Events.Notef("the deployment had arrived before it could be stopped: going back by history")
	again, err := Prepare(ctx, r.env, r.conn, r.in)
	if err != nil {
		return out, err
	}
	if again.decided.Do != history.Update {
		return out, action.Failf(action.Failed,
			"the deployment of service %s arrived before it could be stopped, and another is in progress since", r.in.Service)
	}
	r.decided, r.scheduled = again.decided, again.scheduled
	return again.execute(ctx)
}
