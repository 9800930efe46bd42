package workflowtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestNamesAtNight: of the forms without reviewers, those of a service check its repository out and take the names from its file. The
// others read nothing of it, and take the variables. What they do is the same.
func TestNamesAtNight(t *testing.T) {
	for _, name := range []string{"rollback", "operate"} {
		plain, service := glob(t, ".github/workflows/"+name+".yml")[0], glob(t, ".github/workflows/service-"+name+".yml")[0]
		if strings.Contains(plain.text, "actions/checkout") || strings.Count(plain.text, "vars.ECS_") != 2 {
			t.Errorf("%s: it checks out, or does not take both names from the variables", plain.path)
		}
		steps := service.Jobs[name].Steps
		if !strings.HasPrefix(steps[0].Uses, "actions/checkout@") || strings.Contains(service.text, "vars.ECS_") {
			t.Errorf("%s: the first step is %+v, or a name is a variable's", service.path, steps[0])
		}
		for _, s := range steps {
			if s.If != "" {
				t.Errorf("%s: %+v is not always done", service.path, s)
			}
		}
		if got, want := withoutNames(t, service), withoutNames(t, plain); got != want {
			t.Errorf("%s does not do what %s does:\n%s\nand not\n%s", service.path, plain.path, got, want)
		}
		example := glob(t, "examples/api/"+plain.path)[0]
		with := example.Jobs[name].With
		if w := called(t, example.Jobs[name].Uses); w.path != service.path || with["file"] != "connect2.yaml" ||
			with["service"] != "${{ inputs.service }}" {
			t.Errorf("%s calls %s with %v", example.path, w.path, with)
		}
	}
	with := glob(t, ".github/workflows/service-rollback.yml")[0].Jobs["rollback"].Steps[1].With
	if with["file"] != "${{ inputs.file || 'connect2.yaml' }}" || with["environment"] != "${{ inputs.environment }}" ||
		with["service"] != "${{ inputs.service }}" {
		t.Errorf("the action is told %v", with)
	}
}

// withoutNames is a workflow without its remarks, and without what it takes the names of a service from.
func withoutNames(t *testing.T, f file) string {
	t.Helper()
	_, text, ok := strings.Cut(f.text, "\nname: ")
	if !ok {
		t.Fatalf("%s has no name", f.path)
	}
	for _, part := range namesOf {
		text = part.ReplaceAllString(text, "")
	}
	return text
}

// namesOf are the parts of a workflow that tell the names: a form's and a call's service, the file, and how they reach the last step.
var namesOf = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^        description: Service .*\n`),
	regexp.MustCompile(`(?m)^      file:\n(        .*\n)+`),
	regexp.MustCompile(`(?m)^      service: \{.*\n`),
	regexp.MustCompile(`(?m)^      contents: read\n`),
	regexp.MustCompile(`(?m)^      - uses: actions/checkout@.*\n        with:\n          persist-credentials: false\n`),
	regexp.MustCompile(`(?mi)^          (file|environment|cluster|service): .*\n`),
	regexp.MustCompile(`(?m)^          (\[\[ -f \$FILE|names=|if \[\[ -n \$SERVICE).*\n`),
	regexp.MustCompile(` ("--cluster=\$CLUSTER" "--service=\$SERVICE"|"\$\{names\[@\]\}")`),
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
