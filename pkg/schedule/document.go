package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// object is a JSON object whose members keep their order and their text.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// UnmarshalJSON reads an object.
func (o *object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("it is not a JSON object")
	}
	*o = object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		*o = append(*o, member{name.(string), value}) // the name of a member is a text: Token has seen to it
	}
	_, err := d.Token()
	return err
}

// MarshalJSON writes an object.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// text returns a member that is a text; "" where it is not there, or not one.
func (o object) text(name string) (text string) {
	if json.Unmarshal(o.get(name), &text) != nil {
		return ""
	}
	return text
}

// with returns a copy in which a member has another value, at its place or behind the others.
func (o object) with(name string, value any) (object, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(o)
	for i := range out {
		if out[i].name == name {
			out[i].value = encoded
			return out, nil
		}
	}
	return append(out, member{name, encoded}), nil
}

// without returns a copy without some members.
func (o object) without(names ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(names, m.name) })
}

// Target is what starts tasks: one of a rule's targets, or that of a schedule.
type Target struct {
	ID             string // of a rule's target; empty for a schedule
	Cluster        string // name or ARN
	TaskDefinition string // as it is written: ARN, FAMILY:REVISION or FAMILY
	Role           string // that the tasks are started with

	document object
	wrapped  bool // a call of RunTask, written out in Input
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
	if strings.HasSuffix(t.Cluster, runTask) {
		var input object
		if json.Unmarshal([]byte(document.text("Input")), &input) != nil {
			return t, false
		}
		t.wrapped, t.Cluster, t.TaskDefinition = true, input.text("Cluster"), input.text("TaskDefinition")
		return t, t.TaskDefinition != ""
	}
	var parameters object
	if json.Unmarshal(document.get("EcsParameters"), &parameters) != nil {
		return t, false
	}
	t.TaskDefinition = parameters.text("TaskDefinitionArn")
	return t, t.TaskDefinition != ""
}

// running returns the document with another task definition in it, and everything else as it is. A target that names its revision
// without an ARN goes on doing so.
func (t Target) running(taskDefinition string) (object, error) {
	if !t.wrapped {
		var parameters object
		if err := json.Unmarshal(t.document.get("EcsParameters"), &parameters); err != nil {
			return nil, err
		}
		parameters, err := parameters.with("TaskDefinitionArn", taskDefinition)
		if err != nil {
			return nil, err
		}
		return t.document.with("EcsParameters", parameters)
	}
	var input object
	if err := json.Unmarshal([]byte(t.document.text("Input")), &input); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(t.TaskDefinition, "arn:") {
		taskDefinition = arn.Revision(taskDefinition)
	}
	input, err := input.with("TaskDefinition", taskDefinition)
	if err != nil {
		return nil, err
	}
	text, err := input.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return t.document.with("Input", string(text))
}

// runs reports whether the target names a revision, by its ARN or its number.
func (t Target) runs(revision string) bool {
	if strings.HasPrefix(t.TaskDefinition, "arn:") && strings.HasPrefix(revision, "arn:") {
		return t.TaskDefinition == revision
	}
	return arn.Revision(t.TaskDefinition) == arn.Revision(revision)
}
