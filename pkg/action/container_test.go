package action

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type files struct {
	Source string            `input:"source" path:"read"`
	List   []string          `input:"list" path:"read"`
	Lines  map[string]string `input:"lines" path:"read"`
	Report string            `input:"report" path:"write"`
	Reason string            `input:"reason"`
}

// runner is what GitHub's runner gives a container; a newer one mounts its temporary folder as well.
func runnerEnvironment(temp string, more ...string) []string {
	return append([]string{"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=/github/workspace", "GITHUB_REPOSITORY=org/api",
		"RUNNER_WORKSPACE=/home/runner/work/api", "RUNNER_TEMP=" + temp}, more...)
}

func TestFilesOfTheRunner(t *testing.T) {
	const newer, older = "/github/runner_temp", "/home/runner/work/_temp"
	for name, c := range map[string]struct {
		environ []string
		want    files
		problem []string // in the one problem; none for no problem
	}{
		"workspace": {runnerEnvironment(newer, "INPUT_SOURCE=/home/runner/work/api/api/image.tar#x"),
			files{Source: "/github/workspace/image.tar#x"}, nil},
		"the workspace itself": {runnerEnvironment(newer, "INPUT_SOURCE=/home/runner/work/api/api"), files{Source: "/github/workspace"}, nil},
		"temporary": {runnerEnvironment(newer, "INPUT_SOURCE=/home/runner/work/_temp/td.json"),
			files{Source: "/github/runner_temp/td.json"}, nil},
		"home": {runnerEnvironment(newer, "INPUT_SOURCE=/home/runner/work/_temp/_github_home/x"), files{Source: "/github/home/x"}, nil},
		"each of a list": {runnerEnvironment(newer, "INPUT_LIST=a.tfvars\n/home/runner/work/api/api/b.tfvars, /home/runner/work/_temp/c"),
			files{List: []string{"a.tfvars", "/github/workspace/b.tfvars", "/github/runner_temp/c"}}, nil},
		"each of the lines": {runnerEnvironment(newer, "INPUT_LINES=a=/home/runner/work/api/api/a.tar\n\nb= docker://b:1\nc=d=/e"),
			files{Lines: map[string]string{"a": "/github/workspace/a.tar", "b": "docker://b:1", "c": "d=/e"}}, nil},
		"a line's file elsewhere": {runnerEnvironment(newer, "INPUT_LINES=a=/opt/nowhere/a.tar"),
			files{Lines: map[string]string{"a": "/opt/nowhere/a.tar"}}, []string{`lines: "/opt/nowhere/a.tar": an action's container`}},
		"translated by the runner": {runnerEnvironment(newer, "INPUT_SOURCE=/github/runner_temp/x", "INPUT_REPORT=/github/workspace/r.html"),
			files{Source: "/github/runner_temp/x", Report: "/github/workspace/r.html"}, nil},
		"relative": {runnerEnvironment(newer, "INPUT_SOURCE=image.tar", "INPUT_REPORT=out/r.html"),
			files{Source: "image.tar", Report: "out/r.html"}, nil},
		"not a file": {runnerEnvironment(newer, "INPUT_SOURCE=docker://app:1", "INPUT_LIST=bucket=/a,family:3"),
			files{Source: "docker://app:1", List: []string{"bucket=/a", "family:3"}}, nil},
		"another input": {runnerEnvironment(newer, "INPUT_REASON=/home/runner/work/api/api/x"),
			files{Reason: "/home/runner/work/api/api/x"}, nil},
		"beside the workspace": {runnerEnvironment(newer, "INPUT_SOURCE=/home/runner/work/api/api2/x"),
			files{Source: "/home/runner/work/api/api2/x"}, []string{"source: ", "no more of the runner's files", "actions/setup"}},
		"elsewhere": {runnerEnvironment(newer, "INPUT_LIST=a\n/opt/nowhere/x"), files{List: []string{"a", "/opt/nowhere/x"}},
			[]string{`list: "/opt/nowhere/x": an action's container`}},
		"there all the same":   {runnerEnvironment(newer, "INPUT_SOURCE=/etc/hosts"), files{Source: "/etc/hosts"}, nil},
		"there, of an archive": {runnerEnvironment(newer, "INPUT_SOURCE=/etc/hosts#x"), files{Source: "/etc/hosts#x"}, nil},
		"written elsewhere": {runnerEnvironment(newer, "INPUT_REPORT=/tmp/r.html"), files{Report: "/tmp/r.html"},
			[]string{"report: ", "give a path in the workspace or RUNNER_TEMP"}},
		"out of the folders": {runnerEnvironment(newer, "INPUT_REPORT=/github/../tmp/r.html"), files{Report: "/github/../tmp/r.html"},
			[]string{"report: "}},
		"an older runner": {runnerEnvironment(older, "INPUT_SOURCE=/home/runner/work/_temp/td.json"),
			files{Source: "/home/runner/work/_temp/td.json"}, []string{"older runners do not show", "give a path in the workspace"}},
		"an older runner's workspace": {runnerEnvironment(older, "INPUT_SOURCE=/home/runner/work/api/api/x"),
			files{Source: "/github/workspace/x"}, nil},
		"no container": {[]string{"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=/home/runner/work/api/api", "GITHUB_REPOSITORY=org/api",
			"RUNNER_WORKSPACE=/home/runner/work/api", "INPUT_SOURCE=/opt/nowhere/x"}, files{Source: "/opt/nowhere/x"}, nil},
		"not on GitHub": {[]string{"GITHUB_WORKSPACE=/github/workspace", "INPUT_SOURCE=/opt/nowhere/x"}, files{Source: "/opt/nowhere/x"}, nil},
		"a runner that says nothing": {[]string{"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=/github/workspace",
			"INPUT_SOURCE=/home/runner/work/api/api/x"}, files{Source: "/home/runner/work/api/api/x"}, []string{"source: "}},
	} {
		t.Run(name, func(t *testing.T) {
			fields := fieldsOf(reflect.TypeFor[files](), "input")
			var got files
			problems := fromEnvironment(fields, c.environ).decodeInto(reflect.ValueOf(&got).Elem(), fields)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
			if (len(c.problem) > 0) != (len(problems) == 1) || len(problems) > 1 {
				t.Fatalf("problems %v, want %q", problems, c.problem)
			}
			for _, want := range c.problem {
				if !strings.Contains(problems[0].Error(), want) {
					t.Errorf("%q does not say %q", problems[0], want)
				}
			}
		})
	}
}

func TestUnseen(t *testing.T) {
	environ := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace"}
	e := &Env{Getenv: func(name string) string { return environ[name] }}
	for file, unseen := range map[string]bool{"/opt/nowhere/x": true, "/etc/hosts": false, "x": false, "/github/runner_temp/x": false} {
		if got := e.Unseen(file); (got != "") != unseen {
			t.Errorf("%s: %q", file, got)
		}
	}
	if !e.InContainer() {
		t.Error("it is a container")
	}
	environ["GITHUB_WORKSPACE"] = "/home/runner/work/api/api"
	if e.InContainer() || e.Unseen("/opt/nowhere/x") != "" {
		t.Error("a step on the runner itself sees all")
	}
}
