package ecsdeploy

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/operate"
)

// TestDiffering flips each setting alone.
func TestDiffering(t *testing.T) {
	two, three, none := 2, 3, 0
	service := types.Service{DesiredCount: 2, PropagateTags: types.PropagateTagsService, EnableECSManagedTags: true}
	for _, test := range []struct {
		name     string
		settings Settings
		service  types.Service
		want     string
	}{
		{"none is given", Settings{}, service, ""},
		{"all are so", Settings{&two, "SERVICE", "true"}, service, ""},
		{"more tasks", Settings{&three, "SERVICE", "true"}, service, "desired-count: 2 -> 3"},
		{"no tasks", Settings{DesiredCount: &none}, service, "desired-count: 2 -> 0"},
		{"other tags", Settings{&two, "TASK_DEFINITION", "true"}, service, "propagate-tags: SERVICE -> TASK_DEFINITION"},
		{"no managed tags", Settings{&two, "SERVICE", "false"}, service, "enable-ecs-managed-tags: true -> false"},
		{"what the API leaves out is NONE", Settings{PropagateTags: "NONE"}, types.Service{}, ""},
		{"all differ", Settings{&three, "NONE", "false"}, service,
			"desired-count: 2 -> 3, propagate-tags: SERVICE -> NONE, enable-ecs-managed-tags: true -> false"},
	} {
		if got := settingsText(test.settings.differing(test.service)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWithSettings(t *testing.T) {
	for todo, want := range map[step]step{nothing: deploy, follow: deploy, deploy: deploy, register: register} {
		if got := withSettings(todo, true); got != want {
			t.Errorf("%s with other settings: %s, want %s", todo, got, want)
		}
		if got := withSettings(todo, false); got != todo {
			t.Errorf("%s with the same settings: %s", todo, got)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits *operate.Limits
		err    error
		want   string
	}{
		{"nothing scales it", nil, nil, ""},
		{"it is not known", nil, errors.New("denied"), "desired-count: whether a scalable target owns the number of tasks of s: denied"},
		{"within its limits", &operate.Limits{Min: 1, Max: 6}, nil, "--resource-id service/c/s --min-capacity 4 --max-capacity 6"},
		{"beyond them", &operate.Limits{Min: 1, Max: 3}, nil, "--resource-id service/c/s --min-capacity 4 --max-capacity 4"},
	} {
		err := scaled("s", "service/c/s", 4, test.limits, test.err)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestSettingsAlone refuses them where the service stays as it is.
func TestSettingsAlone(t *testing.T) {
	none := 0
	for _, settings := range []Settings{{DesiredCount: &none}, {PropagateTags: "NONE"}, {ManagedTags: "false"}} {
		for _, in := range []Inputs{{Settings: settings, RegisterOnly: true}, {Settings: settings, RenderOnly: "file.json"}} {
			if problems := in.checkSettings(); len(problems) != 1 {
				t.Errorf("%+v: %v", in, problems)
			}
		}
		if problems := (Inputs{Settings: settings}).checkSettings(); len(problems) != 0 {
			t.Errorf("%+v: %v", settings, problems)
		}
	}
	if problems := (Inputs{RegisterOnly: true, RenderOnly: "file.json"}).checkSettings(); len(problems) != 0 {
		t.Errorf("none is given: %v", problems)
	}
}

// TestUnchanged flips each reason not to give a service a setting back.
func TestUnchanged(t *testing.T) {
	tasks, tags := setting{desiredCount, "2", "3"}, setting{"propagate-tags", "NONE", "SERVICE"}
	for _, test := range []struct {
		name       string
		sent, left []setting
		first      bool
		want       string
	}{
		{"none was sent", nil, nil, false, ""},
		{"all are still so", []setting{tasks, tags}, nil, false, "desired-count: 2 -> 3, propagate-tags: NONE -> SERVICE"},
		{"somebody has changed one", []setting{tasks, tags}, []setting{tasks}, false, "propagate-tags: NONE -> SERVICE"},
		{"somebody has changed the other", []setting{tasks, tags}, []setting{tags}, false, "desired-count: 2 -> 3"},
		{"somebody has changed both", []setting{tasks, tags}, []setting{tags, tasks}, false, ""},
		{"a first release is without tasks again", []setting{tasks, tags}, nil, true, "propagate-tags: NONE -> SERVICE"},
	} {
		if got := settingsText(unchanged(test.sent, test.left, test.first)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSet writes each setting into an update, and none besides.
func TestSet(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		want  ecs.UpdateServiceInput
	}{
		desiredCount:              {"12", ecs.UpdateServiceInput{DesiredCount: aws.Int32(12)}},
		"propagate-tags":          {"SERVICE", ecs.UpdateServiceInput{PropagateTags: types.PropagateTagsService}},
		"enable-ecs-managed-tags": {"true", ecs.UpdateServiceInput{EnableECSManagedTags: aws.Bool(true)}},
	} {
		var got ecs.UpdateServiceInput
		if set(&got, name, test.value); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	var got ecs.UpdateServiceInput
	if set(&got, "enable-ecs-managed-tags", "false"); got.EnableECSManagedTags == nil || *got.EnableECSManagedTags {
		t.Errorf("managed tags: %v", got.EnableECSManagedTags)
	}
}

func TestWanted(t *testing.T) {
	four, none := 4, 0
	for _, test := range []struct {
		name       string
		asked      *int
		has, first int
		want       int
	}{
		{"as many as it has", nil, 2, 0, 2},
		{"as its first release starts", nil, 0, 3, 3},
		{"as is asked for", &four, 2, 3, 4},
		{"none is asked for", &none, 2, 3, 0},
	} {
		if got := wanted(test.asked, test.has, test.first); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
