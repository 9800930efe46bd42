package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

// Client is the part of the ECS API that history needs; *ecs.Client has it.
type Client interface {
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error)
	DescribeServiceRevisions(context.Context, *ecs.DescribeServiceRevisionsInput,
		...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error)
}

// Deployment is one deployment of the past, or the one that runs.
type Deployment struct {
	ARN            string // of the service deployment
	Status         types.ServiceDeploymentStatus
	Reason         string // statusReason
	Created        time.Time
	Finished       time.Time // zero while it runs
	TaskDefinition string    // ARN; empty where ECS does not know the service revision any more
	Images         []Image   // with the digests that ran
}

// Image is what a container ran.
type Image struct {
	Container string
	Image     string // as the task definition had it
	Digest    string // what ECS resolved it to; empty where it did not
}

// Succeeded reports whether the deployment arrived.
func (d Deployment) Succeeded() bool { return d.Status == types.ServiceDeploymentStatusSuccessful }

// Running reports whether the deployment, or its rollback, is still under way.
func (d Deployment) Running() bool {
	switch d.Status {
	case types.ServiceDeploymentStatusPending, types.ServiceDeploymentStatusInProgress, types.ServiceDeploymentStatusStopRequested,
		types.ServiceDeploymentStatusRollbackRequested, types.ServiceDeploymentStatusRollbackInProgress:
		return true
	}
	return false
}

// RolledBack reports whether the deployment ended, or is about to end, with its predecessor in force again.
func (d Deployment) RolledBack() bool { return strings.HasPrefix(string(d.Status), "ROLLBACK_") }

// Name shortens the task definition to FAMILY:NUMBER.
func (d Deployment) Name() string { return arn.Revision(d.TaskDefinition) }

// Digests returns the digests that ran, by container.
func (d Deployment) Digests() map[string]string {
	digests := map[string]string{}
	for _, image := range d.Images {
		if image.Digest != "" {
			digests[image.Container] = image.Digest
		}
	}
	return digests
}

// images identifies what the deployment ran by its digests; where one is missing, by the task definition.
func (d Deployment) images() string {
	var all []string
	for _, image := range d.Images {
		digest := image.Digest
		if digest == "" {
			_, digest, _ = strings.Cut(image.Image, "@")
		}
		if digest == "" {
			return d.TaskDefinition
		}
		all = append(all, image.Container+"="+digest)
	}
	if len(all) == 0 {
		return d.TaskDefinition
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// most is how many deployments are read: at ten a day, the 90 days that ECS keeps.
const most = 900

// Read returns the deployments of a service, newest first, with what each was to run.
func Read(ctx context.Context, client Client, cluster, service string) ([]Deployment, error) {
	var all []Deployment
	revisions := map[string]types.ServiceRevision{}
	var arns []string
	input := &ecs.ListServiceDeploymentsInput{Cluster: aws.String(cluster), Service: aws.String(service), MaxResults: aws.Int32(100)}
	var targets []string
	for len(all) < most {
		out, err := client.ListServiceDeployments(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing the deployments of service %s: %w", service, err)
		}
		for _, brief := range out.ServiceDeployments {
			all = append(all, Deployment{
				ARN:      aws.ToString(brief.ServiceDeploymentArn),
				Status:   brief.Status,
				Reason:   aws.ToString(brief.StatusReason),
				Created:  aws.ToTime(brief.CreatedAt),
				Finished: aws.ToTime(brief.FinishedAt),
			})
			arn := aws.ToString(brief.TargetServiceRevisionArn)
			targets = append(targets, arn)
			if arn != "" {
				arns = append(arns, arn)
			}
		}
		if out.NextToken == nil {
			break
		}
		input.NextToken = out.NextToken
	}
	slices.Sort(arns)
	for chunk := range slices.Chunk(slices.Compact(arns), 20) { // what the API takes in one call
		out, err := client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: chunk})
		if err != nil {
			return nil, fmt.Errorf("describing the revisions of service %s: %w", service, err)
		}
		for _, revision := range out.ServiceRevisions {
			revisions[aws.ToString(revision.ServiceRevisionArn)] = revision
		}
	}
	for i, arn := range targets {
		revision := revisions[arn]
		all[i].TaskDefinition = aws.ToString(revision.TaskDefinition)
		for _, image := range revision.ContainerImages {
			all[i].Images = append(all[i].Images, Image{
				Container: aws.ToString(image.ContainerName),
				Image:     aws.ToString(image.Image),
				Digest:    aws.ToString(image.ImageDigest),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Deployment) int { return b.Created.Compare(a.Created) })
	return all, nil
}
