package terraform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
)

// Runner runs Terraform's commands on one configuration.
//
// What reads or writes a few lines goes through terraform-exec. init, plan, show and apply are started here, because they need
// what it does not have: -lockfile; the environment's TF_VAR_ variables together with others that are set; a plan that
// is read from a file instead of memory; and above all an apply that outlives this process, which terraform-exec's
// children do not (it asks the kernel to kill them, and its pipes break).
type Runner struct {
	Path     string            // the executable
	Engine   Engine            // which program that is, for messages; "" is Terraform
	Dir      string            // the configuration, absolute
	Work     string            // a private folder for plans, variables and streams, absolute and outside the workspace
	Environ  []string          // what it inherits, as NAME=VALUE; nil: the process's environment
	Env      map[string]string // variables beyond those; an empty value takes one away
	Events   record.Sink       // what happens: Terraform's messages as notes, its diagnostics as warnings and errors with their place
	Clock    clock.Clock       // what it waits by; nil: the wall clock
	Root     string            // of the repository: places name files relative to it; "" leaves them as they are
	Patience time.Duration     // how long an interrupted init or plan may take to end; 0: a minute
}

// Options of init and plan.
type (
	InitOptions struct {
		Backend  []string // -backend-config: KEY=VALUE or a file
		Readonly bool     // the lock file must not change
		Upgrade  bool     // newer providers within the constraints, into the lock file
	}
	PlanOptions struct {
		Out         string // the plan file
		VarFiles    []string
		Targets     []string
		Replace     []string
		Destroy     bool
		RefreshOnly bool
		Lock        bool
		LockTimeout time.Duration
		Parallelism int // 0: Terraform's own
	}
	ApplyOptions struct {
		Plan        string // the plan file
		LockTimeout time.Duration
		Parallelism int
	}
)

func (o InitOptions) args() []string {
	args := []string{"init", "-json", "-input=false", "-no-color"}
	if o.Readonly {
		args = append(args, "-lockfile=readonly")
	}
	if o.Upgrade {
		args = append(args, "-upgrade")
	}
	for _, b := range o.Backend {
		args = append(args, "-backend-config="+b)
	}
	return append(args, "-reconfigure")
}

func (o PlanOptions) args() []string {
	args := []string{"plan", "-json", "-input=false", "-no-color", "-detailed-exitcode", "-out=" + o.Out, fmt.Sprintf("-lock=%t", o.Lock)}
	if o.Lock && o.LockTimeout > 0 {
		args = append(args, "-lock-timeout="+o.LockTimeout.String())
	}
	if o.Parallelism > 0 {
		args = append(args, fmt.Sprintf("-parallelism=%d", o.Parallelism))
	}
	if o.Destroy {
		args = append(args, "-destroy")
	}
	if o.RefreshOnly {
		args = append(args, "-refresh-only")
	}
	for _, f := range o.VarFiles {
		args = append(args, "-var-file="+f)
	}
	for _, t := range o.Targets {
		args = append(args, "-target="+t)
	}
	for _, r := range o.Replace {
		args = append(args, "-replace="+r)
	}
	return args
}

func (o ApplyOptions) args() []string {
	args := []string{"apply", "-json", "-input=false", "-no-color"}
	if o.LockTimeout > 0 {
		args = append(args, "-lock-timeout="+o.LockTimeout.String())
	}
	if o.Parallelism > 0 {
		args = append(args, fmt.Sprintf("-parallelism=%d", o.Parallelism))
	}
	return append(args, o.Plan)
}

// Failure is a command that failed, with what Terraform said.
type Failure struct {
	Engine      Engine // "" is Terraform
	Command     string // init, plan, apply
	Code        int    // the exit code; -1 after a signal
	Diagnostics []tfjson.Diagnostic
	Text        string // what it wrote beside diagnostics, its end
}

// Error returns the errors' summaries with the first one's detail.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%s %s failed with exit code %d", f.Engine, f.Command, f.Code)
	if f.Code < 0 {
		text = fmt.Sprintf("%s %s was ended by a signal", f.Engine, f.Command)
	}
	for i, d := range f.Diagnostics {
		text += ": " + strings.Join(strings.Fields(d.Summary), " ")
		if i == 0 && d.Detail != "" {
			text += ": " + strings.Join(strings.Fields(d.Detail), " ")
		}
	}
	if len(f.Diagnostics) == 0 && f.Text != "" {
		text += ": " + f.Text
	}
	return text
}

// Says reports whether any error holds the text, whatever its line breaks: Terraform wraps at 72 to 80 columns.
func (f *Failure) Says(text string) bool {
	all := f.Text
	for _, d := range f.Diagnostics {
		all += " " + d.Summary + " " + d.Detail
	}
	return strings.Contains(strings.ToLower(strings.Join(strings.Fields(all), " ")), strings.ToLower(text))
}

// Init prepares the working directory. It is repeated where a registry or a backend failed in a way that passes.
func (r *Runner) Init(ctx context.Context, o InitOptions) error {
	return r.patiently(ctx, "init", func() error { return r.interruptible(ctx, "init", o.args()) })
}

// Plan makes a plan and says whether it changes anything. Like Init it is repeated: it changes nothing.
func (r *Runner) Plan(ctx context.Context, o PlanOptions) (changes bool, err error) {
	err = r.patiently(ctx, "plan", func() error {
		err := r.interruptible(ctx, "plan", o.args())
		var failure *Failure
		if errors.As(err, &failure) && failure.Code == 2 {
			changes, err = true, nil
		}
		return err
	})
	return changes, err
}

// passing are what a repetition may mend: registries and APIs that answer too many requests or not at all.
var passing = []string{
	"429", "too many requests", "rate exceeded", "throttl", "requestlimitexceeded", "slowdown", "502 bad gateway", "503 service",
	"504 gateway", "connection reset", "i/o timeout", "tls handshake timeout", "unexpected eof", "temporary failure in name resolution",
	"failed to query available provider packages", "failed to install provider", "failed to request discovery document",
}

func isPassing(err error) bool {
	var failure *Failure
	if !errors.As(err, &failure) {
		return false
	}
	return slices.ContainsFunc(passing, failure.Says) && !failure.Says("no available releases match") && !failure.Says("does not have a provider named")
}

// A command is tried three times, 5 and 15 s apart.
const attempts = 3

var waits = backoff.Policy{First: 5 * time.Second, Most: 15 * time.Second, Factor: 3, Steady: true}

func (r *Runner) patiently(ctx context.Context, name string, run func() error) error {
	for attempt := 1; ; attempt++ {
		err := run()
		if err == nil || attempt == attempts || !isPassing(err) {
			return err
		}
		pause := waits.Wait(attempt)
		r.Events.Warnf("", "%s %s is tried again in %s: %v", r.Engine, name, pause, err)
		if err := clock.Or(r.Clock).Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// environment is the child's: what it inherits, less the action's own inputs, plus what was set.
func (r *Runner) environment() []string {
	inherited, env := r.Environ, []string(nil)
	if inherited == nil {
		inherited = os.Environ()
	}
	for _, entry := range inherited {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "INPUT_") || strings.HasPrefix(name, "TF_CLI_ARGS") || name == "TF_WORKSPACE" {
			continue
		}
		if _, set := r.Env[name]; !set {
			env = append(env, entry)
		}
	}
	for name, value := range r.Env {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1")
}

// command makes a child in a process group of its own, so that a signal to ours, a Ctrl-C or the runner's, does not reach it.
func (r *Runner) command(args []string) *exec.Cmd {
	cmd := exec.Command(r.Path, args...) //nolint:noctx // a cancelled context must not kill it: see interruptible and Apply
	cmd.Dir = r.Dir
	cmd.Env = r.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// interruptible runs a command that changes nothing: when the context ends it gets one interrupt, and is killed if that does
// not end it.
func (r *Runner) interruptible(ctx context.Context, name string, args []string) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	p, err := r.start(name, args, nil)
	if err != nil {
		return err
	}
	patience := r.Patience
	if patience == 0 {
		patience = time.Minute
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		r.Events.Notef("interrupting %s %s", r.Engine, name)
		p.signal(syscall.SIGINT)
		over, stop := r.timer(patience)
		defer stop()
		select {
		case <-p.ended:
		case <-over:
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
	}
	err = p.result()
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("%s %s: %w", r.Engine, name, context.Cause(ctx))
	}
	return err
}

// timer returns a channel that is closed when d of the clock's time is over, and what gives up waiting for that.
func (r *Runner) timer(d time.Duration) (over <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		if clock.Or(r.Clock).Sleep(ctx, d) == nil {
			close(done)
		}
	}()
	return done, cancel
}

// process is a running command whose output goes to a file that is read along: a pipe would break, and its writer with it,
// if this process died.
type process struct {
	name   string
	engine Engine
	cmd    *exec.Cmd
	file   *os.File
	errors *os.File
	ended  chan struct{}
	exit   error
	teller *teller
}

func (r *Runner) start(name string, args []string, see func(message)) (*process, error) {
	file, err := os.CreateTemp(r.Work, name+"-*.jsonl")
	if err != nil {
		return nil, fmt.Errorf("a file for the output of %s %s: %w", r.Engine, name, err)
	}
	stderr, err := os.CreateTemp(r.Work, name+"-*.err")
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("a file for the output of %s %s: %w", r.Engine, name, err)
	}
	p := &process{name: name, engine: r.Engine, cmd: r.command(args), file: file, errors: stderr, ended: make(chan struct{})}
	p.teller = &teller{events: r.Events, engine: r.Engine, dir: r.Dir, root: r.Root, see: see}
	p.cmd.Stdout, p.cmd.Stderr = file, stderr
	r.Events.Debugf("%s %s", r.Path, strings.Join(args, " "))
	if err := p.cmd.Start(); err != nil {
		file.Close()
		stderr.Close()
		return nil, fmt.Errorf("starting %s %s: %w", r.Path, name, err)
	}
	exited := make(chan struct{})
	go func() {
		p.exit = p.cmd.Wait()
		close(exited)
	}()
	go func() {
		p.teller.follow(file.Name(), exited)
		close(p.ended)
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // an error means that it has ended

// result says how it ended, and takes the files away.
func (p *process) result() error {
	defer func() {
		for _, f := range []*os.File{p.file, p.errors} {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if p.exit == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(p.exit, &exit) {
		return fmt.Errorf("running terraform %s: %w", p.name, p.exit)
	}
	text, _ := os.ReadFile(p.errors.Name())
	failure := &Failure{Engine: p.engine, Command: p.name, Code: exit.ExitCode(), Diagnostics: p.teller.errors}
	failure.Text = lastText(string(text) + "\n" + strings.Join(p.teller.plain, "\n"))
	return failure
}

func lastText(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = "…" + strings.ToValidUTF8(s[len(s)-2000:], "")
	}
	return s
}

// teller reads a stream as it grows and tells it.
type teller struct {
	events record.Sink
	engine Engine
	dir    string
	root   string
	see    func(message)
	errors []tfjson.Diagnostic
	plain  []string
}

// poll is how often a stream is looked at, by the wall clock: the program that writes it knows no other.
const poll = 50 * time.Millisecond

func (t *teller) follow(name string, ended <-chan struct{}) {
	f, err := os.Open(name)
	if err != nil {
		<-ended
		return
	}
	defer f.Close()
	reader := bufio.NewReader(f)
	var partial strings.Builder
	for last := false; ; {
		line, err := reader.ReadString('\n')
		partial.WriteString(line)
		if err == nil {
			t.line(strings.TrimRight(partial.String(), "\r\n"))
			partial.Reset()
			continue
		}
		if last || !errors.Is(err, io.EOF) {
			t.line(partial.String())
			<-ended
			return
		}
		select {
		case <-ended:
			last = true // what was written before the end is read once more
		case <-time.After(poll):
		}
	}
}

func (t *teller) line(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	m, ok := parseMessage(line)
	if !ok {
		t.plain = append(t.plain, line)
		if len(t.plain) > 100 {
			t.plain = t.plain[1:]
		}
		t.events.Emit(record.Event{Kind: record.KindOutput, Source: t.engine.String(), Text: line})
		return
	}
	if t.see != nil {
		t.see(m)
	}
	m.Message = strings.TrimSpace(m.Message) // OpenTofu sends blank lines, and texts between them
	if m.Message == "" {
		return
	}
	switch m.Type {
	case "version", "outputs", "change_summary":
		t.events.Debugf("%s", m.Message)
	case "diagnostic":
		if m.Diagnostic != nil {
			t.diagnostic(*m.Diagnostic)
		}
	case "planned_change", "refresh_start", "refresh_complete", "resource_drift", "provision_progress":
		t.events.Debugf("%s", m.Message)
	case "apply_progress":
		t.events.Progressf("%s", m.Message)
	default:
		t.events.Notef("%s", m.Message)
	}
}

// diagnostic becomes an annotation at the line that it is about. The same one comes once.
func (t *teller) diagnostic(d tfjson.Diagnostic) {
	var at *record.Place
	if d.Range != nil {
		at = &record.Place{File: t.place(d.Range.Filename), Line: d.Range.Start.Line, Column: d.Range.Start.Column}
	}
	title := strings.Join(strings.Fields(d.Summary), " ")
	text := d.Detail
	if text == "" {
		text = title
	}
	if d.Address != "" {
		text = d.Address + ": " + text
	}
	if d.Severity != tfjson.DiagnosticSeverityError {
		t.events.Emit(record.Event{Kind: record.KindWarning, Title: title, Text: text, Place: at})
		return
	}
	if slices.ContainsFunc(t.errors, func(e tfjson.Diagnostic) bool {
		return e.Summary == d.Summary && e.Detail == d.Detail && e.Address == d.Address
	}) {
		return
	}
	t.errors = append(t.errors, d)
	t.events.Emit(record.Event{Kind: record.KindError, Title: title, Text: text, Place: at})
}

func (t *teller) place(name string) string {
	if t.root == "" {
		return name
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.dir, name)
	}
	if relative, err := filepath.Rel(t.root, name); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return name
}

// ShowPlan reads a plan file. Its JSON, which holds secrets, is in the private folder for as long as it takes.
func (r *Runner) ShowPlan(ctx context.Context, plan string) (*Plan, error) {
	f, err := os.CreateTemp(r.Work, "plan-*.json")
	if err != nil {
		return nil, fmt.Errorf("a file for the plan's JSON: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	cmd := r.command([]string{"show", "-json", "-no-color", plan})
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = f, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s show: %w: %s", r.Engine, err, lastText(stderr.String()))
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return ReadPlan(f)
}

// exec returns terraform-exec on the same configuration. A fresh one for each command: its JSON methods change the instance.
// It takes no TF_VAR_ variables, which none of the commands that go through it needs.
func (r *Runner) exec() (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(r.Dir, r.Path)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, entry := range r.environment() {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return tf, tf.SetEnv(tfexec.CleanEnv(env))
}

// Version asks Terraform which one it is, as 1.11.4, and which providers it has selected, by source address.
func (r *Runner) Version(ctx context.Context) (string, map[string]string, error) {
	tf, err := r.exec()
	if err != nil {
		return "", nil, err
	}
	v, providers, err := tf.Version(ctx, true)
	if err != nil {
		return "", nil, fmt.Errorf("%s version: %w", r.Engine, err)
	}
	selected := map[string]string{}
	for name, version := range providers {
		selected[name] = version.String()
	}
	return v.String(), selected, nil
}

// SelectWorkspace changes to a workspace and makes it where it is missing and may be made. The name "" or "default" needs
// nothing.
func (r *Runner) SelectWorkspace(ctx context.Context, name string, create bool) error {
	tf, err := r.exec()
	if err != nil || name == "" {
		return err
	}
	workspaces, current, err := tf.WorkspaceList(ctx)
	if err != nil {
		return fmt.Errorf("listing workspaces: %w", err)
	}
	switch {
	case current == name:
		return nil
	case slices.Contains(workspaces, name):
		if tf, err = r.exec(); err == nil {
			err = tf.WorkspaceSelect(ctx, name)
		}
	case !create:
		return fmt.Errorf("there is no workspace %q: there are %s; make it once with %s workspace new, or with an apply that has approve: auto", name, strings.Join(workspaces, ", "), r.Engine)
	default:
		if tf, err = r.exec(); err == nil {
			err = tf.WorkspaceNew(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("changing to workspace %q: %w", name, err)
	}
	return nil
}

// Output is a root output of the state.
type Output struct {
	Sensitive bool
	Value     []byte // JSON
}

// Outputs reads the root outputs of the state.
func (r *Runner) Outputs(ctx context.Context) (map[string]Output, error) {
	tf, err := r.exec()
	if err != nil {
		return nil, err
	}
	raw, err := tf.Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the outputs: %w", err)
	}
	outputs := map[string]Output{}
	for name, o := range raw {
		outputs[name] = Output{Sensitive: o.Sensitive, Value: o.Value}
	}
	return outputs, nil
}

// PushState uploads a state file. It never forces: Terraform refuses a state that is older or of another lineage.
func (r *Runner) PushState(ctx context.Context, file string) error {
	tf, err := r.exec()
	if err != nil {
		return err
	}
	if err := tf.StatePush(ctx, file); err != nil {
		return fmt.Errorf("pushing %s: %w", file, err)
	}
	return nil
}

// Unlock releases a lock. Terraform refuses where the lock that is held by then has another ID.
func (r *Runner) Unlock(ctx context.Context, id string) error {
	tf, err := r.exec()
	if err != nil {
		return err
	}
	if err := tf.ForceUnlock(ctx, id); err != nil {
		return fmt.Errorf("releasing the lock %s: %w", id, err)
	}
	return nil
}
