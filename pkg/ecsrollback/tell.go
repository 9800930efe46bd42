package ecsrollback

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/render"
)

// tellPlan says what will be done and why, and in a dry run what would be.
func (r *Rollback) tellPlan() {
	log := r.env.Log
	what := map[plan]string{
		stopRunning: "stop the deployment in progress with a rollback",
		awaitOther:  "follow the rollback in progress",
		stay:        "nothing",
		update:      "update the service to " + r.targetName(),
	}[r.plan]
	log.Eventf("service %s runs %s (%d of %d tasks)", r.in.Service, arn.Revision(r.before.TaskDefinition), r.before.Running, r.before.Desired)
	log.Eventf("to do: %s. %s", what, r.why)
	for _, rejected := range r.rejected {
		log.Eventf("  passed over %s: %s", rejected.Deployment.Name(), rejected.Why)
	}
	if !r.in.DryRun {
		return
	}
	log.Noticef("Dry run", "would do: %s. %s Nothing was changed.", what, r.why)
	log.Summary(render.Join(0,
		render.Heading("Dry run of a rollback of "+r.in.Service),
		render.Facts(append([][2]render.Cell{{"Would do", render.Text(what)}}, r.facts()...)...),
	))
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

// facts are the summary's lines about this rollback, with the deployments that were looked at.
func (r *Rollback) facts() [][2]render.Cell {
	facts := [][2]render.Cell{
		{"From", render.Code(arn.Revision(r.before.TaskDefinition))},
		{"Why this one", render.Text(r.why)},
	}
	if r.in.Reason != "" {
		facts = append(facts, [2]render.Cell{"Reason", render.Text(r.in.Reason)})
	}
	var lines []string
	for _, d := range r.deployments[:min(len(r.deployments), 10)] {
		lines = append(lines, fmt.Sprintf("%s %s %s%s", d.Created.UTC().Format("01-02 15:04"), render.Code(d.Name()),
			render.Text(strings.ToLower(string(d.Status))), render.Text(r.remark(d))))
	}
	if len(lines) > 0 {
		facts = append(facts, [2]render.Cell{"Deployments", strings.Join(lines, "<br>")})
	}
	return facts
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
