package workflowtest

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/scaffold"
)

// TestWrittenWorkflows holds what connect2 init writes for a repository to what holds for the example's: inputs that exist, forms with
// the environments that there are, and branches that have one.
func TestWrittenWorkflows(t *testing.T) {
	for _, test := range []struct{ environments, branches []string }{
		{[]string{"dev", "staging", "prod"}, []string{"development", "staging", "main"}},
		{[]string{"dev", "prod"}, []string{"development", "main"}},
		{[]string{"prod"}, []string{"main"}},
	} {
		var environments []*scaffold.Environment
		for _, name := range test.environments {
			environments = append(environments, scaffold.Named("shop", name, "us-west-2", ""))
		}
		written, err := scaffold.Workflows(scaffold.Toolkit, environments)
		if err != nil || len(written) != 3 {
			t.Fatalf("%d files, %v", len(written), err)
		}
		for _, python := range []bool{true, false} {
			checks, err := scaffold.Checks(scaffold.Toolkit, python)
			if err != nil {
				t.Fatal(err)
			}
			example := glob(t, "examples/api/"+checks.Path)[0]
			if python != (checks.Text == example.text) {
				t.Errorf("%s of Python: %t, and not as the example's:\n%s", checks.Path, python, checks.Text)
			}
			f := file{path: checks.Path, text: checks.Text}
			if err := yaml.Unmarshal([]byte(checks.Text), &f); err != nil {
				t.Fatalf("%s: %v", checks.Path, err)
			}
			for id, j := range f.Jobs {
				inputs, _ := callable(t, *called(t, j.Uses))
				checkInputs(t, checks.Path+" "+id, j.With, inputs)
			}
		}
		for _, w := range written {
			example := glob(t, "examples/api/"+w.Path)[0]
			if len(test.environments) == 3 && w.Text != example.text {
				t.Errorf("%s is another text than the example's", w.Path)
			}
			f := file{path: w.Path, text: w.Text}
			if err := yaml.Unmarshal([]byte(w.Text), &f); err != nil {
				t.Fatalf("%s: %v", w.Path, err)
			}
			var on struct {
				Push     struct{ Branches []string }
				Dispatch struct {
					Inputs map[string]struct{ Options []string }
				} `yaml:"workflow_dispatch"`
			}
			if err := f.On.Decode(&on); err != nil {
				t.Fatalf("%s: %v", w.Path, err)
			}
			if got := on.Dispatch.Inputs["environment"].Options; !slices.Equal(got, test.environments) {
				t.Errorf("%s: the form offers %q, want %q", w.Path, got, test.environments)
			}
			if strings.HasSuffix(w.Path, "/deploy.yml") && !slices.Equal(on.Push.Branches, test.branches) {
				t.Errorf("%s: pushes to %q, want %q", w.Path, on.Push.Branches, test.branches)
			}
			for id, j := range f.Jobs {
				to := called(t, j.Uses)
				if to == nil {
					t.Errorf("%s %s: there is no %q", w.Path, id, j.Uses)
					continue
				}
				inputs, _ := callable(t, *to)
				checkInputs(t, w.Path+" "+id, j.With, inputs)
			}
		}
		renamed, err := scaffold.Workflows("acme/platform", environments)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range renamed {
			was, is := strings.Count(written[i].Text, "uses: org/connect2/"), strings.Count(w.Text, "uses: acme/platform/")
			if was == 0 || was != is || strings.Contains(w.Text, "org/connect2") {
				t.Errorf("%s: %d of %d calls go to acme/platform:\n%s", w.Path, is, was, w.Text)
			}
		}
	}
}
