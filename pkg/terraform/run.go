package terraform

import (
	"bufio"
	"context"
	"encoding/json"
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
	Path     string              // the executable
	Engine   Engine              // which program that is, for messages; "" is Terraform
	Dir      string              // the configuration, absolute
	Work     string              // a private folder for plans, variables and streams, absolute and outside the workspace
	Environ  []string            // what it inherits, as NAME=VALUE; nil: the process's environment
	Env      map[string]string   // variables beyond those; an empty value takes one away
	Events   record.Sink         // what happens: Terraform's messages as notes, its diagnostics as warnings and errors with their place
	Clock    clock.Clock         // what it waits by; nil: the wall clock
	Root     string              // of the repository: places name files relative to it; "" leaves them as they are
	Redact   func(string) string // takes secrets out of what Terraform says; nil leaves it as it is
	Patience time.Duration       // how long an interrupted init or plan may take to end; 0: a minute
}

// Options of init and plan.
type (
	InitOptions struct {
		Backend  []string // -backend-config: KEY=VALUE or a file
		Readonly bool     // the lock file must not change
		Upgrade  bool     // newer providers within the constraints, into the lock file
		Local    bool     // without the backend: for what only reads the configuration
		More     []string // further arguments
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
		Parallelism int      // 0: Terraform's own
		More        []string // further arguments
	}
	ApplyOptions struct {
		Plan        string   // the plan file
		VarFiles    []string // for variables that a plan does not hold: see Plan.Missing
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
	if o.Local {
		args = append(args, "-backend=false")
	}
	return append(append(args, "-reconfigure"), o.More...)
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
	return append(args, o.More...)
}

func (o ApplyOptions) args() []string {
	args := []string{"apply", "-json", "-input=false", "-no-color"}
	if o.LockTimeout > 0 {
		args = append(args, "-lock-timeout="+o.LockTimeout.String())
	}
	if o.Parallelism > 0 {
		args = append(args, fmt.Sprintf("-parallelism=%d", o.Parallelism))
	}
	for _, f := range o.VarFiles {
		args = append(args, "-var-file="+f)
	}
	return append(args, o.Plan)
}

// Failure is a command that failed, with what Terraform said.
type Failure struct {
	Engine      Engine // "" is Terraform
	Command     string // init, plan, apply
	Code        int    // the exit code; -1 after a signal
	Diagnostics []tfjson.Diagnostic
	Place       *record.Place // of the first of them; nil where it names none
	Text        string        // what it wrote beside diagnostics, its end
}

// Title is the first error in one line; "" where there is none.
func (f *Failure) Title() string {
	if len(f.Diagnostics) == 0 {
		return ""
	}
	return oneLine(f.Diagnostics[0].Summary)
}

// Cause is what was run and how it ended, and of the first error what Title does not say.
func (f *Failure) Cause() string {
	text := fmt.Sprintf("%s %s failed with exit code %d", f.Engine, f.Command, f.Code)
	if f.Code < 0 {
		text = fmt.Sprintf("%s %s was ended by a signal", f.Engine, f.Command)
	}
	if len(f.Diagnostics) == 0 {
		if f.Text != "" {
			text += ": " + f.Text
		}
		return text
	}
	if first := f.Diagnostics[0]; first.Address != "" {
		text += ": " + first.Address
	}
	if detail := oneLine(f.Diagnostics[0].Detail); detail != "" {
		text += ": " + detail
	}
	switch more := len(f.Diagnostics) - 1; more {
	case 0:
	case 1:
		text += " (another error is above)"
	default:
		text += fmt.Sprintf(" (%d more errors stand above)", more)
	}
	return text
}

// Error returns all of it: the title and the cause.
func (f *Failure) Error() string {
	if title := f.Title(); title != "" {
		return title + ": " + f.Cause()
	}
	return f.Cause()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

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
	return slices.ContainsFunc(passing, failure.Says) && !failure.Says("no available releases match") &&
		!failure.Says("does not have a provider named")
}

// A command is tried three times, 5 and 15 s apart.
const attempts = 3

var waits = backoff.Policy{First: 5 * time.Second, Most: 15 * time.Second, Factor: 3, Steady: true}

func (r *Runner) patiently(ctx context.Context, name string, run func() error) error {
	for attempt := 1; ; attempt++ {
		err := run()
		if err == nil || attempt == attempts || !isPassing(err) {
			r.tell(err)
			return err
		}
		pause := waits.Wait(attempt)
		r.Events.Warnf("", "%s %s is tried again in %s: %v", r.Engine, name, pause, err)
		if err := clock.Or(r.Clock).Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// tell tells the errors of a command that failed for good, but for the first: that one is returned, and told by whoever gets it.
func (r *Runner) tell(err error) {
	var failure *Failure
	if !errors.As(err, &failure) || len(failure.Diagnostics) == 0 {
		return
	}
	for _, d := range failure.Diagnostics[1:] {
		r.Events.Emit(r.event(record.KindError, d))
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
	runner *Runner
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
	p := &process{runner: r, name: name, engine: r.Engine, cmd: r.command(args), file: file, errors: stderr, ended: make(chan struct{})}
	p.teller = &teller{runner: r, see: see}
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
	failure := &Failure{Engine: p.engine, Command: p.name, Code: exit.ExitCode(), Diagnostics: telling(p.teller.errors)}
	failure.Text = lastText(string(text) + "\n" + strings.Join(p.teller.plain, "\n"))
	if len(failure.Diagnostics) > 0 {
		failure.Place = p.runner.event(record.KindError, failure.Diagnostics[0]).Place
	}
	return failure
}

// telling leaves out the error that only says that there are others: init ends with it.
func telling(list []tfjson.Diagnostic) []tfjson.Diagnostic {
	if len(list) < 2 {
		return list
	}
	return slices.DeleteFunc(list, func(d tfjson.Diagnostic) bool {
		return d.Detail == "" && onlyAnnounces(d.Summary)
	})
}

// onlyAnnounces says whether a text of init only says that the errors stand elsewhere: above it in Terraform, below it in OpenTofu.
func onlyAnnounces(text string) bool {
	return strings.Contains(oneLine(text), "encountered problems during initiali")
}

func lastText(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = "…" + strings.ToValidUTF8(s[len(s)-2000:], "")
	}
	return s
}

// teller reads a stream as it grows and tells it. Errors are kept for the end: the first is returned.
type teller struct {
	runner *Runner
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
	r := t.runner
	m, ok := parseMessage(line)
	if !ok {
		line = r.redact(line)
		t.keep(line)
		r.Events.Emit(record.Event{Kind: record.KindOutput, Source: r.Engine.String(), Text: line})
		return
	}
	if t.see != nil {
		t.see(m)
	}
	m.Message = r.redact(strings.TrimSpace(m.text())) // OpenTofu sends blank lines, and texts between them
	if m.Message == "" {
		return
	}
	switch m.Type {
	case "":
		t.untyped(m)
	case "version", "outputs", "change_summary":
		r.Events.Debugf("%s", m.Message)
	case "diagnostic":
		if m.Diagnostic != nil {
			t.diagnostic(*m.Diagnostic)
		}
	case "planned_change", "refresh_start", "refresh_complete", "resource_drift", "provision_progress":
		r.Events.Debugf("%s", m.Message)
	case "apply_progress":
		r.Events.Progressf("%s", m.Message)
	default:
		r.Events.Notef("%s", m.Message)
	}
}

// untyped is a message without a type: OpenTofu sends some of its errors so. They are kept for a run that fails without a diagnostic.
func (t *teller) untyped(m message) {
	if m.Level == "error" {
		t.keep(m.Message)
	}
	if onlyAnnounces(m.Message) {
		t.runner.Events.Debugf("%s", m.Message)
		return
	}
	t.runner.Events.Notef("%s", m.Message)
}

// keep holds a text for a failure that nothing else explains: the last hundred.
func (t *teller) keep(text string) {
	t.plain = append(t.plain, text)
	if len(t.plain) > 100 {
		t.plain = t.plain[1:]
	}
}

// diagnostic becomes an annotation at the line that it is about. The same one comes once.
func (t *teller) diagnostic(d tfjson.Diagnostic) {
	d.Summary, d.Detail = t.runner.redact(d.Summary), t.runner.redact(d.Detail)
	if d.Severity != tfjson.DiagnosticSeverityError {
		t.runner.Events.Emit(t.runner.event(record.KindWarning, d))
		return
	}
	if !slices.ContainsFunc(t.errors, func(e tfjson.Diagnostic) bool {
		return e.Summary == d.Summary && e.Detail == d.Detail && e.Address == d.Address
	}) {
		t.errors = append(t.errors, d)
	}
}

// event is a diagnostic as it is told.
func (r *Runner) event(kind record.Kind, d tfjson.Diagnostic) record.Event {
	e := record.Event{Kind: kind, Title: oneLine(d.Summary), Text: d.Detail}
	if d.Range != nil {
		e.Place = &record.Place{File: r.place(d.Range.Filename), Line: d.Range.Start.Line, Column: d.Range.Start.Column}
	}
	if e.Text == "" {
		e.Text = e.Title
	}
	if d.Address != "" {
		e.Text = d.Address + ": " + e.Text
	}
	return e
}

func (r *Runner) place(name string) string {
	if r.Root == "" {
		return name
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.Dir, name)
	}
	if relative, err := filepath.Rel(r.Root, name); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return name
}

func (r *Runner) redact(text string) string {
	if r.Redact == nil {
		return text
	}
	return r.Redact(text)
}

// ShowPlan reads a plan file. Its JSON, which holds secrets, is in the private folder for as long as it takes.
func (r *Runner) ShowPlan(ctx context.Context, plan string) (p *Plan, err error) {
	err = r.show(ctx, plan, func(f *os.File) error {
		p, err = ReadPlan(f)
		return err
	})
	return p, err
}

// WritePlan writes a plan file as Terraform's JSON, with what is sensitive in it replaced: what Terraform marks, and what p, which is
// the same plan as it was read, knows by its value.
func (r *Runner) WritePlan(ctx context.Context, plan string, p *Plan, w io.Writer) error {
	return r.show(ctx, plan, func(f *os.File) error { return p.copyHidden(w, f) })
}

// show has Terraform write a plan as JSON into a file that is there as long as use needs it.
func (r *Runner) show(ctx context.Context, plan string, use func(*os.File) error) error {
	f, err := os.CreateTemp(r.Work, "plan-*.json")
	if err != nil {
		return fmt.Errorf("a file for the plan's JSON: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	cmd := r.command([]string{"show", "-json", "-no-color", plan})
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = f, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s show: %w: %s", r.Engine, err, lastText(stderr.String()))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return use(f)
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

// Unformatted lists the files of the configuration and of the folders below it that `fmt` would change, with the differences.
func (r *Runner) Unformatted(ctx context.Context) (files []string, diff string, err error) {
	cmd := r.command([]string{"fmt", "-check", "-diff", "-list=true", "-recursive", "-no-color"})
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		err = nil // files are not formatted
	}
	if err != nil {
		return nil, "", &Failure{Engine: r.Engine, Command: "fmt", Code: exitCode(err), Text: lastText(stderr.String())}
	}
	var rest []string
	for line := range strings.Lines(stdout.String()) {
		name := strings.TrimSuffix(line, "\n")
		if isFileOf(r.Dir, name) {
			files = append(files, name)
			continue
		}
		rest = append(rest, line)
	}
	return files, strings.Join(rest, ""), nil
}

// isFileOf says whether a line of output names a file of the configuration.
func isFileOf(dir, line string) bool {
	if !strings.HasSuffix(line, ".tf") && !strings.HasSuffix(line, ".tfvars") && !strings.HasSuffix(line, ".hcl") && !strings.HasSuffix(line,
		".tofu") {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, line))
	return err == nil && info.Mode().IsRegular()
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// Validate checks the configuration by itself; init must have been run, without the backend will do. Its warnings are told, its errors
// are returned in a Failure.
func (r *Runner) Validate(ctx context.Context) error {
	cmd := r.command([]string{"validate", "-json", "-no-color"})
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var answer tfjson.ValidateOutput
	if jsonErr := json.Unmarshal([]byte(stdout.String()), &answer); jsonErr != nil {
		return &Failure{Engine: r.Engine, Command: "validate", Code: exitCode(err), Text: lastText(stderr.String() + "\n" + stdout.String())}
	}
	t := &teller{runner: r}
	for _, d := range answer.Diagnostics {
		t.diagnostic(d)
	}
	if answer.Valid && len(t.errors) == 0 {
		return nil
	}
	failure := &Failure{Engine: r.Engine, Command: "validate", Code: exitCode(err), Diagnostics: t.errors}
	if len(t.errors) > 0 {
		failure.Place = r.event(record.KindError, t.errors[0]).Place
	}
	r.tell(failure)
	return failure
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
		return fmt.Errorf("there is no workspace %q: there are %s; make it once with %s workspace new, or with an apply that has approve: auto",
			name, strings.Join(workspaces, ", "), r.Engine)
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
