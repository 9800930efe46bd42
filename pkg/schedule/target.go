package schedule

import (
	"encoding/json"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// Target is what starts tasks: one of a rule's targets, or that of a schedule.
type Target struct {
	ID             string // of a rule's target; empty for a schedule
	Cluster        string // name or ARN
	TaskDefinition string // as it is written: ARN, FAMILY:REVISION or FAMILY
	Role           string // that the tasks are started with

	document   object
	parameters object // in which the task definition stands: its EcsParameters, or its Input
	wrapped    bool   // a call of RunTask, written out in Input
}

// Family returns the family that the target runs, without what the family of a template ends with.
func (t Target) Family() string { return Family(t.TaskDefinition) }

// Newest reports whether the target names no revision, and so runs the newest one that is ACTIVE.
func (t Target) Newest() bool { return !strings.Contains(arn.Revision(t.TaskDefinition), ":") }

// Family returns the family of a service or schedule by what it runs: that of a template is the one that is made of it.
func Family(taskDefinition string) string {
	return strings.TrimSuffix(arn.Family(taskDefinition), arn.TemplateSuffix)
}

// runTask is how EventBridge Scheduler names a call of RunTask ("universal target"), in any partition.
const runTask = ":scheduler:::aws-sdk:ecs:runTask"

// targetOf reads a target. ok is false for one that starts no ECS tasks.
func targetOf(document object) (t Target, ok bool) {
	t = Target{ID: document.text("Id"), Cluster: document.text("Arn"), Role: document.text("RoleArn"), document: document}
	text, name := []byte(document.get("EcsParameters")), "TaskDefinitionArn"
	if t.wrapped = strings.HasSuffix(t.Cluster, runTask); t.wrapped {
		text, name = []byte(document.text("Input")), "TaskDefinition"
	}
	if json.Unmarshal(text, &t.parameters) != nil {
		return t, false
	}
	if t.wrapped {
		t.Cluster = t.parameters.text("Cluster")
	}
	t.TaskDefinition = t.parameters.text(name)
	return t, t.TaskDefinition != ""
}

// running returns the document with another task definition in it, and everything else as it is. A target that names its revision
// without an ARN goes on doing so.
func (t Target) running(taskDefinition string) object {
	if !t.wrapped {
		return t.document.with("EcsParameters", t.parameters.with("TaskDefinitionArn", quoted(taskDefinition)).json())
	}
	if !strings.HasPrefix(t.TaskDefinition, "arn:") {
		taskDefinition = arn.Revision(taskDefinition)
	}
	input := t.parameters.with("TaskDefinition", quoted(taskDefinition)).json()
	return t.document.with("Input", quoted(string(input)))
}

// Runs reports whether the target names a revision, by its ARN or its number.
func (t Target) Runs(revision string) bool {
	if strings.HasPrefix(t.TaskDefinition, "arn:") && strings.HasPrefix(revision, "arn:") {
		return t.TaskDefinition == revision
	}
	return arn.Revision(t.TaskDefinition) == arn.Revision(revision)
}
