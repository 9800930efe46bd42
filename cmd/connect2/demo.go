package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/catalog"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox"
)

func init() {
	commands = append(commands, command{name: "demo", summary: "Tell a release, a failed one and a rollback, on a stand-in for AWS", run: demo})
}

// demoSpeed is how much faster than the wall clock the demo's AWS runs: a rollout of three minutes takes two seconds.
const demoSpeed = 90

// demo runs the story with the actions themselves, against a sandbox in this process.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	summary := flags.String("summary", filepath.Join(os.TempDir(), "connect2-demo-summary.md"), "write the job summary to this `FILE`")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Usage: connect2 demo [--summary FILE]\n\nNo network, no Docker and no account are needed.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return action.Invalid.ExitCode()
	}
	s, err := newStory(ctx, stdout, *summary)
	if err != nil {
		fmt.Fprintf(stderr, "connect2 demo: %v\n", err)
		return action.Defect.ExitCode()
	}
	defer s.close()
	return s.tell()
}

// story is a demo under way.
type story struct {
	ctx     context.Context
	out     io.Writer
	env     *action.Env
	folder  string // where the images are
	summary string
	service []string // the flags that name the service
	outputs string   // the file that an action writes its outputs to, as on GitHub
	good    string   // the revision of version 1
	world   sandbox.ServiceScenario
	begun   time.Time
	lines   []string // of the last screen
	odd     bool     // something did not go as told
}

func newStory(ctx context.Context, out io.Writer, summary string) (*story, error) {
	// The user's own AWS settings have no part in this.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	sb, err := sandbox.Open(sandbox.Options{Speed: demoSpeed})
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "connect2-demo-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(summary, nil, 0o644); err != nil {
		return nil, fmt.Errorf("the job summary cannot be written, choose another file with --summary: %w", err)
	}
	environ := sb.Environ()
	outputs := filepath.Join(folder, "outputs")
	environ["GITHUB_STEP_SUMMARY"], environ["GITHUB_OUTPUT"] = summary, outputs
	world := sb.Scenario().Service
	return &story{
		ctx: ctx, out: out, folder: folder, summary: summary, outputs: outputs, world: world, begun: time.Now(),
		env:     &action.Env{Getenv: func(name string) string { return environ[name] }, Transport: sb.Transport()},
		service: []string{"--cluster", world.Cluster, "--service", world.Name},
	}, nil
}

func (s *story) close() { _ = os.RemoveAll(s.folder) }

// tell runs the chapters, stops where one goes another way, and shows the last screen. It returns the exit code.
func (s *story) tell() int {
	s.printf("A whole release, on a stand-in for AWS in this process whose time runs %d times faster. The actions are the real ones.\n", demoSpeed)
	for _, chapter := range []func(){s.first, s.second, s.third, s.back} {
		if chapter(); s.ctx.Err() != nil {
			s.printf("\ninterrupted\n")
			return action.Cancelled.ExitCode()
		}
	}
	s.printf("\n%s\n", strings.Repeat("─", 78))
	for _, line := range s.lines {
		s.printf("%s\n", line)
	}
	s.printf("\nThe job summary that GitHub would show: %s\n", s.summary)
	s.printf("Try it yourself: `connect2 sandbox --speed 60`, then any action, aws or boto3 against it. (%s)\n", action.Took(time.Since(s.begun)))
	if s.odd {
		s.printf("The story went another way than it should have.\n")
		return action.Defect.ExitCode()
	}
	return 0
}

func (s *story) first() {
	s.chapter("Version 1 is pushed and deployed.")
	code := s.release("v1.0.0", "")
	s.good = s.output("task-definition-arn")
	s.note(code, 0, "v1.0.0", "pushed and deployed", "serves")
}

func (s *story) second() {
	s.chapter("Version 2 is pushed, its migrations run, and it is deployed. Layers that are there already are not sent again.")
	code := s.release("v2.0.0", migrates, "--migrate")
	s.note(code, 0, "v2.0.0", "pushed, migrated and deployed", "serves")
}

func (s *story) third() {
	s.chapter("Version 3 crashes on start. The deployment is stopped and explained; version 2 goes on serving.")
	code := s.release("v3.0.0", crashes)
	s.note(code, 2, "v3.0.0", "failed: exit 2, rolled back and explained", "v2.0.0 kept serving")
}

func (s *story) back() {
	s.chapter("The engineer on call finds version 2 too slow, and rolls back to version 1.")
	to := s.good[strings.LastIndexByte(s.good, ':')+1:]
	code := s.run("ecs-rollback", append(s.service, "--to", to, "--reason", "v2.0.0 is slow")...)
	s.note(code, 0, "rollback", "to the revision of v1.0.0", "v1.0.0 serves")
}

// release writes the image of a version and runs the root action on it.
func (s *story) release(version, behaviour string, more ...string) int {
	layout := filepath.Join(s.folder, version)
	if err := writeDemoImage(layout, version, behaviour); err != nil {
		s.printf("building the image of %s: %v\n", version, err)
		return action.Defect.ExitCode()
	}
	args := append([]string{"--source", layout, "--repository", s.world.Repository, "--tags", version}, s.service...)
	return s.run("release", append(args, more...)...)
}

// run runs an action as `connect2 NAME` does.
func (s *story) run(name string, args ...string) int {
	s.printf("$ connect2 %s", name)
	for _, arg := range args {
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		s.printf(" %s", arg)
	}
	s.printf("\n")
	return catalog.Named(catalog.Scratch(), name).Command(s.ctx, args, io.Discard, s.out, s.env)
}

// output returns what the last action said under this name, or "". Values of one line are written NAME=VALUE.
func (s *story) output(name string) string {
	written, err := os.ReadFile(s.outputs)
	if err != nil {
		return ""
	}
	_, value, _ := strings.Cut("\n"+string(written), "\n"+name+"=")
	value, _, _ = strings.Cut(value, "\n")
	return value
}

func (s *story) chapter(text string) { s.printf("\n━━ %s\n", text) }

// note keeps a line for the last screen, with whether the chapter ended as it should.
func (s *story) note(code, want int, what, did, then string) {
	mark := "✓"
	if code != want {
		mark, s.odd = "✗", true
		did = fmt.Sprintf("exit %d, where %d was to be expected", code, want)
	}
	s.lines = append(s.lines, fmt.Sprintf("%s %-9s %-44s %s", mark, what, did, then))
}

func (s *story) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }
