package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Execute registers the revision if it is new, updates the service and follows the deployment. The outputs are what is known
// in every case.
func (d *Deployment) Execute(ctx context.Context) (Outputs, error) {
	out := d.outputs()
	switch {
	case d.in.RenderOnly != "":
		return d.writeDocument(out)
	case d.in.RegisterOnly:
		return d.registerAlone(ctx, out)
	}
	todo := d.todo()
	d.tellPlan(todo)
	if d.in.DryRun {
		d.tellSchedules()
		if todo != nothing {
			d.tellRetire(ctx, todo == register)
		}
		out.Outcome = action.Succeeded
		return out, nil
	}
	if todo == nothing {
		out.Outcome = action.NoChange
		d.tellUnverified()
		return d.pointServing(ctx, out)
	}
	fresh := todo == register
	if fresh {
		revision, err := d.register(ctx)
		if err != nil {
			return out, d.notRegistered(err)
		}
		d.existing = revision
		out.TaskDefinitionARN = revision.ARN
	}
	target, err := d.start(ctx, todo)
	if !fresh && taskdef.IsInactive(err) { // another run has just deregistered it, since its own deployment of it failed
		d.env.Events.Notef("%s has just been deregistered: registering its content anew", d.existing.Name())
		if d.existing, err = d.register(ctx); err != nil {
			return out, d.notRegistered(err)
		}
		fresh, out.TaskDefinitionARN = true, d.existing.ARN
		target, err = d.start(ctx, deploy)
	}
	if err != nil {
		return out, d.notStarted(ctx, fresh, err)
	}
	out.Changed = todo != follow
	if !d.in.Wait {
		d.liftHold(ctx)
		d.env.Events.Noticef("Not followed", "the deployment of %s was started and is not waited for, so whether it succeeds is not known here",
			d.existing.Name())
		out.Outcome = action.Succeeded
		return out, nil
	}
	out, err = d.follow(ctx, out, target, fresh || todo == follow)
	if action.OutcomeOf(err) == action.RolledBack {
		d.settingsBack(ctx)
	}
	return out, err
}

// follow follows the deployment to its end and clears up after it. disposable says that the revision was made for this
// release, so that it is taken away if it failed.
func (d *Deployment) follow(ctx context.Context, out Outputs, target rollout.Target, disposable bool) (Outputs, error) {
	verdict.TellTime(d.env.Events, d.in.Timeout, d.before)
	end := d.env.Events.Group(fmt.Sprintf("Rollout of %s to %s", d.existing.Name(), d.in.Service))
	options := []rollout.Option{rollout.Timeout(d.limit)}
	if d.in.EarlyAbort == "off" {
		options = append(options, rollout.Patient())
	}
	begun := time.Now()
	result, err := verdict.Follow(ctx, d.env, d.conn.Config, target, options...)
	after := d.lookAfter(ctx, result)
	for after != nil && result.End == rollout.EndSuperseded && rollout.CameBack(result.Target, ecsview.SnapshotOf(*after)) {
		d.env.Events.Notef("what took over was itself taken back: following %s, which is put back",
			arn.Revision(aws.ToString(after.TaskDefinition)))
		result, err = verdict.Follow(ctx, d.env, d.conn.Config, result.Target, rollout.Committed(), rollout.Timeout(takenBackTime))
		after = d.lookAfter(ctx, result)
	}
	end()
	d.result, d.arrived = result, err == nil
	verdict.Report(d.env.Events, result)
	verdict.TellReplaced(ctx, d.env.Events, d.client, result)
	out.Outcome, out.DeploymentARN, out.Cause = action.OutcomeOf(err), result.Target.ServiceDeployment, verdict.Cause(result)
	if err == nil {
		d.tellUnverified()
		if err := d.bake(ctx, &out, result, disposable); err != nil {
			out.Outcome = action.OutcomeOf(err)
			return out, err
		}
		if err := d.pointOrTakeBack(ctx, &out, result.Target.Previous, disposable); err != nil {
			out.Outcome = action.OutcomeOf(err)
			return out, err
		}
		d.liftHold(ctx)
		d.keepImages(ctx)
		if !d.retiresLater {
			d.retire(ctx)
		}
		return out, nil
	}
	d.tellWhoEnded(after, result, begun)
	if disposable && result.Verdict.Phase == rollout.RolledBack {
		if now := d.discard(ctx); now != nil {
			err = verdict.WithSince(err, result, *now)
		}
	}
	return out, err
}

// takenBackTime is how long it is watched that what took over from this deployment is itself taken back: what serves then is the version
// before both, once ECS has put it back.
const takenBackTime = 15 * time.Minute

// liftHold lets later runs deploy what this one was told to deploy in spite of a hold.
func (d *Deployment) liftHold(ctx context.Context) {
	if !d.in.OverrideHold || d.hold.Refuse(d.in.Service, d.image.Digest) == nil {
		return
	}
	err := d.hold.Without(d.image.Digest).Lift(ctx, d.client, aws.ToString(d.service.ServiceArn))
	switch {
	case err == nil:
		d.env.Events.Notef("the hold on this release is lifted")
	case awserr.Optional(d.env.Events, "Lifting the hold (the next run needs override-hold as well)", err):
	default:
		d.env.Events.Warnf("Hold not lifted", "the next run needs override-hold as well: %v", awserr.Explain(err))
	}
}

func (d *Deployment) outputs() Outputs {
	out := Outputs{PreviousTaskDefinitionARN: d.before.TaskDefinition, Digest: d.image.Digest}
	if d.image.Repository != "" {
		out.Image = d.image.String()
	}
	if d.existing != nil {
		out.TaskDefinitionARN = d.existing.ARN
	}
	return out
}

// register registers the rendered document, tagged with where it comes from.
func (d *Deployment) register(ctx context.Context) (*taskdef.Revision, error) {
	tags := maps.Clone(d.release)
	if tags == nil {
		tags = map[string]string{}
	}
	for key, value := range d.baseTags {
		if !strings.HasPrefix(key, "aws:") && !strings.HasPrefix(key, "connect2:") {
			tags[key] = value
		}
	}
	maps.Copy(tags, map[string]string{taskdef.ContentTag: d.rendered.ContentHash()})
	for key, value := range map[string]string{
		commits.Tag:          d.commit(),
		"connect2:run":       d.env.GitHub.RunURL(),
		"connect2:by":        d.env.GitHub.Actor,
		"connect2:image-tag": d.image.Tag,
		"connect2:base":      taskdef.TagValue(d.baseName),
	} {
		if value != "" {
			tags[key] = taskdef.TagValue(value)
		}
	}
	revision, err := taskdef.Register(ctx, d.client, d.rendered, tags)
	if err != nil {
		return nil, err
	}
	d.fresh = true
	awserr.Optional(d.env.Events, "The tags of the new revision", revision.Untagged)
	d.env.Events.Notef("registered %s from %s", revision.Name(), d.baseName)
	tellDropped(d.env.Events, revision)
	return revision, nil
}

// start begins the deployment, or takes up the one that is under way.
func (d *Deployment) start(ctx context.Context, todo step) (rollout.Target, error) {
	if todo == follow {
		if target, ok := rollout.Attach(d.in.Cluster, d.in.Service, d.before, d.existing.ARN); ok {
			d.env.Events.Notef("this very revision is being deployed already: following that deployment")
			return target, nil
		}
	}
	if primary := d.before.Primary(); primary != nil && primary.State == "IN_PROGRESS" {
		d.env.Events.Warnf("A deployment is superseded", "a deployment of %s is in progress; this one takes its place",
			arn.Revision(primary.TaskDefinition))
	}
	target, err := d.update(ctx)
	if err != nil {
		return rollout.Target{}, err
	}
	if target.TakenUp {
		d.env.Events.Notef("somebody else has just begun to deploy this very revision: following that deployment")
		if differ := d.in.Settings.differing(d.service); len(differ) > 0 {
			d.env.Events.Warnf("Settings not changed", "the deployment that is followed was begun without them: %s", settingsText(differ))
		}
		return target, nil
	}
	d.env.Events.Notef("updated service %s to %s", d.in.Service, d.existing.Name())
	verdict.WarnReplaced(d.env.Events, target)
	return target, nil
}

// notStarted is the error of an update that was refused, or whose answer was lost. A revision that was registered for it is
// taken away again, unless the service got it after all.
func (d *Deployment) notStarted(ctx context.Context, fresh bool, err error) error {
	if overtaken := verdict.Overtaken(err); overtaken != nil {
		return overtaken // the revision has not failed: it stays for the run that deploys it
	}
	var held *action.Error // its own words say what to do
	if errors.As(err, &held) && fresh {
		d.discard(ctx)
	}
	if held != nil {
		return held
	}
	outcome := outcomeUnstarted(err, fresh)
	if fresh && outcome == action.Failed {
		d.discard(ctx)
	}
	return refusedCall("The service could not be updated", outcome, err)
}

// notRegistered is the error of a revision that could not be registered: the service is as it was.
func (d *Deployment) notRegistered(err error) error {
	return refusedCall("The task definition could not be registered", outcomeUnstarted(err, false), err)
}

// outcomeUnstarted returns the outcome of a call that was to begin the deployment and failed. registered says that a revision was
// registered for it. A call that was denied or throttled changed nothing: the service is as it was.
func outcomeUnstarted(err error, registered bool) action.Outcome {
	switch {
	case awserr.IsThrottled(err), registered && awserr.IsDenied(err):
		return action.Failed
	case errors.Is(err, rollout.ErrNotSent) && action.OutcomeBeforeChange(err) == action.Unknown:
		return action.Failed
	case registered:
		return action.OutcomeAfterChange(err)
	default:
		return action.OutcomeBeforeChange(err)
	}
}

// refusedCall is the error of a call of AWS that ended the run, under the call's own title where it has one.
func refusedCall(title string, outcome action.Outcome, err error) error {
	explained := awserr.Explain(err)
	var problem *awserr.Problem
	if errors.As(explained, &problem) {
		title = problem.Title
	}
	return &action.Error{Outcome: outcome, Title: title, Err: explained}
}

// clearUpLimit is how long clearing up may take after a run that was interrupted.
const clearUpLimit = 3 * time.Second

// discard deregisters the revision that failed, so that the family's newest ACTIVE revision is one that worked. It asks once
// more whether the service uses it: one that is in use is never deregistered. Failing to do so is worth a warning. It returns the service
// as it was read for that, or nil.
func (d *Deployment) discard(ctx context.Context) *ecsview.Snapshot {
	if ctx.Err() != nil {
		limited, cancel := outlive.Cleanup(ctx, clearUpLimit)
		defer cancel()
		ctx = limited
	}
	arn := d.existing.ARN
	now, err := ecsview.Read(ctx, d.client, d.in.Cluster, d.in.Service)
	if err != nil {
		d.env.Events.Warnf("Failed revision left", "%s failed and is still ACTIVE, since it could not be read whether the service uses it: %v",
			d.existing.Name(), awserr.Explain(err))
		return nil
	}
	if inUse(now, arn) {
		d.env.Events.Debugf("%s is left registered: it is in use", arn)
		return &now
	}
	err = taskdef.Deregister(ctx, d.client, arn)
	switch {
	case err == nil:
		d.env.Events.Notef("deregistered %s, which failed", d.existing.Name())
	case awserr.Optional(d.env.Events, "Deregistering the revision that failed", err):
	default:
		d.env.Events.Warnf("Failed revision left", "%s failed and is still ACTIVE: %v", d.existing.Name(), awserr.Explain(err))
	}
	return &now
}

// inUse reports whether a service is at a revision, or has tasks of it.
func inUse(now ecsview.Snapshot, arn string) bool {
	return now.TaskDefinition == arn || slices.ContainsFunc(now.Deployments, func(d ecsview.Deployment) bool {
		return d.TaskDefinition == arn && (d.Running > 0 || d.Status == "PRIMARY")
	})
}

var _ rollout.Client = (*ecs.Client)(nil)
