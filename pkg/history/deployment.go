package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Client is the part of the ECS API that history needs; *ecs.Client has it.
type Client interface {
	ecsview.ServiceDeployments
	ecsview.ServiceDeploymentDetails
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

// most is how many deployments are read: at ten a day, the 90 days that ECS keeps.
const most = 900

// Read returns the deployments of a service, newest first, with what each was to run. current is the ARN of the service deployment
// that DescribeServices names; a list that does not have it yet, or not any more, gets it. Empty is none.
func Read(ctx context.Context, client Client, cluster, service, current string) ([]Deployment, error) {
	listed, err := ecsview.ListServiceDeployments(ctx, client, cluster, service, time.Time{}, most)
	if err != nil {
		return nil, err
	}
	has := func(d ecsview.ServiceDeployment) bool { return d.ARN == current }
	if current != "" && !slices.ContainsFunc(listed, has) {
		// What cannot be described is as good as not listed yet.
		if d, err := ecsview.DescribeServiceDeployment(ctx, client, current); err == nil && d != nil {
			listed = append(listed, *d)
			sorted.Stable(listed, func(a, b ecsview.ServiceDeployment) int { return b.Created.Compare(a.Created) })
		}
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

// Replaced returns what ran when a service deployment began, for Known.Replaced. Of these deployments it knows only what they ran.
func Replaced(ctx context.Context, client Client, deployment string) ([]Deployment, error) {
	d, err := ecsview.DescribeServiceDeployment(ctx, client, deployment)
	if err != nil || d == nil {
		return nil, err
	}
	revisions, err := ecsview.DescribeRevisions(ctx, client, d.Sources)
	if err != nil {
		return nil, fmt.Errorf("reading what service deployment %s replaced: %w", deployment, err)
	}
	var all []Deployment
	for _, source := range d.Sources {
		if revision := revisions[source]; revision.TaskDefinition != "" {
			all = append(all, Deployment{TaskDefinition: revision.TaskDefinition, Images: revision.Images})
		}
	}
	return all, nil
}

// FirstOf returns the ARN of the oldest deployment of a task definition that succeeded, or "".
func FirstOf(deployments []Deployment, taskDefinition string) string {
	for _, d := range slices.Backward(deployments) {
		if d.Succeeded() && d.TaskDefinition == taskDefinition {
			return d.ARN
		}
	}
	return ""
}
