package ecsdeploy

import (
	"fmt"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/render"
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
	rows := make([][]render.Cell, 0, len(changes))
	for _, change := range changes {
		rows = append(rows, []render.Cell{render.Code(change.Path), render.Code(change.Before), render.Code(change.After)})
	}
	log.Summary(render.Join(0, render.Heading("Dry run of a deployment to "+d.in.Service), render.Text(text)+"\n",
		render.Table([]render.Cell{"Field", "Now", "Then"}, rows...)))
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
func (d *Deployment) facts() [][2]render.Cell {
	facts := [][2]render.Cell{
		{"Previous", render.Code(arn.Revision(d.before.TaskDefinition))},
		{"Rendered from", render.Code(d.baseName)},
	}
	if d.image.Repository != "" {
		facts = append(facts, [2]render.Cell{"Image", render.Code(d.image.String())})
	}
	if sha := d.env.GitHub.SHA; sha != "" {
		facts = append(facts, [2]render.Cell{"Commit", render.Link(sha[:min(len(sha), 12)], d.env.GitHub.CommitURL())})
	}
	if d.before.Desired == 0 && d.first == 0 {
		facts = append(facts, [2]render.Cell{"Verified", render.Text("no: the service wants 0 tasks")})
	}
	return facts
}

var _ action.Validator = Inputs{}
