// Package demo shows releases of an API, its worker and its schedule as one, a failed one and a rollback: the actions themselves, against
// a sandbox in this process.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/examples"
	"github.com/org/connect2/v2/internal/catalog"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// speed is how much faster than the wall clock the demo's AWS runs: a rollout of three minutes takes a second and a half.
const speed = 120

// file is the connect2.yaml of what is released: an API, its worker, and a digest that a schedule starts.
//
//go:embed connect2.yaml
var file []byte

// Run runs the demo and writes what it does to out, and the job summary that GitHub would show to the file summary. Where
// reports names a folder, it keeps a report of each action there, 1.html to 4.html. It removes the AWS settings from this
// process's environment. The outcome is Succeeded where every step ended as it should, Cancelled where ctx ended first, and
// Defect otherwise; an error is about what the demo itself needs.
func Run(ctx context.Context, out io.Writer, summary, reports string) (action.Outcome, error) {
	d, err := newDemo(ctx, out, summary)
	if err != nil {
		return action.Defect, err
	}
	defer d.close()
	d.reports = reports
	return d.run(), nil
}

// demo is a demo under way.
type demo struct {
	ctx        context.Context
	out        io.Writer
	env        *action.Env
	folder     string // where the images and connect2.yaml are
	summary    string
	reports    string   // a folder; "" keeps none
	actions    int      // that have been run
	names      []string // the flags that name the file and the environment
	begun      time.Time
	results    []string // a line for each step
	unexpected bool     // a step did not end as it should
}

func newDemo(ctx context.Context, out io.Writer, summary string) (*demo, error) {
	// The user's own AWS settings have no part in this.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	scenario, err := sandbox.ParseScenario(examples.Several)
	if err != nil {
		return nil, err
	}
	sb, err := sandbox.Open(sandbox.Options{Scenario: scenario, Speed: speed})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(summary, nil, 0o644); err != nil {
		return nil, fmt.Errorf("the job summary cannot be written, choose another file with --summary: %w", err)
	}
	folder, err := os.MkdirTemp("", "connect2-demo-")
	if err != nil {
		return nil, err
	}
	names := filepath.Join(folder, project.Name)
	if err := os.WriteFile(names, file, 0o644); err != nil {
		return nil, err
	}
	environ := sb.Environ()
	environ["GITHUB_STEP_SUMMARY"] = summary
	return &demo{
		ctx: ctx, out: out, folder: folder, summary: summary, begun: time.Now(),
		env:   &action.Env{Getenv: func(name string) string { return environ[name] }, Transport: sb.Transport()},
		names: []string{"--file", names, "--environment", sb.Scenario().Environment},
	}, nil
}

func (d *demo) close() { _ = os.RemoveAll(d.folder) }

// run runs the steps until ctx ends, and lists their results.
func (d *demo) run() action.Outcome {
	d.printf("A whole release, on a stand-in for AWS in this process whose time runs %d times faster. The actions are the real ones.\n", speed)
	for _, step := range []func(){d.release, d.releaseWithMigration, d.releaseThatCrashes, d.rollBack} {
		if step(); d.ctx.Err() != nil {
			d.printf("\ninterrupted\n")
			return action.Cancelled
		}
	}
	d.printf("\n%s\n", strings.Repeat("─", 78))
	for _, line := range d.results {
		d.printf("%s\n", line)
	}
	d.printf("\nThe job summary that GitHub would show: %s\n", d.summary)
	d.printf("Try it yourself: `connect2 sandbox --speed 60`, then any action, aws or boto3 against it. (%s)\n",
		clock.Took(time.Since(d.begun)))
	if d.unexpected {
		d.printf("A step did not end as it should have.\n")
		return action.Defect
	}
	return action.Succeeded
}

func (d *demo) release() {
	d.heading("Version 1 is pushed, and released as one: the API, its worker, and the schedule of its digest.")
	d.result(d.releaseVersion("v1.0.0", ""), 0, "v1.0.0", "pushed; api, worker and digest released", "serves")
}

func (d *demo) releaseWithMigration() {
	d.heading("Version 2 is pushed, its migrations run, and all follow. Layers that are there already are not sent again.")
	d.result(d.releaseVersion("v2.0.0", migrates, "--migrate"), 0, "v2.0.0", "pushed, migrated, all three released", "serves")
}

func (d *demo) releaseThatCrashes() {
	d.heading("Version 3's worker crashes on start. It is stopped and explained, and the API goes back with it: version 2 goes on serving.")
	d.result(d.releaseVersion("v3.0.0", workerCrashes), 2, "v3.0.0", "failed: exit 2, rolled back and explained", "v2.0.0 serves again")
}

func (d *demo) rollBack() {
	d.heading("The engineer on call finds version 2 too slow, and rolls all of it back to version 1.")
	code := d.runAction("ecs-rollback", append(d.names, "--to", "v1.0.0", "--reason", "v2.0.0 is slow")...)
	d.result(code, 0, "rollback", "api, worker and digest back on v1.0.0", "v1.0.0 serves")
}

// releaseVersion writes the image of a version and runs the root action on it.
func (d *demo) releaseVersion(version, behaviour string, more ...string) int {
	layout := filepath.Join(d.folder, version)
	if err := writeImage(layout, version, behaviour); err != nil {
		d.printf("building the image of %s: %v\n", version, err)
		return action.Defect.ExitCode()
	}
	args := append([]string{"--source", layout, "--tags", version}, d.names...)
	return d.runAction("release", append(args, more...)...)
}

// runAction runs an action as `connect2 NAME` does, and returns its exit code.
func (d *demo) runAction(name string, args ...string) int {
	d.printf("$ connect2 %s", name)
	for _, arg := range args {
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		d.printf(" %s", arg)
	}
	d.printf("\n")
	d.actions++
	if d.reports != "" {
		args = append(args, "--report", filepath.Join(d.reports, strconv.Itoa(d.actions)+".html"))
	}
	return run.Command(d.ctx, catalog.Named(catalog.Scratch(), name), args, io.Discard, d.out, d.env)
}

func (d *demo) heading(text string) { d.printf("\n━━ %s\n", text) }

// result keeps a line for the end: the exit code of a step, and the one that it should have.
func (d *demo) result(code, want int, what, did, then string) {
	mark := "✓"
	if code != want {
		mark, d.unexpected = "✗", true
		did = fmt.Sprintf("exit %d, where %d was to be expected", code, want)
	}
	d.results = append(d.results, fmt.Sprintf("%s %-9s %-44s %s", mark, what, did, then))
}

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }
