package ecsdeploy

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/verdict"
)

// This file writes down, in the service's tags, that a release is taken back.

// noteLimit is how long it may take to write that down before the service is read once more. Before an update that goes by what was read
// already it is putBackNote, and of a run that is to end quickNote: that the release is taken back matters more.
const (
	noteLimit   = 5 * time.Second
	putBackNote = time.Second
	quickNote   = 500 * time.Millisecond
)

// noteBack writes down that the service is about to be put back to the version before, as a rollback does: a rollback that meets it under
// way would else have ECS go back from it, to what was left. It returns what it wrote.
func (c candidate) noteBack(ctx context.Context, now ecsview.Snapshot, before string, limit time.Duration) hold.Rollback {
	note := hold.Rollback{From: c.revision.Name(), To: arn.Revision(before), Step: hold.Begun, Reason: hold.OwnRelease,
		By: c.env.GitHub.Actor, Run: c.env.GitHub.RunURL(), At: c.env.Clock().Now()}
	if primary := now.Primary(); primary != nil {
		note.Left = primary.ID
	}
	c.writeNote(ctx, note, limit)
	return note
}

// noteOver writes in place of a note of this run what holds since then. What somebody has written meanwhile stays.
func (c candidate) noteOver(ctx context.Context, written, since hold.Rollback) {
	if written.Step != hold.Begun {
		return
	}
	limited, done := outlive.Bounded(ctx, noteLimit, quickNote)
	defer done()
	service, err := ecsview.Find(limited, c.client, c.in.Cluster, c.in.Service)
	switch {
	case err != nil:
		c.env.Events.Debugf("whether it is still written down that the release is taken back is not known: %v", awserr.Explain(err))
	case hold.Of(service).Last.Same(written):
		c.writeNote(ctx, since, noteLimit)
	}
}

func (c candidate) writeNote(ctx context.Context, note hold.Rollback, limit time.Duration) {
	service := aws.ToString(c.service.ServiceArn)
	if hold.Possible(service) != "" {
		return
	}
	if _, ends := ctx.Deadline(); ends {
		limit = quickNote
	}
	limited, done := outlive.Bounded(ctx, limit, quickNote)
	defer done()
	err := note.Write(limited, c.client, service)
	if err != nil && !awserr.Optional(c.env.Events, "Writing down that the release is taken back, for a rollback that meets it", err) {
		c.env.Events.Debugf("writing down that the release is taken back: %v", awserr.Explain(err))
	}
}

// notSent reports whether an update that failed has begun nothing.
func notSent(err error) bool {
	return verdict.Overtaken(err) != nil || outcomeUnstarted(err, true) == action.Failed
}

// isOver reports whether a way back that was followed has ended, so that nobody meets it any more. Where the run has ended before, or does
// not know, ECS may be at it still.
func isOver(result rollout.Result) bool {
	switch result.End {
	case rollout.EndInterrupted, rollout.EndUnknown, rollout.EndOverdue:
		return false
	case rollout.EndStuck:
		return !result.Last.Primary().InProgress()
	}
	return true
}
