package narrate

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/report"
	"github.com/org/connect2/v2/pkg/rollout"
)

func cardText(cause record.Finding) string { return report.CardText(cause) }

// Summary returns the job summary of a rollout as Markdown: the facts, the cause of a failure, the timeline, and what the
// scheduler said. More facts of the caller's stand behind the common ones.
func Summary(title string, result rollout.Result, cause record.Finding, facts ...[2]report.Cell) string {
	all := append([][2]report.Cell{
		{"Outcome", report.Code(string(result.Outcome))},
		{"Service", report.Text(result.Target.Cluster + " / " + result.Target.Service)},
		{"Deployed", report.Code(arn.Revision(result.Target.TaskDefinition))},
		{"Serving now", report.Code(arn.Revision(result.Serving))},
		{"Took", report.Text(report.Clock(result.Took))},
	}, facts...)
	pieces := []string{report.Heading(mark(result.Outcome) + " " + title), report.Facts(all...)}
	if cause.Known() && result.Outcome.ExitCode() != 0 {
		pieces = append(pieces, report.Card(cause))
	}
	pieces = append(pieces, report.Timeline("Rollout of "+arn.Revision(result.Target.TaskDefinition), result.Started, spans(result)))
	if len(result.Events) > 0 {
		pieces = append(pieces, report.Details(fmt.Sprintf("%d service events", len(result.Events)), report.Fence("text", eventLines(result))))
	}
	return report.Join(0, pieces...)
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

// spans turns the result into bars and points: the deployment's states, and the tasks that failed. All times are by our
// clock, since that of ECS may differ.
func spans(result rollout.Result) []report.Span {
	var all []report.Span
	for _, step := range result.Steps {
		state := report.Done
		switch {
		case step.Failed:
			state = report.Failed
		case step.RollsBack:
			state = report.Active
		}
		all = append(all, report.Span{Lane: "Deployment", Name: step.Name, Start: step.From, End: step.To, State: state})
	}
	for _, task := range result.Failed {
		name := "task " + shortID(task.ID()) + " failed"
		all = append(all, report.Span{Lane: "Tasks", Name: name, Start: task.Seen, State: report.Failed})
	}
	for _, e := range result.Events {
		for _, moment := range moments {
			if strings.Contains(e.Text, moment.sign) {
				all = append(all, report.Span{Lane: "ECS", Name: moment.name, Start: e.Seen})
				break
			}
		}
	}
	return all
}

// moments are the scheduler's events that belong into a timeline.
var moments = []struct{ sign, name string }{
	{"has started ", "started"},
	{") registered ", "registered"},
	{"deployment completed", "completed"},
	{"rolling back to", "rolling back"},
}

func shortID(id string) string { return id[:min(len(id), 8)] }

func eventLines(result rollout.Result) string {
	var b strings.Builder
	for _, e := range result.Events {
		fmt.Fprintf(&b, "%s  %s\n", e.At.UTC().Format(time.TimeOnly), diagnose.Printable(e.Text))
	}
	return b.String()
}
