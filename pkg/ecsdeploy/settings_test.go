package ecsdeploy_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
)

func (s *site) wantSettings(desired int32, propagated types.PropagateTags, managed bool) {
	s.T.Helper()
	out, err := ecs.NewFromConfig(s.Config()).DescribeServices(s.T.Context(),
		&ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{service}})
	if err != nil || len(out.Services) != 1 {
		s.T.Fatalf("%+v: %v", out, err)
	}
	if is := out.Services[0]; is.DesiredCount != desired || is.PropagateTags != propagated || is.EnableECSManagedTags != managed {
		s.T.Errorf("%d tasks, tags of %s, managed tags %v; want %d, %s, %v", is.DesiredCount, is.PropagateTags, is.EnableECSManagedTags,
			desired, propagated, managed)
	}
}

// TestSettings changes the service's settings with a deployment, deploys what is in force once more for them, and puts them back with
// what failed.
func TestSettings(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.wantSettings(2, types.PropagateTagsNone, false)
		three, one := 3, 1
		s.Push("v2", "")
		in := inputs("v2")
		in.Settings.DesiredCount, in.Settings.PropagateTags, in.Settings.ManagedTags = &three, "SERVICE", "true"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		s.wantSettings(3, types.PropagateTagsService, true)
		if name, running := s.Primary(); name != family+":2" || running != 3 {
			t.Errorf("%d tasks of %s", running, name)
		}
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.NoChange)
		in.Settings.PropagateTags = "TASK_DEFINITION"
		s.Fresh()
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		s.wantSettings(3, types.PropagateTagsTaskDefinition, true)
		if name, _ := s.Primary(); name != family+":2" || !out.Changed ||
			!strings.Contains(s.Log.Text(), "propagate-tags: SERVICE -> TASK_DEFINITION") {
			t.Errorf("%s, changed %v:\n%s", name, out.Changed, s.Log.Text())
		}
		s.Push("bad", "{start: crash, exitCode: 3}")
		in.Image, in.Settings.DesiredCount, in.Settings.ManagedTags = "bad", &one, "false"
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.RolledBack)
		s.wantSettings(3, types.PropagateTagsTaskDefinition, true)
		if name, _ := s.Primary(); name != family+":2" {
			t.Errorf("%s serves", name)
		}
	})
}

// TestDesiredCountScaled refuses a number of tasks that autoscaling owns, and changes nothing.
func TestDesiredCountScaled(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		var none map[string]any
		if err := awscall.JSON(t.Context(), s.Config(), awscall.AutoScaling, "RegisterScalableTarget", map[string]any{
			"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceId": "service/" + cluster + "/" + service,
			"MinCapacity": 1, "MaxCapacity": 4}, &none); err != nil {
			t.Fatal(err)
		}
		s.Push("v2", "")
		before, six := len(s.Mutations()), 6
		in := inputs("v2")
		in.Settings.DesiredCount = &six
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Invalid)
		want := "--resource-id service/" + cluster + "/" + service + " --min-capacity 6 --max-capacity 6"
		if !strings.Contains(err.Error(), want) || len(s.Mutations()) != before {
			t.Errorf("%v, after %v", err, s.Mutations()[before:])
		}
		in.Settings.DesiredCount = nil
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
	})
}
