package workflowtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/cli"
	"github.com/org/connect2/v2/pkg/run"
)

// operateScript is the script of the one step that has one, of operate.yml or of service-operate.yml.
func operateScript(t *testing.T, name string) string {
	t.Helper()
	for _, s := range glob(t, ".github/workflows/"+name)[0].Jobs["operate"].Steps {
		if s.Run != "" {
			return s.Run
		}
	}
	t.Fatal(name + " has no script")
	return ""
}

// operate runs the script in a folder with a connect2.yaml, with a connect2 that writes down its arguments, one a line.
func operate(t *testing.T, script string, environ ...string) (arguments []string, said string, code int) {
	t.Helper()
	dir := t.TempDir()
	fake := "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$RECORD\"\nexit \"${ENDS:-0}\"\n"
	if err := os.WriteFile(filepath.Join(dir, "connect2"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "connect2.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	command.Dir = dir
	command.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "RECORD=" + filepath.Join(dir, "record"),
		"GITHUB_SHA=abc", "ROLE=arn:role", "SINCE=1h", "REASON="}, environ...)
	out, _ := command.CombinedOutput()
	if text, err := os.ReadFile(filepath.Join(dir, "record")); err == nil {
		arguments = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return arguments, string(out), command.ProcessState.ExitCode()
}

// TestOperate holds what the form can be sent with to what the command line takes, and that nothing in a field becomes a command.
func TestOperate(t *testing.T) {
	const role = "--role-to-assume=arn:role"
	variables, file := []string{"CLUSTER=api-cluster", "SERVICE=api"}, []string{"FILE=connect2.yaml", "ENVIRONMENT=prod", "SERVICE="}
	byVariables, byFile := []string{"--cluster=api-cluster", "--service=api"}, []string{"--file=connect2.yaml", "--environment=prod"}
	for _, test := range []struct {
		environ []string
		want    []string // behind the flags of the names
		code    int
		said    string
	}{
		{environ: []string{"COMMAND=status"}, want: []string{}},
		{environ: []string{"COMMAND=doctor", "ENDS=2"}, want: []string{}, code: 2},
		{environ: []string{"COMMAND=restart"}, want: []string{}},
		{environ: []string{"COMMAND=release-hold", "REASON=over"}, want: []string{}},
		{environ: []string{"COMMAND=logs", "SINCE=30m"}, want: []string{"--since=30m", "--tail=200"}},
		{environ: []string{"COMMAND=hold", "REASON=incident 42; $(touch x) `id`"},
			want: []string{"--reason=incident 42; $(touch x) `id`"}},
		{environ: []string{"COMMAND=hold"}, code: 1, said: "hold: say why"},
		{environ: []string{"COMMAND=exec"}, code: 1, said: "want status, logs, doctor, restart, hold or release-hold"},
		{environ: []string{"COMMAND="}, code: 1, said: "No such command"},
		{environ: []string{"COMMAND=status --json"}, code: 1, said: "No such command"},
	} {
		t.Run(strings.Join(test.environ, " "), func(t *testing.T) {
			for name, by := range map[string]struct{ environ, flags []string }{
				"operate.yml": {variables, byVariables}, "service-operate.yml": {file, byFile},
			} {
				got, said, code := operate(t, operateScript(t, name), slices.Concat(by.environ, test.environ)...)
				if code != test.code || !strings.Contains(said, test.said) {
					t.Errorf("%s: exit %d, want %d\n%s", name, code, test.code, said)
				}
				if test.want == nil {
					if got != nil {
						t.Errorf("%s: connect2 was run: %q", name, got)
					}
					continue
				}
				command := strings.TrimPrefix(test.environ[0], "COMMAND=")
				if want := slices.Concat([]string{command, role}, by.flags, test.want); !slices.Equal(got, want) {
					t.Errorf("%s: connect2 %q, want %q", name, got, want)
				}
				takes(t, command, got[1:])
			}
		})
	}
	for _, test := range []struct {
		environ []string
		want    []string
		said    string
	}{
		{environ: []string{"FILE=connect2.yaml", "SERVICE=worker"}, want: append(byFile, "--service=worker")},
		{environ: []string{"FILE=other.yaml"}, said: "There is no other.yaml in abc."},
	} {
		got, said, code := operate(t, operateScript(t, "service-operate.yml"), slices.Concat(file, []string{"COMMAND=status"}, test.environ)...)
		if ran := got != nil; ran == (test.said != "") || ran == (code == 1) || !strings.Contains(said, test.said) ||
			ran && !slices.Equal(got[2:], test.want) {
			t.Errorf("%q: connect2 %q, exit %d\n%s", test.environ, got, code, said)
		}
	}
}

// takes holds that a command of connect2 has the flags that it is given.
func takes(t *testing.T, name string, arguments []string) {
	t.Helper()
	commands := cli.Commands()
	i := slices.IndexFunc(commands, func(c cli.Command) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("connect2 has no command %s", name)
	}
	for _, argument := range arguments {
		flag, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
		known := false
		for _, f := range slices.Concat(commands[i].Action.Inputs(), run.ExtraFields(commands[i].Action)) {
			known = known || f.Name == flag
		}
		if !known {
			t.Errorf("connect2 %s has no flag --%s", name, flag)
		}
	}
}

// TestOperateWaitsForNobody: it is wanted at night, and while a deployment runs.
func TestOperateWaitsForNobody(t *testing.T) {
	example := glob(t, "examples/api/.github/workflows/operate.yml")[0].text
	for _, f := range glob(t, ".github/workflows/operate.yml", ".github/workflows/service-operate.yml") {
		if f.Concurrency != nil || len(f.Jobs) != 1 {
			t.Errorf("%s: a group around it, or %d jobs", f.path, len(f.Jobs))
		}
		for id, j := range f.Jobs {
			if j.Concurrency != nil || j.Environment == nil || j.Environment.Name != "${{ inputs.environment }}-rollback" {
				t.Errorf("%s %s: concurrency %+v, environment %+v", f.path, id, j.Concurrency, j.Environment)
			}
		}
		form, call, _ := strings.Cut(f.text, "workflow_call:")
		const options = "options: [status, logs, doctor, restart, hold, release-hold]"
		if !strings.Contains(form, options) || !strings.Contains(example, options) || !strings.Contains(call, "command:") {
			t.Errorf("%s: the forms do not offer the same commands", f.path)
		}
	}
}
