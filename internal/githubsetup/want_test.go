package githubsetup

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const root = "../.."

func valuesOf(accounts map[string]string) Values {
	v := Values{Region: "us-west-2"}
	for _, b := range branches {
		account, ok := accounts[b.environment]
		if !ok {
			continue
		}
		text := map[string]string{"repository_url": account + ".dkr.ecr.us-west-2.amazonaws.com/api-" + b.environment}
		for _, output := range outputsOf(service, toolkit) {
			text[output] = b.environment + "-" + output
		}
		v.Environments = append(v.Environments, Outputs{Environment: b.environment, Text: text})
	}
	return v
}

func TestStagingsRepository(t *testing.T) {
	const name, url = "staging-repository_name", "222222222222.dkr.ecr.us-west-2.amazonaws.com/api-staging"
	for of, c := range map[string]struct {
		accounts  map[string]string
		value, or string
	}{
		"one account":      {map[string]string{"staging": "222222222222", "prod": "222222222222"}, name, ""},
		"another account":  {map[string]string{"staging": "222222222222", "prod": "333333333333"}, url, ""},
		"prod not given":   {map[string]string{"staging": "222222222222"}, name, url},
		"dev elsewhere":    {map[string]string{"dev": "111111111111", "staging": "222222222222", "prod": "222222222222"}, name, ""},
		"prod has no URL":  {map[string]string{"staging": "222222222222", "prod": ""}, url, ""},
		"neither has URLs": {map[string]string{"staging": "", "prod": ""}, name, ""},
	} {
		w := Want(Repository{"org", "api"}, Repository{}, valuesOf(c.accounts))
		i := slices.IndexFunc(w[0].Variables, func(v Variable) bool { return v.Name == "ECR_REPOSITORY_STAGING" })
		if got := w[0].Variables[i]; got.Value != c.value || got.Or != c.or {
			t.Errorf("%s: %+v", of, got)
		}
	}
	// Both forms are right while prod's account is not known.
	variable := Variable{Name: "A", Value: name, Or: url}
	for now, changes := range map[string]int{name: 0, url: 0, "other": 1, "": 1} {
		if got := setAll("", []Variable{variable}, map[string]string{"A": now}); len(got) != changes {
			t.Errorf("over %q: %+v", now, got)
		}
	}
	if got := setAll("", []Variable{{Name: "A", Value: "x"}}, map[string]string{"A": ""}); len(got) != 1 {
		t.Errorf("an empty variable was taken for the other form: %+v", got)
	}
}

func TestWhichRepositories(t *testing.T) {
	v := valuesOf(map[string]string{"dev": "111111111111"})
	api, kit := Repository{"org", "api"}, Repository{"org", "kit"}
	names := func(all []Wanted) string {
		var lines []string
		for _, w := range all {
			var environments []string
			for _, e := range w.Environments {
				environments = append(environments, e.Name)
			}
			lines = append(lines, fmt.Sprintf("%s %d %q: %s", w.Repository, len(w.Variables), w.Lent, strings.Join(environments, " ")))
		}
		return strings.Join(lines, "; ")
	}
	for _, c := range []struct {
		service, toolkit Repository
		want             string
	}{
		{api, Repository{}, `org/api 3 "": dev-approval dev dev-rollback`},
		{Repository{}, kit, `org/kit 1 "": dev-plan dev-drift dev-apply dev release`},
		{api, kit, `org/kit 1 "org": dev-plan dev-drift dev-apply dev release; org/api 3 "": dev-approval dev dev-rollback`},
		{kit, kit, `org/kit 3 "": dev-plan dev-drift dev-apply dev release dev-approval dev-rollback`},
		{Repository{"Org", "Kit"}, kit, `org/kit 3 "": dev-plan dev-drift dev-apply dev release dev-approval dev-rollback`},
	} {
		if got := names(Want(c.service, c.toolkit, v)); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.service, c.toolkit, got, c.want)
		}
	}
}

// job is a job of a workflow, as far as its environment and variables go.
type job struct {
	Environment yaml.Node `yaml:"environment"`
}

var usedVariable = regexp.MustCompile(`vars\.([A-Z_]+)`)
var usedFormat = regexp.MustCompile(`vars\[format\('([A-Z_]+)\{0\}'`)

// TestTheWorkflowsFindTheirVariables reads each job of the workflows: every environment that it names is set up with every variable
// that it reads, or the repository has it.
func TestTheWorkflowsFindTheirVariables(t *testing.T) {
	wanted := Want(Repository{"org", "api"}, Repository{"org", "kit"}, valuesOf(map[string]string{"dev": "", "staging": "", "prod": ""}))
	read := 0
	for file, w := range map[string]Wanted{"service-deploy.yml": wanted[1], "rollback.yml": wanted[1], "operate.yml": wanted[1],
		"service-rollback.yml": wanted[1], "service-operate.yml": wanted[1],
		"infrastructure.yml": wanted[0], "release.yml": wanted[0]} {
		text, err := os.ReadFile(filepath.Join(root, ".github/workflows", file))
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct{ Jobs map[string]yaml.Node }
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		for name, node := range workflow.Jobs {
			var j job
			if err := node.Decode(&j); err != nil {
				t.Fatal(err)
			}
			raw, err := yaml.Marshal(&node)
			if err != nil {
				t.Fatal(err)
			}
			environment := j.Environment.Value
			for i, child := range j.Environment.Content {
				if child.Value == "name" {
					environment = j.Environment.Content[i+1].Value
				}
			}
			for _, b := range branches {
				has := map[string]bool{}
				for _, v := range w.Variables {
					has[v.Name] = true
				}
				if environment != "" {
					called := regexp.MustCompile(`\$\{\{.*?\}\}`).ReplaceAllString(environment, b.environment)
					i := slices.IndexFunc(w.Environments, func(e Environment) bool { return e.Name == called })
					if i < 0 {
						t.Errorf("%s, job %s: the environment %s is not set up", file, name, called)
						continue
					}
					for _, v := range w.Environments[i].Variables {
						has[v.Name] = true
					}
				}
				for _, m := range usedVariable.FindAllSubmatch(raw, -1) {
					if read++; !has[string(m[1])] {
						t.Errorf("%s, job %s, environment %q: %s is not set", file, name, environment, m[1])
					}
				}
				for _, m := range usedFormat.FindAllSubmatch(raw, -1) {
					if read++; !has[string(m[1])+strings.ToUpper(b.environment)] {
						t.Errorf("%s, job %s: %s… is not set for %s", file, name, m[1], b.environment)
					}
				}
			}
		}
	}
	if read < 60 {
		t.Errorf("only %d uses of variables were found", read)
	}
}

// TestBranchesAreTheWorkflows holds which branch belongs to which environment to what the workflows say.
func TestBranchesAreTheWorkflows(t *testing.T) {
	var cases []string
	for _, b := range branches {
		cases = append(cases, fmt.Sprintf("%s) echo %s ;;", b.environment, b.branch))
	}
	for _, file := range []string{"service-deploy.yml", "infrastructure.yml"} {
		text, err := os.ReadFile(filepath.Join(root, ".github/workflows", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range cases {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", file, want)
			}
		}
	}
}

// TestOutputsAreTerraforms: every value is an output of the environments.
func TestOutputsAreTerraforms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/environments/prod/outputs.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, output := range append(outputsOf(service, toolkit), "repository_url") {
		if !strings.Contains(string(text), fmt.Sprintf("output %q {", output)) {
			t.Errorf("the environments have no output %s", output)
		}
	}
	if diff := cmp.Diff([]string{"plan_role_arn", "apply_role_arn", "deploy_role_arn", "cluster_name", "service_name", "container_name",
		"service_url"}, outputsOf(toolkit)); diff != "" {
		t.Error(diff)
	}
}

// TestTheGuideSaysTheSame compares the table of environments in docs/GITHUB_ACTIONS.md with what is set up.
func TestTheGuideSaysTheSame(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/GITHUB_ACTIONS.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, k := range kinds {
		from := map[whose]string{anyBranch: "every branch", ownBranch: "ENV's branch", mainBranch: "`main`"}[k.from]
		reviewed := strings.Join(k.reviewed, ", ")
		if len(k.reviewed) == len(branches) {
			reviewed = "all"
		}
		if reviewed == "" {
			reviewed = "–"
		}
		var names []string
		for _, v := range k.variables {
			names = append(names, "`"+v.name+"`")
		}
		variables := strings.Join(names, ", ")
		if variables == "" {
			variables = "–"
		}
		want = append(want, fmt.Sprintf("| %s | `ENV%s` | %s | %s | %s |", k.part, k.suffix, from, reviewed, variables))
	}
	for _, row := range want {
		if !strings.Contains(string(text), row+"\n") {
			t.Errorf("docs/GITHUB_ACTIONS.md has no row\n%s", row)
		}
	}
}

func TestWhatIsOneRepository(t *testing.T) {
	for text, ok := range map[string]bool{"org/api": true, "o.r-g/a_b.c": true, "org": false, "org/": false, "/api": false, "org/a/b": false,
		"org/a b": false, "-org/a": false, "": false} {
		if r, err := parseRepository(text); (err == nil) != ok || ok && r.String() != text {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}
