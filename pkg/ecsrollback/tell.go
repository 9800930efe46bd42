package ecsrollback

import (
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// tellPlan says what will be done and why, and in a dry run what would be.
func (r *Rollback) tellPlan() {
	events := r.env.Events
	what := map[plan]string{
		stopRunning: "stop the deployment in progress with a rollback",
		awaitOther:  "follow the rollback in progress",
		stay:        "nothing",
		update:      "update the service to " + r.targetName(),
	}[r.plan]
	events.Notef("service %s runs %s (%d of %d tasks)", r.in.Service, arn.Revision(r.before.TaskDefinition), r.before.Running, r.before.Desired)
	events.Decided("to do: "+what, r.why)
	for _, rejected := range r.rejected {
		events.Notef("  passed over %s: %s", rejected.Deployment.Name(), rejected.Why)
	}
	if r.in.DryRun {
		events.Noticef("Dry run", "would do: %s. %s Nothing was changed.", what, r.why)
		events.Fact("Would do", record.Text{Text: what})
	}
	r.tellFacts()
}

func (r *Rollback) targetName() string {
	if r.revision == nil {
		return ""
	}
	if r.needsCopy() {
		return "a copy of " + r.revision.Name()
	}
	return r.revision.Name()
}

// tellFacts reports what this rollback starts from, with the deployments that were looked at.
func (r *Rollback) tellFacts() {
	events := r.env.Events
	events.Fact("From", record.Text{Text: arn.Revision(r.before.TaskDefinition), Form: record.Code})
	events.Fact("Why this one", record.Text{Text: r.why})
	events.Fact("Reason", record.Text{Text: r.in.Reason})
	if len(r.deployments) == 0 {
		return
	}
	table := record.Table{Head: []string{"When", "Revision", "Deployment"}}
	for _, d := range r.deployments[:min(len(r.deployments), 10)] {
		table.Rows = append(table.Rows, []record.Text{
			{Text: render.Day(d.Created)}, {Text: d.Name(), Form: record.Code}, {Text: strings.ToLower(string(d.Status)) + r.remark(d)}})
	}
	events.Section(record.Section{Name: "deployments", Title: "Deployments", Blocks: []record.Block{{Table: &table}}})
}

// remark says what a deployment in the list has to do with this rollback.
func (r *Rollback) remark(d history.Deployment) string {
	for _, rejected := range r.rejected {
		if rejected.Deployment.ARN == d.ARN {
			return ": " + rejected.Why
		}
	}
	switch {
	case r.revision != nil && d.TaskDefinition == r.revision.ARN && d.Succeeded():
		return " (the target)"
	case d.TaskDefinition == r.before.TaskDefinition && d.Succeeded():
		return " (runs now)"
	}
	return ""
}
