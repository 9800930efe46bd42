package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// call runs the command line and returns what it wrote.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Main(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestUnknown(t *testing.T) {
	for name, want := range map[string]string{
		"ecs-depoly": `unknown command "ecs-depoly": did you mean ecs-deploy?`,
		"depoly":     `unknown command "depoly": did you mean deploy?`,
		"undo":       `unknown command "undo": did you mean rollback?`,
		"Terraform":  `unknown command "Terraform": did you mean tf-apply?`,
		"ps":         `unknown command "ps": did you mean status?`,
		"--cluster":  "unknown flag --cluster: the command comes first, as in connect2 NAME --flag VALUE",
	} {
		if got := unknown("", name, Commands()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := unknown("", "make-coffee", Commands()); !strings.Contains(got, "there are ecr-push, ") {
		t.Errorf("got %s", got)
	}
}

// TestNamesAreClear holds that no name, alias or word stands for two commands, and that each command says what it is.
func TestNamesAreClear(t *testing.T) {
	var check func(commands []Command, first bool)
	check = func(commands []Command, first bool) {
		taken := map[string]string{"help": "cobra", "completion": "cobra"}
		for _, c := range commands {
			if c.Describe() == "" || (c.Action == nil) == (c.Run == nil && len(c.Commands) == 0) {
				t.Errorf("%s: it wants a description, and one of an action, a function or commands below it", c.Name)
			}
			if first && !slices.Contains(Groups, c.Group) {
				t.Errorf("%s is in no group, so no list shows it", c.Name)
			}
			if c.Action != nil && c.Action.Meta.Name != c.Name && first {
				t.Errorf("%s is called %s in its help", c.Name, c.Action.Meta.Name)
			}
			for _, name := range slices.Concat([]string{c.Name}, c.Aliases, c.Words) {
				if taken[name] != "" {
					t.Errorf("%s stands for %s and for %s", name, taken[name], c.Name)
				}
				taken[name] = c.Name
			}
			check(c.Commands, false)
		}
	}
	check(Commands(), true)
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want []string // lines that are there
		not  string   // what no line begins with
	}{
		{"a command", []string{"ecs-"}, []string{"ecs-deploy\t", "ecs-rollback\t"}, "push"},
		{"an alias", []string{"dep"}, []string{"deploy\t"}, "ecs"},
		{"a flag", []string{"ecs-deploy", "--cl"}, []string{"--cluster\t"}, "--service"},
		{"a flag behind others", []string{"ecs-deploy", "--cluster", "c", "--ser"}, []string{"--service\t"}, "--cluster"},
		{"by an alias", []string{"deploy", "--ear"}, []string{"--early-abort\t"}, "--service"},
		{"a value", []string{"ecs-deploy", "--early-abort", ""}, []string{"auto\n", "off\n"}, "--"},
		{"a value behind =", []string{"ecs-deploy", "--early-abort=o"}, []string{"--early-abort=off\n"}, "auto"},
		{"a switch", []string{"ecs-deploy", "--wait="}, []string{"--wait=true\n", "--wait=false\n"}, "auto"},
		{"of a command without an action", []string{"sandbox", "--sp"}, []string{"--speed\t"}, "--seed"},
		{"a topic of help", []string{"help", "ecr"}, []string{"ecr-push\t"}, "ecs"},
		{"files", []string{"ecs-deploy", "--task-definition", ""}, []string{":0\n"}, "--"},
		{"no files", []string{"ecs-deploy", "--cluster", ""}, []string{":4\n"}, "--"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, _ := call(t, append([]string{"__complete"}, test.args...)...)
			if code != 0 {
				t.Fatalf("exit code %d", code)
			}
			for _, want := range test.want {
				if !strings.Contains("\n"+out, "\n"+want) {
					t.Errorf("no line %q in\n%s", want, out)
				}
			}
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, test.not) {
					t.Errorf("got %q", line)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help", "deploy"}, {"deploy", "--help"}, {"ecs-deploy", "-h"}, {"--help", "ecs-deploy"}} {
		if code, out, _ := call(t, args...); code != 0 || !strings.Contains(out, "Usage: connect2 ecs-deploy --flag VALUE ...") {
			t.Errorf("%q: exit code %d, %s", args, code, out)
		}
	}
	for _, args := range [][]string{{}, {"help", "deploi"}, {"status", "--clutser=c"}} {
		if code, out, err := call(t, args...); code != 1 || out != "" || err == "" {
			t.Errorf("%q: exit code %d, %q on standard output, %q on standard error", args, code, out, err)
		}
	}
}

func TestShells(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default -F __start_connect2 connect2", "zsh": "#compdef connect2",
		"fish": "complete -c connect2", "powershell": "Register-ArgumentCompleter",
	} {
		if code, out, err := call(t, "completion", shell); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, %s", shell, code, err)
		}
	}
}
