package terraform

import (
	"encoding/json"
	"fmt"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// rawChange is a change with its values undecoded: those of a resource that stays as it is never are.
type rawChange struct {
	Change

	actions                         tfjson.Actions
	before, after, unknown          []byte
	beforeSensitive, afterSensitive []byte
	importing, replacePaths         []byte

	decoded *values // where they were needed to know the secrets
}

// variable is the value of a variable of the root module.
type variable struct {
	Value any `json:"value"`
}

// declaration is what the configuration says of a variable.
type declaration struct {
	Sensitive bool `json:"sensitive"`
}

// scan goes through the plan once.
func (d *planDecoder) scan() error {
	err := d.s.object(func(name string) (err error) {
		switch name {
		case "format_version":
			err = d.s.into(&d.format)
		case "terraform_version":
			err = d.s.into(&d.plan.TerraformVersion)
		case "complete":
			var complete *bool
			err = d.s.into(&complete)
			d.plan.Incomplete = complete != nil && !*complete
		case "errored":
			err = d.s.into(&d.plan.Errored)
		case "timestamp":
			err = d.timestamp()
		case "variables":
			err = d.s.into(&d.variables)
		case "resource_changes":
			d.changes, err = d.resources(true)
		case "resource_drift":
			d.drift, err = d.resources(false)
		case "output_changes":
			err = d.outputChanges()
		case "prior_state":
			err = d.state()
		case "configuration":
			err = d.configuration()
		default:
			_, err = d.s.raw()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.s.end()
}

// timestamp is the time of the plan, which plantimestamp() copies into values.
func (d *planDecoder) timestamp() error {
	var text string
	err := d.s.into(&text)
	if text != "" {
		d.volatile = append(d.volatile, text, "<the plan's time>")
	}
	return err
}

// resources goes through a list of changes and returns those that do anything; the others are counted where counting is asked for.
func (d *planDecoder) resources(count bool) (list []rawChange, err error) {
	err = d.s.list(func() error {
		var raw rawChange
		if err := raw.scan(&d.s); err != nil {
			return err
		}
		switch {
		case raw.Action != None || raw.Moved() || raw.Imported:
			list = append(list, raw)
		case count && !raw.Data:
			d.plan.Unchanged++
		}
		return nil
	})
	return list, err
}

// scan reads one change of a resource.
func (raw *rawChange) scan(s *scanner) error {
	var mode tfjson.ResourceMode
	var reason tfjson.ActionReason
	err := s.object(func(name string) error {
		switch name {
		case "address":
			return s.into(&raw.Address)
		case "previous_address":
			return s.into(&raw.Previous)
		case "mode":
			return s.into(&mode)
		case "type":
			return s.into(&raw.Type)
		case "deposed":
			return s.into(&raw.Deposed)
		case "action_reason":
			return s.into(&reason)
		case "change":
			return raw.scanValues(s)
		}
		_, err := s.raw()
		return err
	})
	if err != nil {
		return err
	}
	if raw.Previous == raw.Address {
		raw.Previous = ""
	}
	raw.Data, raw.Action, raw.Reason = mode == tfjson.DataResourceMode, actionOf(raw.actions), reasons[reason]
	var importing *tfjson.Importing
	if len(raw.importing) > 0 {
		if err := json.Unmarshal(raw.importing, &importing); err != nil {
			return fmt.Errorf("%s: importing: %w", raw.Address, err)
		}
	}
	if importing != nil {
		raw.Imported, raw.Importing = true, importing.ID
	}
	return nil
}

// scanValues finds the two sides of a change.
func (raw *rawChange) scanValues(s *scanner) error {
	parts := map[string]*[]byte{
		"before": &raw.before, "after": &raw.after, "after_unknown": &raw.unknown, "importing": &raw.importing,
		"before_sensitive": &raw.beforeSensitive, "after_sensitive": &raw.afterSensitive, "replace_paths": &raw.replacePaths,
	}
	return s.object(func(name string) error {
		if name == "actions" {
			return s.into(&raw.actions)
		}
		text, err := s.raw()
		if part := parts[name]; part != nil {
			*part = text
		}
		return err
	})
}

// outputChanges reads the changes of the root outputs.
func (d *planDecoder) outputChanges() error {
	return d.s.object(func(name string) error {
		raw := rawChange{Change: Change{Address: name}}
		if err := raw.scanValues(&d.s); err != nil {
			return err
		}
		if raw.Action = actionOf(raw.actions); raw.Action != None {
			d.outputs = append(d.outputs, raw)
		}
		return nil
	})
}

// state takes two things from the prior state: what is sensitive in it, data sources included, and the caller, since plans are
// reviewed under one role and applied under another.
func (d *planDecoder) state() error {
	return d.s.object(func(name string) error {
		if name != "values" {
			_, err := d.s.raw()
			return err
		}
		return d.s.object(func(name string) error {
			switch name {
			case "root_module":
				return d.module()
			case "outputs":
				return d.s.object(func(string) error { return d.stateOutput() })
			}
			_, err := d.s.raw()
			return err
		})
	})
}

func (d *planDecoder) module() error {
	return d.s.object(func(name string) error {
		switch name {
		case "resources":
			return d.s.list(d.stateResource)
		case "child_modules":
			return d.s.list(d.module)
		}
		_, err := d.s.raw()
		return err
	})
}

func (d *planDecoder) stateResource() error {
	var kind string
	var text, marks []byte
	err := d.s.object(func(name string) (err error) {
		switch name {
		case "type":
			return d.s.into(&kind)
		case "values":
			text, err = d.s.raw()
		case "sensitive_values":
			marks, err = d.s.raw()
		default:
			_, err = d.s.raw()
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind == "aws_caller_identity" {
		d.caller(text)
	}
	return d.secrets.scan(text, marks)
}

// caller takes the caller out of what is compared. What has another form names nobody.
func (d *planDecoder) caller(text []byte) {
	var caller struct {
		ARN    string `json:"arn"`
		UserID string `json:"user_id"`
	}
	_ = json.Unmarshal(text, &caller)
	for _, name := range []string{caller.ARN, caller.UserID} {
		if len(name) > 8 { // shorter ones could stand for anything
			d.volatile = append(d.volatile, name, "<the caller>")
		}
	}
}

func (d *planDecoder) stateOutput() error {
	var output struct {
		Sensitive bool            `json:"sensitive"`
		Value     json.RawMessage `json:"value"`
	}
	if err := d.s.into(&output); err != nil || !output.Sensitive {
		return err
	}
	return d.secrets.scan(output.Value, []byte("true"))
}

// configuration takes from the configuration which variables of the root module are declared sensitive.
func (d *planDecoder) configuration() error {
	return d.s.object(func(name string) error {
		if name != "root_module" {
			_, err := d.s.raw()
			return err
		}
		return d.s.object(func(name string) error {
			if name != "variables" {
				_, err := d.s.raw()
				return err
			}
			return d.s.into(&d.declared)
		})
	})
}

// readVariables counts the variables' values in the digest, and those that are declared sensitive among the secrets.
func (d *planDecoder) readVariables() {
	for name := range d.declared { // ephemeral ones are not kept in a plan
		if _, ok := d.variables[name]; !ok {
			d.plan.Missing = append(d.plan.Missing, name)
		}
	}
	slices.Sort(d.plan.Missing)
	if len(d.variables) == 0 {
		return
	}
	for name, v := range d.variables {
		if d.declared[name].Sensitive {
			d.secrets.add(v.Value)
		}
	}
	d.plan.trace.variables, _ = json.Marshal(d.variables) // what was read as JSON can be written; maps are in the order of their keys
}

// scan decodes a value and takes what its marks cover among the secrets; most values have no marks and are not decoded.
func (h *hider) scan(text, marks []byte) error {
	if !marked(marks) || len(text) == 0 {
		return nil
	}
	value, err := (&scanner{text: text}).value()
	if err != nil {
		return err
	}
	covered, err := (&scanner{text: marks}).value()
	if err != nil {
		return err
	}
	h.addMarked(value, covered)
	return nil
}

// gather takes what the change marks as sensitive among the secrets.
func (raw *rawChange) gather(h *hider) error {
	if !marked(raw.beforeSensitive) && !marked(raw.afterSensitive) {
		return nil
	}
	v, err := raw.decode()
	if err != nil {
		return err
	}
	raw.decoded = &v
	h.addMarked(v.before, v.beforeSensitive)
	h.addMarked(v.after, v.afterSensitive)
	return nil
}

// decode reads both sides.
func (raw *rawChange) decode() (values, error) {
	if raw.decoded != nil {
		return *raw.decoded, nil
	}
	var v values
	var paths any
	for _, part := range []struct {
		text []byte
		into *any
	}{
		{raw.before, &v.before}, {raw.after, &v.after}, {raw.unknown, &v.unknown},
		{raw.beforeSensitive, &v.beforeSensitive}, {raw.afterSensitive, &v.afterSensitive}, {raw.replacePaths, &paths},
	} {
		if len(part.text) == 0 {
			continue
		}
		var err error
		if *part.into, err = (&scanner{text: part.text}).value(); err != nil {
			return v, fmt.Errorf("%s: %w", raw.Address, err)
		}
	}
	list, _ := paths.([]any)
	for _, path := range list {
		steps, _ := path.([]any)
		v.forces = append(v.forces, pathOf(steps))
	}
	return v, nil
}
