package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// Execute registers the migration's task definition where it differs from what is there, runs the task, and tells how it
// went. A command that ends with another exit code than 0 is the outcome Failed.
func (p *Plan) Execute(ctx context.Context, env *action.Env) (Outputs, error) {
	out := Outputs{Image: p.image.String()}
	if p.image.Digest == "" {
		return Outputs{}, action.Failf(action.Defect, "the migration of %s was started without an image", p.service)
	}
	before := p.existing
	revision, err := p.register(ctx, env)
	if err != nil {
		return out, err
	}
	out.TaskDefinitionARN = revision.ARN
	if p.spot {
		env.Events.Notef("the service uses Fargate Spot; the migration runs on on-demand Fargate, which AWS does not interrupt")
	}
	env.Events.Notef("running `%s` in container %s of %s", p.commandLine(), p.container, revision.Name())
	if elsewhere := logElsewhere(p.base.Document.LogDriver(p.container)); elsewhere != "" {
		env.Events.Notef("container %s %s: its lines are not shown here; how it ends is", p.container, elsewhere)
	}
	var lines tail
	result, err := oneoff.Run(ctx, oneoff.Clients{ECS: p.clients.ecs, Logs: p.clients.logs}, oneoff.Spec{
		Cluster: p.cluster, TaskDefinition: revision.ARN, Settings: p.settings, Container: p.container, Command: p.command,
		Timeout: p.timeout, StartedBy: "connect2-migrate", Token: rand.Text(), Exclusive: true,
	}, oneoff.Options{Events: lines.of(env.Events), Clock: env.Clock()})
	if result.Cause.Code == "timed-out" {
		result.Cause.Fix = []string{"raise the input `timeout` if the command needs longer",
			"a migration that hangs waits for a lock more often than not: see `pg_stat_activity` and `pg_locks`"}
	}
	out.ExitCode, out.TaskARN, out.Cause = result.ExitCode, result.TaskARN, result.Cause.Code
	err = p.judge(result, err)
	if awserr.IsDenied(err) && action.OutcomeOf(err) == action.Invalid && revision != before {
		err = action.Failf(action.Failed, "%s was registered and not run: %w", revision.Name(), err)
	}
	p.report(env.Events, out, result, lines)
	return out, err
}

// register makes sure that the migration's family holds what is to be run.
func (p *Plan) register(ctx context.Context, env *action.Env) (*taskdef.Revision, error) {
	document, err := p.document()
	if err != nil {
		return nil, &action.Error{Outcome: action.Invalid, Err: err}
	}
	if p.existing != nil && p.existing.Active && p.existing.Holds(document) {
		env.Events.Notef("task definition %s is up to date", p.existing.Name())
		return p.existing, nil
	}
	revision, err := taskdef.Register(ctx, p.clients.ecs, document,
		map[string]string{taskdef.ContentTag: document.ContentHash()})
	if err != nil {
		return nil, &action.Error{Outcome: action.OutcomeBeforeChange(err),
			Title: "The migration's task definition could not be registered", Err: awserr.Explain(err)}
	}
	awserr.Optional(env.Events, "Tags on the migration's task definition", revision.Untagged)
	env.Events.Notef("registered task definition %s with image %s", revision.Name(), p.image)
	p.existing = revision
	return revision, nil
}

// logElsewhere says where a container's log goes if CloudWatch does not get it by the driver awslogs; "" if it does.
func logElsewhere(driver string) string {
	switch driver {
	case "awslogs":
		return ""
	case "":
		return "has no log configuration"
	}
	return "logs by the driver " + driver
}

// judge turns the result into the error of the run.
func (p *Plan) judge(result oneoff.Result, err error) error {
	outcome := verdict.TaskOutcome(result, err)
	var busy *oneoff.BusyError
	switch {
	case outcome == action.Succeeded:
		return nil
	case errors.As(err, &busy):
		return &action.Error{Outcome: outcome, Title: "Another migration of this service is running",
			Err: busyError(p.cluster, p.service, busy.TaskARN)}
	case result.End == oneoff.TimedOut:
		return &action.Error{Outcome: outcome, Err: err,
			Advice: "Raise the input timeout if the command needs longer; its last log lines show how far it came."}
	case err != nil:
		return &action.Error{Outcome: outcome, Err: err}
	}
	return &action.Error{Outcome: outcome, Title: result.Cause.Title, Finding: &result.Cause,
		Advice: "The service itself was not touched. Statements that ran outside a transaction are not undone.",
		Err:    fmt.Errorf("`%s` ended with exit code %d in task %s", p.commandLine(), *result.ExitCode, result.TaskARN)}
}

// commandLine returns the command for people, without what looks like a secret.
func (p *Plan) commandLine() string {
	words := make([]string, len(p.command))
	for i, word := range p.command {
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return diagnose.Redact(strings.Join(words, " "))
}

// report tells what is to be known of a migration at its end.
func (p *Plan) report(events record.Sink, out Outputs, result oneoff.Result, lines tail) {
	events.Fact("Command", record.Text{Text: p.commandLine(), Form: record.Code})
	if out.ExitCode != nil {
		events.Fact("Exit code", record.Text{Text: fmt.Sprint(*out.ExitCode), Form: record.Code})
	}
	events.Fact("Image", record.Text{Text: out.Image, Form: record.Code})
	events.Fact("Task definition", record.Text{Text: arn.Revision(out.TaskDefinitionARN), Form: record.Code})
	events.Fact("Task", record.Text{Text: result.TaskARN, Form: record.Code})
	events.Fact("Log", record.Text{Text: unread(result)})
	if len(lines) > 0 {
		events.Section(record.Section{Name: "log", Title: "Last lines of the log", Folded: true,
			Blocks: []record.Block{{Verbatim: strings.Join(lines, "\n"), Language: "text"}}})
	}
}

func unread(result oneoff.Result) string {
	if result.Unread == "" {
		return ""
	}
	return "incomplete: " + result.Unread
}

// tail is the last lines of a log, for the summary.
type tail []string

const keptLines = 200

// of returns a sink that keeps the lines of output among the events, and hands all of them on.
func (t *tail) of(events record.Sink) record.Sink {
	return func(e record.Event) {
		if e.Kind == record.KindOutput {
			kept := append(*t, e.Source+" | "+e.Text)
			*t = kept[max(0, len(kept)-keptLines):]
		}
		events.Emit(e)
	}
}
