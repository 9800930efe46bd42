package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/report"
	"github.com/org/connect2/v2/pkg/taskdef"
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
		env.Log.Eventf("the service uses Fargate Spot; the migration runs on on-demand Fargate, which AWS does not interrupt")
	}
	env.Log.Eventf("running `%s` in container %s of %s", p.commandLine(), p.container, revision.Name())
	t := newTeller(env)
	result, err := oneoff.Run(ctx, env.Log, oneoff.Clients{ECS: p.clients.ecs, Logs: p.clients.logs}, oneoff.Spec{
		Cluster: p.cluster, TaskDefinition: revision.ARN, Settings: p.settings, Container: p.container, Command: p.command,
		Timeout: p.timeout, StartedBy: "connect2-migrate", Token: rand.Text(), Exclusive: true, Speed: env.Speed(),
	}, t.sink())
	t.close()
	out.ExitCode, out.TaskARN, out.Cause = result.ExitCode, result.TaskARN, result.Cause.Code
	if awserr.IsDenied(err) && action.OutcomeOf(err) == action.Invalid && revision != before {
		err = action.Failf(action.Failed, "%s was registered and not run: %w", revision.Name(), err)
	}
	err = p.judge(result, err)
	p.summarise(env, out, result, err, t)
	return out, err
}

// register makes sure that the migration's family holds what is to be run.
func (p *Plan) register(ctx context.Context, env *action.Env) (*taskdef.Revision, error) {
	document, err := p.document()
	if err != nil {
		return nil, &action.Error{Outcome: action.Invalid, Err: err}
	}
	if p.existing != nil && p.existing.Active && p.existing.Holds(document) {
		env.Log.Eventf("task definition %s is up to date", p.existing.Name())
		return p.existing, nil
	}
	revision, err := taskdef.Register(ctx, p.clients.ecs, document,
		map[string]string{taskdef.ContentTag: document.ContentHash()})
	if err != nil {
		return nil, &action.Error{Outcome: action.OutcomeBeforeChange(err),
			Title: "The migration's task definition could not be registered", Err: awserr.Explain(err)}
	}
	awserr.Optional(env.Log.Sink(), "Tags on the migration's task definition", revision.Untagged)
	env.Log.Eventf("registered task definition %s with image %s", revision.Name(), p.image)
	p.existing = revision
	return revision, nil
}

// judge turns the result into the error of the run.
func (p *Plan) judge(result oneoff.Result, err error) error {
	var busy *oneoff.BusyError
	switch {
	case errors.As(err, &busy):
		return &action.Error{Outcome: action.Invalid, Title: "Another migration of this service is running",
			Err: busyError(p.cluster, p.service, busy.TaskARN)}
	case err != nil:
		return err
	case result.ExitCode != nil && *result.ExitCode == 0:
		return nil
	}
	c := result.Cause
	advice := strings.Join(c.Fix, ". ")
	if advice != "" {
		advice += ". "
	}
	return &action.Error{Outcome: action.Failed, Title: c.Title,
		Advice: advice + "The service itself was not touched. Statements that ran outside a transaction are not undone.",
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

// summarise writes the job summary.
func (p *Plan) summarise(env *action.Env, out Outputs, result oneoff.Result, err error, t *teller) {
	outcome := action.OutcomeOf(err)
	exit := ""
	if out.ExitCode != nil {
		exit = fmt.Sprint(*out.ExitCode)
	}
	pieces := []string{
		report.Heading(fmt.Sprintf("Migration of %s: %s", p.service, outcome)),
		report.Facts(
			[2]report.Cell{"Command", report.Code(p.commandLine())},
			[2]report.Cell{"Exit code", report.Code(exit)},
			[2]report.Cell{"Image", report.Code(out.Image)},
			[2]report.Cell{"Task definition", report.Code(arn.Revision(out.TaskDefinitionARN))},
			[2]report.Cell{"Task", report.Code(result.TaskARN)},
			[2]report.Cell{"Duration", report.Text(report.Clock(result.Duration))},
			[2]report.Cell{"Log", report.Text(unread(result))},
		),
	}
	switch {
	case outcome == action.Succeeded:
	case result.Cause.Code != "":
		pieces = append(pieces, report.Card(result.Cause))
	default:
		pieces = append(pieces, report.Fence("text", diagnose.Redact(err.Error())))
	}
	pieces = append(pieces, report.Details("Last lines of the log", t.tail()))
	env.Log.Summary(report.Join(0, pieces...))
}

func unread(result oneoff.Result) string {
	if result.Unread == "" {
		return ""
	}
	return "incomplete: " + result.Unread
}

// teller shows a running task in the log, and keeps the last lines for the summary.
type teller struct {
	log     *action.Log
	writers map[string]io.WriteCloser
	kept    []string
}

const keptLines = 200 // log lines in the job summary

func newTeller(env *action.Env) *teller {
	return &teller{log: env.Log, writers: map[string]io.WriteCloser{}}
}

func (t *teller) sink() oneoff.Sink {
	return oneoff.Sink{
		Status: func(status string) { t.log.Eventf("task %s", strings.ToLower(status)) },
		Note:   func(text string) { t.log.Eventf("%s", text) },
		Line: func(container string, _ time.Time, line string) {
			w, ok := t.writers[container]
			if !ok {
				w = t.log.Foreign(container)
				t.writers[container] = w
			}
			_, _ = io.WriteString(w, line+"\n") // it never fails
			t.kept = append(t.kept, container+" | "+line)
			t.kept = t.kept[max(0, len(t.kept)-keptLines):]
		},
	}
}

func (t *teller) close() {
	for _, w := range t.writers {
		_ = w.Close()
	}
}

func (t *teller) tail() string {
	if len(t.kept) == 0 {
		return ""
	}
	return report.Fence("text", strings.Join(t.kept, "\n"))
}
