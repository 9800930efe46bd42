package rollout_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// A service that the circuit breaker has rolled back is stable, and yet the deployment of api:42 did not succeed.
func ExampleEvaluate() {
	target := rollout.Target{TaskDefinition: "api:42", ID: "ecs-svc/2", Known: []string{"ecs-svc/1"}}
	service := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: "api:41", Desired: 2, Running: 2, Deployments: []ecsview.Deployment{
		{ID: "ecs-svc/1", Status: "PRIMARY", State: "COMPLETED", TaskDefinition: "api:41", Desired: 2, Running: 2}}}
	fmt.Println(rollout.Evaluate(target, service, rollout.Seen{Listed: true, RollingBack: true}).Phase)
	// Output: rolled back
}

// Deploy a task definition and follow its deployment, for a quarter of an hour at most.
func ExampleFollow() {
	deploy := func(ctx context.Context, client *ecs.Client, cluster, service, taskDefinition string) error {
		before, err := ecsview.Read(ctx, client, cluster, service)
		if err != nil {
			return err
		}
		target, err := rollout.Start(ctx, client, rollout.Update{Cluster: cluster, Service: service, TaskDefinition: taskDefinition,
			Before: before})
		if err != nil {
			return err
		}
		result, err := rollout.Follow(ctx, client, target, rollout.Timeout(15*time.Minute), rollout.Events(func(e record.Event) {
			if e.Kind == record.KindNote {
				fmt.Println(e.Text)
			}
		}))
		fmt.Println("the service is at", result.Serving)
		return err
	}
	_ = deploy
}
