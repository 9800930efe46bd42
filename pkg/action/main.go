package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrInterrupted is the cause (context.Cause) of a context that was cancelled by a signal: by Ctrl-C, or by the runner when
// the job is cancelled.
var ErrInterrupted = errors.New("interrupted")

// CleanupTime is what a run has for putting things in order after it was cancelled. The runner sends SIGINT, 7.5 s later
// SIGTERM, and kills 2.5 s after that.
const CleanupTime = 8 * time.Second

// Main runs the action as the entry point of a container, with the inputs of the environment, and returns the exit code.
func (a *Action) Main() int {
	env := &Env{Getenv: os.Getenv}
	options := logOptionsFor(os.Stdout, os.Getenv)
	options.Start = time.Now()
	env.Log = NewLog(os.Stdout, options)
	env.Stdout = redacted{env.Log, env.Log.Foreign("")}
	env.GitHub = GitHubOf(os.Getenv)
	ctx, stop := WithSignals(context.Background())
	defer stop()
	return a.execute(ctx, env, func() source { return fromEnvironment(a.Inputs(), os.Environ()) }, options.Start, nil)
}

// Entry is what a process that is this action alone does: with arguments it is a command, without any it is the entry point
// of a container. Empty arguments, which the runner passes for an empty expression in `args`, count as none.
func (a *Action) Entry(args []string) int {
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "" })
	if len(args) == 0 {
		return a.Main()
	}
	ctx, stop := WithSignals(context.Background())
	defer stop()
	return a.Command(ctx, args, os.Stdout, os.Stderr, nil)
}

// Command runs the action with the flags of a command line and returns the exit code. Events go to stderr; with --json one
// object of the outputs goes to stdout. In a step of a workflow it also writes the step's outputs, summary and annotations.
// What is set in env is used; the rest of it, and a nil one, is filled from the process. Signals are the caller's: see
// WithSignals.
func (a *Action) Command(ctx context.Context, args []string, stdout, stderr io.Writer, env *Env) int {
	start := time.Now()
	e := Env{}
	if env != nil {
		e = *env
	}
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	c := fromFlags(a.Inputs(), args, e.Getenv)
	if c.help {
		if _, err := io.WriteString(stdout, a.Help()); err != nil {
			return Defect.ExitCode()
		}
		return 0
	}
	if e.Log == nil {
		options := logOptionsFor(stderr, e.Getenv)
		options.Start = start
		options.Debug = options.Debug || c.debug
		e.Log = NewLog(stderr, options)
	}
	if e.GitHub == (GitHub{}) {
		e.GitHub = GitHubOf(e.Getenv)
	}
	if e.Stdout == nil {
		e.Stdout = redacted{e.Log, stdout}
		if c.json {
			e.Stdout = redacted{e.Log, stderr}
		}
	}
	var print io.Writer
	if c.json {
		print = stdout
	}
	return a.execute(ctx, &e, func() source { return c.source }, start, print)
}

// WithSignals returns a context that the first SIGINT or SIGTERM cancels, with a cause that is ErrInterrupted. The process has
// to take them itself: in a container it is PID 1, for which the kernel has no default action. A second signal ends the
// process at once in a terminal; on GitHub it is the runner's next step towards killing, and the time until then is needed.
func WithSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	patient := os.Getenv("GITHUB_ACTIONS") == "true"
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case s := <-signals:
				if first {
					cancel(interruption{s})
				} else if !patient && !signalAgain() {
					os.Exit(Cancelled.ExitCode())
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// interruption is ErrInterrupted with the signal that did it.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted (SIGINT)"
	}
	return "interrupted (SIGTERM)"
}

func (i interruption) Is(target error) bool { return target == ErrInterrupted }

// execute is the whole of a run: decode, check, run, tell.
func (a *Action) execute(ctx context.Context, env *Env, read func() source, start time.Time, print io.Writer) int {
	fields := a.fields()
	out := reflect.New(a.out).Elem()
	told := env.Log.summaries()
	interrupted := make(chan struct{})
	quiet := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		if cause := context.Cause(ctx); errors.Is(cause, ErrInterrupted) {
			env.Log.Eventf("%v: stopping, and putting in order what was begun", cause)
		}
	})
	err := guard(env.Log, func() (err error) {
		in := reflect.New(a.in).Elem()
		given := read()
		maskSecrets(env.Log, given, fields.inputs)
		if problems := given.decodeInto(in, fields.inputs); len(problems) > 0 {
			return invalidInputs(problems)
		}
		if err := outputsWritable(env.Getenv("GITHUB_OUTPUT")); err != nil {
			return err
		}
		out, err = a.run(ctx, env, in)
		return err
	})
	if !quiet() {
		<-interrupted // it is told before how the run ended
	}
	outcome := a.settle(ctx, out, err, time.Since(start))
	outputs := outputsOf(out, fields.outputs, env.Log.Redact)
	a.tell(env.Log, told, outcome, outputs, err, time.Since(start))
	code := outcome.ExitCode()
	if file := env.Getenv("GITHUB_OUTPUT"); file != "" && !errors.Is(err, errOutputs) {
		if err := writeOutputs(file, outputs); err != nil {
			env.Log.rootCause("The outputs are lost", fmt.Sprintf(
				"The run ended as %q, but later steps cannot learn it: %v", outcome, err))
			if code == 0 {
				code = Defect.ExitCode() // a job that goes on without the digest would deploy something else
			}
		}
	}
	if print != nil {
		failure := ""
		if err != nil {
			failure = env.Log.Redact(err.Error())
		}
		if _, err := print.Write(printJSON(outputs, failure)); err != nil && code == 0 {
			env.Log.rootCause("The outputs are lost", "Writing them to standard output failed: "+err.Error())
			code = Defect.ExitCode()
		}
	}
	return code
}

// guard turns a panic into an error. The stack goes to the debug log, or into a folded group: the on-call engineer who
// reads the rest of the log cannot do anything with it.
func guard(log *Log, run func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		stack := debug.Stack()
		if log.folds() {
			end := log.Group("Stack of the defect (for a bug report)")
			log.Eventf("%s", stack)
			end()
		} else {
			log.Eventf("The stack of the defect is printed with --debug.")
		}
		err = &Error{
			Outcome: Defect,
			Title:   "A defect of this action",
			Advice:  "Please report it with this log. What was under way may be half done: look at the service before repeating the run.",
			Err:     fmt.Errorf("panic: %v", p),
		}
	}()
	return run()
}

// maskSecrets masks before anything can print: even a value that is refused.
func maskSecrets(log *Log, s source, fields []Field) {
	for _, f := range fields {
		if !f.Secret {
			continue
		}
		for _, v := range s.values[f.Name] {
			log.Mask(v.value)
		}
	}
}

func invalidInputs(problems []error) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.Error()
	}
	title := "An input is wrong"
	if len(problems) > 1 {
		title = fmt.Sprintf("%d inputs are wrong", len(problems))
	}
	return &Error{Outcome: Invalid, Title: title, Err: problemsError{lines: lines, problems: problems}}
}

// problemsError is several problems, one per line.
type problemsError struct {
	lines    []string
	problems []error
}

func (e problemsError) Error() string   { return strings.Join(e.lines, "\n") }
func (e problemsError) Unwrap() []error { return e.problems }

// errOutputs is the file of the outputs, in a message about it.
var errOutputs = errors.New("GITHUB_OUTPUT")

// outputsWritable looks before anything is changed: outputs that cannot be written would leave the jobs that follow blind.
func outputsWritable(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return &Error{Outcome: Invalid, Title: "The step's outputs cannot be written", Err: fmt.Errorf("open %w: %w", errOutputs, err)}
	}
	return f.Close()
}

// settle decides the outcome and completes the outputs that every action has.
func (a *Action) settle(ctx context.Context, out reflect.Value, err error, took time.Duration) Outcome {
	common := &Outputs{}
	if f, ok := a.out.FieldByName("Outputs"); ok && f.Type == reflect.TypeFor[Outputs]() {
		common = out.FieldByIndex(f.Index).Addr().Interface().(*Outputs)
	}
	switch {
	case err != nil:
		common.Outcome = OutcomeOf(err)
		// Clients word a cancelled call in their own ways.
		if common.Outcome == Failed && errors.Is(context.Cause(ctx), ErrInterrupted) && decided(err) == "" {
			common.Outcome = Cancelled
		}
	case common.Outcome == "":
		common.Outcome = Succeeded
	}
	if common.Duration == 0 {
		common.Duration = took
	}
	return common.Outcome
}

// redacted is a writer without secrets.
type redacted struct {
	log *Log
	w   io.Writer
}

func (r redacted) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, r.log.Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
