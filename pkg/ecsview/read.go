package ecsview

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Services reads services; *ecs.Client does.
type Services interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
}

// ErrNoService says that the cluster has no service of this name, or none that is ACTIVE.
var ErrNoService = errors.New("no such service")

// Read reads a service as a Snapshot; Own is left nil.
func Read(ctx context.Context, client Services, cluster, service string) (Snapshot, error) {
	answer, err := describe(ctx, client, cluster, service)
	if err != nil {
		return Snapshot{}, err
	}
	return SnapshotOf(answer), nil
}

// describe reads a service, with its tags where include says so. Where there is none the error is ErrNoService.
func describe(ctx context.Context, client Services, cluster, service string, include ...types.ServiceField) (types.Service, error) {
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster:  aws.String(cluster),
		Services: []string{service},
		Include:  include,
	})
	if err != nil {
		return types.Service{}, fmt.Errorf("describing service %s in cluster %s: %w", service, cluster, err)
	}
	if len(out.Services) == 0 {
		reason := "MISSING"
		if len(out.Failures) > 0 {
			reason = aws.ToString(out.Failures[0].Reason)
		}
		return types.Service{}, fmt.Errorf("service %s in cluster %s: %w (%s)", service, cluster, ErrNoService, reason)
	}
	return out.Services[0], nil
}
