package rollout

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// Client is the part of the ECS API that a rollout needs; *ecs.Client has it.
type Client interface {
	ecsview.Services
	ecsview.ServiceDeployments
	ecsview.ServiceDeploymentDetails
	ecsview.Revisions
	ecsview.Tasks
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	StopServiceDeployment(context.Context, *ecs.StopServiceDeploymentInput, ...func(*ecs.Options)) (*ecs.StopServiceDeploymentOutput, error)
}

// swift reads with few tries: what fails is read again in the next round, when it says more, and throttling is answered by a slower
// pace rather than by waiting in each call. What changes something is tried as often as the client does. All calls are counted.
type swift struct {
	Client
	calls *atomic.Int64 // how many were made; retries of one call are one
}

const swiftTries = 3

func (s swift) options(more []func(*ecs.Options)) []func(*ecs.Options) {
	s.calls.Add(1)
	return append(slices.Clip(more), func(o *ecs.Options) { o.RetryMaxAttempts = swiftTries })
}

func (s swift) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput,
	o ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return s.Client.DescribeServices(ctx, in, s.options(o)...)
}

func (s swift) ListServiceDeployments(ctx context.Context, in *ecs.ListServiceDeploymentsInput,
	o ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	return s.Client.ListServiceDeployments(ctx, in, s.options(o)...)
}

func (s swift) DescribeServiceDeployments(ctx context.Context, in *ecs.DescribeServiceDeploymentsInput,
	o ...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error) {
	return s.Client.DescribeServiceDeployments(ctx, in, s.options(o)...)
}

func (s swift) DescribeServiceRevisions(ctx context.Context, in *ecs.DescribeServiceRevisionsInput,
	o ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error) {
	return s.Client.DescribeServiceRevisions(ctx, in, s.options(o)...)
}

func (s swift) ListTasks(ctx context.Context, in *ecs.ListTasksInput, o ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return s.Client.ListTasks(ctx, in, s.options(o)...)
}

func (s swift) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, o ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return s.Client.DescribeTasks(ctx, in, s.options(o)...)
}

func (s swift) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput, o ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	s.calls.Add(1)
	return s.Client.UpdateService(ctx, in, o...)
}

func (s swift) StopServiceDeployment(ctx context.Context, in *ecs.StopServiceDeploymentInput,
	o ...func(*ecs.Options)) (*ecs.StopServiceDeploymentOutput, error) {
	s.calls.Add(1)
	return s.Client.StopServiceDeployment(ctx, in, o...)
}
