package tfapply

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStateBucket: what is given beats what a backend names, in the folder or in the environment's below it; without both it is called as
// in the toolkit's own configuration.
func TestStateBucket(t *testing.T) {
	backend := func(root, folder, bucket string) {
		t.Helper()
		at := filepath.Join(root, folder)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		text := "terraform {\n  backend \"s3\" {\n    bucket = \"" + bucket + "\"\n  }\n}\n"
		if err := os.WriteFile(filepath.Join(at, "backend.tf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		at    []string // the folders with a backend, whose bucket is called as the folder
		given string
		want  string
	}{
		"none":                       {nil, "", "connect2-api-terraform-state-dev"},
		"given":                      {[]string{"."}, "mine", "mine"},
		"the folder's":               {[]string{".", "environments/dev"}, "", "."},
		"the environment's":          {[]string{"environments/dev", "environments/prod", "terraform/environments/dev"}, "", "environments/dev"},
		"of the repository's folder": {[]string{"terraform/environments/dev", "terraform/environments/prod"}, "", "terraform/environments/dev"},
		"another environment's":      {[]string{"environments/prod"}, "", "connect2-api-terraform-state-dev"},
	} {
		root := t.TempDir()
		for _, folder := range test.at {
			backend(root, folder, folder)
		}
		got, from, err := Inputs{Directory: root, Environment: "dev", StateBucket: test.given}.stateBucket()
		if got != test.want || from == "" || err != nil {
			t.Errorf("%s: %q of %s, %v, want %q", name, got, from, err, test.want)
		}
	}
}
