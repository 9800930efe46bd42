package workflowtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesOfTheFile: with connect2.yaml, what a release of a service is told are the file and its environment, and none of the variables
// that say the same; without it, the variables.
func TestNamesOfTheFile(t *testing.T) {
	f := glob(t, ".github/workflows/service-deploy.yml")[0]
	told := 0
	for _, id := range []string{"image", "deploy"} {
		for _, step := range f.Jobs[id].Steps {
			if !strings.HasPrefix(step.Uses, "org/connect2/actions/") {
				continue
			}
			told++
			const environment = "${{ inputs.file && needs.plan.outputs.environment || '' }}"
			if step.With["file"] != "${{ inputs.file }}" || step.With["environment"] != environment {
				t.Errorf("%s %q: file %q, environment %q", id, step.Name, step.With["file"], step.With["environment"])
			}
			for _, name := range []string{"cluster", "service", "container"} {
				if text, ok := step.With[name]; id == "deploy" && !strings.Contains(text, "|| !inputs.file && vars.ECS_") || id == "image" && ok {
					t.Errorf("%s %q: %s is %q", id, step.Name, name, text)
				}
			}
		}
	}
	if told != 5 { // known, promoted, push; migrate, deploy
		t.Errorf("%d actions are told the names", told)
	}
	if !strings.Contains(f.text, "REPOSITORY: ${{ inputs.repository || !inputs.file && vars[format('ECR_REPOSITORY_{0}'") {
		t.Error("the repository of a file is the variable's")
	}
}

// TestNamesAtNight: the forms without reviewers check out nothing but the file's repository, and that only where there is a file; then the
// names are the file's, else the variables'.
func TestNamesAtNight(t *testing.T) {
	rollback := glob(t, ".github/workflows/rollback.yml")[0]
	for _, f := range []file{rollback, glob(t, ".github/workflows/operate.yml")[0]} {
		steps := f.Jobs[map[bool]string{true: "rollback", false: "operate"}[f.path == rollback.path]].Steps
		if len(steps) == 0 || !strings.HasPrefix(steps[0].Uses, "actions/checkout@") || steps[0].If != "${{ inputs.file }}" {
			t.Errorf("%s: the first step is %+v", f.path, steps)
		}
		for _, s := range steps[1:] {
			if strings.HasPrefix(s.Uses, "actions/") || s.If != "" {
				t.Errorf("%s: %+v is a second one", f.path, s)
			}
		}
		for _, words := range []string{"${{ !inputs.file && vars.ECS_CLUSTER || '' }}\n",
			"${{ inputs.service || !inputs.file && vars.ECS_SERVICE || '' }}\n"} {
			if strings.Count(f.text, words) != 1 {
				t.Errorf("%s does not say %s once", f.path, words)
			}
		}
		if strings.Count(f.text, "vars.ECS_") != 2 {
			t.Errorf("%s reads the variables elsewhere too", f.path)
		}
		example := glob(t, "examples/api/"+f.path)[0]
		for id, j := range example.Jobs {
			if called(t, j.Uses).path == f.path && (j.With["file"] != "connect2.yaml" || j.With["service"] != "${{ inputs.service }}") {
				t.Errorf("%s %s: %v", example.path, id, j.With)
			}
		}
	}
	with := rollback.Jobs["rollback"].Steps[1].With
	if with["file"] != "${{ inputs.file }}" || with["environment"] != "${{ inputs.file && inputs.environment || '' }}" {
		t.Errorf("the action is told %v", with)
	}
}

// TestNamesStep runs the steps that look for the file.
func TestNamesStep(t *testing.T) {
	f := glob(t, ".github/workflows/service-deploy.yml")[0]
	for _, id := range []string{"image", "deploy"} {
		script := ""
		for _, step := range f.Jobs[id].Steps {
			if step.Name == "Names" {
				script = step.Run
			}
		}
		for name, test := range map[string]struct {
			text     string
			missing  bool
			migrates bool
		}{
			"with a migration": {text: "project: api\nmigrate: {command: x}\n", migrates: true},
			"without":          {text: "project: api\nservices: {migrate: {service: x}}\n  migrate: no\n"},
			"missing":          {missing: true},
		} {
			t.Run(id+" "+name, func(t *testing.T) {
				dir, temp := t.TempDir(), t.TempDir()
				if !test.missing {
					if err := os.WriteFile(filepath.Join(dir, "connect2.yaml"), []byte(test.text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				outputs := filepath.Join(temp, "outputs")
				cmd := exec.Command("bash", "-e", "-c", script)
				cmd.Dir = dir
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FILE=connect2.yaml", "GITHUB_OUTPUT=" + outputs, "GITHUB_SHA=abc", "COMMIT=abc"}
				out, err := cmd.CombinedOutput()
				if (err != nil) != test.missing || test.missing != strings.Contains(string(out), "There is no connect2.yaml in abc.") {
					t.Fatalf("%v\n%s", err, out)
				}
				said, _ := os.ReadFile(outputs)
				if id == "deploy" && test.migrates != (string(said) == "migrates=true\n") {
					t.Errorf("outputs %q", said)
				}
			})
		}
	}
}
