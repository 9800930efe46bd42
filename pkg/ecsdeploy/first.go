package ecsdeploy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// firstCountTag is the service's tag that says how many tasks its first release starts. Terraform makes a service without
// tasks, since there is no image yet that they could run, and cannot know when there is one.
const firstCountTag = "connect2-first-count"

// firstCount returns how many tasks the first release of a service starts that was born empty: it has no tasks, and is still at its
// template. 0: it is not that.
func firstCount(service types.Service, before ecsview.Snapshot, in Inputs) (int, error) {
	if before.Desired > 0 || !strings.HasSuffix(arn.Family(before.TaskDefinition), taskdef.TemplateSuffix) {
		return 0, nil
	}
	if n := in.Settings.DesiredCount; n != nil {
		return *n, nil
	}
	for _, tag := range service.Tags {
		if aws.ToString(tag.Key) != firstCountTag {
			continue
		}
		n, err := strconv.Atoi(aws.ToString(tag.Value))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("service: the tag %s of %s is %q, not a number of tasks", firstCountTag, in.Service, aws.ToString(tag.Value))
		}
		return n, nil
	}
	return 0, nil
}

// update begins the deployment. Only a first release says how many tasks there are to be: later on that is the autoscaler's.
func (c candidate) update(ctx context.Context) (started, error) {
	begun := started{candidate: c, held: c.hold}
	if c.first > 0 {
		c.env.Events.Notef("this is the first release of the service: it starts with %d tasks", c.first)
	}
	// The service is read again right before it is updated. A hold that was put on it since the run began is respected.
	again := func(ctx context.Context) (ecsview.Snapshot, error) {
		service, err := ecsview.Lookup(ctx, c.client, c.in.Cluster, c.in.Service, hold.Unread(c.env.Events))
		if err != nil {
			return ecsview.Snapshot{}, err
		}
		begun.held = hold.Of(service)
		return ecsview.SnapshotOf(service), c.refuseHeld(begun.held)
	}
	var err error
	begun.target, err = rollout.Start(ctx, c.client, rollout.Update{Cluster: c.in.Cluster, Service: c.in.Service,
		TaskDefinition: c.revision.ARN, Before: c.before, First: c.first, Again: again, Patience: c.limit, Also: c.settings,
		Clock: c.env.Clock()})
	return begun, err
}
