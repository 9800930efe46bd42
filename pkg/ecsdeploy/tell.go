package ecsdeploy

import (
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// plans say what is done, and why, by what there is to do.
var plans = map[step]struct{ what, why string }{
	nothing:  {"nothing to do", "%s is in force already"},
	follow:   {"following the deployment in progress", "%s is being deployed already"},
	deploy:   {"deploying %s", "it is registered already"},
	register: {"registering a revision of %s and deploying it", "no registered revision has this content"},
}

// tellPlan says what will be done, and in a dry run what would be.
func (d *Deployment) tellPlan(todo step) {
	events := d.env.Events
	name := d.family
	if d.existing != nil {
		name = d.existing.Name()
	}
	plan := plans[todo]
	what, why := strings.ReplaceAll(plan.what, "%s", name), strings.ReplaceAll(plan.why, "%s", name)
	events.Notef("service %s runs %s (%d of %d tasks)", d.in.Service, arn.Revision(d.before.TaskDefinition), d.before.Running,
		d.before.Desired)
	if d.image.Repository != "" {
		events.Notef("image of container %s: %s", d.container, d.image)
	}
	for _, other := range d.others {
		events.Notef("image of container %s: %s", other.container, other.image.Reference)
	}
	changes := d.changes()
	if todo == nothing || todo == follow {
		changes = nil
	}
	if !d.in.DryRun {
		for _, change := range changes {
			events.Notef("  %s", change)
		}
	}
	if differ := d.in.Settings.differing(d.service); len(differ) > 0 {
		events.Notef("settings of the service: %s", settingsText(differ))
		events.Fact("Settings", record.Text{Text: settingsText(differ)})
		if todo == deploy && d.serves(d.existing.ARN) {
			why = "its tasks are to get other settings"
		}
	}
	events.Decided(what, why)
	if d.in.DryRun {
		events.Noticef("Dry run", "%s. Nothing was changed.", what)
		events.Section(record.Section{Name: "dry-run", Blocks: []record.Block{{Paragraph: []record.Text{
			{Text: "Dry run: ", Form: record.Strong}, {Text: what + ": " + why + ". Nothing was changed."}}}}})
	}
	d.tellFacts()
	d.tellChanges(changes)
}

// tellChanges reports what differs in the task definition.
func (d *Deployment) tellChanges(changes []taskdef.Change) {
	if len(changes) == 0 {
		return
	}
	table := record.Table{Head: []string{"Field", "Now", "Then"}}
	for _, change := range changes {
		table.Rows = append(table.Rows, []record.Text{
			{Text: change.Path, Form: record.Code}, {Text: change.Before, Form: record.Code}, {Text: change.After, Form: record.Code}})
	}
	d.env.Events.Section(record.Section{Name: "task-definition", Title: "Changes of the task definition", Folded: !d.in.DryRun,
		Blocks: []record.Block{{Table: &table}}})
}

// changes returns what differs from the revision that runs.
func (d *Deployment) changes() []taskdef.Change {
	if d.running == nil {
		return nil
	}
	return taskdef.Diff(d.running.Document.WithFamily(d.family), d.rendered)
}

// tellUnverified warns that a service without tasks proves nothing.
func (d *Deployment) tellUnverified() {
	if d.wants() == 0 {
		d.env.Events.Warnf("Not verified", "service %s wants 0 tasks, so nothing was started: whether this version runs is not verified",
			d.in.Service)
	}
}

// tellFacts reports what this deployment starts from.
func (d *Deployment) tellFacts() {
	events := d.env.Events
	events.Fact("Previous", record.Text{Text: arn.Revision(d.before.TaskDefinition), Form: record.Code})
	events.Fact("Rendered from", record.Text{Text: d.baseName, Form: record.Code})
	if d.image.Repository != "" {
		events.Fact("Image", record.Text{Text: d.image.String(), Form: record.Code})
	}
	for _, other := range d.others {
		events.Fact("Image of "+other.container, record.Text{Text: other.image.Reference.String(), Form: record.Code})
	}
	if sha := d.env.GitHub.SHA; sha != "" {
		events.Fact("Commit", record.Text{Text: sha[:min(len(sha), 12)], Link: d.env.GitHub.CommitURL()})
	}
	if d.wants() == 0 {
		events.Fact("Verified", record.Text{Text: "no: the service wants 0 tasks"})
	}
}

var _ action.Validator = Inputs{}
