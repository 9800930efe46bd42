package ecsdeploy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/operate"
)

// Settings are those of the service itself that change with a deployment. What is not given stays as it is.
type Settings struct {
	DesiredCount  *int   `input:"desired-count" min:"0" max:"5000" doc:"How many tasks the service is to have from this deployment on. Refused if a scalable target of Application Auto Scaling owns the number. Empty: unchanged."`
	PropagateTags string `input:"propagate-tags" enum:"NONE,SERVICE,TASK_DEFINITION" doc:"Whose tags the service's tasks get from this deployment on. Empty: unchanged."`
	ManagedTags   string `input:"enable-ecs-managed-tags" enum:"true,false" doc:"Whether the service's tasks get ECS's own tags (cluster and service) from this deployment on. Empty: unchanged."`
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

// desiredCount is the name of the setting.
const desiredCount = "desired-count"

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
		add(desiredCount, strconv.Itoa(int(service.DesiredCount)), strconv.Itoa(*s.DesiredCount))
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
	case desiredCount:
		n, _ := strconv.Atoi(value) // it was made of a number
		in.DesiredCount = aws.Int32(int32(n))
	case "propagate-tags":
		in.PropagateTags = types.PropagateTags(value)
	case "enable-ecs-managed-tags":
		in.EnableECSManagedTags = aws.Bool(value == "true")
	}
}

// wants is how many tasks the service is to have.
func (c *current) wants() int { return wanted(c.in.Settings.DesiredCount, c.before.Desired, c.first) }

// wanted is how many tasks a service is to have: as many as is asked for, or as it has, or as its first release starts.
func wanted(asked *int, has, first int) int {
	if asked != nil {
		return *asked
	}
	return max(has, first)
}

// withSettings has a revision that is in force, or on its way, deployed once more where its tasks are to get other settings.
func withSettings(todo step, differ bool) step {
	if differ && (todo == nothing || todo == follow) {
		return deploy
	}
	return todo
}

// unchanged returns those of the settings that were sent which nobody has changed since. left are those that the service has otherwise
// now. A first release that failed is without tasks again already.
func unchanged(sent, left []setting, first bool) (stay []setting) {
	for _, one := range sent {
		changed := slices.ContainsFunc(left, func(other setting) bool { return other.name == one.name })
		if changed || first && one.name == desiredCount {
			continue
		}
		stay = append(stay, one)
	}
	return stay
}

func settingsText(all []setting) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, one.name+": "+one.now+" -> "+one.then)
	}
	return strings.Join(texts, ", ")
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
