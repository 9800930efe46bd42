package ecsrollback

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
)

// read is what was read of the service and of its history, at one moment.
type read struct {
	service types.Service
	hold    hold.Hold
	unread  error // why the history cannot be read
	history.Seen
}

// patience is how often the service is looked at until the API lists the deployment that DescribeServices shows, and pause the time
// between.
const (
	patience = 10
	pause    = time.Second
)

// look reads the service and its history. A deployment that began a moment ago may not be listed yet: what to do about it is not
// decided before it is, or before that takes too long.
func (r *Rollback) look(ctx context.Context) (read, error) {
	for try := 1; ; try++ {
		seen, err := r.readOnce(ctx)
		if err != nil {
			return seen, err
		}
		now := history.SituationOf(seen.Seen)
		if len(r.met) == 0 || now.State != history.Idle {
			r.met[now.Left] = true
		}
		if try == patience || !now.Unclear {
			return seen, nil
		}
		if try == 1 {
			r.env.Events.Notef("the newest deployment of %s is not listed yet: looking again", r.in.Service)
		}
		if err := r.env.Clock().Sleep(ctx, pause); err != nil {
			return seen, err
		}
	}
}

// readService reads the service alone.
func (r *Rollback) readService(ctx context.Context) (read, error) {
	service, err := ecsview.Lookup(ctx, r.client, r.in.Cluster, r.in.Service, hold.Unread(r.env.Events))
	if err != nil {
		return read{}, err
	}
	seen := read{service: service, hold: hold.Of(service)}
	seen.Service, seen.Last, seen.Now = ecsview.SnapshotOf(service), seen.hold.Last, time.Now()
	seen.Unwritten = r.unwritten || hold.Possible(aws.ToString(service.ServiceArn)) != ""
	return seen, nil
}

func (r *Rollback) readOnce(ctx context.Context) (read, error) {
	seen, err := r.readService(ctx)
	if err != nil {
		return read{}, err
	}
	seen.Deployments, err = history.Read(ctx, r.client, r.in.Cluster, r.in.Service, seen.Service.Current)
	if err != nil && !awserr.IsUnsupported(err) && !awserr.Optional(r.env.Events, "The history of deployments", err) {
		return read{}, err
	}
	seen.unread, seen.Unread = err, err != nil
	if len(seen.Deployments) > 0 && seen.Deployments[0].Running() && seen.Deployments[0].RolledBack() {
		seen.Undoing = r.undoing(ctx, seen.Deployments[0].ARN)
	}
	return seen, nil
}

// undoing returns the ARN of the task definition that a rollback of ECS goes back to, or "" where that cannot be read.
func (r *Rollback) undoing(ctx context.Context, deployment string) string {
	d, err := ecsview.DescribeServiceDeployment(ctx, r.client, deployment)
	if err != nil || d == nil || d.RolledBackTo == "" {
		return ""
	}
	revisions, err := ecsview.DescribeRevisions(ctx, r.client, []string{d.RolledBackTo})
	if err != nil {
		r.env.Events.Debugf("what %s goes back to is not known: %v", arn.Last(deployment), err)
	}
	return revisions[d.RolledBackTo].TaskDefinition
}

// same reports whether nothing has happened to the service between two looks at it that matters to a rollback.
func same(a, b ecsview.Snapshot) bool {
	type deployment struct{ id, status, state string }
	brief := func(s ecsview.Snapshot) (all []deployment) {
		for _, d := range s.Deployments {
			all = append(all, deployment{d.ID, d.Status, d.State})
		}
		return all
	}
	return a.TaskDefinition == b.TaskDefinition && slices.Equal(brief(a), brief(b))
}
