package ecsrollback

import (
	"context"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Values of the input hold; the third, image, is what holds where neither is given.
const (
	holdAll  = "all"
	holdNone = "none"
)

// note keeps in the service's tags why and by whom it was rolled back, and what is on hold from now on. back is the ARN of the
// task definition that it goes back to. Failing to do so is worth a warning: the rollback itself matters more.
func (r *Rollback) note(ctx context.Context, back string) {
	next := r.nextHold(ctx, back)
	next.Last = hold.Rollback{
		From:   arn.Revision(r.before.TaskDefinition),
		Reason: r.in.Reason,
		By:     r.env.GitHub.Actor,
		Run:    r.env.GitHub.RunURL(),
		At:     time.Now(),
	}
	err := next.Set(ctx, r.client, r.serviceARN())
	switch {
	case err == nil:
		r.tellHold(next)
	case awserr.Optional(r.env.Log.Sink(), "The reason of the rollback in the service's tags, and the hold on what was left", err):
	default:
		r.env.Log.Warnf("Hold not set", "the service could not be tagged with the reason of the rollback and a hold: the next run may deploy "+
			"again what was left: %v", awserr.Explain(err))
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
	return hold.Of(r.service).With(hold.Left(r.ran(ctx, r.before.TaskDefinition), target), target)
}

func (r *Rollback) tellHold(set hold.Hold) {
	switch {
	case set.All:
		r.env.Log.Eventf("every release of %s is on hold, until one with override-hold", r.in.Service)
	case len(set.Digests) > 0:
		r.env.Log.Eventf("on hold, until a release with override-hold: %s", strings.Join(set.Digests, ", "))
	case r.in.Hold != holdNone:
		r.env.Log.Noticef("Nothing is on hold", "what was left ran the same image, or one whose digest is not known: the next release is not "+
			"kept from bringing it back")
	}
}

// ran returns the digests that a task definition runs, by container: as it names them itself, for that is what a release is
// compared with, or as ECS resolved them. Containers whose digest is not known are left out.
func (r *Rollback) ran(ctx context.Context, taskDefinition string) map[string]string {
	digests := map[string]string{}
	for _, d := range r.deployments { // newest first
		if d.TaskDefinition != taskDefinition || len(d.Images) == 0 {
			continue
		}
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
		r.env.Log.Debugf("the images of %s are not known: %v", arn.Revision(taskDefinition), err)
		return digests
	}
	for _, container := range revision.Document.Containers() {
		if _, digest, ok := strings.Cut(revision.Document.Image(container), "@"); ok {
			digests[container] = digest
		}
	}
	return digests
}
