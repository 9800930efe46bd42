package fleet

import (
	"cmp"
	"encoding/json"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

// Tell shows how all members are in a table of the report, and in the log.
func Tell(events record.Sink, all []Standing) {
	table := record.Table{Head: []string{"Service", "Outcome", "Serves", ""}}
	well := EndedWell(all)
	for _, s := range all {
		said := s.String()
		if well && s.After == Arrived { // it "stays" only where others do not
			said = s.Name + " is on" + cmp.Or(prefixed(" ", s.Revision), " what was deployed")
		}
		table.Rows = append(table.Rows, []record.Text{{Text: s.Name, Form: record.Strong}, {Text: string(s.outcome())},
			{Text: s.Revision, Form: record.Code}, {Text: said}})
		if s.After != Ended {
			events.Notef("%s", said)
		}
	}
	events.Section(record.Section{Name: "services", Title: "Services", Blocks: []record.Block{{Table: &table}}})
}

// outcome is that of the member once all is over.
func (s Standing) outcome() action.Outcome {
	switch s.After {
	case Untouched:
		return action.Cancelled
	case Unchanged, Apart:
		return action.NoChange
	case Arrived, Restored, Rehearsed:
		return action.Succeeded
	case Back, GoingBack:
		return action.RolledBack
	case Changed:
		return action.Superseded
	case Stranded:
		return action.Stuck
	}
	return action.OutcomeOf(s.Err)
}

// JSON lists all members for an output.
func JSON(all []Standing) json.RawMessage {
	type line struct {
		Name     string         `json:"name"`
		Service  string         `json:"service"`
		Outcome  action.Outcome `json:"outcome"`
		Revision string         `json:"revision"`
	}
	lines := []line{}
	for _, s := range all {
		lines = append(lines, line{s.Name, s.Service, s.outcome(), s.Revision})
	}
	text, _ := json.Marshal(lines) // of texts: it always marshals
	return text
}

// Refusal joins what the checks of members found into one error. What several have in common is told once. Where all were refused for one
// reason, its title and advice stay.
func Refusal(title string, names []string, problems []error) error {
	var all []refusal
	var first error
	one := true // all members have the same reason
	outcome := action.Outcome("")
	for i, err := range problems {
		if err == nil {
			continue
		}
		if own := action.OutcomeOf(err); outcome == "" || outcome == own {
			outcome = own
		} else {
			outcome = action.Invalid
		}
		if first == nil {
			first = err
		}
		one = one && reasonOf(title, err) == reasonOf(title, first)
		for _, part := range parts(err) {
			all = add(all, names[i], reasonOf(title, part), part)
		}
	}
	if first == nil {
		return nil
	}
	failure := &action.Error{Outcome: outcome, Title: title, Err: joined(all)}
	own := action.VerdictOf("", outcome, first)
	if len(all) == 1 || one && reasonOf(title, first).title != "" {
		failure.Title, failure.Advice = own.Title, own.Advice
	}
	if len(all) == 1 {
		failure.Finding = own.Finding
	}
	return failure
}
