package terraform

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadArguments(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		want    Arguments
		refused []string // what the problems say, one each
	}{
		{"none", []string{"PATH=/bin", "TF_CLI_ARGS=", "TF_CLI_ARGS_plan= "}, Arguments{}, nil},
		{"what changes nothing", []string{"TF_CLI_ARGS=-no-color -input=false", "TF_CLI_ARGS_show=-no-color",
			"TF_CLI_ARGS_plan=-compact-warnings -lock=true",
			"TF_CLI_ARGS_apply=-auto-approve", "TF_CLI_ARGS_init=-get=true -reconfigure -backend=true -lock"}, Arguments{}, nil},
		{"of init", []string{`TF_CLI_ARGS_init=-backend-config="key=a b" --plugin-dir=/x -lock-timeout 1m`},
			Arguments{Init: []string{"-backend-config=key=a b", "--plugin-dir=/x", "-lock-timeout=1m"}}, nil},
		{"of plan", []string{"TF_CLI_ARGS_plan=-refresh=false -var-file=a.tfvars -var-file b.tfvars -target='module.a[\"x\"]' -replace " +
			"aws_x.y -parallelism=3 -lock-timeout=90s"},
			Arguments{Plan: []string{"-refresh=false"}, VarFiles: []string{"a.tfvars", "b.tfvars"}, Targets: []string{`module.a["x"]`},
				Replace: []string{"aws_x.y"}, Parallelism: 3, LockTimeout: 90 * time.Second}, nil},
		{"of apply", []string{"TF_CLI_ARGS_apply=-parallelism 7 -lock-timeout=1s"}, Arguments{Parallelism: 7, LockTimeout: time.Second}, nil},
		{"of commands that are not run", []string{"TF_CLI_ARGS_import=-var a=b", "TF_CLI_ARGS_console=x"}, Arguments{}, nil},
		{"a secret", []string{"TF_CLI_ARGS_plan=-var password=hunter2 -var=password=hunter2 -secret hunter2 -no-color"}, Arguments{}, []string{
			"TF_CLI_ARGS_plan: -var: it is refused: its value would stand in the list of processes",
			"TF_CLI_ARGS_plan: -var: it is refused: its value", "TF_CLI_ARGS_plan: -secret: it is not known to be safe here"}},
		{"several", []string{"TF_CLI_ARGS_plan=-out=x -destroy", "TF_CLI_ARGS_apply=-lock=false", "TF_CLI_ARGS_output=-raw"}, Arguments{},
			[]string{
				"TF_CLI_ARGS_apply: -lock: it is refused: an apply without a lock", "TF_CLI_ARGS_output: -raw: it is not known",
				"TF_CLI_ARGS_plan: -out: it is refused: set plan-file", "TF_CLI_ARGS_plan: -destroy: it is refused: set `mode: destroy`"}},
		{"of all commands", []string{"TF_CLI_ARGS=-parallelism=5"}, Arguments{},
			[]string{"TF_CLI_ARGS: -parallelism: it would reach every command"}},
		{"init", []string{"TF_CLI_ARGS_init=-upgrade -backend=false -get=false -migrate-state"}, Arguments{},
			[]string{"-upgrade: it is refused: set `lockfile", "-backend: it is refused", "-get: it is refused", "-migrate-state"}},
		{"wrong values", []string{"TF_CLI_ARGS_plan=-parallelism=0 -parallelism=x -lock-timeout=soon -lock-timeout=-1s -target= -lock=false"},
			Arguments{},
			[]string{`"0" is not a number above 0`, `"x" is not a number`, `"soon" is not a duration`, `"-1s" is not a duration`, "-target: it has no value", "-lock: it is refused"}},
		{"not flags", []string{"TF_CLI_ARGS_plan=hunter2", "TF_CLI_ARGS_apply='"}, Arguments{},
			[]string{"TF_CLI_ARGS_apply: it cannot be split", "TF_CLI_ARGS_plan: an argument: only flags"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := ReadArguments(test.environ)
			if len(test.refused) == 0 && !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if len(problems) != len(test.refused) {
				t.Fatalf("%d problems, want %d: %v", len(problems), len(test.refused), problems)
			}
			for i, want := range test.refused {
				if !strings.Contains(problems[i].Error(), want) {
					t.Errorf("%v, want %q", problems[i], want)
				}
			}
			if err := errors.Join(problems...); err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a value is told: %v", err)
			}
		})
	}
}
