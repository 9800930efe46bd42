package ecsdeploy

import (
	"fmt"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/report"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// tellPlan says what will be done, and in a dry run what would be.
func (d *Deployment) tellPlan(todo step) {
	log := d.env.Log
	would := map[step]string{
		nothing:  "nothing to do: %s is in force already",
		follow:   "%s is being deployed already",
		deploy:   "deploying %s, which is registered already",
		register: "registering a revision of %s and deploying it",
	}[todo]
	name := d.family
	if d.existing != nil {
		name = d.existing.Name()
	}
	log.Eventf("service %s runs %s (%d of %d tasks)", d.in.Service, arn.Revision(d.before.TaskDefinition), d.before.Running, d.before.Desired)
	if d.image.Repository != "" {
		log.Eventf("image of container %s: %s", d.container, d.image)
	}
	changes := d.changes()
	if todo != nothing && todo != follow {
		for _, change := range changes {
			log.Eventf("  %s", change)
		}
	}
	if !d.in.DryRun {
		log.Eventf(would, name)
		return
	}
	text := fmt.Sprintf(would+". Nothing was changed.", name)
	log.Noticef("Dry run", "%s", text)
	rows := make([][]report.Cell, 0, len(changes))
	for _, change := range changes {
		rows = append(rows, []report.Cell{report.Code(change.Path), report.Code(change.Before), report.Code(change.After)})
	}
	log.Summary(report.Join(0, report.Heading("Dry run of a deployment to "+d.in.Service), report.Text(text)+"\n",
		report.Table([]report.Cell{"Field", "Now", "Then"}, rows...)))
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
	if d.before.Desired == 0 && d.first == 0 {
		d.env.Log.Warnf("Not verified", "service %s wants 0 tasks, so nothing was started: whether this version runs is not verified", d.in.Service)
	}
}

// facts are the summary's lines about this deployment.
func (d *Deployment) facts() [][2]report.Cell {
	facts := [][2]report.Cell{
		{"Previous", report.Code(arn.Revision(d.before.TaskDefinition))},
		{"Rendered from", report.Code(d.baseName)},
	}
	if d.image.Repository != "" {
		facts = append(facts, [2]report.Cell{"Image", report.Code(d.image.String())})
	}
	if sha := d.env.GitHub.SHA; sha != "" {
		facts = append(facts, [2]report.Cell{"Commit", report.Link(sha[:min(len(sha), 12)], d.env.GitHub.CommitURL())})
	}
	if d.before.Desired == 0 && d.first == 0 {
		facts = append(facts, [2]report.Cell{"Verified", report.Text("no: the service wants 0 tasks")})
	}
	return facts
}

var _ action.Validator = Inputs{}
