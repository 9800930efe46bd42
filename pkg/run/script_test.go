package run_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/run"
)

// probe is an action that ends in any way an action can end.
var probe = action.Define(action.Meta{
	Name:        "probe",
	Description: "Ends as it is told to.",
	Doc:         "It is part of the tests.",
	Examples:    []action.Example{{Title: "Fail", Args: "--cluster prod --end failed"}},
}, runProbe)

type probeInputs struct {
	Cluster string            `input:"cluster" required:"true" doc:"The cluster's name."`
	End     string            `input:"end" default:"succeeded" enum:"succeeded,no-change,failed,rolled-back,stuck,superseded,timed-out,unknown,plain,panic,wait" doc:"How the run ends."`
	Timeout time.Duration     `input:"timeout" default:"10m" max:"1h" alias:"wait-for-minutes(m)" doc:"How long to wait."`
	Tags    []string          `input:"tags" doc:"Some tags."`
	Env     map[string]string `input:"environment" doc:"Variables."`
	Token   string            `input:"token" secret:"true" doc:"A token."`
	Quiet   bool              `input:"quiet" doc:"Say nothing."`
}

type probeOutputs struct {
	action.Outputs
	Digest string          `output:"digest" doc:"A digest."`
	Note   string          `output:"note" doc:"Text of several lines."`
	Code   *int            `output:"exit-code" doc:"An exit code, empty when it is not known."`
	Plan   json.RawMessage `output:"plan" doc:"A document."`
}

func runProbe(ctx context.Context, env *action.Env, in probeInputs) (probeOutputs, error) {
	out := probeOutputs{Digest: "sha256:0", Note: "first\nsecond " + in.Token, Outputs: action.Outputs{Duration: 1500 * time.Millisecond}}
	end := env.Events.Group("Working on " + in.Cluster)
	env.Events.Debugf("timeout %v, tags %q", in.Timeout, in.Tags)
	fmt.Fprintln(env.Stdout, "result of", in.Cluster, in.Token)
	end()
	app := env.Events.Output("app")
	fmt.Fprintf(app, "::set-output name=digest::evil %s\n", in.Token)
	app.Close()
	switch outcome := action.Outcome(in.End); outcome {
	case "panic":
		panic("index out of range, token " + in.Token)
	case "plain":
		return out, errors.New("it broke, token " + in.Token)
	case "wait":
		env.Events.Notef("waiting")
		<-ctx.Done()
		cleanup, cancel := outlive.Cleanup(ctx, action.CleanupTime)
		defer cancel()
		env.Events.Notef("cleaning up, cause %q, error %v", context.Cause(ctx), cleanup.Err())
		if in.Quiet { // a cleanup that takes longer than anybody wants to wait
			select {}
		}
		return out, fmt.Errorf("follow the deployment: %w", ctx.Err())
	case action.Succeeded:
		return out, nil
	case action.NoChange:
		out.Outcome = outcome
		return out, nil
	default:
		env.Events.Fact("Cluster", record.Text{Text: in.Cluster, Form: record.Code})
		return out, fmt.Errorf("deploy: %w", &action.Error{Outcome: outcome, Title: "The cause: 100%", Advice: "Do this next.",
			Err: errors.New("tried this, got that")})
	}
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"probe": func() { os.Exit(run.Entry(probe, os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: programs.Inherit,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND ARG... runs a command and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// TestSignals starts the real process, since what a signal does is decided by the process, and by being patient or not.
func TestSignals(t *testing.T) {
	for _, test := range []struct {
		name     string
		github   string
		args     []string
		signals  []os.Signal
		exit     int
		contains string
	}{
		{"SIGINT", "true", []string{"--cluster=c", "--end=wait"}, []os.Signal{syscall.SIGINT}, 130,
			`cleaning up, cause "interrupted (SIGINT)", error <nil>`},
		{"SIGTERM", "true", []string{"--cluster=c", "--end=wait"}, []os.Signal{syscall.SIGTERM}, 130, "interrupted (SIGTERM): stopping"},
		{"second in a terminal", "", []string{"--cluster=c", "--end=wait", "--quiet"}, []os.Signal{syscall.SIGINT, syscall.SIGINT}, 130,
			"cleaning up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath("probe")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), path, test.args...)
			cmd.Env = append(os.Environ(), "GITHUB_ACTIONS="+test.github, "GITHUB_OUTPUT=", "GITHUB_STEP_SUMMARY=")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var told strings.Builder
			next := map[string]int{"waiting": 0, "cleaning up": 1} // which signal follows which event
			lines := bufio.NewScanner(stderr)
			for lines.Scan() {
				told.WriteString(lines.Text() + "\n")
				for event, n := range next {
					if strings.Contains(lines.Text(), "  "+event) && n < len(test.signals) {
						if err := cmd.Process.Signal(test.signals[n]); err != nil {
							t.Error(err)
						}
					}
				}
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != test.exit || !strings.Contains(told.String(), test.contains) {
				t.Errorf("exit code %d, want %d; it told:\n%s", code, test.exit, told.String())
			}
		})
	}
}
