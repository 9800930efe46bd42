package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/project"
)

const config1 = `project: connect2-api
environments:
  dev: {region: us-west-2, bake: 10m}
  prod: {cluster: main}
services:
  api: {service: "api-{environment}"}
`

func TestChoose(t *testing.T) {
	folder := t.TempDir()
	path, broken := filepath.Join(folder, project.Name), filepath.Join(folder, "broken.yaml")
	for name, text := range map[string]string{path: config1, broken: "projct: a\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name    string
		chosen  Selection
		path    string
		cluster string
		problem string
	}{
		{"nothing", Selection{}, "", "", ""},
		{"an environment of the file", Selection{Selection: project.Selection{FileEnvironment: "prod"}}, path, "main", ""},
		{"an environment that is not there", Selection{Selection: project.Selection{FileEnvironment: "prd"}},
			path, "", `connect2.yaml: there is no environment "prd": did you mean prod?`},
		{"a file alone", Selection{}, path, "", "has dev, prod: choose one with --environment, or CONNECT2_ENVIRONMENT"},
		{"a file that is wrong", Selection{Selection: project.Selection{FileEnvironment: "dev"}},
			broken, "", "unknown key projct: did you mean project?"},
		{"no file", Selection{Selection: project.Selection{FileEnvironment: "dev"}},
			"", "", "--environment: there is no connect2.yaml here or above"},
		{"a project", Selection{Selection: project.Selection{FileEnvironment: "dev"}, Project: "x"}, "", "x-cluster-dev", ""},
		{"a project beats a file that was not asked for", Selection{Selection: project.Selection{FileEnvironment: "dev"}, Project: "x"},
			path, "x-cluster-dev", ""},
		{"a project and a file", Selection{Selection: project.Selection{FileEnvironment: "dev", File: path}, Project: "x"},
			path, "", "--project and --file are two ways"},
		{"a project alone", Selection{Project: "x"}, "", "", "--project: say which environment"},
		{"a project alone, beside a file that was not asked for", Selection{Project: "x"}, path, "", "--project: say which environment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			names, _, _, problems := choose(test.chosen, test.path, "--environment")
			err := errors.Join(problems...)
			if names.Cluster != test.cluster || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %+v, %v", names, err)
			}
		})
	}
}

// several are the inputs of an action that works on several services.
type several struct {
	project.Selection
	Cluster  string `input:"cluster" required:"true" unless:"file" doc:"The cluster."`
	Service  string `input:"service" required:"true" unless:"file" doc:"The service."`
	Region   string `input:"region" doc:"The region."`
	Together string `input:"together" enum:"true,false" doc:"Whether."`
	Bake     string `input:"bake" default:"0s" doc:"How long."`
}

// TestNamesOfAStep gives a step of a workflow the names of a file, and holds that an input beats the file, that nothing is read without
// one, and that every problem is told.
func TestNamesOfAStep(t *testing.T) {
	folder := t.TempDir()
	path, broken := filepath.Join(folder, "names.yaml"), filepath.Join(folder, "broken.yaml")
	for name, text := range map[string]string{path: config1 + "  worker: {service: \"worker-{environment}\", after: api}\ntogether: false\n",
		broken: "project: 1\nenvironments: {dev: {}}\nservices: {a: {servce: x}, b: {service: y, after: c}}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got several
	a := action.Define(action.Meta{Name: "several"}, func(_ context.Context, _ *action.Env, in several) (action.Outputs, error) {
		got = in
		return action.Outputs{}, nil
	})
	for _, test := range []struct {
		name     string
		environ  []string
		want     several
		problems []string
	}{
		{"a file", []string{"INPUT_FILE=" + path, "INPUT_ENVIRONMENT=dev", "INPUT_BAKE=0s"},
			several{Selection: project.Selection{File: path, FileEnvironment: "dev"}, Cluster: "connect2-api-cluster-dev", Region: "us-west-2",
				Together: "false", Bake: "10m"}, nil},
		{"an input beats it", []string{"INPUT_FILE=" + path, "INPUT_ENVIRONMENT=prod", "INPUT_CLUSTER=mine", "INPUT_TOGETHER=true",
			"INPUT_BAKE=5m"}, several{Selection: project.Selection{File: path, FileEnvironment: "prod"}, Cluster: "mine", Together: "true",
			Bake: "5m"}, nil},
		{"one service by its name there", []string{"INPUT_FILE=" + path, "INPUT_ENVIRONMENT=dev", "INPUT_SERVICE=worker"},
			several{Selection: project.Selection{File: path, FileEnvironment: "dev"}, Cluster: "connect2-api-cluster-dev", Region: "us-west-2",
				Service: "worker-dev", Together: "false", Bake: "10m"}, nil},
		{"no file", []string{"INPUT_CLUSTER=c"}, several{}, []string{"service is required"}},
		{"no environment", []string{"INPUT_FILE=" + path}, several{}, []string{"has dev, prod: choose one with "}},
		{"another environment", []string{"INPUT_FILE=" + path, "INPUT_ENVIRONMENT=pord"}, several{}, []string{"did you mean prod?"}},
		{"a file with problems", []string{"INPUT_FILE=" + broken, "INPUT_ENVIRONMENT=dev"}, several{}, []string{
			"broken.yaml:1:10: project: 1 is not a text", "broken.yaml:3:16: unknown key services.a.servce: did you mean service?",
			`broken.yaml:3:51: services.b.after: "c" is not one of services`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got = several{}
			given := a.FromEnvironment(test.environ)
			Names(a, &given, func(string) string { return "" }, nil)
			in, err := a.Decode(given)
			if err == nil {
				_, err = a.Run(t.Context(), &action.Env{}, in)
			}
			for _, want := range test.problems {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("no problem %q in: %v", want, err)
				}
			}
			if len(test.problems) == 0 && err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
