// Package run runs actions: as the entry point of a container, or as a command of a terminal. It makes the record of the run, and
// shows it as a log, a job summary, annotations, outputs and an exit code.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// Entry is what a process that is this action alone does: with arguments it is a command, without any it is the entry point
// of a container. Empty arguments, which the runner passes for an empty expression in `args`, count as none.
func Entry(a *action.Action, args []string) int {
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "" })
	ctx, stop := WithSignals(context.Background())
	defer stop()
	if len(args) > 0 {
		return Command(ctx, a, args, os.Stdout, os.Stderr, nil)
	}
	return container(ctx, a)
}

// container runs the action with the inputs of the environment and returns the exit code.
func container(ctx context.Context, a *action.Action) int {
	r := newRunner(a, action.Env{Getenv: os.Getenv}, os.Stdout, false)
	r.env.Stdout = r.secrets.Writer(r.env.Events.Output(""))
	given := a.FromEnvironment(os.Environ())
	Names(a, &given, os.Getenv, nil)
	return r.run(ctx, given, nil)
}

// Command runs the action with the flags of a command line and returns the exit code. Events go to stderr; with --json one
// object of the outputs goes to stdout. In a step of a workflow it also writes the step's outputs, summary and annotations.
// What is set in env is used; the rest of it, and a nil one, is filled from the process. Signals are the caller's: see
// WithSignals.
func Command(ctx context.Context, a *action.Action, args []string, stdout, stderr io.Writer, env *action.Env) int {
	e := action.Env{}
	if env != nil {
		e = *env
	}
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	given := a.FromArguments(args, e.Getenv)
	if given.Help {
		if _, err := io.WriteString(stdout, a.Help()); err != nil {
			return action.Defect.ExitCode()
		}
		return 0
	}
	Names(a, &given, e.Getenv, nil)
	return Given(ctx, a, given, stdout, stderr, &e)
}

// Given is Command for arguments that the program has read already, and may have added to.
func Given(ctx context.Context, a *action.Action, given action.Given, stdout, stderr io.Writer, env *action.Env) int {
	e := *env
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	r := newRunner(a, e, stderr, given.Debug)
	if r.env.Stdout == nil {
		r.env.Stdout, r.env.Screen = r.secrets.Writer(stdout), render.ScreenOf(stdout, e.Getenv)
		if given.JSON {
			r.env.Stdout = r.secrets.Writer(stderr)
		}
	}
	var print io.Writer
	if given.JSON {
		print = stdout
	}
	defer r.log.End() // the caller's again: a token that was asked for ahead may come later
	return r.run(ctx, given, print)
}

// runner is one run of an action.
type runner struct {
	action   *action.Action
	env      *action.Env
	secrets  *render.Secrets
	log      *render.Log
	recorder *record.Recorder
	events   record.Sink // the recorder's
	kept     kept
}

// newRunner completes the environment of a run that tells its events to w. Where the caller takes the events himself, w gets none.
func newRunner(a *action.Action, env action.Env, w io.Writer, debug bool) *runner {
	if env.Time == nil {
		env.Time = &clock.Rehearsal{}
	}
	r := &runner{action: a, env: &env, secrets: &render.Secrets{}}
	options := render.LogOptionsFor(w, env.Getenv)
	options.Name, options.Start, options.Secrets = a.Meta.Name, env.Time.Now(), r.secrets
	options.Debug = options.Debug || debug
	options.Quiet = a.Meta.Looks && !options.GitHub
	view, mask := env.Events, env.Mask
	if view == nil {
		r.log = render.NewLog(w, options)
		view = r.log.Emit
	}
	r.recorder = record.NewRecorder(a.Meta.Name, env.Time.Now, view)
	r.events = r.recorder.Sink()
	env.Events = r.events
	env.Mask = func(secrets ...string) {
		r.secrets.Add(secrets...)
		if mask != nil {
			mask(secrets...)
		}
	}
	if r.log != nil {
		env.Mask = r.log.Mask
	}
	env.Redact = r.secrets.Conceal
	if env.GitHub == (action.GitHub{}) {
		env.GitHub = action.GitHubOf(env.Getenv)
	}
	return r
}

// run is the whole of a run: decode, check, run, tell. It returns the exit code.
func (r *runner) run(ctx context.Context, given action.Given, print io.Writer) int {
	interrupted := make(chan struct{})
	quiet := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		if cause := context.Cause(ctx); errors.Is(cause, action.ErrInterrupted) && !r.action.Meta.Looks {
			r.events.Notef("%v: stopping, and putting in order what was begun", cause)
		}
	})
	result := r.action.None()
	err := r.guard(func() (err error) {
		r.env.Hide(given.Secrets()...)
		files := r.keep(given.Common())
		for _, fact := range given.Asked() {
			r.events.Emit(record.Event{Kind: record.KindAsked, Fact: &fact})
		}
		in, err := r.action.Decode(given)
		if err != nil {
			return err
		}
		if files != nil {
			return &action.Error{Outcome: action.Invalid, Title: "The record of the run cannot be kept", Err: files}
		}
		if err := outputsWritable(r.env.Getenv("GITHUB_OUTPUT")); err != nil {
			return err
		}
		result, err = r.action.Run(ctx, r.env, in)
		return err
	})
	if !quiet() {
		<-interrupted // it is told before how the run ended
	}
	return r.end(ctx, result, err, print)
}

// guard turns a panic into an error. The stack goes to the debug log, or into a folded group: the on-call engineer who
// reads the rest of the log cannot do anything with it.
func (r *runner) guard(run func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		stack := debug.Stack()
		if r.log.Folds() {
			end := r.events.Group("Stack of the defect (for a bug report)")
			r.events.Notef("%s", stack)
			end()
		} else {
			r.events.Notef("The stack of the defect is printed with --debug.")
		}
		err = &action.Error{
			Outcome: action.Defect,
			Title:   "A defect of this action",
			Advice:  "Please report it with this log. What was under way may be half done: look at the service before repeating the run.",
			Err:     fmt.Errorf("panic: %v", p),
		}
	}()
	return run()
}

// errOutputs is the file of the outputs, in a message about it.
var errOutputs = errors.New("GITHUB_OUTPUT")

// outputsWritable looks before anything is changed: outputs that cannot be written would leave the jobs that follow blind.
func outputsWritable(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "The step's outputs cannot be written", Err: fmt.Errorf("open %w: %w", errOutputs,
			err)}
	}
	return f.Close()
}

// end tells how the run ended, everywhere, and returns the exit code.
func (r *runner) end(ctx context.Context, result action.Result, err error, print io.Writer) int {
	outcome := r.settle(ctx, result, err)
	outputs := result.Outputs(r.secrets.Redact)
	for _, o := range outputs {
		if o.Text != "" && o.Name != "outcome" {
			fact := record.Fact{Name: o.Name, Value: record.Text{Text: o.Text, Form: record.Code}}
			r.events.Emit(record.Event{Kind: record.KindResult, Fact: &fact})
		}
	}
	verdict := action.VerdictOf(r.action.Meta.Name, outcome, err)
	r.events.Emit(record.Event{Kind: record.KindVerdict, Verdict: &verdict})
	r.summarise()
	defer r.report() // what is told below belongs in it too
	code := cmp.Or(verdict.Exit, outcome.ExitCode())
	if file := r.env.Getenv("GITHUB_OUTPUT"); file != "" && !errors.Is(err, errOutputs) {
		if err := action.WriteOutputs(file, outputs); err != nil {
			r.events.Errorf("The outputs are lost", "The run ended as %q, but later steps cannot learn it: %v", outcome, err)
			if code == 0 {
				code = action.Defect.ExitCode() // a job that goes on without the digest would deploy something else
			}
		}
	}
	if print != nil {
		failure := ""
		if err != nil {
			failure = r.secrets.Redact(render.VerdictText(record.Verdict{Message: err.Error(), Finding: evidenceOf(verdict.Finding)}))
		}
		if _, err := print.Write(action.PrintJSON(outputs, failure)); err != nil && code == 0 {
			r.events.Errorf("The outputs are lost", "Writing them to standard output failed: %v", err)
			code = action.Defect.ExitCode()
		}
	}
	return code
}

// evidenceOf returns the words that prove a cause, without what to do about it.
func evidenceOf(f *record.Finding) *record.Finding {
	if f == nil {
		return nil
	}
	return &record.Finding{Evidence: f.Evidence}
}

// settle decides the outcome and completes the outputs that every action has.
func (r *runner) settle(ctx context.Context, result action.Result, err error) action.Outcome {
	common := result.Common()
	switch {
	case err != nil:
		common.Outcome = action.OutcomeOf(err)
		// Clients word a cancelled call in their own ways.
		if common.Outcome == action.Failed && errors.Is(context.Cause(ctx), action.ErrInterrupted) && !action.Decided(err) {
			common.Outcome = action.Cancelled
		}
	case common.Outcome == "":
		common.Outcome = action.Succeeded
	}
	if common.Duration == 0 {
		r.recorder.Read(func(rec *record.Record) { common.Duration = r.env.Time.Now().Sub(rec.Begun) })
	}
	return common.Outcome
}

// summarise writes the job summary.
func (r *runner) summarise() {
	file := r.env.Getenv("GITHUB_STEP_SUMMARY")
	if file == "" {
		return
	}
	var text string
	r.recorder.Read(func(rec *record.Record) { text = render.Summary(rec, r.secrets) })
	if err := render.AppendSummary(file, text); err != nil {
		r.events.Notef("%v", err)
	}
}

// NewEnv returns an environment that tells its events to w as the action of this name, for what runs beside an action.
func NewEnv(name string, w io.Writer) *action.Env {
	options := render.LogOptionsFor(w, os.Getenv)
	env := &action.Env{Getenv: os.Getenv, GitHub: action.GitHubOf(os.Getenv), Time: &clock.Rehearsal{}}
	options.Name, options.Start = name, env.Time.Now()
	log := render.NewLog(w, options)
	env.Events, env.Mask = record.NewRecorder(name, env.Time.Now, log.Emit).Sink(), log.Mask
	return env
}
