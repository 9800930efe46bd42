package verdict

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Summary returns the job summary of a rollout as Markdown: the facts, the cause of a failure, the timeline, and what the
// scheduler said. More facts of the caller's stand behind the common ones.
func Summary(title string, result rollout.Result, outcome action.Outcome, facts ...[2]render.Cell) string {
	all := append([][2]render.Cell{
		{"Outcome", render.Code(string(outcome))},
		{"Service", render.Text(result.Target.Cluster + " / " + result.Target.Service)},
		{"Deployed", render.Code(arn.Revision(result.Target.TaskDefinition))},
		{"Serving now", render.Code(arn.Revision(result.Serving))},
		{"Took", render.Text(render.Took(result.Took))},
	}, facts...)
	pieces := []string{render.Heading(mark(outcome) + " " + title), render.Facts(all...)}
	if result.Cause != nil && outcome.ExitCode() != 0 {
		pieces = append(pieces, render.Card(*result.Cause))
	}
	pieces = append(pieces, render.Timeline("Rollout of "+arn.Revision(result.Target.TaskDefinition), result.Started, spans(result)))
	if len(result.Events) > 0 {
		pieces = append(pieces, render.Details(fmt.Sprintf("%d service events", len(result.Events)), render.Fence("text", eventLines(result))))
	}
	return render.Join(0, pieces...)
}

func mark(o action.Outcome) string {
	switch {
	case o.ExitCode() == 0:
		return "✅"
	case o == action.Superseded:
		return "⏭️"
	default:
		return "❌"
	}
}

// spans turns the result into bars and points: the deployment's phases, and the tasks that failed. All times are by our
// clock, since that of ECS may differ.
func spans(result rollout.Result) []render.Span {
	var all []render.Span
	for _, step := range result.Steps {
		state := map[record.State]render.State{record.Failed: render.Failed, record.Undone: render.Active}[step.State]
		if state == "" {
			state = render.Done
		}
		all = append(all, render.Span{Lane: step.Lane, Name: step.Name, Start: step.Begun, End: step.Ended, State: state})
	}
	for _, task := range result.Failed {
		name := "task " + shortID(task.ID()) + " failed"
		all = append(all, render.Span{Lane: "Tasks", Name: name, Start: task.Seen, State: render.Failed})
	}
	for _, e := range result.Events {
		if name := rollout.Moment(e.Text); name != "" {
			all = append(all, render.Span{Lane: "ECS", Name: name, Start: e.Seen})
		}
	}
	return all
}

func shortID(id string) string { return id[:min(len(id), 8)] }

func eventLines(result rollout.Result) string {
	var b strings.Builder
	for _, e := range result.Events {
		fmt.Fprintf(&b, "%s  %s\n", e.At.UTC().Format(time.TimeOnly), diagnose.Printable(e.Text))
	}
	return b.String()
}
