package terraform

import (
	"fmt"
)

// symbol is how Terraform marks an action.
func symbol(a Action) string {
	switch a {
	case Create:
		return "+"
	case Update:
		return "~"
	case Delete:
		return "-"
	case Replace:
		return "-/+"
	case ReplaceSafely:
		return "+/-"
	case Read:
		return "<="
	case Forget:
		return "."
	}
	return " "
}

// foldWidth is the most characters of a line that names several attributes.
const foldWidth = 120

// Folded is Lines for people: what a new object will be told by AWS alone (its ARN, its ID and the like) are names on the
// last lines instead of a line each.
func (c Change) Folded() []string {
	open, computed := c, []string{}
	open.Attributes = nil
	for _, a := range c.Attributes {
		if a.Before == "" && a.After == UnknownText && !a.Forces && a.Path != "" {
			computed = append(computed, a.Path)
		} else {
			open.Attributes = append(open.Attributes, a)
		}
	}
	if len(computed) < 2 {
		return c.Lines()
	}
	var lines []string
	if len(open.Attributes) > 0 || open.Hidden > 0 {
		lines = open.Lines()
	}
	line := "+ " + UnknownText + ":"
	for i, name := range computed {
		if i < len(computed)-1 {
			name += ","
		}
		if len(line)+1+len(name) > foldWidth {
			lines = append(lines, line)
			line = "+  "
		}
		line += " " + name
	}
	return append(lines, line)
}

// Lines returns the differences as lines of a diff, one for each attribute: added, removed or changed.
func (c Change) Lines() []string {
	if len(c.Attributes) == 0 {
		return []string{"  " + string(c.Action)}
	}
	var lines []string
	for _, a := range c.Attributes {
		name := a.Path
		if name == "" {
			name = "value"
		}
		force := ""
		if a.Forces {
			force = "   # forces the replacement"
		}
		switch {
		case a.Before == "":
			lines = append(lines, "+ "+name+" = "+a.After+force)
		case a.After == "":
			lines = append(lines, "- "+name+" = "+a.Before+force)
		default:
			lines = append(lines, "! "+name+" = "+a.Before+" -> "+a.After+force)
		}
	}
	if c.Hidden > 0 {
		lines = append(lines, fmt.Sprintf("  … %d more attributes", c.Hidden))
	}
	return lines
}

// Text renders the review for a log: one line for each thing, differences left out.
func (r Review) Text() []string {
	var lines []string
	if !r.Changes() {
		return []string{fmt.Sprintf("no changes: %d resources are as the configuration wants them", r.Unchanged)}
	}
	lines = append(lines, r.Totals.String())
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", f.Risk, f.Address, f.Text))
	}
	for _, f := range r.Services {
		lines = append(lines, fmt.Sprintf("service: %s: %s", f.Address, f.Text))
	}
	for _, c := range r.Moves {
		lines = append(lines, fmt.Sprintf("moved: %s -> %s", c.Previous, c.Address))
	}
	for _, c := range r.Imports {
		lines = append(lines, fmt.Sprintf("imported: %s (%s)", c.Address, c.Importing))
	}
	for _, c := range r.Resources {
		lines = append(lines, fmt.Sprintf("%s %s", symbol(c.Action), c.Address))
	}
	for _, c := range r.Outputs {
		lines = append(lines, fmt.Sprintf("%s output %s", symbol(c.Action), c.Address))
	}
	return lines
}

// Document renders the review for a file: Text, and below it the differences of each resource and output.
func (r Review) Document() []string {
	lines := r.Text()
	add := func(prefix string, changes []Change) {
		for _, c := range changes {
			lines = append(lines, "", symbol(c.Action)+" "+prefix+c.Address)
			for _, line := range c.Folded() {
				lines = append(lines, "    "+line)
			}
		}
	}
	add("", r.Resources)
	add("output ", r.Outputs)
	add("changed outside of Terraform: ", r.Drift)
	return lines
}
