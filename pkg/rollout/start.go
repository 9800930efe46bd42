package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Start tells the service to run a task definition, and returns the deployment that this began. It names nothing but the
// task definition, so that the desired count of an autoscaler and everything else stay as they are; a new deployment is
// forced only where the service is at this very task definition already.
func Start(ctx context.Context, client Client, cluster, service string, before ecsview.Snapshot, taskDefinition string) (Target, error) {
	return start(ctx, client, before, taskDefinition, &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: aws.String(service)})
}

// StartFirst starts the first release of a service that has no tasks yet, with this many. If it fails, the service is to be without
// tasks again.
func StartFirst(ctx context.Context, client Client, cluster, service string, before ecsview.Snapshot, taskDefinition string,
	count int) (Target, error) {
	return start(ctx, client, before, taskDefinition, &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: aws.String(service),
		DesiredCount: aws.Int32(int32(count))})
}

func start(ctx context.Context, client Client, before ecsview.Snapshot, taskDefinition string,
	input *ecs.UpdateServiceInput) (Target, error) {
	if ctx.Err() != nil {
		return Target{}, fmt.Errorf("updating service %s: %w", *input.Service, context.Cause(ctx))
	}
	call, done := outlive.Answer(ctx, interruptGrace) // what was sent and not waited for may begin a deployment that nobody watches
	defer done()
	return update(call, client, before, taskDefinition, input)
}

// update sends an update, and returns the deployment that it began.
func update(ctx context.Context, client Client, before ecsview.Snapshot, taskDefinition string,
	input *ecs.UpdateServiceInput) (Target, error) {
	cluster, service := *input.Cluster, *input.Service
	input.TaskDefinition = aws.String(taskDefinition)
	input.ForceNewDeployment = before.TaskDefinition == taskDefinition
	out, err := client.UpdateService(ctx, input)
	if err != nil {
		return Target{}, fmt.Errorf("updating service %s in cluster %s to %s: %w", service, cluster, taskDefinition, err)
	}
	target := Target{Cluster: cluster, Service: service, TaskDefinition: taskDefinition, Previous: before.Complete(taskDefinition),
		Empty: input.DesiredCount != nil}
	for _, d := range before.Deployments {
		target.Known = append(target.Known, d.ID)
	}
	if out.Service == nil {
		return target, nil // the deployment is looked for by its task definition
	}
	target.adopt(ecsview.SnapshotOf(*out.Service))
	return target, nil
}

// Attach returns the deployment of this task definition that is under way, so that a repeated run follows what an earlier
// one began. It reports false where the service is at another task definition.
func Attach(cluster, service string, s ecsview.Snapshot, taskDefinition string) (Target, bool) {
	primary := s.Primary()
	if primary == nil || primary.TaskDefinition != taskDefinition {
		return Target{}, false
	}
	target := Target{Cluster: cluster, Service: service, TaskDefinition: taskDefinition, Previous: s.Complete(taskDefinition), TakenUp: true}
	for _, d := range s.Deployments {
		if d.ID != primary.ID {
			target.Known = append(target.Known, d.ID)
		}
	}
	target.ID, target.Created = primary.ID, primary.Created
	return target, true
}

// adopt takes id and time of the deployment that the update began from a snapshot: the PRIMARY one, if it was not there
// before and is for our task definition.
func (t *Target) adopt(s ecsview.Snapshot) {
	primary := s.Primary()
	if t.ID == "" && primary != nil && primary.TaskDefinition == t.TaskDefinition && !slices.Contains(t.Known, primary.ID) {
		t.ID, t.Created = primary.ID, primary.Created
	}
}
