package workflowtest

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// runbooks are read at night. Each of their shell blocks is marked: "sh run" is run here, in order, against a sandbox of the
// document's own, and has to end with 0; "sh run=2" with 2; "sh account" needs a real account and is only parsed. Each line of a block
// "text says" has to be among what the block before it printed; … stands for anything. A block of YAML has to be YAML.
var runbooks = []string{"docs/GITHUB_ACTIONS.md", "docs/DEPLOYMENT.md", "docs/ROLLBACK.md", "docs/TROUBLESHOOTING.md", "docs/DATABASE.md"}

// block is a shell block of a document.
type block struct {
	line   int
	mark   string // run, run=CODE, account, says, yaml
	script string
}

// blocks reads the shell blocks of a document, and the scenario of its sandbox.
func blocks(t *testing.T, path string) (found []block, scenario string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`<!-- sandbox: (.*) -->`).FindStringSubmatch(string(text)); m != nil {
		scenario = m[1]
	}
	scanner := bufio.NewScanner(strings.NewReader(string(text)))
	var open *block
	for n := 1; scanner.Scan(); n++ {
		info, fence := strings.CutPrefix(strings.TrimSpace(scanner.Text()), "```")
		switch {
		case fence && open != nil:
			found, open = append(found, *open), nil
		case fence:
			language, mark, _ := strings.Cut(info, " ")
			if language == "" || language == "bash" || language == "console" || language == "sh" && mark == "" {
				t.Errorf("%s:%d: mark the block: sh run, sh run=CODE or sh account", path, n)
			}
			if language == "yaml" {
				mark = language
			}
			open = &block{line: n, mark: mark}
		case open != nil:
			open.script += scanner.Text() + "\n"
		}
	}
	return found, scenario
}

// Every block says whether it is run, and every link leads somewhere.
func TestRunbooksAreWhole(t *testing.T) {
	for _, path := range runbooks {
		found, _ := blocks(t, path)
		if len(found) == 0 {
			t.Errorf("%s has no command", path)
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestRunbooks(t *testing.T) {
	if testing.Short() {
		t.Skip("links connect2 and waits for real processes")
	}
	bin := filepath.Dir(programs.Build(t, "cmd/connect2"))
	_, err := exec.LookPath("aws")
	cli := err == nil
	for _, path := range runbooks {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			found, scenario := blocks(t, path)
			env := append(serve(t, scenario), "PATH="+bin+":"+os.Getenv("PATH"))
			dir := t.TempDir()
			if err := imagetest.TarFile(filepath.Join(dir, "image.tar"), imagetest.Saved(imagetest.New(5, 100_000))); err != nil {
				t.Fatal(err)
			}
			ran, before, printed := 0, "", ""
			for _, b := range found {
				mode, code, _ := strings.Cut(b.mark, "=")
				if mode == "says" {
					says(t, path, b, printed)
					continue
				}
				if mode == "yaml" {
					var any yaml.Node
					if err := yaml.Unmarshal([]byte(b.script), &any); err != nil {
						t.Errorf("%s:%d: %v", path, b.line, err)
					}
					continue
				}
				if mode == "account" {
					shell(t, path, b, dir, env, 0, "-n")
					continue
				}
				want, err := strconv.Atoi(cmp.Or(code, "0"))
				if mode != "run" || err != nil {
					t.Fatalf("%s:%d: unknown mark %q", path, b.line, b.mark)
				}
				if !cli && strings.Contains(b.script, "aws ") {
					t.Logf("%s:%d: not run: the AWS CLI is not installed", path, b.line)
					continue
				}
				// What a reader's shell would still know: the variables.
				for line := range strings.Lines(b.script) {
					if regexp.MustCompile(`^[A-Z]+=\S+( [A-Z]+=\S+)*$`).MatchString(strings.TrimSpace(line)) {
						before += line
					}
				}
				b.script = before + b.script
				printed = shell(t, path, b, dir, env, want, "-euo", "pipefail")
				ran++
			}
			if ran == 0 {
				t.Errorf("%s: nothing was run", path)
			}
		})
	}
}

// TestDatabaseCommands holds each command of the database's runbook, in its tables too, to flags that there are.
func TestDatabaseCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/DATABASE.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)(?:`|^ *)connect2 ([a-z-]+)((?: [^`\n]*)?)").FindAllStringSubmatch(string(text), -1) {
		name, flags := m[1], regexp.MustCompile(`--[a-z-]+`)
		if name == "sandbox" {
			continue
		}
		own, _, _ := strings.Cut(m[2], " -- ")
		takes(t, name, flags.FindAllString(own, -1))
		seen[name] = true
	}
	for _, name := range []string{"psql", "redis-cli", "tunnel", "exec"} {
		if !seen[name] {
			t.Errorf("nothing says how %s is called", name)
		}
	}
}

// says holds what a document quotes to what was printed.
func says(t *testing.T, path string, b block, printed string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(printed) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for line := range strings.Lines(b.script) {
		words := strings.Join(strings.Fields(line), " ")
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(words), "…", ".*") + "$")
		if !slices.ContainsFunc(lines, pattern.MatchString) {
			t.Errorf("%s:%d: nothing says %q:\n%s", path, b.line, words, printed)
		}
	}
}

// shell runs a block, compares its exit code, and returns what was printed.
func shell(t *testing.T, path string, b block, dir string, env []string, want int, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append(flags, "-c", b.script)...)
	cmd.Dir, cmd.Env = dir, env
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("%s:%d: exit code %d, want %d\n%s\n%s", path, b.line, code, want, b.script, out)
	}
	return string(out)
}

// serve starts a sandbox and returns the environment that points at it.
func serve(t *testing.T, scenario string) []string {
	t.Helper()
	parsed, err := sandbox.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sb := sandbox.New(sandbox.Options{Scenario: parsed, Host: listener.Addr().String(), Speed: 100,
		Sessions: &sandbox.Sessions{Directory: t.TempDir()}})
	server := &http.Server{Handler: sb, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	env := []string{"HOME=" + t.TempDir(), "AWS_PAGER="}
	for name, value := range sb.Environ() {
		env = append(env, name+"="+value)
	}
	return env
}
