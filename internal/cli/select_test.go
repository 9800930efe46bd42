package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/project"
)

const config1 = `project: connect2-api
environments:
  dev: {region: us-west-2}
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
		chosen  selection
		path    string
		cluster string
		problem string
	}{
		{"nothing", selection{}, "", "", ""},
		{"an environment of the file", selection{Environment: "prod"}, path, "main", ""},
		{"an environment that is not there", selection{Environment: "prd"}, path, "", `there is no environment "prd": did you mean prod?`},
		{"a file alone", selection{}, path, "", "has dev, prod: choose one with --environment, or CONNECT2_ENVIRONMENT"},
		{"a file that is wrong", selection{Environment: "dev"}, broken, "", "unknown key projct: did you mean project?"},
		{"no file", selection{Environment: "dev"}, "", "", "--environment: there is no connect2.yaml here or above"},
		{"a project", selection{Project: "x", Environment: "dev"}, "", "x-cluster-dev", ""},
		{"a project beats a file that was not asked for", selection{Project: "x", Environment: "dev"}, path, "x-cluster-dev", ""},
		{"a project and a file", selection{Project: "x", Environment: "dev", File: path}, path, "", "--project and --file are two ways"},
		{"a project alone", selection{Project: "x"}, "", "", "--project: say which environment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			names, _, problems := choose(test.chosen, test.path, "--environment")
			err := errors.Join(problems...)
			if names.Cluster != test.cluster || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %+v, %v", names, err)
			}
		})
	}
}
