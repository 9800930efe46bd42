package ecsdeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// queuePace is how often a run that waits for another deployment looks: often enough for what takes minutes.
const queuePace = 5 * time.Second

// queue waits until no deployment of the service is under way, or for as long as the run is to wait.
func queue(ctx context.Context, env *action.Env, services ecsview.Services, in Inputs) error {
	if in.Queue == 0 {
		return nil
	}
	c := env.Clock()
	for begun, told := c.Now(), false; ; told = true {
		service, err := ecsview.Lookup(ctx, services, in.Cluster, in.Service)
		if err != nil {
			return awsconn.Refuse(ctx, refused, err)
		}
		primary := ecsview.SnapshotOf(service).Primary()
		switch {
		case !primary.InProgress():
			return nil
		case clock.Since(c, begun) >= in.Queue:
			return &action.Error{Outcome: action.Invalid, Title: "Another deployment is still under way",
				Err: fmt.Errorf("queue: the deployment of %s to %s is under way after %s", arn.Revision(primary.TaskDefinition),
					in.Service, in.Queue),
				Advice: "Nothing was changed. Run it again when that deployment has ended."}
		case !told:
			env.Events.Notef("a deployment of %s is under way: waiting up to %s for its end", arn.Revision(primary.TaskDefinition), in.Queue)
		}
		if err := c.Sleep(ctx, min(queuePace, in.Queue)); err != nil {
			return fmt.Errorf("waiting for the deployment of %s to end: %w", arn.Revision(primary.TaskDefinition), err)
		}
	}
}
