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
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Execute registers the revision if it is new, updates the service and follows the deployment. The outputs are what is known
// in every case.
func (d *Deployment) Execute(ctx context.Context) (Outputs, error) {
	out, _, err := d.execute(ctx, membership{})
	return out, err
}

// execute is Execute for a deployment that may belong to a release of several services. It returns how it was left, too.
func (d *Deployment) execute(ctx context.Context, of membership) (Outputs, ended, error) {
	out := d.outputs()
	next := d.candidate(of)
	left := ended{candidate: next}
	switch {
	case d.in.RenderOnly != "":
		out, err := d.writeDocument(out)
		return out, left, err
	case d.in.RegisterOnly:
		out, err := d.registerAlone(ctx, out)
		return out, left, err
	}
	todo := d.todo()
	d.tellPlan(todo)
	switch {
	case d.in.DryRun:
		d.tellSchedules()
		if todo != nothing {
			next.tellRetire(ctx, todo == register)
		}
		out.Outcome = action.Succeeded
		return out, left, nil
	case todo == nothing:
		out.Outcome = action.NoChange
		d.tellUnverified()
		out, err := d.pointServing(ctx, out)
		return out, left, err
	}
	begun, err := next.begin(ctx, todo)
	left.candidate = begun.candidate
	if begun.revision != nil {
		out.TaskDefinitionARN = begun.revision.ARN
	}
	if err != nil {
		return out, left, err
	}
	out.Changed = !begun.joined
	if !d.in.Wait {
		begun.liftHold(ctx)
		d.env.Events.Noticef("Not followed", "the deployment of %s was started and is not waited for, so whether it succeeds is not known here",
			begun.revision.Name())
		out.Outcome = action.Succeeded
		return out, left, nil
	}
	left, err = begun.follow(ctx, &out)
	if action.OutcomeOf(err) == action.RolledBack {
		d.settingsBack(ctx)
	}
	return out, left, err
}

// candidate is what is to be deployed, as far as it is registered.
func (d *Deployment) candidate(of membership) candidate {
	return candidate{Deployment: d, membership: of, revision: d.existing}
}

// begin registers the revision if it is new, and begins its deployment. What it returns holds what was done also where that failed.
func (c candidate) begin(ctx context.Context, todo step) (started, error) {
	var err error
	if todo == register {
		if c, err = c.registered(ctx); err != nil {
			return started{candidate: c}, err
		}
	}
	begun, err := c.start(ctx, todo)
	if !c.fresh && taskdef.IsInactive(err) { // another run has just deregistered it, since its own deployment of it failed
		c.env.Events.Notef("%s has just been deregistered: registering its content again", c.revision.Name())
		if c, err = c.registered(ctx); err != nil {
			return started{candidate: c}, err
		}
		begun, err = c.start(ctx, deploy)
	}
	if err != nil {
		return started{candidate: c}, c.notStarted(ctx, err)
	}
	begun.joined = todo == follow
	return begun, nil
}

// registered registers the revision.
func (c candidate) registered(ctx context.Context) (candidate, error) {
	revision, err := c.register(ctx, c.tags)
	if err != nil {
		return c, notRegistered(err)
	}
	c.revision, c.fresh = revision, true
	return c, nil
}

// follow follows the deployment to its end and clears up after it.
func (s started) follow(ctx context.Context, out *Outputs) (ended, error) {
	verdict.TellTime(s.env.Events, s.in.Timeout, s.before)
	end := s.env.Events.Group(fmt.Sprintf("Rollout of %s to %s", s.revision.Name(), s.in.Service))
	options := []rollout.Option{rollout.Timeout(s.limit)}
	if s.in.EarlyAbort == "off" {
		options = append(options, rollout.Patient())
	}
	var noted hold.Rollback
	options = append(options, rollout.NoteBack(func(ctx context.Context, back rollout.PutBack) {
		if noted.Step == "" { // the update may be sent again
			noted = s.noteBack(ctx, back.Before, back.TaskDefinition, putBackNote)
		}
	}))
	begun := time.Now()
	result, err := verdict.Follow(ctx, s.env, s.conn.Config, s.target, options...)
	if isOver(result) { // its history tells the rest: that of a release which failed by itself is not that of a rollback
		s.noteOver(ctx, noted, s.held.Last)
	}
	after := s.lookAfter(ctx, result)
	for after != nil && result.End == rollout.EndSuperseded && rollout.CameBack(result.Target, ecsview.SnapshotOf(*after)) {
		s.env.Events.Notef("what took over was itself taken back: following %s, which is put back",
			arn.Revision(aws.ToString(after.TaskDefinition)))
		result, err = verdict.Follow(ctx, s.env, s.conn.Config, result.Target, rollout.Committed(), rollout.Timeout(takenBackTime))
		after = s.lookAfter(ctx, result)
	}
	end()
	e := ended{candidate: s.candidate, result: result, arrived: err == nil, disposable: s.fresh || s.joined}
	verdict.Report(s.env.Events, result)
	verdict.TellReplaced(ctx, s.env.Events, s.client, result)
	out.Outcome, out.DeploymentARN, out.Cause = action.OutcomeOf(err), result.Target.ServiceDeployment, verdict.Cause(result)
	if err == nil {
		if err = e.settle(ctx, out); err == nil {
			s.liftHold(ctx)
			e.keep(ctx)
		}
		return e, err
	}
	s.tellWhoEnded(after, result, begun)
	if e.disposable && result.Verdict.Phase == rollout.RolledBack {
		if now := e.discard(ctx, e.revision); now != nil {
			e.fresh = e.fresh && inUse(*now, e.revision.ARN) // otherwise there is nothing left for a way back to deregister
			err = verdict.WithSince(err, result, *now)
		}
	}
	return e, err
}

// settle watches a deployment that is complete for as long as it bakes, and points the schedules at it. Where either goes wrong it is
// taken back.
func (e *ended) settle(ctx context.Context, out *Outputs) error {
	e.tellUnverified()
	err := e.bake(ctx, out)
	if err == nil {
		err = e.pointOrTakeBack(ctx, out)
	}
	if err != nil {
		out.Outcome = action.OutcomeOf(err)
	}
	return err
}

// keep keeps what a rollback needs of the release that serves now, and deregisters what nothing needs.
func (e *ended) keep(ctx context.Context) {
	e.keepImages(ctx)
	if !e.retiresLater {
		e.retire(ctx)
	}
}

// takenBackTime is how long it is watched that what took over from this deployment is itself taken back: what serves then is the version
// before both, once ECS has put it back.
const takenBackTime = 15 * time.Minute

// liftHold lets later runs deploy what this one was told to deploy in spite of a hold.
func (s *started) liftHold(ctx context.Context) {
	if !s.in.OverrideHold || s.held.Refuse(s.in.Service, s.image.Digest) == nil {
		return
	}
	err := s.held.Without(s.image.Digest).Lift(ctx, s.client, aws.ToString(s.service.ServiceArn))
	switch {
	case err == nil:
		s.env.Events.Notef("the hold on this release is lifted")
	case awserr.Optional(s.env.Events, "Lifting the hold (the next run needs override-hold as well)", err):
	default:
		s.env.Events.Warnf("Hold not lifted", "the next run needs override-hold as well: %v", awserr.Explain(err))
	}
}

func (p *plan) outputs() Outputs {
	out := Outputs{PreviousTaskDefinitionARN: p.before.TaskDefinition, Digest: p.image.Digest}
	if p.image.Repository != "" {
		out.Image = p.image.String()
	}
	if p.existing != nil {
		out.TaskDefinitionARN = p.existing.ARN
	}
	return out
}

// register registers the rendered document, tagged with where it comes from, and with the release of several services that it is for.
func (p *plan) register(ctx context.Context, release map[string]string) (*taskdef.Revision, error) {
	tags := maps.Clone(release)
	if tags == nil {
		tags = map[string]string{}
	}
	for key, value := range p.base.tags {
		if !strings.HasPrefix(key, "aws:") && !strings.HasPrefix(key, "connect2:") {
			tags[key] = value
		}
	}
	maps.Copy(tags, map[string]string{taskdef.ContentTag: p.rendered.ContentHash()})
	for key, value := range map[string]string{
		commits.Tag:          p.commit(),
		"connect2:run":       p.env.GitHub.RunURL(),
		"connect2:by":        p.env.GitHub.Actor,
		"connect2:image-tag": p.image.Tag,
		"connect2:base":      taskdef.TagValue(p.base.name),
	} {
		if value != "" {
			tags[key] = taskdef.TagValue(value)
		}
	}
	revision, err := taskdef.Register(ctx, p.client, p.rendered, tags)
	if err != nil {
		return nil, err
	}
	awserr.Optional(p.env.Events, "The tags of the new revision", revision.Untagged)
	p.env.Events.Notef("registered %s from %s", revision.Name(), p.base.name)
	tellDropped(p.env.Events, revision)
	return revision, nil
}

// start begins the deployment, or takes up the one that is under way.
func (c candidate) start(ctx context.Context, todo step) (started, error) {
	if todo == follow {
		if target, ok := rollout.Attach(c.in.Cluster, c.in.Service, c.before, c.revision.ARN); ok {
			c.env.Events.Notef("this very revision is being deployed already: following that deployment")
			return started{candidate: c, target: target, held: c.hold}, nil
		}
	}
	if primary := c.before.Primary(); primary != nil && primary.State == "IN_PROGRESS" {
		c.env.Events.Warnf("A deployment is superseded", "a deployment of %s is in progress; this one takes its place",
			arn.Revision(primary.TaskDefinition))
	}
	begun, err := c.update(ctx)
	if err != nil {
		return begun, err
	}
	if begun.target.TakenUp {
		c.env.Events.Notef("somebody else has just begun to deploy this very revision: following that deployment")
		if differ := c.in.Settings.differing(c.service); len(differ) > 0 {
			c.env.Events.Warnf("Settings not changed", "the deployment that is followed was begun without them: %s", settingsText(differ))
		}
		return begun, nil
	}
	c.env.Events.Notef("updated service %s to %s", c.in.Service, c.revision.Name())
	verdict.WarnReplaced(c.env.Events, begun.target)
	return begun, nil
}

// notStarted is the error of an update that was refused, or whose answer was lost. A revision that was registered for it is
// taken away again, unless the service got it after all.
func (c candidate) notStarted(ctx context.Context, err error) error {
	if overtaken := verdict.Overtaken(err); overtaken != nil {
		return overtaken // the revision has not failed: it stays for the run that deploys it
	}
	var held *action.Error // its own words say what to do
	if errors.As(err, &held) && c.fresh {
		c.discard(ctx, c.revision)
	}
	if held != nil {
		return held
	}
	outcome := outcomeUnstarted(err, c.fresh)
	if c.fresh && outcome == action.Failed {
		c.discard(ctx, c.revision)
	}
	return refusedCall("The service could not be updated", outcome, err)
}

// notRegistered is the error of a revision that could not be registered: the service is as it was.
func notRegistered(err error) error {
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
func (c *current) discard(ctx context.Context, revision *taskdef.Revision) *ecsview.Snapshot {
	if ctx.Err() != nil {
		limited, cancel := outlive.Cleanup(ctx, clearUpLimit)
		defer cancel()
		ctx = limited
	}
	arn := revision.ARN
	now, err := ecsview.Read(ctx, c.client, c.in.Cluster, c.in.Service)
	if err != nil {
		c.env.Events.Warnf("Failed revision left", "%s failed and is still ACTIVE, since it could not be read whether the service uses it: %v",
			revision.Name(), awserr.Explain(err))
		return nil
	}
	if inUse(now, arn) {
		c.env.Events.Debugf("%s is left registered: it is in use", arn)
		return &now
	}
	err = taskdef.Deregister(ctx, c.client, arn)
	switch {
	case err == nil:
		c.env.Events.Notef("deregistered %s, which failed", revision.Name())
	case awserr.Optional(c.env.Events, "Deregistering the revision that failed", err):
	default:
		c.env.Events.Warnf("Failed revision left", "%s failed and is still ACTIVE: %v", revision.Name(), awserr.Explain(err))
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
