package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/run"
)

// supplied finds a complaint that a name is missing which connect2.yaml would have given.
var supplied = regexp.MustCompile(`(?m)^(--)?(cluster|service|repository|bastion|secret|region|account-id)( is required)?: .*$`)

// TestOneProblemIsToldOnce gives every command that finds its names in connect2.yaml one thing that is wrong about them. It tells that one,
// with what was meant, and none that follows from it.
func TestOneProblemIsToldOnce(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const services = "services:\n  api: {service: api}\n"
	file := write("connect2.yaml", "project: x\nenvironments: {dev: {region: us-west-2}, prod: {}}\n"+services+"  worker: {service: worker}\n")
	misspelt := write("misspelt.yaml", "projct: x\nenvironments: {dev: }\n"+services)
	region := write("region.yaml", "project: x\nenvironments: {dev: {region: us-wset-2}}\n"+services)
	broken := write("broken.yaml", "project: [x\n")
	for _, test := range []struct {
		name    string
		args    []string
		file    string // that is found where none is given
		environ string // CONNECT2_ENVIRONMENT
		want    string
	}{
		{name: "a wrong environment", args: []string{"--environment", "deff"}, file: file,
			want: `--environment: ` + file + `: there is no environment "deff": did you mean dev?`},
		{name: "of a variable", file: file, environ: "prd",
			want: `CONNECT2_ENVIRONMENT: ` + file + `: there is no environment "prd": did you mean prod?`},
		{name: "no environment", args: []string{"--file", file},
			want: file + " has dev, prod: choose one with --environment, or CONNECT2_ENVIRONMENT"},
		{name: "nothing at all", file: file, want: file + " has dev, prod: choose one with --environment, or CONNECT2_ENVIRONMENT, or give --"},
		{name: "a flag misspelt", args: []string{"--environmnt", "dev"}, file: file,
			want: "unknown flag --environmnt: did you mean --environment?"},
		{name: "the file's flag misspelt", args: []string{"--fiel", file, "--environment", "dev"},
			want: "unknown flag --fiel: did you mean --file?"},
		{name: "the project's flag misspelt", args: []string{"--projct", "x", "--environment", "dev"},
			want: "unknown flag --projct: did you mean --project?"},
		{name: "a flag without value", file: file, args: []string{"--environment"}, want: "--environment needs a value"},
		{name: "no such file", args: []string{"--file", folder + "/conect2.yaml", "--environment", "dev"},
			want: folder + "/conect2.yaml: there is no such file"},
		{name: "a key misspelt", args: []string{"--environment", "dev"}, file: misspelt,
			want: misspelt + ":1:1: unknown key projct: did you mean project?"},
		{name: "a region misspelt", args: []string{"--environment", "dev"}, file: region,
			want: region + `:2:30: environments.dev.region: "us-wset-2" is not a region of AWS: did you mean us-west-2?`},
		{name: "not YAML", args: []string{"--environment", "dev"}, file: broken, want: broken + ": it is not YAML: "},
		{name: "no file", args: []string{"--environment", "dev"}, want: "--environment: there is no connect2.yaml here or above that says what"},
		{name: "a project alone", args: []string{"--project", "x"}, file: file, want: "--project: say which environment: --environment, or "},
		{name: "a project and a file", args: []string{"--project", "x", "--file", file}, want: "--project and --file are two ways to name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			for _, c := range Commands() {
				if c.Action == nil {
					continue
				}
				extra := run.ExtraFields(c.Action)
				given := c.Action.FromArguments(test.args, func(string) string { return "" }, extra...)
				if !given.Asks("file") || !given.Asks("environment") || !given.Asks("project") {
					continue
				}
				asked++
				run.Names(c.Action, &given, func(string) string { return test.environ }, func() string { return test.file })
				_, err := c.Action.Decode(given)
				if err == nil {
					t.Errorf("%s: nothing is wrong", c.Name)
					continue
				}
				told := strings.Split(err.Error(), "\n")
				own := slices.DeleteFunc(slices.Clone(told), func(line string) bool { return !strings.Contains(line, test.want) })
				if len(own) != 1 || supplied.MatchString(err.Error()) {
					t.Errorf("%s tells %q, want once %q and nothing that follows from it", c.Name, told, test.want)
				}
			}
			if asked < 20 {
				t.Errorf("%d commands were asked", asked)
			}
		})
	}
}

// TestOneServiceIsChosen: a command of one service says which there are, and one of several takes them all.
func TestOneServiceIsChosen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "connect2.yaml")
	text := "project: x\nenvironments: {dev: {region: us-west-2}}\nservices:\n  worker: {service: w}\n  api: {service: a}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"status": file + " has the services worker, api: choose one with --service",
		"logs":   file + " has the services worker, api: choose one with --service",
		"tunnel": "", "ecs-rollback": "",
	} {
		commands := Commands()
		a := commands[slices.IndexFunc(commands, func(c Command) bool { return c.Name == name })].Action
		args := map[string][]string{"tunnel": {"database"}}[name]
		for _, chosen := range []string{"", "--service=api"} {
			given := a.FromArguments(append(slices.Clone(args), "--environment=dev", chosen), func(string) string { return "" },
				run.ExtraFields(a)...)
			if chosen != "" && !given.Asks("service") {
				continue
			}
			if chosen == "" {
				given = a.FromArguments(append(slices.Clone(args), "--environment=dev"), func(string) string { return "" }, run.ExtraFields(a)...)
			}
			run.Names(a, &given, func(string) string { return "" }, func() string { return file })
			_, err := a.Decode(given)
			told := ""
			if err != nil {
				told = err.Error()
			}
			if chosen == "" && told != want || chosen != "" && told != "" {
				t.Errorf("%s %s: %q, want %q", name, chosen, told, want)
			}
		}
	}
}
