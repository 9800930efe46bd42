package ecsview

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/awserr"
)

// Lookup reads a service that is to be deployed to, with its tags. Where the cluster or the service does not exist, or cannot
// be served, the error names the input and says why. What the API serves in the same way as Fargate, such as services on EC2
// or on managed instances, is not refused.
func Lookup(ctx context.Context, client Services, cluster, service string, untagged ...func(error)) (types.Service, error) {
	found, err := Find(ctx, client, cluster, service, untagged...)
	if err != nil {
		return found, err
	}
	if why := refuse(found); why != "" {
		return found, fmt.Errorf("service: %s cannot be deployed to: %s", service, why)
	}
	return found, nil
}

// Find reads a service whose settings are wanted, whoever deploys to it, with its tags. Where the cluster or the service does not
// exist, or was deleted, the error names the input.
//
// There are partitions whose ECS refuses to give tags. Where the call is refused with them and works without, the service is
// returned without tags, and untagged gets the refusal.
func Find(ctx context.Context, client Services, cluster, service string, untagged ...func(error)) (types.Service, error) {
	found, err := describe(ctx, client, cluster, service, types.ServiceFieldTags)
	if refusesTags(err) {
		plain, again := describe(ctx, client, cluster, service)
		if again == nil {
			for _, tell := range untagged {
				tell(err)
			}
			found, err = plain, nil
		}
	}
	var noCluster *types.ClusterNotFoundException
	switch {
	case errors.As(err, &noCluster):
		return found, fmt.Errorf("cluster: there is no cluster %q in this account and %s%s", cluster, regionOf(client),
			elsewhere(cluster, clusters(ctx, client)))
	case errors.Is(err, ErrNoService):
		return found, fmt.Errorf("service: there is no service %q in cluster %s%s", service, cluster,
			others(service, services(ctx, client, cluster)))
	case err != nil:
		return found, err
	case aws.ToString(found.Status) != "ACTIVE":
		return found, fmt.Errorf("service: %s is %s, not ACTIVE: it was deleted, or is being deleted", service, aws.ToString(found.Status))
	}
	return found, nil
}

// refuse returns why a service cannot be deployed to, or "".
func refuse(service types.Service) string {
	if service.ResourceManagementType == types.ResourceManagementTypeEcs {
		return "it is managed by ECS Express Mode, which makes its own task definitions: change it there (ecs:UpdateExpressGatewayService)"
	}
	if c := service.DeploymentController; c != nil {
		switch c.Type {
		case types.DeploymentControllerTypeCodeDeploy:
			return "its deployments are made by CodeDeploy (deployment controller CODE_DEPLOY), which ecs:UpdateService cannot start: " +
				"use CodeDeploy, or move it to the controller ECS with the strategy BLUE_GREEN"
		case types.DeploymentControllerTypeExternal:
			return "its deployments are made by an external controller (EXTERNAL): use that"
		}
	}
	return ""
}

// OnFargate reports whether the service's tasks run on Fargate alone. Checks that are about Fargate do not apply elsewhere.
func OnFargate(service types.Service) bool {
	if len(service.CapacityProviderStrategy) == 0 {
		return service.LaunchType == types.LaunchTypeFargate
	}
	for _, item := range service.CapacityProviderStrategy {
		if name := aws.ToString(item.CapacityProvider); name != "FARGATE" && name != "FARGATE_SPOT" {
			return false
		}
	}
	return true
}

// refusesTags reports whether a call may have been refused for the tags that it asks for: partitions differ in how they say so.
func refusesTags(err error) bool {
	if awserr.IsUnsupported(err) || awserr.IsDenied(err) {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "InvalidParameterException", "ClientException", "ValidationException", "ValidationError", "InvalidRequest":
		return true
	}
	return false
}
