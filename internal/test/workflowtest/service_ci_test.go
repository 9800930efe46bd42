//go:build act

package workflowtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// serviceImages stand in for the images of a job's services where they cannot be pulled: Debian's PostgreSQL and Redis,
// whichever version that is.
var serviceImages = map[string]string{
	"postgres:16": `FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN printf '%s\n' 'set -e' 'chmod 755 / # of an imported base only root may enter' 'bin=$(echo /usr/lib/postgresql/*/bin)' 'install -d -o postgres /data' \
  'printf %s "$POSTGRES_PASSWORD" >/tmp/password' \
  'su postgres -c "$bin/initdb -D /data -U postgres -E UTF8 --locale C.UTF-8 -A scram-sha-256 --pwfile=/tmp/password"' \
  'echo "host all all all scram-sha-256" >>/data/pg_hba.conf' \
  'exec su postgres -c "exec $bin/postgres -D /data -c listen_addresses=*"' >/start
CMD ["bash", "/start"]
`,
	"redis:7": `FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
CMD ["redis-server", "--protected-mode", "no"]
`,
}

// image sees to an image that a workflow names: Docker has it, or its registry, or it is built for as long as the test runs.
func (s *site) image(name string) {
	s.t.Helper()
	if exec.Command("docker", "image", "inspect", name).Run() == nil || exec.Command("docker", "pull", "--quiet", name).Run() == nil {
		return
	}
	kept := "connect2-stand-in-" + strings.ReplaceAll(name, ":", "-") + ":workflowtest" // so that it is built once
	cmd := exec.Command("docker", "build", "--quiet", "--tag", kept, "-")
	cmd.Stdin = strings.NewReader(serviceImages[name])
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s can neither be pulled nor stood in for: %v\n%s", name, err, out)
	}
	if err := command(".", "docker", "tag", kept, name); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { exec.Command("docker", "image", "rm", name).Run() })
}

// inContainers has jobs run in an image of Python's, as act starts services only beside such a job. It gets this machine's
// docker command and engine, for the build.
func (s *site) inContainers() {
	s.t.Helper()
	const python = "python:3.12-slim"
	if exec.Command("docker", "image", "inspect", python).Run() != nil && exec.Command("docker", "pull", "--quiet", python).Run() != nil {
		maker := os.Getenv("CONNECT2_BASE_IMAGES")
		if maker == "" {
			maker = filepath.Join(root, "../shared/base-images/make")
		}
		if err := command(root, maker, "python"); err != nil {
			s.t.Skipf("%s can neither be pulled nor made: %v", python, err)
		}
	}
	docker, err := exec.LookPath("docker")
	if err != nil {
		s.t.Fatal(err)
	}
	for name := range serviceImages {
		s.image(name)
	}
	s.runner = python
	s.mounts = append(s.mounts, docker+":/usr/local/bin/docker:ro", filepath.Join(s.kit.home, "pip")+":/pip")
	s.flags = append(s.flags, "--env", "PIP_CACHE_DIR=/pip", "--env", "PIP_ROOT_USER_ACTION=ignore")
}

// stores is a test of the caller's that holds on the job's services alone: the example's own tests run on SQLite as well.
const stores = `from app.cache import get_redis
from app.database import get_engine


def test_the_services_of_the_job(configured: None) -> None:
    engine, client = get_engine(), get_redis()
    assert engine is not None and engine.dialect.name == "postgresql"
    assert client is not None and client.info()["redis_mode"] == "standalone"
`

// A pull request of a service: its tests pass on the job's PostgreSQL and Redis, and its image is built.
func TestServiceCI(t *testing.T) {
	s := newSite(t, "dev", "")
	s.inContainers()
	s.change("feature", "tests/test_stores.py", stores)
	r := s.act("pull_request", "feature", ".github/workflows/ci.yml")
	if want := tests(t, s.caller); r.failed || pytest(t, r, "passed") != want || pytest(t, r, "failed")+pytest(t, r, "skipped") != 0 {
		t.Errorf("failed: %v, want %d tests that hold and none that is skipped", r.failed, want)
	}
	for _, step := range []string{"ruff check .", "ruff format --check .", "mypy", "pytest"} {
		if r.steps[step] != "success" {
			t.Errorf("%s: %q", step, r.steps[step])
		}
	}
	built(t, r)
}

// This repository checks its own example by the same workflow, in a folder: its image is built, and a test there that does not
// hold fails the run.
func TestExampleInItsFolder(t *testing.T) {
	s := newToolkit(t)
	s.inContainers()
	const folder, health, holds = "examples/api", "examples/api/tests/test_health.py", "assert answer.status_code == 503"
	text, err := os.ReadFile(filepath.Join(s.caller, health))
	if err != nil || strings.Count(string(text), holds) != 1 {
		t.Fatalf("%s has not once %q, which is to be broken: %v", health, holds, err)
	}
	s.change("main", health, strings.Replace(string(text), holds, "assert answer.status_code == 500", 1))
	s.change("main", folder+"/tests/test_stores.py", stores)
	r := s.actJob("example", "push", "main", ".github/workflows/ci.yml")
	want := tests(t, filepath.Join(s.caller, folder)) - 1
	if !r.failed || r.steps["pytest"] != "failure" || pytest(t, r, "failed") != 1 || pytest(t, r, "passed") != want ||
		pytest(t, r, "skipped") != 0 {
		t.Errorf("failed: %v, pytest: %q, want 1 test that does not hold and %d that do", r.failed, r.steps["pytest"], want)
	}
	built(t, r)
}

var testLine = regexp.MustCompile(`(?m)^(?:async )?def test_`)

// tests counts the tests in a service's folder.
func tests(t *testing.T, folder string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "tests", "test_*.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n += len(testLine.FindAll(text, -1))
	}
	return n
}

// pytest reads a count from the line that pytest ends with, such as "1 failed, 10 passed in 4.64s".
func pytest(t *testing.T, r result, how string) int {
	t.Helper()
	last := regexp.MustCompile(`(?m)^.*\d+ (?:passed|failed)\b.* in [\d.]+s.*$`).FindString(r.log)
	if last == "" {
		t.Fatal("pytest did not come to its end")
	}
	m := regexp.MustCompile(`(\d+) ` + how + `\b`).FindStringSubmatch(last)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// built looks at the image: it is the production stage, and the application is in it.
func built(t *testing.T, r result) {
	t.Helper()
	image := r.outputs["build.imageid"]
	out, err := exec.Command("docker", "image", "inspect", image).Output()
	if err != nil || image == "" {
		t.Fatalf("no image was built: %q, %v", image, err)
	}
	var found []struct {
		Config struct {
			User        string
			Cmd         []string
			Healthcheck *struct{ Test []string }
		}
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	c := found[0].Config
	if c.User != "10001" || c.Healthcheck == nil || !strings.HasPrefix(fmt.Sprint(c.Cmd), "[uvicorn app.main:app ") ||
		strings.Contains(fmt.Sprint(c.Cmd), "--reload") {
		t.Errorf("the image is not that of the production stage: %s", out)
	}
	// As root: a base that was imported may have a root folder that nobody else may enter.
	if out, err := exec.Command("docker", "run", "--rm", "--user", "0", image, "python",
		"-c", "import app.main").CombinedOutput(); err != nil {
		t.Errorf("the application cannot be loaded in the image: %v\n%s", err, out)
	}
}
