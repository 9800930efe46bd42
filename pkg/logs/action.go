// Package logs shows the log lines of a service's tasks, all of them in the order of time, and goes on with those that come.
package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/operate"
)

// Action is `connect2 logs`.
var Action = action.Define(action.Meta{
	Name:        "logs",
	Looks:       true,
	Description: "Show the log lines of all tasks of a service in time order, and follow them",
	Doc: "Every line has its time (UTC), the beginning of its task's id, and its container where there are several. Without --since and " +
		"--tail these are the last 200 lines; a --filter looks through the last hour. With --follow it goes on until Ctrl-C: tasks that a " +
		"rollout starts join, those that it stops are read to their end. Throttling delays lines and loses none. Containers whose log " +
		"driver is not awslogs are named and not shown. Known forms of secrets, such as a password in an address, are taken out of the " +
		"lines.",
	Examples: []action.Example{
		{Title: "What does it say?", Args: "--environment prod --follow"},
		{Title: "The last fifty lines", Args: "--environment prod --tail 50"},
		{Title: "What the tasks said that were stopped within the last hour", Args: "--environment prod --previous"},
		{Title: "Errors of one task", Args: "--environment prod --task 8f3a91c2 --since 30m --filter ERROR"},
	},
}, Run)

// Inputs are what logs can be told.
type Inputs struct {
	operate.Inputs
	Follow    bool          `input:"follow" short:"f" default:"false" doc:"Keep showing new lines until Ctrl-C."`
	Since     time.Duration `input:"since" min:"1s" max:"8760h" doc:"How far back to start."`
	Tail      int           `input:"tail" short:"n" min:"1" max:"10000" doc:"Start with this many of the last lines."`
	Task      string        `input:"task" doc:"Only one task: its id, or the beginning of it, as connect2 status shows it."`
	Container string        `input:"container" doc:"Only one container of the tasks."`
	Filter    string        `input:"filter" doc:"A filter pattern of CloudWatch Logs: only the lines that match, such as ERROR."`
	Previous  bool          `input:"previous" default:"false" doc:"The stopped tasks instead of the running ones. ECS keeps them for about an hour."`
}

// Validate refuses what contradicts itself.
func (in Inputs) Validate() []error {
	problems := in.Inputs.Validate()
	if in.Previous && in.Follow {
		problems = append(problems, fmt.Errorf("--follow with --previous: tasks that were stopped say nothing new"))
	}
	return problems
}

// Outputs are what was shown.
type Outputs struct {
	action.Outputs
	Shown int             `output:"shown" doc:"How many lines were shown."`
	Lines json.RawMessage `output:"lines" doc:"The lines: at, task, container, text. With --follow they are not kept, and this is null."`
}

// What is shown without --since and --tail.
const (
	standardSince = time.Hour // of a search
	standardTail  = 200
)

// Run shows the lines.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	r := newReader(env, ecs.NewFromConfig(conn.Config), cloudwatchlogs.NewFromConfig(conn.Config), in)
	if err := r.begin(ctx); err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "The logs could not be read", err)
	}
	if err := r.first(ctx); err != nil {
		return r.outputs(), awsconn.Refuse(ctx, "The logs could not be read", err)
	}
	if in.Follow {
		err = r.follow(ctx)
	} else if r.shown == 0 {
		env.Events.Notef("%s", silence(in, len(r.tasks)))
	}
	return r.outputs(), err
}

// silence says why no line is shown, and what may show one.
func silence(in Inputs, tasks int) string {
	since := in.Since
	if since == 0 && in.Filter != "" {
		since = standardSince
	}
	text := operate.Count(tasks, "task") + ": no line"
	if in.Filter != "" {
		text += fmt.Sprintf(" has %q", in.Filter)
	}
	if since > 0 {
		text += " in the last " + clock.Took(since)
	}
	switch {
	case since > 0:
		return text + "; a longer --since looks further back"
	case in.Previous:
		return text + " was left by those that were stopped"
	}
	return text + " so far; --previous shows what those said that were stopped"
}

// askedOf says what is read of each stream at first.
func askedOf(in Inputs, now time.Time) asked {
	a := asked{tail: in.Tail, filter: in.Filter}
	switch {
	case in.Since > 0:
		a.since = now.Add(-in.Since)
	case in.Tail == 0:
		a.tail = standardTail
	}
	if in.Since == 0 && in.Filter != "" {
		a.since = now.Add(-standardSince) // a search through all that there is takes minutes
	}
	return a
}

// write shows lines.
func (r *reader) write(lines []Line) error {
	for _, l := range lines {
		mark := l.Task
		if r.marked {
			mark += " " + l.Container
		}
		text := diagnose.Printable(diagnose.Redact(l.Text))
		head := operate.Paint(r.env.Screen, operate.Dim, l.At.UTC().Format("15:04:05.000")+" "+mark)
		if _, err := io.WriteString(r.out, head+" | "+text+"\n"); err != nil {
			return fmt.Errorf("writing the lines to standard output: %w", err)
		}
	}
	r.shown += len(lines)
	if !r.in.Follow {
		for _, l := range lines {
			l.Text = diagnose.Redact(l.Text)
			r.kept = append(r.kept, l)
		}
	}
	return nil
}

func (r *reader) outputs() Outputs {
	out := Outputs{Shown: r.shown}
	if !r.in.Follow {
		if r.kept == nil {
			r.kept = []Line{}
		}
		out.Lines = operate.JSON(r.kept)
	}
	return out
}
