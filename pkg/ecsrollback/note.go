package ecsrollback

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Values of the input hold; the third, image, is what holds where neither is given.
const (
	holdAll  = "all"
	holdNone = "none"
)

// noteLimit is how long writing a tag may take: the rollback itself matters more.
const noteLimit = 5 * time.Second

// noted runs a write of tags, also for a run that was interrupted a moment ago: what it has changed stays.
func (r *Rollback) noted(ctx context.Context, write func(context.Context) error) error {
	limited, done := outlive.Cleanup(ctx, noteLimit)
	defer done()
	return write(limited)
}

// begin writes down what the rollback is about to do, so that whoever comes after a run that was killed knows what it has begun. It
// reports false where that is denied, for the first time in this run.
func (r *Rollback) begin(ctx context.Context, back string) bool {
	if r.read.Unwritten || ctx.Err() != nil {
		return true
	}
	note := r.note(back, "")
	err := r.noted(ctx, func(ctx context.Context) error { return note.Write(ctx, r.client, r.serviceARN()) })
	if err != nil && awserr.Optional(r.env.Events, taggingFor, err) {
		return false
	}
	if err != nil {
		r.env.Events.Debugf("writing down what the rollback is about to do: %v", awserr.Explain(err))
	}
	return true
}

const taggingFor = "The reason of the rollback in the service's tags, and the hold on what was left"

// forget takes back what begin wrote, where nothing was changed after all.
func (r *Rollback) forget(ctx context.Context) {
	if r.read.Unwritten {
		return
	}
	err := r.noted(ctx, func(ctx context.Context) error { return r.read.Last.Write(ctx, r.client, r.serviceARN()) })
	if err != nil {
		r.env.Events.Debugf("taking back what was written down: %v", awserr.Explain(err))
	}
}

// note is what is written down of this rollback. One that is joined keeps what it said, unless this run says more.
func (r *Rollback) note(back, began string) hold.Rollback {
	note := hold.Rollback{
		From:   arn.Revision(r.decided.Left),
		To:     arn.Revision(back),
		Began:  began,
		Step:   hold.Begun,
		Reason: r.in.Reason,
		By:     r.env.GitHub.Actor,
		Run:    r.env.GitHub.RunURL(),
		At:     time.Now(),
	}
	if primary := r.read.Service.Primary(); primary != nil && r.decided.changes() {
		note.Left = primary.ID
	}
	if last := r.read.Last; r.decided.Noted && last.From == note.From {
		note.Left, note.Began, note.At = last.Left, cmp.Or(began, last.Began), last.At
		if note.Reason == "" && last.Reason != hold.OwnRelease {
			note.Reason, note.By, note.Run = last.Reason, last.By, last.Run
		}
	}
	return note
}

// putOnHold keeps in the service's tags why and by whom it was rolled back, and what is on hold from now on. back is the ARN of the
// task definition that it goes back to, began the id of the deployment that brings it. Failing to do so is worth a warning.
func (r *Rollback) putOnHold(ctx context.Context, back, began string) {
	if r.read.Unwritten {
		return // was told
	}
	next := r.nextHold(ctx, back)
	next.Last = r.note(back, began)
	err := r.noted(ctx, func(ctx context.Context) error { return next.Set(ctx, r.client, r.serviceARN()) })
	switch {
	case err == nil:
		r.read.hold = next
		r.tellHold(next)
	case awserr.Optional(r.env.Events, taggingFor, err):
	default:
		r.env.Events.Warnf("Hold not set", "the service could not be tagged with the reason of the rollback and a hold: the next run may deploy "+
			"again what was left: %v", awserr.Explain(err))
	}
}

// finish writes down that a rollback has arrived which another run began, with the hold that it may not have set.
func (r *Rollback) finish(ctx context.Context, back string) {
	r.putOnHold(ctx, back, r.read.Last.Began)
	r.done(ctx)
}

// conclude writes down how the rollback ended. What serves is not on hold: where that is the version that was to be left, or one that
// another run had left and somebody has put back, its hold is lifted. One that goes on without this run stays as it was written down.
func (r *Rollback) conclude(ctx context.Context, result rollout.Result) {
	switch result.End {
	case rollout.EndInterrupted, rollout.EndUnknown, rollout.EndOverdue:
		return
	}
	before := r.read.hold
	takenBack := result.Serving == r.decided.Left
	if takenBack || result.Serving == r.decided.Back && !r.read.hold.All { // a hold on every release is meant for what serves too
		for _, digest := range r.ran(ctx, result.Serving) {
			r.read.hold = r.read.hold.Without(digest)
		}
	}
	switch {
	case before.Last.Step == hold.Begun:
		r.done(ctx)
	case len(r.read.hold.Digests) < len(before.Digests) && !before.All: // of a rollback of ECS's own nothing was written down
		r.lift(ctx)
	}
}

// lift writes down that what serves is not on hold any more.
func (r *Rollback) lift(ctx context.Context) {
	if r.read.Unwritten {
		return
	}
	err := r.noted(ctx, func(ctx context.Context) error { return r.read.hold.Lift(ctx, r.client, r.serviceARN()) })
	switch {
	case err == nil:
		r.env.Events.Notef("what serves again was on hold since an earlier rollback: that hold is lifted")
	case awserr.Optional(r.env.Events, taggingFor, err):
	default:
		r.env.Events.Warnf("Hold not lifted", "what serves again is on hold since an earlier rollback, and the tag could not be changed: %v",
			awserr.Explain(err))
	}
}

func (r *Rollback) done(ctx context.Context) {
	if r.read.Unwritten {
		return
	}
	end := r.read.hold
	end.Last.Step = hold.Done
	err := r.noted(ctx, func(ctx context.Context) error { return end.Set(ctx, r.client, r.serviceARN()) })
	if err != nil && !awserr.Optional(r.env.Events, taggingFor, err) {
		r.env.Events.Debugf("writing down how the rollback ended: %v", awserr.Explain(err))
	}
}

// nextHold is what is on hold once the service is back at a task definition.
func (r *Rollback) nextHold(ctx context.Context, back string) hold.Hold {
	switch r.in.Hold {
	case holdNone:
		return hold.Hold{}
	case holdAll:
		return hold.Hold{All: true}
	}
	target := r.ran(ctx, back)
	return r.read.hold.With(hold.Left(r.ran(ctx, r.decided.Left), target), target)
}

func (r *Rollback) tellHold(set hold.Hold) {
	switch {
	case set.All:
		r.env.Events.Notef("every release of %s is on hold, until one with override-hold", r.in.Service)
	case len(set.Digests) > 0:
		r.env.Events.Notef("on hold, until a release with override-hold: %s", strings.Join(set.Digests, ", "))
	case r.in.Hold != holdNone:
		r.env.Events.Noticef("Nothing is on hold", "what was left ran the same image, or one whose digest is not known: the next release is not "+
			"kept from bringing it back")
	}
}

// ran returns the digests that a task definition runs, by container: as it names them itself, for that is what a release is
// compared with, or as ECS resolved them. Containers whose digest is not known are left out.
func (r *Rollback) ran(ctx context.Context, taskDefinition string) map[string]string {
	digests := map[string]string{}
	is := func(d history.Deployment) bool { return d.TaskDefinition == taskDefinition && len(d.Images) > 0 }
	if i := slices.IndexFunc(r.read.Deployments, is); i >= 0 { // newest first
		d := r.read.Deployments[i]
		digests = d.Digests()
		for _, image := range d.Images {
			if _, digest, ok := strings.Cut(image.Image, "@"); ok {
				digests[image.Container] = digest
			}
		}
		return digests
	}
	revision, err := taskdef.Describe(ctx, r.client, taskDefinition)
	if err != nil {
		r.env.Events.Debugf("the images of %s are not known: %v", arn.Revision(taskDefinition), err)
		return digests
	}
	for _, container := range revision.Document.Containers() {
		if _, digest, ok := strings.Cut(revision.Document.Image(container), "@"); ok {
			digests[container] = digest
		}
	}
	return digests
}
