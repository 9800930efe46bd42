package terraform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/org/connect2/v2/pkg/terraform"
)

func TestBucketOf(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"named":         {"terraform {\n  backend \"s3\" {\n    key = \"k\"\n    bucket       = \"acme-state-dev\"\n  }\n}\n", "acme-state-dev"},
		"in one line":   {"terraform {\n  backend \"s3\" { bucket = \"acme-state-dev\" }\n}\n", "acme-state-dev"},
		"given at init": {"terraform {\n  backend \"s3\" {}\n}\nresource \"aws_s3_bucket\" \"x\" {\n  bucket = \"other\"\n}\n", ""},
		"of a resource": {"resource \"aws_s3_bucket\" \"x\" {\n  bucket = \"other\"\n}\n", ""},
		"another kind":  {"terraform {\n  backend \"gcs\" {\n    bucket = \"other\"\n  }\n}\n", ""},
		"put aside":     {"terraform {\n  # backend \"s3\" {\n  #   bucket = \"other\"\n  # }\n}\n", ""},
		"a line of it":  {"terraform {\n  backend \"s3\" {\n    // bucket = \"other\"\n    bucket = \"mine\"\n  }\n}\n", "mine"},
		"empty":         {"", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "backend.tf"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := terraform.BucketOf(dir); got != test.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
	if got, err := terraform.BucketOf(filepath.Join(t.TempDir(), "none")); got != "" || err != nil {
		t.Errorf("no folder: %q, %v", got, err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a.tf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := terraform.BucketOf(dir); got != "" || err == nil {
		t.Errorf("a folder for a file: %q, %v", got, err)
	}
	for _, environment := range []string{"dev", "staging", "prod"} {
		want := "connect2-api-terraform-state-" + environment
		if got, err := terraform.BucketOf("../../terraform/environments/" + environment); got != want || err != nil {
			t.Errorf("%s: %q, %v", environment, got, err)
		}
	}
}
