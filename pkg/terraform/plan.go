package terraform

import (
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
	Missing          []string // variables whose value it does not hold: an apply is to be given those again

	trace   trace // what the digest is made of
	drift   trace // what a digest is made of where the drift is what is applied
	secrets *hider
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

// Redact returns a text with what the plan knows to be secret taken out of it: an error of a provider repeats what it was given.
func (p *Plan) Redact(text string) string { return p.secrets.hide(text) }

// Hidden texts stand for values that are not shown.
const (
	SensitiveText = "(sensitive)"
	UnknownText   = "(known after apply)"
)

// ReadPlan reads the JSON of `terraform show -json PLANFILE`. The reader holds secrets; what is returned does not show them.
func ReadPlan(r io.ReadSeeker) (*Plan, error) {
	text, err := wholeOf(r)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	d := planDecoder{s: scanner{text: text}, plan: &Plan{}}
	if err := d.decode(); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return d.plan, nil
}

// wholeOf reads r from its beginning to its end into memory of just that size.
func wholeOf(r io.ReadSeeker) ([]byte, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text := make([]byte, size)
	_, err = io.ReadFull(r, text)
	return text, err
}

// planDecoder reads a plan in two steps: its text is gone through once, which finds the changes and gathers what the rest of the plan
// knows about secrets; then the values of what changes are decoded.
type planDecoder struct {
	s    scanner
	plan *Plan

	format    string
	variables map[string]variable
	declared  map[string]declaration
	changes   []rawChange
	drift     []rawChange
	outputs   []rawChange       // of the root; the address is the name
	volatile  []string          // pairs: what differs between two plans of the same, and what stands for it
	clean     *strings.Replacer // of those pairs
	secrets   hider
}

func (d *planDecoder) decode() error {
	if err := d.scan(); err != nil {
		return err
	}
	if major, _, _ := strings.Cut(d.format, "."); major != "1" {
		return fmt.Errorf("its format is %q, and this program knows 1.x: another Terraform version may have made it", d.format)
	}
	d.clean = strings.NewReplacer(d.volatile...)
	d.readVariables()
	// All secrets first: a value that is one may stand in the open in any other resource.
	lists := [][]rawChange{d.changes, d.drift, d.outputs}
	for _, list := range lists {
		for i := range list {
			if err := list[i].gather(&d.secrets); err != nil {
				return err
			}
		}
	}
	d.plan.secrets = &d.secrets
	into := []struct {
		list *[]Change
		read func(rawChange, values) Change
	}{{&d.plan.Changes, d.change}, {&d.plan.Drift, d.drifted}, {&d.plan.Outputs, d.output}}
	for i, list := range lists {
		for _, raw := range list {
			v, err := raw.decode()
			if err != nil {
				return err
			}
			*into[i].list = append(*into[i].list, into[i].read(raw, v))
		}
		slices.SortStableFunc(*into[i].list, func(a, b Change) int {
			return strings.Compare(a.Address+"\x00"+a.Deposed, b.Address+"\x00"+b.Deposed)
		})
	}
	return nil
}

// change reduces one change to what is worth keeping.
func (d *planDecoder) change(raw rawChange, v values) Change { return d.reduce(raw, v, &d.plan.trace) }

// drifted is change for what happened outside of Terraform. It takes part in the digest only where it is what is to be applied.
func (d *planDecoder) drifted(raw rawChange, v values) Change { return d.reduce(raw, v, &d.plan.drift) }

func (d *planDecoder) reduce(raw rawChange, v values, t *trace) Change {
	c := raw.Change
	c.before, c.after = v.visible()
	differences := v.differences(t.record(c, v, d.clean.Replace, &d.secrets), &d.secrets)
	kept := min(len(differences), maxAttributes)
	c.Attributes, c.Hidden = differences[:kept], len(differences)-kept
	c.judge()
	for i := range c.findings {
		c.findings[i].Text = d.secrets.hide(c.findings[i].Text)
	}
	return c
}

// output is change for an output of the root module.
func (d *planDecoder) output(raw rawChange, v values) Change {
	c := Change{Address: raw.Address, Action: actionOf(raw.actions)}
	traced := Change{Address: "output." + c.Address, Action: c.Action}
	c.Attributes = v.differences(d.plan.trace.record(traced, v, d.clean.Replace, &d.secrets), &d.secrets)
	return c
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
