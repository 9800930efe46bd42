package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// Settings are those of the service itself that change with a deployment. What is not given stays as it is.
type Settings struct {
	DesiredCount  *int   `input:"desired-count" min:"0" max:"5000" doc:"How many tasks the service is to have from this deployment on. Refused where a scalable target of Application Auto Scaling owns the number. Empty: as many as it has."`
	PropagateTags string `input:"propagate-tags" enum:"NONE,SERVICE,TASK_DEFINITION" doc:"Whose tags the service's tasks get from this deployment on. Empty: as the service has it."`
	ManagedTags   string `input:"enable-ecs-managed-tags" enum:"true,false" doc:"Whether the service's tasks get ECS's own tags, of cluster and service, from this deployment on. Empty: as the service has it."`
}

// given reports whether any is.
func (s Settings) given() bool {
	return s.DesiredCount != nil || s.PropagateTags != "" || s.ManagedTags != ""
}

// checkSettings returns what is wrong with the settings by themselves.
func (in Inputs) checkSettings() []error {
	if !in.Settings.given() || !in.RegisterOnly && in.RenderOnly == "" {
		return nil
	}
	return []error{errors.New("desired-count, propagate-tags, enable-ecs-managed-tags: they change the service, which register-only and " +
		"render-only leave as it is")}
}

// setting is one that a service has otherwise than it is to.
type setting struct{ name, now, then string }

// differing returns the settings that a service has otherwise.
func (s Settings) differing(service types.Service) (all []setting) {
	add := func(name, now, then string) {
		if then != "" && then != now {
			all = append(all, setting{name, now, then})
		}
	}
	if s.DesiredCount != nil {
		add("desired-count", strconv.Itoa(int(service.DesiredCount)), strconv.Itoa(*s.DesiredCount))
	}
	propagated := string(service.PropagateTags)
	if propagated == "" {
		propagated = string(types.PropagateTagsNone)
	}
	add("propagate-tags", propagated, s.PropagateTags)
	add("enable-ecs-managed-tags", strconv.FormatBool(service.EnableECSManagedTags), s.ManagedTags)
	return all
}

// set writes settings into an update of the service.
func set(in *ecs.UpdateServiceInput, name, value string) {
	switch name {
	case "desired-count":
		n, _ := strconv.ParseInt(value, 10, 32) // it was made of a number
		in.DesiredCount = aws.Int32(int32(n))
	case "propagate-tags":
		in.PropagateTags = types.PropagateTags(value)
	case "enable-ecs-managed-tags":
		in.EnableECSManagedTags = aws.Bool(value == "true")
	}
}

// settings writes what the service is to have otherwise into the update that begins the deployment.
func (c *current) settings(in *ecs.UpdateServiceInput) {
	for _, one := range c.in.Settings.differing(c.service) {
		set(in, one.name, one.then)
	}
}

// wants is how many tasks the service is to have.
func (c *current) wants() int {
	if n := c.in.Settings.DesiredCount; n != nil {
		return *n
	}
	return max(c.before.Desired, c.first)
}

// withSettings has a revision that is in force, or on its way, deployed once more where its tasks are to get other settings.
func withSettings(todo step, differ bool) step {
	if differ && (todo == nothing || todo == follow) {
		return deploy
	}
	return todo
}

// settingsBack gives the service its former settings again, after a deployment that was rolled back: not where somebody has changed
// them since. A failure is a warning.
func (c *current) settingsBack(ctx context.Context) {
	sent := c.in.Settings.differing(c.service)
	if len(sent) == 0 {
		return
	}
	service, err := ecsview.Lookup(ctx, c.client, c.in.Cluster, c.in.Service, func(error) {})
	back := &ecs.UpdateServiceInput{Cluster: aws.String(c.in.Cluster), Service: aws.String(c.in.Service)}
	var names []string
	if err == nil {
		left := c.in.Settings.differing(service)
		for _, one := range sent {
			changed := false
			for _, other := range left {
				changed = changed || other.name == one.name
			}
			if changed || one.name == "desired-count" && c.first > 0 { // a first release is without tasks again already
				continue
			}
			set(back, one.name, one.now)
			names = append(names, one.name+" "+one.now)
		}
		if len(names) == 0 {
			return
		}
		_, err = c.client.UpdateService(ctx, back)
	}
	if err != nil {
		c.env.Events.Warnf("Settings not put back", "service %s still has the settings of the deployment that was rolled back (%s): %v",
			c.in.Service, settingsText(sent), awserr.Explain(err))
		return
	}
	c.env.Events.Notef("service %s has its settings again: %s", c.in.Service, strings.Join(names, ", "))
}

func settingsText(all []setting) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, one.name+": "+one.now+" -> "+one.then)
	}
	return strings.Join(texts, ", ")
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

// scaled says why a number of tasks would not stay, or is not known to. limits are nil where nothing scales the service.
func scaled(service, resource string, tasks int, limits *operate.Limits, err error) error {
	switch {
	case err != nil:
		return &action.Error{Outcome: action.Invalid, Title: "It is not known what scales this service",
			Err:    fmt.Errorf("desired-count: whether a scalable target owns the number of tasks of %s: %w", service, awserr.Explain(err)),
			Advice: "Give the role docs/iam/ecs-deploy-desired-count.json; or leave desired-count out."}
	case limits != nil:
		return fmt.Errorf("desired-count: %s", limits.Owned(service, resource, tasks))
	}
	return nil
}
