package ecsdeploy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// firstCountTag is the service's tag that says how many tasks its first release starts. Terraform makes a service without
// tasks, since there is no image yet that they could run, and cannot know when there is one.
const firstCountTag = "connect2-first-count"

// readFirst finds out whether this is the first release of a service that was born empty: it has no tasks, and is still at
// its template.
func (d *Deployment) readFirst() (err error) {
	if d.before.Desired > 0 || !strings.HasSuffix(arn.Family(d.before.TaskDefinition), taskdef.TemplateSuffix) {
		return nil
	}
	if n := d.in.Settings.DesiredCount; n != nil {
		d.first = *n
		return nil
	}
	for _, tag := range d.service.Tags {
		if aws.ToString(tag.Key) != firstCountTag {
			continue
		}
		d.first, err = strconv.Atoi(aws.ToString(tag.Value))
		if err != nil || d.first < 0 {
			return fmt.Errorf("service: the tag %s of %s is %q, not a number of tasks", firstCountTag, d.in.Service, aws.ToString(tag.Value))
		}
	}
	return nil
}

// update begins the deployment. Only a first release says how many tasks there are to be: later on that is the autoscaler's.
func (d *Deployment) update(ctx context.Context) (rollout.Target, error) {
	if d.first > 0 {
		d.env.Events.Notef("this is the first release of the service: it starts with %d tasks", d.first)
	}
	return rollout.Start(ctx, d.client, rollout.Update{Cluster: d.in.Cluster, Service: d.in.Service, TaskDefinition: d.existing.ARN,
		Before: d.before, First: d.first, Again: d.again, Patience: d.limit, Also: d.settings, Clock: d.env.Clock()})
}

// again reads the service right before it is updated. A hold that was put on it since the run began is respected.
func (d *Deployment) again(ctx context.Context) (ecsview.Snapshot, error) {
	service, err := ecsview.Lookup(ctx, d.client, d.in.Cluster, d.in.Service, hold.Unread(d.env.Events))
	if err != nil {
		return ecsview.Snapshot{}, err
	}
	d.hold = hold.Of(service)
	return ecsview.SnapshotOf(service), d.refuseHeld()
}
