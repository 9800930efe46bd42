package rollout

import (
	"context"

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
