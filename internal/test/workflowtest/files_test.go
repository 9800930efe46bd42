// Package workflowtest reads every workflow, action and Dockerfile of this repository, and holds them to what no schema
// knows: pins, permissions, inputs and outputs that exist, and what keeps a rollback from waiting.
package workflowtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../../.."

// file is a workflow or an action, as far as the tests look at it.
type file struct {
	path string
	text string

	On          yaml.Node              `yaml:"on"`
	Permissions *permissions           `yaml:"permissions"`
	Concurrency *concurrency           `yaml:"concurrency"`
	Jobs        map[string]job         `yaml:"jobs"`
	Inputs      map[string]actionInput `yaml:"inputs"`
	Outputs     map[string]yaml.Node   `yaml:"outputs"`
	Runs        struct {
		Using, Image string
		Args         []string
	} `yaml:"runs"`
}

type actionInput struct{ Required bool }

type job struct {
	Uses        string            `yaml:"uses"`
	With        map[string]string `yaml:"with"`
	If          string            `yaml:"if"`
	Needs       oneOrMore         `yaml:"needs"`
	Permissions *permissions      `yaml:"permissions"`
	Environment *environment      `yaml:"environment"`
	Concurrency *concurrency      `yaml:"concurrency"`
	Timeout     string            `yaml:"timeout-minutes"` // minutes, or an expression
	Outputs     map[string]string `yaml:"outputs"`
	Steps       []step            `yaml:"steps"`
}

type step struct {
	ID   string            `yaml:"id"`
	Name string            `yaml:"name"`
	If   string            `yaml:"if"`
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	With map[string]string `yaml:"with"`
}

// permissions is a mapping, or a word such as read-all.
type permissions struct {
	word string
	of   map[string]string
}

func (p *permissions) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		p.word = n.Value
		return nil
	}
	return n.Decode(&p.of)
}

// environment and concurrency are a name, or a mapping with it.
type environment struct{ Name, URL string }

func (e *environment) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		e.Name = n.Value
		return nil
	}
	type plain environment
	return n.Decode((*plain)(e))
}

type concurrency struct {
	Group  string
	Cancel string `yaml:"cancel-in-progress"`
}

func (c *concurrency) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		c.Group = n.Value
		return nil
	}
	type plain concurrency
	return n.Decode((*plain)(c))
}

type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// glob reads files. None is a mistake in the pattern.
func glob(t testing.TB, patterns ...string) []file {
	t.Helper()
	var files []file
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			f := file{path: filepath.ToSlash(name), text: string(text)}
			if err := yaml.Unmarshal(text, &f); err != nil {
				t.Fatalf("%s: %v", f.path, err)
			}
			files = append(files, f)
		}
	}
	return files
}

func workflows(t testing.TB) []file {
	return glob(t, ".github/workflows/*.yml", "examples/*/.github/workflows/*.yml")
}

// actions returns the actions by the name that a workflow of this major version uses.
func actions(t testing.TB) map[string]file {
	t.Helper()
	found := map[string]file{}
	for _, f := range glob(t, "actions/*/action.yml") {
		found[filepath.ToSlash(filepath.Join("org/connect2", filepath.Dir(f.path)))+"@v2"] = f
	}
	if _, err := os.Stat(filepath.Join(root, "action.yml")); err == nil {
		found["org/connect2@v2"] = glob(t, "action.yml")[0]
	}
	return found
}

// infrastructureOfMain is the one workflow that is named by a branch: the roles trust what main says of it, and nothing else.
const infrastructureOfMain = "org/connect2/.github/workflows/infrastructure.yml@main"

// called returns the workflow of this repository that a job calls, or nil.
func called(t testing.TB, uses string) *file {
	t.Helper()
	path, own := strings.CutPrefix(uses, "org/connect2/")
	path, tagged := strings.CutSuffix(strings.TrimSuffix(path, "@main"), "@v2")
	tagged = tagged || uses == infrastructureOfMain
	if local, ok := strings.CutPrefix(uses, "./"); ok {
		path, own, tagged = local, true, true
	}
	if !own || !tagged {
		return nil
	}
	return &glob(t, path)[0]
}

var (
	usesLine = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (\S+)(.*)$`)
	hash     = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	version  = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
)

// A tag of somebody else's repository can be moved to other code overnight. Ours are the one exception; the release writes its
// own tag into them.
func TestPins(t *testing.T) {
	commits := map[string]string{}
	for _, f := range workflows(t) {
		found := usesLine.FindAllStringSubmatch(f.text, -1)
		if n := strings.Count(f.text, "uses:") - strings.Count(f.text, "#       uses:"); n != len(found) {
			t.Errorf("%s: %d times uses, %d were read", f.path, n, len(found))
		}
		for _, m := range found {
			use, comment := m[1], m[2]
			switch {
			case strings.HasPrefix(use, "org/connect2"):
				if _, isAction := actions(t)[use]; !isAction && called(t, use) == nil {
					t.Errorf("%s: there is no %s", f.path, use)
				}
			case strings.HasPrefix(use, "./"):
				// A called workflow of ours would look for it in its caller's repository.
				if strings.Contains(f.text, "workflow_call:") && !strings.HasPrefix(use, "./.github/workflows/") {
					t.Errorf("%s: %s is looked for in the repository of whoever calls this workflow", f.path, use)
				}
			case !hash.MatchString(use) || !version.MatchString(comment):
				t.Errorf("%s: %s%s: pin it to a commit, with its version as comment", f.path, use, comment)
			default:
				name, commit, _ := strings.Cut(use, "@")
				if other, seen := commits[name]; seen && other != commit+comment {
					t.Errorf("%s: %s is pinned to %s%s here and to %s elsewhere", f.path, name, commit, comment, other)
				}
				commits[name] = commit + comment
			}
		}
	}
}

// Every input that is given exists, and every required one is given.
func TestInputsExist(t *testing.T) {
	known := actions(t)
	for _, f := range workflows(t) {
		for id, j := range f.Jobs {
			if w := called(t, j.Uses); w != nil {
				inputs, _ := callable(t, *w)
				checkInputs(t, f.path+" "+id, j.With, inputs)
			}
			for _, s := range j.Steps {
				if a, ok := known[s.Uses]; ok {
					checkInputs(t, f.path+" "+id+" "+s.Uses, s.With, a.Inputs)
				}
			}
		}
	}
}

func checkInputs(t *testing.T, where string, with map[string]string, inputs map[string]actionInput) {
	t.Helper()
	for name := range with {
		if _, ok := inputs[name]; !ok {
			t.Errorf("%s: there is no input %s", where, name)
		}
	}
	for name, in := range inputs {
		if _, given := with[name]; in.Required && !given {
			t.Errorf("%s: the required input %s is not given", where, name)
		}
	}
}

// callable returns what a reusable workflow takes and gives.
func callable(t testing.TB, f file) (inputs map[string]actionInput, outputs map[string]struct{ Value string }) {
	t.Helper()
	var on struct {
		Call struct {
			Inputs  map[string]actionInput
			Outputs map[string]struct{ Value string }
		} `yaml:"workflow_call"`
	}
	if f.On.Kind == yaml.MappingNode {
		if err := f.On.Decode(&on); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
	}
	return on.Call.Inputs, on.Call.Outputs
}

var (
	stepOutput = regexp.MustCompile(`steps\.([\w-]+)\.outputs\.([\w-]+)`)
	jobOutput  = regexp.MustCompile(`\b(?:needs|jobs)\.([\w-]+)\.outputs\.([\w-]+)`)
	setOutput  = regexp.MustCompile(`echo "([\w-]+)=`)
)

// Every output that is read is written: by the action's definition, by an echo of the step, by the job. GitHub reads one that
// does not exist as an empty text.
func TestOutputsExist(t *testing.T) {
	known := actions(t)
	for _, f := range workflows(t) {
		for id, j := range f.Jobs {
			steps := map[string]step{}
			for _, s := range j.Steps {
				steps[s.ID] = s
			}
			for _, m := range stepOutput.FindAllStringSubmatch(section(f, id), -1) {
				s, ok := steps[m[1]]
				if !ok {
					t.Errorf("%s %s: %s: there is no such step", f.path, id, m[0])
					continue
				}
				if a, ok := known[s.Uses]; ok {
					if _, ok := a.Outputs[m[2]]; !ok {
						t.Errorf("%s %s: %s: %s has no such output", f.path, id, m[0], s.Uses)
					}
				} else if s.Uses == "" && !slices.ContainsFunc(setOutput.FindAllStringSubmatch(s.Run, -1),
					func(o []string) bool { return o[1] == m[2] }) {
					t.Errorf("%s %s: %s: the step does not write it", f.path, id, m[0])
				}
			}
		}
		for _, m := range jobOutput.FindAllStringSubmatch(f.text, -1) {
			j, ok := f.Jobs[m[1]]
			if !ok {
				t.Errorf("%s: %s: there is no such job", f.path, m[0])
				continue
			}
			_, written := j.Outputs[m[2]]
			if w := called(t, j.Uses); w != nil {
				_, outputs := callable(t, *w)
				_, written = outputs[m[2]]
			}
			if !written {
				t.Errorf("%s: %s: the job does not write it", f.path, m[0])
			}
		}
		for id, j := range f.Jobs {
			for _, m := range regexp.MustCompile(`\bneeds\.([\w-]+)\.`).FindAllStringSubmatch(section(f, id), -1) {
				if !slices.Contains(j.Needs, m[1]) {
					t.Errorf("%s %s: it reads %s without needing that job", f.path, id, m[0])
				}
			}
		}
	}
}

// section returns the text of a job.
func section(f file, id string) string {
	_, text, _ := strings.Cut(f.text, "\njobs:\n")
	_, text, _ = strings.Cut("\n"+text, "\n  "+id+":\n")
	if next := regexp.MustCompile(`(?m)^  [\w-]+:$`).FindStringIndex(text); next != nil {
		text = text[:next[0]]
	}
	return text
}

// Each job has the permissions that it uses and no others, and an end.
func TestPermissions(t *testing.T) {
	known := actions(t)
	for _, f := range workflows(t) {
		if f.Permissions == nil || f.Permissions.word != "" || len(f.Permissions.of) != 0 {
			t.Errorf("%s: permissions: {} is missing at the top: what a job does not name it should not have", f.path)
		}
		for id, j := range f.Jobs {
			where := f.path + " " + id
			if j.Permissions == nil || j.Permissions.word != "" {
				t.Errorf("%s: no permissions of its own, or all of a kind", where)
				continue
			}
			if w := called(t, j.Uses); w != nil {
				if got, want := fmt.Sprint(j.Permissions.of), fmt.Sprint(union(*w)); got != want {
					t.Errorf("%s: it gives %s, the jobs of %s ask for %s", where, got, w.path, want)
				}
				continue
			}
			if j.Timeout == "" {
				t.Errorf("%s: no timeout-minutes: GitHub's is six hours", where)
			}
			assumes, checksOut, signs := false, false, false
			for _, s := range j.Steps {
				if _, ok := known[s.Uses]; ok && s.With["role-to-assume"] != "" || strings.Contains(s.Run, "--role-to-assume=") {
					assumes = true
				}
				checksOut = checksOut || strings.HasPrefix(s.Uses, "actions/checkout@")
				signs = signs || strings.HasPrefix(s.Uses, "actions/attest") || strings.HasPrefix(s.Uses, "sigstore/cosign-installer@")
			}
			if token := j.Permissions.of["id-token"] == "write"; token != (assumes || signs) {
				t.Errorf("%s: id-token: write is %v, a role is assumed or something signed: %v", where, token, assumes || signs)
			}
			if contents := j.Permissions.of["contents"]; checksOut && contents == "" {
				t.Errorf("%s: it checks out without contents: read", where)
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
					t.Errorf("%s: the token stays in the checkout: persist-credentials: false", where)
				}
			}
		}
	}
}

// v2Calls are what callers of v2 give and read: those permissions at most, those inputs and outputs at least.
var v2Calls = map[string]struct {
	grants          map[string]string
	inputs, outputs []string
}{
	"rollback.yml": {map[string]string{"id-token": "write"},
		[]string{"environment", "service", "target", "reason", "hold", "dry-run"}, []string{"outcome", "digest", "commit"}},
	"operate.yml": {map[string]string{"id-token": "write"}, []string{"environment", "command", "service", "since", "reason"}, nil},
	"service-rollback.yml": {map[string]string{"contents": "read", "id-token": "write"},
		[]string{"environment", "file", "service", "target", "reason", "hold", "dry-run"}, []string{"outcome", "digest", "commit"}},
	"service-operate.yml": {map[string]string{"contents": "read", "id-token": "write"},
		[]string{"environment", "command", "file", "service", "since", "reason"}, nil},
	"service-deploy.yml": {map[string]string{"contents": "read", "id-token": "write"},
		[]string{"environment", "file", "ref", "image", "dry-run", "override-hold"}, []string{"environment", "digest", "outcome"}},
	"service-ci.yml":        {map[string]string{"contents": "read"}, nil, nil},
	"record-deployment.yml": {map[string]string{"deployments": "write"}, []string{"environment", "commit"}, nil},
}

// TestCallersOfV2AreAccepted: what worked when v2 came out starts still.
func TestCallersOfV2AreAccepted(t *testing.T) {
	for name, call := range v2Calls {
		f := glob(t, ".github/workflows/"+name)[0]
		for _, refused := range beyond(t, f, call.grants) {
			t.Errorf("a caller that gives %v does not start: %s", call.grants, refused)
		}
		inputs, outputs := callable(t, f)
		for _, input := range call.inputs {
			if _, ok := inputs[input]; !ok {
				t.Errorf("%s has no input %s", f.path, input)
			}
		}
		for input, in := range inputs {
			if in.Required && !slices.Contains([]string{"environment", "command", "commit"}, input) {
				t.Errorf("%s: older callers do not give %s", f.path, input)
			}
		}
		for _, output := range call.outputs {
			if _, ok := outputs[output]; !ok {
				t.Errorf("%s has no output %s", f.path, output)
			}
		}
	}
	for text, want := range map[string]string{
		"permissions: {id-token: write}":                 "",
		"permissions: {contents: none, id-token: read}":  "",
		"permissions: {}":                                "",
		"permissions: {contents: read, id-token: write}": "x.yml a: contents: read",
		"permissions: {packages: write}":                 "x.yml a: packages: write",
		"permissions: read-all":                          "x.yml a: read-all",
		"name: none of its own":                          "",
		"uses: ./.github/workflows/service-rollback.yml": ".github/workflows/service-rollback.yml rollback: contents: read",
		"uses: ./.github/workflows/rollback.yml":         "",
	} {
		f := file{path: "x.yml"}
		if err := yaml.Unmarshal([]byte("jobs: {a: {"+strings.ReplaceAll(text, "{}", "{ }")+"}}"), &f); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(beyond(t, f, map[string]string{"id-token": "write"}), "; "); got != want {
			t.Errorf("%s: %q is more than id-token: write, want %q", text, got, want)
		}
	}
}

// beyond tells which jobs ask for more than a caller gives, of the workflow itself and of those that it calls: GitHub starts none of them
// then. A job without permissions of its own has those of the workflow and, where that names none, the caller's.
func beyond(t testing.TB, f file, grants map[string]string) (refused []string) {
	t.Helper()
	levels := []string{"", "none", "read", "write"}
	for id, j := range f.Jobs {
		asked := j.Permissions
		if asked == nil {
			asked = f.Permissions
		}
		have := grants
		if asked != nil {
			if have = asked.of; asked.word != "" {
				refused = append(refused, f.path+" "+id+": "+asked.word)
			}
			for name, level := range asked.of {
				if slices.Index(levels, level) > max(1, slices.Index(levels, grants[name])) {
					refused = append(refused, f.path+" "+id+": "+name+": "+level)
				}
			}
		}
		if w := called(t, j.Uses); w != nil {
			refused = append(refused, beyond(t, *w, have)...)
		}
	}
	slices.Sort(refused)
	return refused
}

// union adds up what the jobs of a called workflow ask for: its caller must give it all.
func union(f file) map[string]string {
	all := map[string]string{}
	for _, j := range f.Jobs {
		for name, level := range j.Permissions.of {
			if all[name] != "write" {
				all[name] = level
			}
		}
	}
	return all
}

// What somebody outside can write, a branch's name or a form's field, never becomes part of a script: it comes as a variable
// of the environment.
func TestNothingUntrustedInScripts(t *testing.T) {
	expression := regexp.MustCompile(`\$\{\{`)
	for _, f := range workflows(t) {
		for id, j := range f.Jobs {
			for _, s := range j.Steps {
				if expression.MatchString(s.Run) {
					t.Errorf("%s %s: an expression within a script: give it by env\n%s", f.path, id, s.Run)
				}
			}
		}
		for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "aws-secret-access-key", "pull_request_target", "secrets: inherit"} {
			if strings.Contains(f.text, secret) {
				t.Errorf("%s: %s has no place here", f.path, secret)
			}
		}
	}
}

// A rollback is wanted most while a deployment runs and while nobody can be asked.
func TestRollbackWaitsForNothing(t *testing.T) {
	both := glob(t, ".github/workflows/rollback.yml", ".github/workflows/service-rollback.yml")
	for _, f := range both {
		if f.Concurrency != nil {
			t.Errorf("%s: a group around the workflow", f.path)
		}
		if len(f.Jobs) != 1 {
			t.Errorf("%s: %d jobs, want one: each start costs time", f.path, len(f.Jobs))
		}
		for id, j := range f.Jobs {
			if j.Environment == nil || j.Environment.Name != "${{ inputs.environment }}-rollback" {
				t.Errorf("%s %s: environment %+v, want one of its own, which has no reviewers", f.path, id, j.Environment)
			}
			if j.Concurrency == nil || j.Concurrency.Group != "rollback-${{ inputs.environment }}-${{ inputs.service || 'service' }}" ||
				j.Concurrency.Cancel != "false" {
				t.Errorf("%s %s: concurrency %+v, want a group of its own, not cancelled", f.path, id, j.Concurrency)
			}
		}
		form, _, _ := strings.Cut(f.text, "workflow_call:")
		for _, want := range []string{"environment:", "service:", "target:", "reason:", "dry-run:", "default: previous",
			"options: [dev, staging, prod]"} {
			if !strings.Contains(form, want) {
				t.Errorf("the form of %s has no %s", f.path, want)
			}
		}
	}
	for _, w := range workflows(t) {
		own := slices.ContainsFunc(both, func(f file) bool { return f.path == w.path })
		for id, j := range w.Jobs {
			if j.Concurrency != nil && !own && strings.HasPrefix(j.Concurrency.Group, "rollback-") {
				t.Errorf("%s %s is in the rollback's group", w.path, id)
			}
		}
	}
}

// Only the job that changes the service is alone: a run that waits for reviewers must block no other, and the same group
// around caller and called would wait for itself.
func TestDeployIsAloneInItsEnvironment(t *testing.T) {
	f := glob(t, ".github/workflows/service-deploy.yml")[0]
	if f.Concurrency != nil {
		t.Errorf("%s: a group around the workflow", f.path)
	}
	for id, j := range f.Jobs {
		switch {
		case id == "deploy":
			if j.Concurrency == nil || j.Concurrency.Group !=
				"deploy-${{ needs.plan.outputs.environment }}-${{ inputs.service || 'service' }}" || j.Concurrency.Cancel != "false" {
				t.Errorf("deploy: concurrency %+v", j.Concurrency)
			}
			if j.Environment == nil || j.Environment.Name != "${{ needs.plan.outputs.environment }}" || j.Environment.URL == "" {
				t.Errorf("deploy: environment %+v, want the environment with its URL", j.Environment)
			}
			if !slices.Contains(j.Needs, "approve") {
				t.Error("deploy does not wait for the approval")
			}
		case j.Concurrency != nil:
			t.Errorf("%s: a group, but it changes no service", id)
		case id == "approve" && (j.Environment == nil || !strings.HasSuffix(j.Environment.Name, "-approval")):
			t.Errorf("approve: environment %+v", j.Environment)
		}
	}
	for _, w := range glob(t, "examples/*/.github/workflows/*.yml") {
		for id, j := range w.Jobs {
			if j.Concurrency != nil || w.Concurrency != nil && strings.Contains(w.Concurrency.Group, "deploy") {
				t.Errorf("%s %s: the called workflow has the group", w.path, id)
			}
		}
	}
}

// An approval counts for the attempt that it was given in: "Re-run failed jobs" takes over what the approving job said.
func TestAnApprovalCountsOnce(t *testing.T) {
	f := glob(t, ".github/workflows/service-deploy.yml")[0]
	deploy, approve := f.Jobs["deploy"], f.Jobs["approve"]
	if approve.Outputs["attempt"] != "${{ github.run_attempt }}" {
		t.Errorf("approve hands on %q", approve.Outputs)
	}
	for attempt, allowed := range map[string]bool{"1": true, "2": false} {
		cmd := exec.Command("bash", "-e", "-c", deploy.Steps[0].Run)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "APPROVED=1", "ATTEMPT=" + attempt}
		if out, err := cmd.CombinedOutput(); (err == nil) != allowed || !allowed && !strings.Contains(string(out), "Re-run all jobs") {
			t.Errorf("attempt %s after an approval of the first: %v\n%s", attempt, err, out)
		}
	}
}

// The map from branches to environments is one line. A workflow that others call cannot read a file of its own repository, so
// the line stands in each workflow that needs it, once, and is the same everywhere.
func TestBranchMapIsOneLine(t *testing.T) {
	const line = `branch_of() { case "$1" in dev) echo development ;; staging) echo staging ;; prod) echo main ;; esac; }`
	trigger := regexp.MustCompile(`^\s*branches: \[development, staging, main\]$`)
	want := map[string]int{".github/workflows/service-deploy.yml": 1, ".github/workflows/infrastructure.yml": 1}
	for _, f := range workflows(t) {
		if n := strings.Count(f.text, line); n != want[f.path] {
			t.Errorf("%s has the map %d times, want %d", f.path, n, want[f.path])
		}
		for _, m := range regexp.MustCompile(`(?m)^.*\bdevelopment\b.*$`).FindAllString(f.text, -1) {
			if !trigger.MatchString(m) && strings.TrimSpace(m) != line && !strings.Contains(m, "::") && !strings.Contains(m, `stop "`) {
				t.Errorf("%s speaks of the branches besides its trigger and the map:\n%s", f.path, m)
			}
		}
	}
}

// Callers are to be copied, so they are short.
func TestCallersAreShort(t *testing.T) {
	for _, f := range glob(t, "examples/*/.github/workflows/*.yml") {
		if n := strings.Count(f.text, "\n"); n > 24 {
			t.Errorf("%s has %d lines", f.path, n)
		}
		for id, j := range f.Jobs {
			if called(t, j.Uses) == nil {
				t.Errorf("%s %s calls no workflow of ours", f.path, id)
			}
		}
	}
}

// TestFormsExist holds that what the documents tell people to press is there: of a service's repository in the examples, of this
// one in its own workflows. A form is named in bold after an arrow, or by its file in a command with its inputs.
func TestFormsExist(t *testing.T) {
	forms := map[string]map[string]actionInput{} // by name and by file
	for _, f := range glob(t, ".github/workflows/*.yml", "examples/*/.github/workflows/*.yml") {
		var on struct {
			Dispatch *struct{ Inputs map[string]actionInput } `yaml:"workflow_dispatch"`
		}
		if f.On.Decode(&on) != nil || on.Dispatch == nil {
			continue
		}
		var named struct{ Name string }
		if err := yaml.Unmarshal([]byte(f.text), &named); err != nil {
			t.Fatal(err)
		}
		// A service's repository has the examples' workflows, and none of those that they call.
		if strings.HasPrefix(f.path, ".github/") && !slices.Contains([]string{"terraform.yml", "release.yml"}, filepath.Base(f.path)) {
			continue
		}
		forms[named.Name], forms[filepath.Base(f.path)] = on.Dispatch.Inputs, on.Dispatch.Inputs
	}
	pressed := regexp.MustCompile(`Actions → \*\*([^*]+)\*\*|form (?:of|in) \*\*([^*]+)\*\*|\*\*([^*]+)\*\* by hand`)
	typed := regexp.MustCompile(`gh workflow run (\S+)((?: -\S+ \S+)*)`)
	field := regexp.MustCompile(`-f ([\w-]+)=`)
	found := 0
	for path, text := range documents(t) {
		for _, m := range pressed.FindAllStringSubmatch(text, -1) {
			found++
			if name := m[1] + m[2] + m[3]; forms[name] == nil {
				t.Errorf("%s speaks of the form %q, which neither the examples nor this repository have", path, name)
			}
		}
		for _, m := range typed.FindAllStringSubmatch(text, -1) {
			found++
			if forms[m[1]] == nil {
				t.Errorf("%s runs %s, which has no form", path, m[1])
			}
			for _, in := range field.FindAllStringSubmatch(m[2], -1) {
				if _, ok := forms[m[1]][in[1]]; !ok {
					t.Errorf("%s gives %s the input %s, which its form lacks", path, m[1], in[1])
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("the documents name %d forms: the patterns of this test find them no more", found)
	}
}

// documents returns what people read, by path.
func documents(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "examples/*/README.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = string(text)
		}
	}
	return found
}

// The workflow that the README shows is the one that is tried.
func TestReadmeShowsTheExample(t *testing.T) {
	want := glob(t, "examples/api/.github/workflows/deploy.yml")[0].text
	if readme := documents(t)[filepath.Join(root, "README.md")]; !strings.Contains(readme, "```yaml\n"+want+"```\n") {
		t.Error("README.md shows another deploy.yml than examples/api has")
	}
}

// TestFormsReachTheirWorkflow holds that an example's form hands each of its inputs on, and by the workflow's own name: to each workflow
// that has an input of that name, and to one at least.
func TestFormsReachTheirWorkflow(t *testing.T) {
	for _, f := range glob(t, "examples/*/.github/workflows/*.yml") {
		var on struct {
			Dispatch *struct{ Inputs map[string]actionInput } `yaml:"workflow_dispatch"`
		}
		if f.On.Decode(&on) != nil || on.Dispatch == nil {
			continue
		}
		for name := range on.Dispatch.Inputs {
			reached := false
			for id, j := range f.Jobs {
				inputs, _ := callable(t, *called(t, j.Uses))
				if _, takes := inputs[name]; !takes {
					continue
				}
				reached = true
				if !strings.Contains(j.With[name], "inputs."+name) {
					t.Errorf("%s %s: the form's input %s does not reach the workflow that is called", f.path, id, name)
				}
			}
			if !reached {
				t.Errorf("%s: the form's input %s reaches no workflow", f.path, name)
			}
		}
	}
}

// One image string is one pull for the runner, and one build on a branch.
func TestActionsShareTheirImage(t *testing.T) {
	for use, a := range actions(t) {
		if a.Runs.Using == "composite" && strings.HasSuffix(use, "/setup@v2") { // it is for runners without Docker
			continue
		}
		want := "../../Dockerfile"
		switch {
		case use == "org/connect2@v2":
			want = "Dockerfile"
		case strings.HasSuffix(use, "/tf-apply@v2"):
			want = "../../Dockerfile.terraform"
		}
		if a.Runs.Using != "docker" || a.Runs.Image != want {
			t.Errorf("%s runs %s with %s, want docker with %s", a.path, a.Runs.Image, a.Runs.Using, want)
		}
	}
}

// What a user looks for in an action's README stands in each of them, under the same words.
func TestReadmesAreWhole(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "actions/*/README.md"))
	if err != nil || len(paths) != 7 {
		t.Fatal(paths, err)
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return filepath.Base(filepath.Dir(path)) == "setup" }) // needs no role
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text, name := string(raw), filepath.Base(filepath.Dir(path))
		about, _, _ := strings.Cut(text, "\n## ")
		if lines := strings.Count(strings.TrimSpace(about), "\n") - 1; lines < 2 || lines > 3 {
			t.Errorf("%s: %d lines say what it does, want two or three", name, lines)
		}
		for _, heading := range []string{"In a workflow", "In a terminal", "When it fails", "Permissions", "Inputs", "Outputs",
			"How it ends", "Where it runs"} {
			if strings.Count(text, "\n## "+heading+"\n") != 1 {
				t.Errorf("%s: no section %q", name, heading)
			}
		}
		_, use, _ := strings.Cut(text, "\n## In a workflow\n")
		use, _, _ = strings.Cut(use, "\n## ")
		if strings.Count(use, "```yaml\n") < 2 || !strings.Contains(use, "id-token: write") {
			t.Errorf("%s: wants a minimal and a full example, with the permissions of the job", name)
		}
		_, permissions, _ := strings.Cut(text, "\n## Permissions\n")
		permissions, _, _ = strings.Cut(permissions, "\n## ")
		links := regexp.MustCompile(`\]\((\.\./\.\./docs/iam/[^)]+\.json)\)`).FindAllStringSubmatch(permissions, -1)
		if len(links) == 0 {
			t.Errorf("%s: links to no policy", name)
		}
		for _, link := range links {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, where, _ := strings.Cut(text, "\n## Where it runs\n")
		for _, word := range []string{"Docker", "Kubernetes", "`connect2 " + name + "`"} {
			if !strings.Contains(where, word) {
				t.Errorf("%s: %q is not in what says where it runs", name, word)
			}
		}
	}
}

func TestDockerfiles(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "Dockerfile*"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// It would be fetched from Docker Hub before every build.
		if regexp.MustCompile(`(?mi)^#\s*syntax\s*=`).Match(text) {
			t.Errorf("%s: a syntax line", path)
		}
		stages := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(string(text), -1)
		if last := stages[len(stages)-1][1]; filepath.Base(path) == "Dockerfile" && last != "scratch" {
			t.Errorf("%s: the last stage is FROM %s, want scratch: an action builds the last one", path, last)
		}
		// The runner mounts the workspace as root's: another user could not write the outputs.
		if _, last, _ := strings.Cut(string(text), "\nFROM "+stages[len(stages)-1][1]); regexp.MustCompile(`(?m)^USER `).MatchString(last) {
			t.Errorf("%s: a USER in the last stage", path)
		}
		for _, stage := range stages {
			if strings.Contains(stage[1], "/") && !strings.HasPrefix(stage[1], "$") {
				t.Errorf("%s: FROM %s: name base images by an argument", path, stage[1])
			}
		}
	}
}
