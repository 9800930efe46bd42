package ecsrollback

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// tellPlan says what will be done and why, and in a dry run what would be.
func (r *Rollback) tellPlan() {
	events, d := r.env.Events, r.decided
	what := d.what()
	events.Notef("service %s runs %s (%s)", r.in.Service, arn.Revision(r.read.Service.TaskDefinition), r.read.Service.Tasks())
	events.Decided("to do: "+what, d.Why)
	for _, version := range d.versions {
		if version.Why != "" && d.Do == history.Update && version.Deployment.TaskDefinition != d.Back {
			events.Notef("  passed over %s: %s", version.Deployment.Name(), version.Why)
		}
	}
	if why := hold.Possible(r.serviceARN()); why != "" && r.in.Hold != holdNone {
		events.Warnf("No hold is possible", "nothing keeps a later release from bringing back what is left: service %s cannot be tagged, "+
			"since %s. Keep people from releasing it until the fix is out; a newly created service has the new format",
			r.in.Service, why)
	}
	if r.in.DryRun {
		events.Noticef("Dry run", "would do: %s. %s %s would serve then. Nothing was changed.", what, d.Why, arn.Revision(d.serves()))
		events.Fact("Would do", record.Text{Text: what})
		events.Fact("Would serve then", record.Text{Text: arn.Revision(d.serves()), Form: record.Code})
	}
	events.Fact("From", record.Text{Text: arn.Revision(d.Left), Form: record.Code})
	events.Fact("Why this one", record.Text{Text: d.Why})
	events.Fact("Reason", record.Text{Text: r.in.Reason})
	if link := console.Service(r.serviceARN()); link != "" {
		events.Fact("In the console", record.Text{Text: arn.Last(r.in.Service), Link: link})
	}
	r.tellVersions(d)
}

// what says in a few words what is done.
func (d decision) what() string {
	switch {
	case d.stay, d.Do == history.Finish:
		return "nothing"
	case d.Do == history.Stop:
		return fmt.Sprintf("stop the deployment of %s with a rollback to %s", arn.Revision(d.Left), arn.Revision(d.Back))
	case d.Do == history.Await:
		return "follow the rollback in progress to " + arn.Revision(d.Back)
	case d.Do == history.Join:
		return "follow the deployment of " + arn.Revision(d.Back) + " in progress"
	}
	return "update the service to " + d.target.name()
}

// serves returns the ARN of the task definition that serves once this is done.
func (d decision) serves() string {
	if d.target != nil {
		return d.target.revision.ARN
	}
	return d.Back
}

// tellServing reports what serves where nothing was followed.
func (r *Rollback) tellServing(taskDefinition string) {
	r.env.Events.Fact("Serving now", record.Text{Text: arn.Revision(taskDefinition), Form: record.Code})
}

// tellVersions reports what there is to go back to, in the report and in the log: whoever rolls back from a terminal has no report.
func (r *Rollback) tellVersions(d decision) {
	const title = "What there is to go back to"
	versions := d.versions[:min(len(d.versions), shown)]
	if len(versions) == 0 {
		return
	}
	table := history.Table(versions, d.Back)
	r.env.Events.Section(record.Section{Name: "versions", Title: title, Blocks: []record.Block{{Table: &table}}})
	r.env.Events.Notef("%s:", title)
	for line := range strings.Lines(inColumns(table)) {
		r.env.Events.Notef("%s", strings.TrimRight(line, "\n"))
	}
}

// inColumns writes a table as text, without the columns in which nothing stands.
func inColumns(table record.Table) string {
	var head []string
	rows := make([][]string, len(table.Rows))
	for i, name := range table.Head {
		if !slices.ContainsFunc(table.Rows, func(row []record.Text) bool { return row[i].Text != "" }) {
			continue
		}
		head = append(head, strings.ToUpper(name))
		for j, row := range table.Rows {
			rows[j] = append(rows[j], row[i].Text)
		}
	}
	return render.Columns(0, head, rows)
}
