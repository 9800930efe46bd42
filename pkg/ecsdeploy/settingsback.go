package ecsdeploy

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// settings writes what the service is to have otherwise into the update that begins the deployment.
func (c *current) settings(in *ecs.UpdateServiceInput) {
	for _, one := range c.in.Settings.differing(c.service) {
		set(in, one.name, one.then)
	}
}

// settingsBack gives the service its former settings again, after a deployment that was rolled back: not where somebody has changed
// them since. A failure is a warning.
func (c *current) settingsBack(ctx context.Context) {
	sent := c.in.Settings.differing(c.service)
	if len(sent) == 0 {
		return
	}
	back, err := c.putSettingsBack(ctx, sent)
	switch {
	case err != nil:
		c.env.Events.Warnf("Settings not put back", "service %s still has the settings of the deployment that was rolled back (%s): %v",
			c.in.Service, settingsText(sent), awserr.Explain(err))
	case len(back) > 0:
		c.env.Events.Notef("service %s has its settings again: %s", c.in.Service, strings.Join(back, ", "))
	}
}

func (c *current) putSettingsBack(ctx context.Context, sent []setting) (back []string, err error) {
	service, err := ecsview.Lookup(ctx, c.client, c.in.Cluster, c.in.Service, func(error) {})
	if err != nil {
		return nil, err
	}
	in := &ecs.UpdateServiceInput{Cluster: aws.String(c.in.Cluster), Service: aws.String(c.in.Service)}
	for _, one := range unchanged(sent, c.in.Settings.differing(service), c.first > 0) {
		set(in, one.name, one.now)
		back = append(back, one.name+" "+one.now)
	}
	if len(back) > 0 {
		_, err = c.client.UpdateService(ctx, in)
	}
	return back, err
}

// refuseScaled refuses a number of tasks that something else owns, or may.
func (c *current) refuseScaled(ctx context.Context) error {
	n := c.in.Settings.DesiredCount
	if n == nil {
		return nil
	}
	service := aws.ToString(c.service.ServiceArn)
	limits, err := operate.LimitsOf(ctx, operate.ScalingOf(c.conn.Config), service)
	_, resource, _ := strings.Cut(service, ":service/")
	return scaled(arn.Last(c.in.Service), "service/"+resource, *n, limits, err)
}
