package status

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/render"
)

// report is what a person sees: what runs first, and what is wrong last, where it stands above the prompt.
func (v *view) report(screen action.Screen) string {
	var b strings.Builder
	style := operate.Good
	if v.state == Degraded || v.state == RollingBack {
		style = operate.Bad
	}
	b.WriteString(operate.Paint(screen, style, v.headline()) + "\n")
	width := screen.Columns()
	for _, fact := range v.facts() {
		text := diagnose.Printable(fact.Value.Text)
		if fact.Value.Link == "" {
			text = strings.Join(render.Wrap(text, max(width-19, 0)), "\n"+strings.Repeat(" ", 19))
		}
		fmt.Fprintf(&b, "  %-16s %s\n", fact.Name, text)
	}
	if len(v.tasks) > 0 {
		b.WriteString("\ntasks\n" + render.Columns(width, []string{"ID", "REVISION", "ZONE", "STATUS", "HEALTH", "AGE"}, v.taskRows()))
	}
	if rows := v.deploymentRows(); len(rows) > 0 {
		b.WriteString("\ndeployments, newest first\n" + render.Columns(width, []string{"WHEN", "REVISION", "OUTCOME", "TOOK", "WHY"}, rows))
	}
	if rows := v.scheduleRows(); len(rows) > 0 {
		b.WriteString("\nschedules\n" + render.Columns(width, []string{"NAME", "REVISION", "NEXT RUN", ""}, rows))
	}
	if rows := v.alarmRows(); len(rows) > 0 {
		b.WriteString("\n" + operate.Paint(screen, operate.Bad, "alarms") + "\n")
		b.WriteString(render.Columns(width, []string{"NAME", "STATE", "FOR", "WHY"}, rows))
	}
	if lines := v.events(); len(lines) > 0 {
		b.WriteString("\nwhat ECS said last\n")
		for _, line := range lines {
			b.WriteString("  " + strings.Join(render.Wrap(line, max(width-12, 0)), "\n"+strings.Repeat(" ", 12)) + "\n")
		}
	}
	if text := v.failures(); text != "" {
		b.WriteString("\n" + operate.Paint(screen, operate.Bad, text) + "\n")
	}
	if v.cause.Known() {
		b.WriteString(operate.Paint(screen, operate.Bad, diagnose.Printable(upper(v.cause.Title))) + "\n")
		for _, line := range v.cause.Evidence {
			b.WriteString("  | " + diagnose.Printable(line) + "\n")
		}
		for _, step := range v.cause.Fix {
			b.WriteString("  - " + strings.Join(render.Wrap(diagnose.Printable(step), max(width-4, 0)), "\n    ") + "\n")
		}
	}
	return b.String()
}

func (v *view) taskRows() [][]string {
	ids := operate.ShortIDs(v.tasks)
	var rows [][]string
	for _, t := range v.tasks {
		rows = append(rows, []string{ids[t.ARN], arn.Revision(t.TaskDefinition), orDash(t.Zone), strings.ToLower(t.LastStatus), v.health(t),
			render.Age(v.at.Sub(t.CreatedAt), !t.CreatedAt.IsZero())})
	}
	return rows
}

// health is what the load balancer says of a task, where it says something, and otherwise what its containers say.
func (v *view) health(t ecsview.Task) string {
	for _, target := range v.evidence.Targets {
		if t.IP != "" && target.ID == t.IP {
			return target.State
		}
	}
	if t.Health == "" || t.Health == "UNKNOWN" {
		return "-"
	}
	return strings.ToLower(t.Health)
}

func (v *view) deploymentRows() [][]string {
	var rows [][]string
	for _, d := range v.shown() {
		why := ""
		if !d.Succeeded() {
			why = diagnose.Printable(diagnose.Redact(d.Reason))
		}
		rows = append(rows, []string{render.Day(d.Created), d.Name(), words(&d), took(d), why})
	}
	return rows
}

// shown are the newest deployments.
func (v *view) shown() []history.Deployment {
	return v.deployments[:min(len(v.deployments), shownDeployments)]
}

// took is how long a deployment has taken; one that is under way has no end yet.
func took(d history.Deployment) string {
	if d.Finished.IsZero() || d.Finished.Before(d.Created) {
		return "-"
	}
	return render.Took(d.Finished.Sub(d.Created))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// failures says how many tasks failed, and when the last one did. A task that is still stopping has no time of its end.
func (v *view) failures() string {
	if len(v.failed) == 0 {
		return ""
	}
	text := operate.Count(len(v.failed), "task") + " of the current deployment failed within the last hour"
	newest := v.failed[0]
	for _, at := range []time.Time{newest.StoppedAt, newest.EndedAt, newest.StoppingAt} {
		if !at.IsZero() {
			return text + ", the newest " + v.ago(at) + " ago"
		}
	}
	return text + ", the newest just now"
}

func (v *view) taskList() json.RawMessage {
	list := []map[string]any{}
	ids := operate.ShortIDs(v.tasks)
	for _, t := range v.tasks {
		list = append(list, map[string]any{"id": ids[t.ARN], "arn": t.ARN, "revision": arn.Revision(t.TaskDefinition), "zone": t.Zone,
			"status": t.LastStatus, "health": v.health(t), "age": int(v.at.Sub(t.CreatedAt).Seconds())})
	}
	return operate.JSON(list)
}

func (v *view) deploymentList() json.RawMessage {
	list := []map[string]any{}
	for _, d := range v.shown() {
		one := map[string]any{"arn": d.ARN, "when": d.Created.UTC(), "revision": d.Name(), "outcome": words(&d), "why": diagnose.Redact(d.Reason)}
		if !d.Finished.IsZero() {
			one["duration"] = int(d.Finished.Sub(d.Created).Seconds())
		}
		list = append(list, one)
	}
	return operate.JSON(list)
}

// alarmList are all alarms with their states; null where they could not be read.
func (v *view) alarmList() json.RawMessage {
	if !v.alarmsRead {
		return nil
	}
	list := []operate.Alarm{}
	for _, a := range v.alarms {
		a.Reason = diagnose.Redact(a.Reason)
		list = append(list, a)
	}
	return operate.JSON(list)
}

// eventList are the scheduler's lines that a person is shown.
func (v *view) eventList() json.RawMessage {
	lines := v.events()
	if lines == nil {
		lines = []string{}
	}
	return operate.JSON(lines)
}

// failureOf is what is said of the tasks that failed; null where none did.
func (v *view) failureOf() json.RawMessage {
	if len(v.failed) == 0 && !v.cause.Known() {
		return nil
	}
	return operate.JSON(map[string]any{"tasks": v.failures(), "cause": v.cause.Code, "title": v.cause.Title,
		"evidence": append([]string{}, v.cause.Evidence...), "fix": append([]string{}, v.cause.Fix...)})
}
