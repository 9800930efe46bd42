package importtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	// The program imports it: so the test runs again when it changes, and its dependencies are in the module cache.
	_ "github.com/org/connect2/v2/pkg/taskdef"
)

const module = "github.com/org/connect2/v2"

// TestExampleOfTheREADME builds the README's program in a module that knows this one by a replacement alone, with nothing but the
// module cache, and runs it.
func TestExampleOfTheREADME(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	readme := read(t, filepath.Join(root, "README.md"))
	_, rest, ok := strings.Cut(readme, "<!-- example -->\n```go\n")
	program, _, ok2 := strings.Cut(rest, "```\n<!-- /example -->")
	if !ok || !ok2 {
		t.Fatal("the README has no program between <!-- example --> and <!-- /example -->")
	}

	// Its requirements are those of this module, as `go get` would write them down.
	requirements := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(read(t, filepath.Join(root, "go.mod")), "module example.com/import")

	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), program)
	write(t, filepath.Join(dir, "go.mod"), requirements+"\nrequire "+module+" v2.0.0\n\nreplace "+module+" => "+root+"\n")
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))
	binary := filepath.Join(dir, "program")
	run := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod", "GOPROXY=off", "GOWORK=off", "GOSUMDB=off",
			"CGO_ENABLED=0") // as the tests link what is released: what it imports is compiled once
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Logf("%s: %v: %s", name, err, &stderr)
		}
		return string(out), err
	}
	if _, err := run("go", "build", "-o", binary, "."); err != nil {
		t.Fatal("the README's program does not build in a module of its own")
	}

	deps, err := run("go", "list", "-deps", ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{module + "/pkg/action", "github.com/sethvargo/go-githubactions"} {
		if strings.Contains("\n"+deps, "\n"+foreign+"\n") {
			t.Errorf("the program holds %s", foreign)
		}
	}

	write(t, filepath.Join(dir, "before.json"), `{"taskDefinition": {"family": "api", "revision": 7, "cpu": "256", "memory": "4096",
		"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "executionRoleArn": "arn:aws:iam::123456789012:role/api",
		"containerDefinitions": [{"name": "api", "image": "example.com/api:v1", "essential": true}]}}`)
	got, err := run(binary, "before.json", "example.com/api:v2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`~ containerDefinitions[api].image: "example.com/api:v1" -> "example.com/api:v2"`,
		"refused: cpu 256 with memory 4096",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the program does not say %q but\n%s", want, got)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
