package ecsdeploy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/rollout"
)

// firstCountTag is the service's tag that says how many tasks its first release starts. Terraform makes a service without
// tasks, since there is no image yet that they could run, and cannot know when there is one.
const firstCountTag = "connect2-first-count"

// readFirst finds out whether this is the first release of a service that was born empty: it has no tasks, and is still at
// its template.
func (d *Deployment) readFirst() (err error) {
	if d.before.Desired > 0 || !strings.HasSuffix(arn.Family(d.before.TaskDefinition), templateSuffix) {
		return nil
	}
	for _, tag := range d.service.Tags {
		if aws.ToString(tag.Key) != firstCountTag {
			continue
		}
		d.first, err = strconv.Atoi(aws.ToString(tag.Value))
		if err != nil || d.first < 0 {
			return fmt.Errorf("service: the tag %s of %s is %q, not a number of tasks", firstCountTag, d.in.Service, aws.ToString(tag.Value))
		}
	}
	return nil
}

// update begins the deployment. Only a first release says how many tasks there are to be: later on that is the autoscaler's.
func (d *Deployment) update(ctx context.Context) (rollout.Target, error) {
	if d.first == 0 {
		return rollout.Start(ctx, d.client, d.in.Cluster, d.in.Service, d.before, d.existing.ARN)
	}
	d.env.Log.Eventf("this is the first release of the service: it starts with %d tasks", d.first)
	return rollout.StartFirst(ctx, d.client, d.in.Cluster, d.in.Service, d.before, d.existing.ARN, d.first)
}

// emptyAgain takes the tasks of a first release that failed away again. What ECS would roll back to is the template, whose
// tasks have no image and can only fail.
func (d *Deployment) emptyAgain(ctx context.Context) {
	if d.first == 0 {
		return
	}
	cleanup, done := outlive.Cleanup(ctx, action.CleanupTime)
	defer done()
	_, err := d.client.UpdateService(cleanup, &ecs.UpdateServiceInput{Cluster: aws.String(d.in.Cluster),
		Service: aws.String(d.in.Service), DesiredCount: aws.Int32(0)})
	if err != nil {
		d.env.Log.Warnf("The service has tasks that cannot start",
			"the first release failed, and the desired count could not be set back to 0: %v", awserr.Explain(err))
		return
	}
	d.emptied = true
	d.env.Log.Eventf("the first release failed: the service is without tasks again")
}

// backToEmpty is the error of a first release that failed. There was no version to put back; that the service is empty again
// is all there was to restore.
func (d *Deployment) backToEmpty(err error) error {
	if !d.emptied || action.OutcomeOf(err) != action.Stuck {
		return err
	}
	return &action.Error{
		Outcome: action.RolledBack,
		Title:   "The first release of the service failed",
		Err:     fmt.Errorf("the first release of %s failed, and the service is without tasks again: %w", d.in.Service, err),
	}
}
