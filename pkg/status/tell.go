package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// shownDeployments is how many of the history are told.
const shownDeployments = 10

// shownEvents is how many of the scheduler's lines are told where something is not as it should be.
const shownEvents = 5

// tell leaves what was found in the record of the run: the job summary and the report are made of it.
func (v *view) tell(events record.Sink) {
	facts := v.facts()
	for _, fact := range facts {
		events.Fact(fact.Name, fact.Value)
	}
	headline := []record.Text{{Text: v.headline(), Form: record.Strong}}
	events.Section(record.Section{Name: "headline", Blocks: []record.Block{{Paragraph: headline}}})
	list := func(name, title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		events.Section(record.Section{Name: name, Title: upper(title), Folded: true,
			Blocks: []record.Block{{Verbatim: strings.Join(lines, "\n"), Language: "text"}}})
	}
	list("deployments", "deployments, newest first", v.history())
	list("schedules", "schedules that run it", v.scheduleLines())
	list("alarms", "alarms", v.alarmLines())
	if len(v.versions) > 0 {
		table := history.Table(v.versions, v.back.Back)
		events.Section(record.Section{Name: "versions", Title: "What a rollback could go to", Folded: true,
			Blocks: []record.Block{{Table: &table}}})
	}
	list("events", "what ECS said last", v.events())
	if text := v.failures(); text != "" {
		events.Section(record.Section{Name: "failed", Blocks: []record.Block{{Paragraph: []record.Text{{Text: text}}}}})
	}
	if v.cause.Known() {
		events.Found(v.cause)
		events.Section(causeSection(v.cause))
	}
}

// causeSection reports why tasks fail. A look has no verdict that would say it.
func causeSection(cause record.Finding) record.Section {
	s := record.Section{Name: "cause", Title: upper(cause.Title)}
	if len(cause.Evidence) > 0 {
		s.Blocks = append(s.Blocks, record.Block{Verbatim: strings.Join(cause.Evidence, "\n"), Language: "text"})
	}
	var fix [][]record.Text
	for _, step := range cause.Fix {
		fix = append(fix, []record.Text{{Text: step}})
	}
	if len(fix) > 0 {
		s.Blocks = append(s.Blocks, record.Block{List: fix})
	}
	return s
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// headline is the whole of it in one line.
func (v *view) headline() string {
	s := v.service
	name := arn.Last(v.in.Service)
	revision := arn.Revision(s.TaskDefinition)
	tasks := s.Tasks()
	switch v.state {
	case Deploying:
		return fmt.Sprintf("%s is being deployed to %s: %s", revision, name, tasks)
	case RollingBack:
		return fmt.Sprintf("%s is being rolled back to %s: %s", name, arn.Revision(s.Worked()), tasks)
	case Empty:
		return fmt.Sprintf("%s is at %s, and is to have no tasks", name, revision)
	case Degraded:
		if n := len(v.unhealthy()); n > 0 {
			tasks += fmt.Sprintf(", %d unhealthy", n)
		}
		return fmt.Sprintf("%s is degraded at %s: %s", name, revision, tasks)
	}
	return fmt.Sprintf("%s is steady at %s: %s", name, revision, tasks)
}

// facts are the lines below the headline, those alone that there is something to say in.
func (v *view) facts() []record.Fact {
	var facts []record.Fact
	link := func(name, text, address string) {
		if text != "" {
			facts = append(facts, record.Fact{Name: name, Value: record.Text{Text: text, Link: address}})
		}
	}
	add := func(name, text string) { link(name, text, "") }
	if v.revision != nil {
		add("image", v.image())
		is := v.version()
		add("image tag", is.Tag)
		add("commit", is.Commit)
		add("released by", strings.TrimSpace(is.By+" "+is.Run))
	}
	if primary := v.service.Primary(); primary != nil {
		add("since", primary.Created.UTC().Format("2006-01-02 15:04 MST")+", "+v.ago(primary.Created)+" ago")
		if v.state == Deploying || v.state == RollingBack {
			add("ECS says", primary.Reason)
		}
	}
	if d := v.running; d != nil {
		link("under way", d.Name()+" "+words(d)+", "+d.ARN, console.Deployment(d.ARN))
	}
	if v.scaling != nil {
		add("scales", fmt.Sprintf("by itself, from %d to %d tasks", v.scaling.Min, v.scaling.Max))
	}
	add("alarms", v.alarmWords())
	if held := v.hold.String(); held != "" {
		if why := v.hold.Why; v.hold.All && why != "" {
			add("on hold", held+": "+why)
		} else {
			add("on hold", held+", "+v.holdReason())
		}
	}
	if address := console.Service(v.arn); address != "" {
		link("in the console", address, address)
	}
	add("a rollback", v.rollback())
	return append(facts, v.evidenceLinks()...)
}

// holdReason says why, or since when, something is on hold; "" where nothing is.
func (v *view) holdReason() string {
	switch {
	case v.hold.String() == "":
		return ""
	case v.hold.All && v.hold.Why != "":
		return v.hold.Why
	}
	return "since the rollback" + v.hold.Since().String()
}

// since is when the deployment that runs was made; empty where there is none.
func (v *view) since() string {
	if primary := v.service.Primary(); primary != nil {
		return primary.Created.UTC().Format(time.RFC3339)
	}
	return ""
}

// rollback says what a rollback to the previous version would do.
func (v *view) rollback() string {
	back := arn.Revision(v.back.Back)
	switch v.back.Do {
	case history.Stop:
		return "would stop that deployment, and ECS would go back to " + back
	case history.Await, history.Join:
		return "would follow the one that is under way, to " + back
	case history.Finish:
		return "would find nothing to do: " + v.back.Why
	case history.Update:
		return "would go to " + back + ": " + v.back.Why
	}
	if len(v.deployments) == 0 {
		return ""
	}
	return "would ask where to go: " + v.back.Why
}

// evidenceLinks are the addresses in the console of what is to be looked at: the newest task that failed, or an unhealthy one, its log
// streams, and the target groups.
func (v *view) evidenceLinks() []record.Fact {
	var facts []record.Fact
	add := func(name, address string) {
		if address != "" {
			facts = append(facts, record.Fact{Name: name, Value: record.Text{Text: address, Link: address}})
		}
	}
	tasks := append(slices.Clone(v.failed), v.unhealthy()...)
	if len(tasks) > 0 {
		add("task", console.Task(tasks[0].ARN))
		for _, c := range tasks[0].Containers {
			add("log of "+c.Name, console.LogStream(tasks[0].ARN, c.LogGroup, c.Stream))
		}
	}
	if v.state == Degraded || v.state == RollingBack || len(tasks) > 0 {
		for _, group := range v.service.TargetGroups[:min(len(v.service.TargetGroups), 1)] {
			add("targets", console.TargetGroup(group))
		}
	}
	return facts
}

// history are the newest deployments, one line each.
func (v *view) history() []string {
	var lines []string
	for _, d := range v.deployments[:min(len(v.deployments), shownDeployments)] {
		line := fmt.Sprintf("%s  %-24s %s", d.Created.UTC().Format("01-02 15:04"), d.Name(), words(&d))
		if !d.Succeeded() && d.Reason != "" {
			line += ": " + diagnose.Printable(diagnose.Redact(d.Reason))
		}
		lines = append(lines, line)
	}
	return lines
}

// words is a deployment's status in words.
func words(d *history.Deployment) string {
	return strings.ToLower(strings.ReplaceAll(string(d.Status), "_", " "))
}

// events are the scheduler's newest lines of the last hour, where there is something to explain.
func (v *view) events() []string {
	if v.state == Steady && len(v.failed) == 0 {
		return nil
	}
	var lines []string
	for _, e := range v.evidence.Events[:min(len(v.evidence.Events), shownEvents)] {
		lines = append(lines, e.At.UTC().Format(time.TimeOnly)+"  "+diagnose.Printable(diagnose.Redact(e.Text)))
	}
	return lines
}

// unhealthy are the tasks that run and fail a health check.
func (v *view) unhealthy() []diagnose.Task {
	return operate.UnhealthyTasks(v.evidence.Tasks, v.evidence.Targets)
}

func (v *view) ago(at time.Time) string { return render.Took(max(v.at.Sub(at), 0)) }
