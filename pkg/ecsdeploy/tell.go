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
func (p *plan) tellPlan(todo step) {
	events := p.env.Events
	name := p.family
	if p.existing != nil {
		name = p.existing.Name()
	}
	does := plans[todo]
	what, why := strings.ReplaceAll(does.what, "%s", name), strings.ReplaceAll(does.why, "%s", name)
	events.Notef("service %s runs %s (%s)", p.in.Service, arn.Revision(p.before.TaskDefinition), p.before.Tasks())
	if p.image.Repository != "" {
		events.Notef("image of container %s: %s", p.container, p.image)
	}
	for _, other := range p.others {
		events.Notef("image of container %s: %s", other.container, other.image.Reference)
	}
	changes := p.changes()
	if todo == nothing || todo == follow {
		changes = nil
	}
	if !p.in.DryRun {
		for _, change := range changes {
			events.Notef("  %s", change)
		}
	}
	if differ := p.in.Settings.differing(p.service); len(differ) > 0 {
		events.Notef("settings of the service: %s", settingsText(differ))
		events.Fact("Settings", record.Text{Text: settingsText(differ)})
		if todo == deploy && p.serves(p.existing.ARN) {
			why = "its tasks are to get other settings"
		}
	}
	events.Decided(what, why)
	if p.in.DryRun {
		events.Noticef("Dry run", "%s. Nothing was changed.", what)
		events.Section(record.Section{Name: "dry-run", Blocks: []record.Block{{Paragraph: []record.Text{
			{Text: "Dry run: ", Form: record.Strong}, {Text: what + ": " + why + ". Nothing was changed."}}}}})
	}
	p.tellFacts()
	p.tellChanges(changes)
}

// tellChanges reports what differs in the task definition.
func (p *plan) tellChanges(changes []taskdef.Change) {
	if len(changes) == 0 {
		return
	}
	table := record.Table{Head: []string{"Field", "Now", "Then"}}
	for _, change := range changes {
		table.Rows = append(table.Rows, []record.Text{
			{Text: change.Path, Form: record.Code}, {Text: change.Before, Form: record.Code}, {Text: change.After, Form: record.Code}})
	}
	p.env.Events.Section(record.Section{Name: "task-definition", Title: "Changes of the task definition", Folded: !p.in.DryRun,
		Blocks: []record.Block{{Table: &table}}})
}

// changes returns what differs from the revision that runs.
func (p *plan) changes() []taskdef.Change {
	if p.running == nil {
		return nil
	}
	return taskdef.Diff(p.running.Document.WithFamily(p.family), p.rendered)
}

// tellUnverified warns that a service without tasks proves nothing.
func (c *current) tellUnverified() {
	if c.wants() == 0 {
		c.env.Events.Warnf("Not verified", "service %s wants 0 tasks, so nothing was started: whether this version runs is not verified",
			c.in.Service)
	}
}

// tellFacts reports what this deployment starts from.
func (p *plan) tellFacts() {
	events := p.env.Events
	events.Fact("Previous", record.Text{Text: arn.Revision(p.before.TaskDefinition), Form: record.Code})
	events.Fact("Rendered from", record.Text{Text: p.base.name, Form: record.Code})
	if p.image.Repository != "" {
		events.Fact("Image", record.Text{Text: p.image.String(), Form: record.Code})
	}
	for _, other := range p.others {
		events.Fact("Image of "+other.container, record.Text{Text: other.image.Reference.String(), Form: record.Code})
	}
	if sha := p.env.GitHub.SHA; sha != "" {
		events.Fact("Commit", record.Text{Text: sha[:min(len(sha), 12)], Link: p.env.GitHub.CommitURL()})
	}
	if p.wants() == 0 {
		events.Fact("Verified", record.Text{Text: "no: the service wants 0 tasks"})
	}
}

var _ action.Validator = Inputs{}
