package release

import (
	"context"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/run"
)

// TestNoInputOfAPartIsForgotten holds that the release has each input of its parts, under its name and aliases or a new name, or
// excludes it.
func TestNoInputOfAPartIsForgotten(t *testing.T) {
	have := map[string]action.Field{}
	for _, f := range Action.Inputs() {
		have[f.Name] = f
	}
	renamed := map[string]string{"Migration.timeout": "migrate-timeout", "Deploy.command": "container-command"}
	excluded := Inputs{}.Excluded()
	for part, inputs := range map[string][]action.Field{
		"Push": ecrpush.Action.Inputs(), "Migration": migrate.Action.Inputs(), "Deploy": ecsdeploy.Action.Inputs(),
	} {
		for _, f := range inputs {
			from, name := part+"."+f.Name, f.Name
			if other, ok := renamed[from]; ok {
				name = other
			}
			got, ok := have[name]
			if _, out := excluded[from]; out == ok {
				t.Errorf("%s: in the release: %v; excluded: %v", from, ok, out)
			}
			for _, alias := range f.Aliases {
				if ok && !reflect.DeepEqual(aliasNamed(got, alias.Name), alias) {
					t.Errorf("%s: its alias %s is missing or another in the release: %+v", from, alias.Name, got.Aliases)
				}
			}
			if ok && got.Kind != f.Kind {
				t.Errorf("%s is a %s, and a %s in the release", from, f.Kind, got.Kind)
			}
		}
	}
}

func aliasNamed(f action.Field, name string) action.Alias {
	for _, alias := range f.Aliases {
		if alias.Name == name {
			return alias
		}
	}
	return action.Alias{}
}

// The inputs without what checks them, so that all of them can be given at once.
type (
	unchecked          Inputs
	uncheckedPush      ecrpush.Inputs
	uncheckedMigration migrate.Inputs
	uncheckedDeploy    ecsdeploy.Inputs
)

func (unchecked) Excluded() map[string]string { return Inputs{}.Excluded() }

// TestEveryInputReachesItsParts gives the release a value for each input, and holds that each part gets what it would have got
// from the same flags.
func TestEveryInputReachesItsParts(t *testing.T) {
	in := Inputs(decoded[unchecked](t, Action.Inputs(), nil))
	push, migration, deploy := in.push(), in.migration(), in.deploy()
	if push.IfAbsent != "" {
		t.Errorf("if-absent is excluded, and %q in the push", push.IfAbsent)
	}
	if deploy.Queue != 0 {
		t.Errorf("queue is excluded, and %s in the deployment", deploy.Queue)
	}
	if deploy.RenderOnly != "" || deploy.RegisterOnly {
		t.Errorf("render-only and register-only are excluded, and %q and %t in the deployment", deploy.RenderOnly, deploy.RegisterOnly)
	}
	push.IfAbsent, deploy.Queue = "skip", 65*time.Second // what the flags say to the parts alone
	deploy.RenderOnly, deploy.RegisterOnly = "a-render-only", true
	if !deploy.ImageLater {
		t.Error("a source is given, and the deployment does not wait for its image")
	}
	if !slices.Equal(deploy.ImagesLater, []string{"KEY"}) {
		t.Errorf("sources are given, and the deployment waits for %q", deploy.ImagesLater)
	}
	deploy.ImageLater, deploy.ImagesLater = false, nil
	for name, both := range map[string][2]any{
		"Push": {push, ecrpush.Inputs(decoded[uncheckedPush](t, ecrpush.Action.Inputs(), nil))},
		"Migration": {migration, migrate.Inputs(decoded[uncheckedMigration](t, migrate.Action.Inputs(),
			map[string]string{"timeout": "migrate-timeout"}))},
		"Deploy": {deploy, ecsdeploy.Inputs(decoded[uncheckedDeploy](t, ecsdeploy.Action.Inputs(),
			map[string]string{"command": "container-command"}))},
	} {
		if diff := cmp.Diff(both[1], both[0]); diff != "" {
			t.Errorf("%s (-by itself +in the release):\n%s", name, diff)
		}
	}
}

// decoded returns what flags for all inputs are decoded to. The value of a flag follows from the input's name, or from its name
// in the release.
func decoded[In any](t *testing.T, inputs []action.Field, renamed map[string]string) In {
	t.Helper()
	var got In
	called := false
	probe := action.Define(action.Meta{Name: "probe"}, func(_ context.Context, _ *action.Env, in In) (action.Outputs, error) {
		got, called = in, true
		return action.Outputs{}, nil
	})
	var args []string
	environ := map[string]string{}
	for _, f := range inputs {
		if f.Name == "events" || f.Name == "report" || f.Name == "file" {
			continue // files that the run itself writes or reads: they reach no part
		}
		name := f.Name
		if other, ok := renamed[name]; ok {
			name = other
		}
		value := valueOf(f, name)
		if f.Secret { // it is not written on a command line
			variable := "SECRET_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			environ[variable], value = value, "env:"+variable
		}
		args = append(args, "--"+f.Name+"="+value)
	}
	var problems strings.Builder
	run.Command(t.Context(), probe, args, io.Discard, &problems, &action.Env{
		Getenv: func(name string) string { return environ[name] }})
	if !called {
		t.Fatalf("%v: %s", args, &problems)
	}
	return got
}

// valueOf returns a value that is not the input's default.
func valueOf(f action.Field, name string) string {
	switch {
	case name == "region":
		return "eu-central-1"
	case name == "account-id":
		return "123456789012"
	case name == "role-duration":
		return "20m"
	case name == "inline-session-policy":
		return "{}"
	case name == "managed-session-policies":
		return "arn:aws:iam::aws:policy/ReadOnlyAccess"
	case len(f.Enum) > 0:
		return f.Enum[len(f.Enum)-1]
	case f.Kind == action.Bool:
		return strconv.FormatBool(f.Default != "true")
	case f.Kind == action.Duration:
		return strconv.Itoa(60+len(name)) + "s"
	case f.Kind == action.Int:
		return strconv.Itoa(len(name))
	case f.Kind == action.Map:
		return "KEY=" + name
	}
	return "a-" + name
}
