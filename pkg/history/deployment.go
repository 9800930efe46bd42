package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Client is the part of the ECS API that history needs; *ecs.Client has it.
type Client interface {
	ecsview.ServiceDeployments
	ecsview.Revisions
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
type Image = ecsview.Image

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
	listed, err := ecsview.ListServiceDeployments(ctx, client, cluster, service, time.Time{}, most)
	if err != nil {
		return nil, err
	}
	arns := make([]string, 0, len(listed))
	for _, d := range listed {
		arns = append(arns, d.Revision)
	}
	revisions, err := ecsview.DescribeRevisions(ctx, client, arns)
	if err != nil {
		return nil, fmt.Errorf("reading what service %s ran: %w", service, err)
	}
	all := make([]Deployment, 0, len(listed))
	for _, d := range listed {
		revision := revisions[d.Revision]
		all = append(all, Deployment{ARN: d.ARN, Status: d.Status, Reason: d.Reason, Created: d.Created, Finished: d.Finished,
			TaskDefinition: revision.TaskDefinition, Images: revision.Images})
	}
	return all, nil
}
