package awsconn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

func TestFilesThatTheContainerLacks(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".aws", "config")
	if err := os.WriteFile(file, []byte("[profile there]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environ map[string]string
		says    []string
	}{
		"nothing":                  {nil, nil},
		"there":                    {map[string]string{"AWS_CA_BUNDLE": file, "AWS_PROFILE": "there", "AWS_CONFIG_FILE": file}, nil},
		"mounted":                  {map[string]string{"AWS_CA_BUNDLE": "/github/runner_temp/ca.pem"}, nil},
		"a bundle":                 {map[string]string{"AWS_CA_BUNDLE": "/opt/nowhere/ca.pem"}, []string{"AWS_CA_BUNDLE is /opt/nowhere/ca.pem"}},
		"a token":                  {map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/opt/nowhere/t"}, []string{"AWS_WEB_IDENTITY_TOKEN_FILE"}},
		"a profile":                {map[string]string{"AWS_PROFILE": "dev"}, []string{"AWS_PROFILE is dev", "~/.aws"}},
		"a profile of a home":      {map[string]string{"AWS_PROFILE": "dev", "HOME": home}, nil},
		"a profile of credentials": {map[string]string{"AWS_PROFILE": "dev", "AWS_SHARED_CREDENTIALS_FILE": file}, nil},
		"two at once": {map[string]string{"AWS_CONFIG_FILE": "/opt/nowhere/c", "AWS_SHARED_CREDENTIALS_FILE": "/opt/nowhere/d",
			"AWS_PROFILE": "x"},
			[]string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}},
		"not in a container": {map[string]string{"AWS_CA_BUNDLE": "/opt/nowhere/ca.pem", "AWS_PROFILE": "dev",
			"GITHUB_WORKSPACE": "/home/runner/work/api/api"}, nil},
	} {
		environ := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace", "HOME": "/github/nowhere"}
		for variable, value := range c.environ {
			environ[variable] = value
		}
		err := checkFiles(&action.Env{Getenv: func(variable string) string { return environ[variable] }})
		if (err == nil) != (c.says == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var told *action.Error
		if err != nil && (!errors.As(err, &told) || told.Outcome != action.Invalid || !strings.Contains(told.Advice, "actions/setup")) {
			t.Errorf("%s: told as %+v", name, told)
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}
