// Package verdicttest holds that a failure tells its root cause once: in the log, in the annotations and in the job summary.
package verdicttest

import (
	"bytes"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// failure is a run that fails.
type failure struct {
	name      string
	action    *action.Action
	behaviour string         // of the image v2
	fault     *sandbox.Fault // of the stand-in
	args      []string       // beside cluster and service
	code      int            // that it exits with
	cause     string         // part of the title
}

const (
	boom      = `{start: crash, after: 2s, exitCode: 1, logs: ["Traceback (most recent call last):", "%s"]}`
	migrating = `{start: healthy,
  run: {"*": {after: 4s, exitCode: 3, logs: ["starting", "sqlalchemy.exc.ProgrammingError: column is *in* use"]}}}`
)

func crash(line string) string { return strings.ReplaceAll(boom, "%s", line) }

// failures are the faults that the scenarios tell.
func failures() []failure {
	deploy, push, move := ecsdeploy.Action, ecrpush.Action, migrate.Action
	image := []string{"--image", "v2"}
	source := []string{"--source", "SOURCE", "--repository", sandboxtest.Repository, "--tags", "v3"}
	return []failure{
		{name: "unhealthy target", action: deploy, behaviour: "{start: unhealthy}", args: image,
			code: 2, cause: "health check"},
		{name: "a variable is missing", action: deploy, behaviour: crash("KeyError: 'DATABASE_URL'"), args: image,
			code: 2, cause: "DATABASE_URL"},
		{name: "a log line with markup", action: deploy, behaviour: crash("app.Error: **bold** `code` | <b> [x](y) ::error::z"), args: image,
			code: 2, cause: "**bold**"},
		{name: "no such image", action: deploy, args: []string{"--image", "v77"}, code: 1},
		{name: "no such service", action: deploy, args: []string{"--image", "v2", "--container", "nobody"}, code: 1},
		{name: "update denied", action: deploy, args: image, fault: &sandbox.Fault{Action: "ecs:UpdateService", Answer: sandbox.Deny}, code: 2},
		{name: "migration fails", action: move, behaviour: migrating, args: append([]string{"--command", "alembic upgrade head"}, image...),
			code: 2, cause: "column is *in* use"},
		{name: "push denied", action: push, args: source, fault: &sandbox.Fault{Action: "ecr:PutImage", Answer: sandbox.Deny}, code: 2},
		{name: "no such repository", action: push, args: []string{"--source", "SOURCE", "--repository", "nowhere", "--tags", "v3"}, code: 1},
		{name: "release that crashes", action: release.Action, behaviour: crash("KeyError: 'DATABASE_URL'"), args: source,
			code: 2, cause: "DATABASE_URL"},
		{name: "release that stays unhealthy", action: release.Action, behaviour: "{start: unhealthy}", args: source,
			code: 2, cause: "health check"},
		{name: "release whose migration fails", action: release.Action, behaviour: migrating,
			args: append([]string{"--migrate", "--command", "alembic upgrade head"}, source...), code: 2, cause: "column is *in* use"},
		{name: "release whose push is denied", action: release.Action, args: source,
			fault: &sandbox.Fault{Action: "ecr:PutImage", Answer: sandbox.Deny}, code: 2},
		{name: "wrong input", action: release.Action, args: []string{"--clutser", "x"}, code: 1},
	}
}

// TestTheCauseIsToldOnce runs each failure as a step of a workflow.
func TestTheCauseIsToldOnce(t *testing.T) {
	for _, f := range failures() {
		t.Run(f.name, func(t *testing.T) {
			sandboxtest.Run(t, "", func(t *testing.T, s *sandboxtest.Site) { f.play(t, s) })
		})
	}
}

// firstScreen is how many lines of a summary are seen without scrolling.
const firstScreen = 25

func (f failure) play(t *testing.T, s *sandboxtest.Site) {
	s.Push("v2", f.behaviour)
	if f.fault != nil {
		if err := s.Sandbox.Inject(*f.fault); err != nil {
			t.Fatal(err)
		}
	}
	summary := filepath.Join(t.TempDir(), "summary.md")
	environ := s.Sandbox.Environ()
	environ["GITHUB_ACTIONS"], environ["GITHUB_STEP_SUMMARY"] = "true", summary
	env := &action.Env{Getenv: func(name string) string { return environ[name] }, Transport: s.Sandbox.Transport()}
	var args []string
	if f.action != ecrpush.Action {
		args = []string{"--cluster", sandboxtest.Cluster, "--service", sandboxtest.Service}
	}
	for _, arg := range f.args {
		if arg == "SOURCE" {
			arg = source(t, f.behaviour)
		}
		args = append(args, arg)
	}
	var log bytes.Buffer
	if code := run.Command(t.Context(), f.action, args, io.Discard, &log, env); code != f.code {
		t.Fatalf("exit code %d, want %d:\n%s", code, f.code, log.String())
	}
	errors := errorsOf(log.String())
	if len(errors) != 1 {
		t.Fatalf("%d errors in\n%s", len(errors), log.String())
	}
	title := errors[0].title
	if title == "" || !strings.Contains(title, f.cause) {
		t.Errorf("the annotation's title is %q, want one with %q", title, f.cause)
	}
	if strings.Contains(plain(errors[0].text), plain(title)) {
		t.Errorf("the error says its title %q again:\n%s", title, errors[0].text)
	}
	written, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	text := string(written)
	if n := strings.Count(plain(text), plain(title)); n != 1 {
		t.Errorf("the summary says %q %d times:\n%s", title, n, text)
	}
	lines := strings.Split(text, "\n")
	if top := strings.Join(lines[:min(len(lines), firstScreen)], "\n"); !strings.Contains(plain(top), plain(title)) {
		t.Errorf("%q is not in the first %d lines:\n%s", title, firstScreen, text)
	}
}

// annotation is one error as the runner reads it.
type annotation struct{ title, text string }

var unescape = strings.NewReplacer("%0A", "\n", "%0D", "\r", "%3A", ":", "%2C", ",", "%25", "%")

func errorsOf(log string) []annotation {
	var all []annotation
	for line := range strings.Lines(log) {
		if rest, ok := strings.CutPrefix(line, "::error title="); ok {
			title, text, _ := strings.Cut(rest, "::")
			all = append(all, annotation{unescape.Replace(title), unescape.Replace(text)})
		}
	}
	return all
}

// plain is what a reader sees of Markdown or of plain text: letters and digits alone, for the markup of one is text in the other.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, html.UnescapeString(text))
}

// source writes an image with a behaviour as an OCI layout and returns its folder.
func source(t *testing.T, behaviour string) string {
	t.Helper()
	var parsed *engine.Behaviour
	if behaviour != "" {
		b, err := engine.ParseBehaviour([]byte(behaviour))
		if err != nil {
			t.Fatal(err)
		}
		parsed = &b
	}
	img, err := sandbox.NewImage("v3", parsed)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if _, err := layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})); err != nil {
		t.Fatal(err)
	}
	return folder
}
