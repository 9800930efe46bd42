package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestChecksAreWrittenOnce writes ci.yml where nothing checks pull requests, for Python where the repository has it, and never over what
// is there.
func TestChecksAreWrittenOnce(t *testing.T) {
	const at = ".github/workflows/ci.yml"
	for name, test := range map[string]struct {
		files   map[string]string
		written bool
		holds   string // of what is written
		note    string
	}{
		"Python": {files: map[string]string{"pyproject.toml": ""}, written: true,
			holds: "service-ci.yml@v2\n    permissions:\n      contents: read\n"},
		"anything else":       {written: true, holds: "with: {python: false}\n"},
		"other workflows":     {files: map[string]string{".github/workflows/nightly.yml": "on: {schedule: []}\n"}, written: true},
		"no workflow":         {files: map[string]string{".github/workflows/test.txt": "on: pull_request\n"}, written: true},
		"a folder":            {files: map[string]string{".github/workflows/x.yml/y": "on: pull_request\n"}, written: true},
		"ci.yml of their own": {files: map[string]string{at: "on: push\n"}, note: "ci.yml checks pull requests, and stays as it is"},
		"another that checks": {files: map[string]string{".github/workflows/test.yaml": "on: [push, pull_request]\n"},
			note: "test.yaml checks pull requests"},
		"ours, changed": {files: map[string]string{
			at: "jobs: {check: {uses: org/connect2/.github/workflows/service-ci.yml@v2, with: {target: test}}}\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := world(t)
			for path, text := range test.files {
				put(t, filepath.Join(dir, path), text)
			}
			flags := []string{"--dir", dir, "--project", "shop", "--region", "us-west-2", "--toolkit", "acme/kit", "--yes"}
			r := initIn(t, Env{}, flags...)
			if r.code != 0 || strings.Contains(r.out, "Note: ") != (test.note != "") || !strings.Contains(r.out, test.note) {
				t.Fatalf("%+v", r)
			}
			text, err := os.ReadFile(filepath.Join(dir, at))
			switch {
			case !test.written && string(text) != test.files[at]:
				t.Errorf("it was written over: %s", text)
			case test.written:
				var read map[string]any
				if wrong := yaml.Unmarshal(text, &read); err != nil || wrong != nil || !strings.Contains(string(text), test.holds) ||
					!strings.Contains(string(text), "uses: acme/kit/") || name == "Python" && strings.Contains(string(text), "with:") {
					t.Errorf("%v, %v: %s", err, wrong, text)
				}
			}
			if again := initIn(t, Env{}, flags...); !strings.HasSuffix(again.out, "Nothing to change.\n") {
				t.Errorf("a second run: %+v", again)
			}
		})
	}
}
