package runtask

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/verdict"
)

// ended is what became of one task.
type ended struct {
	result oneoff.Result
	err    error
}

// Execute runs the tasks, all at once, and waits for the last of them. A command that ends with another exit code than 0 is the
// outcome Failed, and the process ends with that code.
func (p *Plan) Execute(ctx context.Context, env *action.Env) (Outputs, error) {
	out := Outputs{TaskDefinitionARN: p.revision.ARN}
	what := "its own command"
	if p.command != nil {
		what = "`" + diagnose.Redact(strings.Join(p.command, " ")) + "`"
	}
	text := fmt.Sprintf("%s in container %s of %s", what, p.container, p.revision.Name())
	if p.in.Count > 1 {
		text += fmt.Sprintf(", %d times at once", p.in.Count)
	}
	env.Events.Fact("Task definition", record.Text{Text: p.revision.Name(), Form: record.Code})
	if p.in.DryRun {
		env.Events.Noticef("Dry run", "%s would run. Nothing was started.", text)
		out.Outcome = action.Succeeded
		return out, nil
	}
	env.Events.Notef("running %s", text)
	all := make([]ended, max(1, p.in.Count))
	var tasks sync.WaitGroup
	var events sync.Mutex
	for i := range all {
		tasks.Go(func() {
			sink := func(e record.Event) {
				events.Lock()
				defer events.Unlock()
				if len(all) > 1 && e.Kind == record.KindOutput {
					e.Source = fmt.Sprintf("%s %d", e.Source, i+1)
				}
				env.Events.Emit(e)
			}
			all[i].result, all[i].err = oneoff.Run(ctx, p.clients, p.spec(), oneoff.Options{Events: sink, Clock: env.Clock()})
		})
	}
	tasks.Wait()
	return out, p.conclude(env.Events, &out, all)
}

// spec is one task.
func (p *Plan) spec() oneoff.Spec {
	return oneoff.Spec{
		Cluster: p.in.Cluster, TaskDefinition: p.revision.ARN, Settings: p.settings, Container: p.container, Command: p.command,
		Environment: p.in.Environment, CPU: p.in.CPU, Memory: p.in.Memory, Timeout: p.in.Timeout, StartedBy: p.in.StartedBy, Tags: p.in.Tags,
		Token: rand.Text(),
	}
}

// conclude fills the outputs and returns the error of the first task that has failed.
func (p *Plan) conclude(events record.Sink, out *Outputs, all []ended) (failed error) {
	zero := 0
	out.ExitCode = &zero
	for _, one := range all {
		if one.result.TaskARN != "" {
			out.TaskARNs = append(out.TaskARNs, one.result.TaskARN)
		}
		if out.ExitCode != nil && (one.result.ExitCode == nil || *out.ExitCode == 0) {
			out.ExitCode = one.result.ExitCode
		}
		if err := p.judge(one); err != nil && failed == nil {
			failed, out.Cause = err, one.result.Cause.Code
		}
		if one.result.Unread != "" {
			events.Fact("Log", record.Text{Text: "incomplete: " + one.result.Unread})
		}
	}
	if len(out.TaskARNs) > 0 {
		out.TaskARN = out.TaskARNs[0]
	}
	if out.ExitCode != nil {
		events.Fact("Exit code", record.Text{Text: fmt.Sprint(*out.ExitCode), Form: record.Code})
	}
	events.Fact("Task", record.Text{Text: strings.Join(out.TaskARNs, " "), Form: record.Code})
	out.Outcome = action.OutcomeOf(failed)
	return failed
}

// judge turns the end of a task into the error of the run. The exit code of a command that came to its own end is passed on.
func (p *Plan) judge(one ended) error {
	outcome := verdict.TaskOutcome(one.result, one.err)
	switch {
	case outcome == action.Succeeded:
		return nil
	case one.err != nil:
		return &action.Error{Outcome: outcome, Err: one.err}
	}
	exit := 0
	if one.result.End == oneoff.Exited {
		exit = *one.result.ExitCode
	}
	return &action.Error{Outcome: outcome, Title: one.result.Cause.Title, Finding: &one.result.Cause, Exit: exit,
		Err: fmt.Errorf("container %s ended with exit code %d in task %s", p.container, *one.result.ExitCode, one.result.TaskARN)}
}
