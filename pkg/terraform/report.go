package terraform

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
)

// Section returns the review as a section of a report, in the order in which a person should read it: the totals, what can go wrong,
// what happens to running services, and one folded section for each resource and output with its differences. It holds all of it;
// whoever shows it cuts.
func (r Review) Section(title string) record.Section {
	s := record.Section{Name: "review", Title: title, Blocks: []record.Block{{Paragraph: r.headline()}}}
	table := func(name, title string, head []string, rows [][]record.Text) {
		if len(rows) > 0 {
			s.Blocks = append(s.Blocks, record.Block{Section: &record.Section{
				Name: name, Title: title, Blocks: []record.Block{{Table: &record.Table{Head: head, Rows: rows}}},
			}})
		}
	}
	var risks, running, moves, imports, drift [][]record.Text
	for _, f := range r.Findings {
		risks = append(risks, []record.Text{{Text: f.Risk.String(), Form: record.Strong}, code(f.Address), {Text: f.Text}})
	}
	for _, f := range r.Services {
		running = append(running, []record.Text{code(f.Address), {Text: f.Text}})
	}
	for _, c := range r.Moves {
		moves = append(moves, []record.Text{code(c.Previous), code(c.Address)})
	}
	for _, c := range r.Imports {
		imports = append(imports, []record.Text{code(c.Address), code(c.Importing)})
	}
	for _, c := range r.Drift {
		drift = append(drift, []record.Text{code(c.Address), {Text: string(c.Action) + paths(c)}})
	}
	table("risks", "Risks", []string{"Risk", "Resource", "What happens"}, risks)
	table("services", "Running services", []string{"Resource", "What happens"}, running)
	table("moves", "Moved", []string{"From", "To"}, moves)
	table("imports", "Imported", []string{"Resource", "ID"}, imports)
	table("drift", "Changed outside of Terraform", []string{"Resource", "What"}, drift)

	resources := record.Section{Name: "resources", Title: "By resource"}
	for _, c := range r.Resources {
		resources.Blocks = append(resources.Blocks, record.Block{Section: c.section("")})
	}
	for _, c := range r.Outputs {
		resources.Blocks = append(resources.Blocks, record.Block{Section: c.section("output ")})
	}
	if len(resources.Blocks) > 0 {
		s.Blocks = append(s.Blocks, record.Block{Section: &resources})
	}
	return s
}

// section returns what happens to one resource, folded: why, and the differences as a diff.
func (c Change) section(prefix string) *record.Section {
	s := record.Section{Name: prefix + c.Address, Title: symbol(c.Action) + " " + prefix + c.Address, Folded: true}
	if c.Deposed != "" {
		s.Name += " (deposed " + c.Deposed + ")"
	}
	if c.Reason != "" {
		s.Blocks = append(s.Blocks, record.Block{Paragraph: []record.Text{{Text: strings.ToUpper(c.Reason[:1]) + c.Reason[1:] + "."}}})
	}
	s.Blocks = append(s.Blocks, record.Block{Verbatim: strings.Join(c.Folded(), "\n"), Language: "diff"})
	return &s
}

// headline is the review in a sentence or two.
func (r Review) headline() []record.Text {
	if !r.Changes() {
		return []record.Text{
			{Text: "No changes.", Form: record.Strong},
			{Text: fmt.Sprintf(" %d resources are as the configuration wants them.", r.Unchanged)},
		}
	}
	rest := ""
	if r.Unchanged > 0 {
		rest += fmt.Sprintf(" %d stay as they are.", r.Unchanged)
	}
	if r.Partial {
		rest += " The plan is partial: another one is needed afterwards."
	}
	told := []record.Text{{Text: r.Totals.String() + ".", Form: record.Strong}}
	if rest != "" {
		told = append(told, record.Text{Text: rest})
	}
	return told
}

func code(s string) record.Text { return record.Text{Text: s, Form: record.Code} }

// paths lists the first attributes that differ.
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
