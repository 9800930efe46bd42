package terraform

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/pkg/report"
)

// CommentLimit is the most characters that GitHub takes in a comment. Bytes are counted here, which are never fewer.
const CommentLimit = 65_536

// Markdown renders the review within limit bytes (0: GitHub's limit of a job summary, 1 MiB). What stands first is kept
// whole: totals, risks, services. The resources that no longer fit are left out, each whole, and counted.
func (r Review) Markdown(title string, limit int) string {
	if limit <= 0 {
		limit = 1 << 20
	}
	// What always stands takes at most a share of the room, so that a plan with ten thousand risks is still cut by line.
	head := report.Heading(title) + r.headline() + "\n\n"
	room := limit - len(head) - 400
	var b strings.Builder
	b.WriteString(head)
	add := func(text string) bool {
		if len(text) > room {
			return false
		}
		room -= len(text)
		b.WriteString(text)
		return true
	}
	r.sections(add, room)
	if len(r.Resources)+len(r.Outputs) > 0 {
		add("### By resource\n\n")
	}
	left := 0
	for _, c := range r.Resources {
		if left > 0 || !add(report.Details(symbol(c.Action)+" "+c.Address, body(c))) {
			left++
		}
	}
	for _, c := range r.Outputs {
		if left > 0 || !add(report.Details(symbol(c.Action)+" output "+c.Address, body(c))) {
			left++
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… %d more changes do not fit here; the totals above count them, and the job's log lists them.\n", left)
	}
	return b.String()
}

func (r Review) headline() string {
	if !r.Changes() {
		return fmt.Sprintf("**No changes.** %d resources are as the configuration wants them.", r.Unchanged)
	}
	text := "**" + r.Totals.String() + ".**"
	if r.Unchanged > 0 {
		text += fmt.Sprintf(" %d stay as they are.", r.Unchanged)
	}
	if n := len(r.Outputs); n > 0 {
		text += fmt.Sprintf(" Outputs that change: %d.", n)
	}
	if r.Partial {
		text += " The plan is partial: another one is needed afterwards."
	}
	return text
}

// sections writes the tables. Each may take half of the room that is left, so that a later one is never lost to an earlier.
func (r Review) sections(add func(string) bool, room int) {
	write := func(title string, head []report.Cell, rows [][]report.Cell) {
		if len(rows) == 0 {
			return
		}
		kept := rows
		text := report.Table(head, kept...)
		for len(text) > room/2 && len(kept) > 1 {
			kept = kept[:len(kept)/2]
			text = report.Table(head, kept...)
		}
		text = "### " + title + "\n\n" + text
		if n := len(rows) - len(kept); n > 0 {
			text += fmt.Sprintf("… and %d more\n\n", n)
		}
		if add(text) {
			room -= len(text)
		}
	}
	var risks, running, moves, imports, drift [][]report.Cell
	for _, f := range r.Findings {
		risks = append(risks, []report.Cell{"**" + f.Risk.String() + "**", report.Code(f.Address), report.Text(f.Text)})
	}
	for _, f := range r.Services {
		running = append(running, []report.Cell{report.Code(f.Address), report.Text(f.Text)})
	}
	for _, c := range r.Moves {
		moves = append(moves, []report.Cell{report.Code(c.Previous), report.Code(c.Address)})
	}
	for _, c := range r.Imports {
		imports = append(imports, []report.Cell{report.Code(c.Address), report.Code(c.Importing)})
	}
	for _, c := range r.Drift {
		drift = append(drift, []report.Cell{report.Code(c.Address), report.Text(string(c.Action) + paths(c))})
	}
	write("Risks", []report.Cell{"Risk", "Resource", "What happens"}, risks)
	write("Running services", []report.Cell{"Resource", "What happens"}, running)
	write("Moved", []report.Cell{"From", "To"}, moves)
	write("Imported", []report.Cell{"Resource", "ID"}, imports)
	write("Changed outside of Terraform", []report.Cell{"Resource", "What"}, drift)
}

func paths(c Change) string {
	var names []string
	for _, a := range c.Attributes {
		if len(names) == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, a.Path)
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

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

// body lists the differences as a diff, which GitHub colours.
func body(c Change) string {
	var b strings.Builder
	if c.Reason != "" {
		b.WriteString(report.Text(strings.ToUpper(c.Reason[:1])+c.Reason[1:]) + ".\n\n")
	}
	b.WriteString(report.Fence("diff", strings.Join(c.Folded(), "\n")))
	return b.String()
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
	return lines
}
