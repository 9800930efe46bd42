package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// Action is what a plan does with one resource.
type Action string

// The actions. Replace destroys first; ReplaceSafely creates the new object before it destroys the old one.
const (
	None          Action = "no-op"
	Create        Action = "create"
	Read          Action = "read"
	Update        Action = "update"
	Delete        Action = "delete"
	Replace       Action = "replace"
	ReplaceSafely Action = "create-then-delete"
	Forget        Action = "forget" // leaves the state, and goes on existing
)

// Destroys says whether an object ceases to exist.
func (a Action) Destroys() bool { return a == Delete || a == Replace || a == ReplaceSafely }

// Replaces says whether an object is made anew.
func (a Action) Replaces() bool { return a == Replace || a == ReplaceSafely }

// Plan is what a review needs of a plan: the changes, without the objects that stay as they are. It holds no value that
// Terraform marks as sensitive.
type Plan struct {
	TerraformVersion string
	Changes          []Change // by address
	Drift            []Change // what changed outside of Terraform, by address
	Outputs          []Change // root outputs that change; the address is the output's name
	Unchanged        int      // managed resources that stay as they are
	Incomplete       bool     // targets or deferred resources: another plan is needed to arrive
	Errored          bool     // Terraform could not finish the plan

	trace trace // what the digest is made of
}

// Change is what happens to one resource.
type Change struct {
	Address    string
	Previous   string // the address that it had before a move; empty otherwise
	Type       string
	Deposed    string // key of an object that an interrupted replacement left behind
	Data       bool   // a data source, read during apply
	Action     Action
	Reason     string // why it is destroyed or replaced, in words; empty where Terraform does not say
	Importing  string // ID under which it is imported; empty otherwise
	Imported   bool
	Attributes []Attribute // what differs, by path
	Hidden     int         // differences beyond those listed

	findings []Finding // what can go wrong
	family   string    // of a task definition

	// before and after are top-level values that the rules look at, nil where there is no object. Large plans would fill the
	// memory with them, so they are given up as soon as the rules have looked.
	before, after map[string]any
}

// Moved says whether only the address changes hands.
func (c Change) Moved() bool { return c.Previous != "" && c.Previous != c.Address }

// Attribute is one difference.
type Attribute struct {
	Path   string // tags.Name, ingress[0].cidr_blocks[1]; empty: the value of an output as a whole
	Before string // as people read it; empty: not there
	After  string
	Forces bool // it is why the resource is replaced
}

// Hidden texts stand for values that are not shown.
const (
	SensitiveText = "(sensitive)"
	UnknownText   = "(known after apply)"
)

// ReadPlan reads the JSON of `terraform show -json PLANFILE`. The reader holds secrets; what is returned does not.
func ReadPlan(r io.ReadSeeker) (*Plan, error) {
	_, err := r.Seek(0, io.SeekStart)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	sections, err := sectionsOf(r)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	d := planDecoder{r: r, sections: sections, plan: &Plan{}}
	if err := d.decode(); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return d.plan, nil
}

type planDecoder struct {
	r        io.ReadSeeker
	sections map[string]section
	plan     *Plan
	volatile *strings.Replacer // takes out what differs between two plans of the same: see volatileOf
}

func (d *planDecoder) decode() error {
	var format string
	var complete *bool
	for _, member := range []struct {
		name string
		into any
	}{
		{"format_version", &format}, {"terraform_version", &d.plan.TerraformVersion}, {"complete", &complete}, {"errored", &d.plan.Errored},
	} {
		if err := d.member(member.name, member.into); err != nil {
			return err
		}
	}
	if major, _, _ := strings.Cut(format, "."); major != "1" {
		return fmt.Errorf("its format is %q, and this program knows 1.x: another Terraform version may have made it", format)
	}
	d.plan.Incomplete = complete != nil && !*complete
	var err error
	if d.volatile, err = d.volatileOf(); err != nil {
		return err
	}
	if err := d.variables(); err != nil {
		return err
	}
	err = d.each("resource_changes", func(raw *rawChange) {
		if change, differs := d.change(raw); differs {
			d.plan.Changes = append(d.plan.Changes, change)
		}
	})
	if err != nil {
		return err
	}
	// Drift takes no part in the digest: what it leads to does.
	quiet := planDecoder{r: d.r, sections: d.sections, plan: &Plan{}, volatile: d.volatile}
	err = quiet.each("resource_drift", func(raw *rawChange) {
		if change, differs := quiet.change(raw); differs {
			d.plan.Drift = append(d.plan.Drift, change)
		}
	})
	if err != nil {
		return err
	}
	if err := d.outputs(); err != nil {
		return err
	}
	for _, list := range []*[]Change{&d.plan.Changes, &d.plan.Drift, &d.plan.Outputs} {
		slices.SortStableFunc(*list, func(a, b Change) int {
			return strings.Compare(a.Address+"\x00"+a.Deposed, b.Address+"\x00"+b.Deposed)
		})
	}
	return nil
}

// member decodes one member of the plan; one that is missing leaves the target as it is.
func (d *planDecoder) member(name string, into any) error {
	r, ok, err := d.open(name)
	if !ok {
		return err
	}
	if err := json.NewDecoder(r).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// open returns a member of the plan; ok is false where there is none, or it cannot be read.
func (d *planDecoder) open(name string) (io.Reader, bool, error) {
	s, ok := d.sections[name]
	if !ok {
		return nil, false, nil
	}
	if _, err := d.r.Seek(s.start, io.SeekStart); err != nil {
		return nil, false, err
	}
	return io.LimitReader(d.r, s.end-s.start), true, nil
}

// rawChange is a change with its values undecoded: those of a resource that stays as it is never are.
type rawChange struct {
	Address         string              `json:"address"`
	PreviousAddress string              `json:"previous_address"`
	Mode            tfjson.ResourceMode `json:"mode"`
	Type            string              `json:"type"`
	Deposed         string              `json:"deposed"`
	ActionReason    tfjson.ActionReason `json:"action_reason"`
	Change          rawValues           `json:"change"`
}

type rawValues struct {
	Actions         tfjson.Actions    `json:"actions"`
	Before          json.RawMessage   `json:"before"`
	After           json.RawMessage   `json:"after"`
	AfterUnknown    json.RawMessage   `json:"after_unknown"`
	BeforeSensitive json.RawMessage   `json:"before_sensitive"`
	AfterSensitive  json.RawMessage   `json:"after_sensitive"`
	Importing       *tfjson.Importing `json:"importing"`
	ReplacePaths    [][]any           `json:"replace_paths"`
}

// each decodes a list of changes one at a time, so that only one is in memory whole.
func (d *planDecoder) each(name string, f func(*rawChange)) error {
	r, ok, err := d.open(name)
	if !ok {
		return err
	}
	decoder := json.NewDecoder(r)
	if _, err := decoder.Token(); err != nil { // [, or null, behind which nothing comes
		return err
	}
	for decoder.More() {
		var raw rawChange
		if err := decoder.Decode(&raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f(&raw)
	}
	return nil
}

// change reduces one change to what is worth keeping, and says whether anything happens at all.
func (d *planDecoder) change(raw *rawChange) (Change, bool) {
	c := Change{
		Address: raw.Address, Type: raw.Type, Deposed: raw.Deposed, Data: raw.Mode == tfjson.DataResourceMode,
		Action: actionOf(raw.Change.Actions), Reason: reasons[raw.ActionReason],
	}
	if raw.PreviousAddress != raw.Address {
		c.Previous = raw.PreviousAddress
	}
	if raw.Change.Importing != nil {
		c.Imported, c.Importing = true, raw.Change.Importing.ID
	}
	if c.Action == None && !c.Moved() && !c.Imported {
		if !c.Data {
			d.plan.Unchanged++
		}
		return c, false
	}
	v := raw.Change.decode()
	c.before, c.after = v.visible()
	differences := v.differences(d.plan.trace.record(c, v, d.volatile))
	kept := min(len(differences), maxAttributes)
	c.Attributes, c.Hidden = differences[:kept], len(differences)-kept
	c.judge()
	return c, true
}

// judge has the rules look at the change, and gives up the values that only they look at.
func (c *Change) judge() {
	c.findings = findings(*c)
	for _, values := range []map[string]any{c.after, c.before} {
		if family, _ := values["family"].(string); c.family == "" {
			c.family = strings.Clone(family)
		}
	}
	c.before, c.after = nil, nil
}

// maxAttributes is the most differences that are kept of one resource.
const maxAttributes = 60

func actionOf(actions tfjson.Actions) Action {
	switch {
	case actions.Create():
		return Create
	case actions.Read():
		return Read
	case actions.Update():
		return Update
	case actions.Delete():
		return Delete
	case actions.DestroyBeforeCreate():
		return Replace
	case actions.CreateBeforeDestroy():
		return ReplaceSafely
	case actions.Forget():
		return Forget
	case slices.Contains(actions, tfjson.ActionForget): // create and forget: the old object is left alone
		return Create
	}
	return None
}

// reasons are Terraform's keywords in words. An unknown one says nothing, as Terraform's documentation wants it.
var reasons = map[tfjson.ActionReason]string{
	tfjson.ActionReasonReplaceBecauseTainted:         "an earlier run left it half made (tainted)",
	tfjson.ActionReasonReplaceByRequest:              "its replacement was asked for",
	tfjson.ActionReasonReplaceByTriggers:             "something that replace_triggered_by names changes",
	tfjson.ActionReasonReplaceBecauseCannotUpdate:    "it cannot be changed in place",
	tfjson.ActionReasonDeleteBecauseNoResourceConfig: "it is no longer in the configuration",
	tfjson.ActionReasonDeleteBecauseWrongRepetition:  "it got or lost count or for_each",
	tfjson.ActionReasonDeleteBecauseCountIndex:       "count is smaller",
	tfjson.ActionReasonDeleteBecauseEachKey:          "its key is no longer in for_each",
	tfjson.ActionReasonDeleteBecauseNoModule:         "its module is no longer in the configuration",
	tfjson.ActionReasonDeleteBecauseNoMoveTarget:     "it was moved to an address that is not in the configuration",
	tfjson.ActionReasonReadBecauseConfigUnknown:      "what it asks for is known during apply",
	tfjson.ActionReasonReadBecauseDependencyPending:  "it depends on something that changes",
	tfjson.ActionReasonReadBecauseCheckNested:        "a check reads it",
}

// outputs reads the changes of the root outputs.
func (d *planDecoder) outputs() error {
	var raw map[string]rawValues
	if err := d.member("output_changes", &raw); err != nil {
		return err
	}
	for name, values := range raw {
		c := Change{Address: name, Action: actionOf(values.Actions)}
		if c.Action == None {
			continue
		}
		v := values.decode()
		c.Attributes = v.differences(d.plan.trace.record(Change{Address: "output." + name, Action: c.Action}, v, d.volatile))
		d.plan.Outputs = append(d.plan.Outputs, c)
	}
	return nil
}

// variables counts the variables' values among the secrets: the plan does not say which of them are sensitive.
func (d *planDecoder) variables() error {
	var variables map[string]struct {
		Value any `json:"value"`
	}
	if err := d.member("variables", &variables); err != nil {
		return err
	}
	if len(variables) > 0 {
		d.plan.trace.variables, _ = json.Marshal(variables) // what was JSON is again; maps are written in the order of their keys
	}
	return nil
}

// identity is the part of a prior state in which the caller's identity can stand.
type identity struct {
	Values struct {
		RootModule identityModule `json:"root_module"`
	} `json:"values"`
}

type identityModule struct {
	Resources []struct {
		Type   string          `json:"type"`
		Values json.RawMessage `json:"values"`
	} `json:"resources"`
	Children []identityModule `json:"child_modules"`
}

// volatileOf returns what takes out of a text that which differs between two plans of the same thing: the time of the plan,
// which plantimestamp() copies into values, and the caller, since plans are reviewed under one role and applied under another.
func (d *planDecoder) volatileOf() (*strings.Replacer, error) {
	var timestamp string
	if err := d.member("timestamp", &timestamp); err != nil {
		return nil, err
	}
	var pairs []string
	if timestamp != "" {
		pairs = append(pairs, timestamp, "<the plan's time>")
	}
	r, ok, err := d.open("prior_state")
	if err != nil {
		return nil, err
	}
	if ok {
		found, err := mentions(r, `"aws_caller_identity"`)
		if err != nil {
			return nil, err
		}
		var state identity
		if found {
			if err := d.member("prior_state", &state); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, state.Values.RootModule.callers()...)
	}
	return strings.NewReplacer(pairs...), nil
}

func (m identityModule) callers() []string {
	var pairs []string
	for _, resource := range m.Resources {
		if resource.Type != "aws_caller_identity" {
			continue
		}
		var caller struct {
			ARN    string `json:"arn"`
			UserID string `json:"user_id"`
		}
		_ = json.Unmarshal(resource.Values, &caller) // what has another form names nobody
		for _, text := range []string{caller.ARN, caller.UserID} {
			if len(text) > 8 { // shorter ones could stand for anything
				pairs = append(pairs, text, "<the caller>")
			}
		}
	}
	for _, child := range m.Children {
		pairs = append(pairs, child.callers()...)
	}
	return pairs
}

// mentions says whether r holds the text, in the memory of two buffers.
func mentions(r io.Reader, text string) (bool, error) {
	buffer := make([]byte, 128<<10)
	kept := 0
	for {
		n, err := r.Read(buffer[kept:])
		if bytes.Contains(buffer[:kept+n], []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		tail := min(len(text)-1, kept+n)
		copy(buffer, buffer[kept+n-tail:kept+n])
		kept = tail
	}
}
