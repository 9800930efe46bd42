package ecsview

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/sorted"
)

// ServiceDeployments lists the deployments of a service; *ecs.Client does.
type ServiceDeployments interface {
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error)
}

// ServiceDeploymentDetails describes deployments of a service; *ecs.Client does.
type ServiceDeploymentDetails interface {
	DescribeServiceDeployments(context.Context, *ecs.DescribeServiceDeploymentsInput,
		...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error)
}

// Revisions describes what deployments of a service were to run; *ecs.Client does.
type Revisions interface {
	DescribeServiceRevisions(context.Context, *ecs.DescribeServiceRevisionsInput,
		...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error)
}

const (
	pageSize  = 100 // the most that the lists of ECS give in one answer
	batchSize = 20  // the most service deployments or revisions that ECS describes in one call
)

// ListServiceDeployments returns the deployments of a service that were created after a moment (zero: all of the 90 days that
// ECS keeps), newest first, without what only DescribeServiceDeployment tells. It stops after the page with which there are
// most of them; 0 is not a limit.
func ListServiceDeployments(ctx context.Context, client ServiceDeployments, cluster, service string, after time.Time,
	most int) ([]ServiceDeployment, error) {
	input := &ecs.ListServiceDeploymentsInput{Cluster: aws.String(cluster), Service: aws.String(service), MaxResults: aws.Int32(pageSize)}
	if !after.IsZero() {
		input.CreatedAt = &types.CreatedAt{After: aws.Time(after)}
	}
	var all []ServiceDeployment
	for {
		out, err := client.ListServiceDeployments(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing the service deployments of %s: %w", service, err)
		}
		for _, brief := range out.ServiceDeployments {
			all = append(all, ServiceDeployment{
				ARN:      aws.ToString(brief.ServiceDeploymentArn),
				Status:   brief.Status,
				Reason:   aws.ToString(brief.StatusReason),
				Revision: aws.ToString(brief.TargetServiceRevisionArn),
				Created:  aws.ToTime(brief.CreatedAt),
				Started:  aws.ToTime(brief.StartedAt),
				Finished: aws.ToTime(brief.FinishedAt),
			})
		}
		if aws.ToString(out.NextToken) == "" || most > 0 && len(all) >= most {
			break
		}
		input.NextToken = out.NextToken
	}
	sorted.Stable(all, func(a, b ServiceDeployment) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// DescribeServiceDeployment reads one service deployment; nil where the API does not know it.
func DescribeServiceDeployment(ctx context.Context, client ServiceDeploymentDetails, arn string) (*ServiceDeployment, error) {
	out, err := client.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}})
	if err != nil {
		return nil, fmt.Errorf("describing service deployment %s: %w", arn, err)
	}
	if len(out.ServiceDeployments) == 0 {
		return nil, nil
	}
	return serviceDeploymentOf(out.ServiceDeployments[0]), nil
}

// Revision is a service revision: what a deployment was to run. It never changes.
type Revision struct {
	ARN            string
	TaskDefinition string // ARN
	Images         []Image
}

// Image is what a container ran.
type Image struct {
	Container string
	Image     string // as the task definition had it
	Digest    string // what ECS resolved it to; empty where it did not
}

// DescribeRevisions reads service revisions, by ARN. Those that ECS does not know any more are left out; empty ARNs are passed over.
func DescribeRevisions(ctx context.Context, client Revisions, arns []string) (map[string]Revision, error) {
	wanted := map[string]bool{}
	for _, arn := range arns {
		if arn != "" {
			wanted[arn] = true
		}
	}
	found := map[string]Revision{}
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), batchSize) {
		out, err := client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: batch})
		if err != nil {
			return nil, fmt.Errorf("describing service revisions: %w", err)
		}
		for _, r := range out.ServiceRevisions {
			revision := Revision{ARN: aws.ToString(r.ServiceRevisionArn), TaskDefinition: aws.ToString(r.TaskDefinition)}
			for _, image := range r.ContainerImages {
				revision.Images = append(revision.Images, Image{
					Container: aws.ToString(image.ContainerName),
					Image:     aws.ToString(image.Image),
					Digest:    aws.ToString(image.ImageDigest),
				})
			}
			found[revision.ARN] = revision
		}
	}
	return found, nil
}
