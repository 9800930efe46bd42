package terraform

import (
	"encoding/json"
	"fmt"
	"io"
)

// copyHidden copies the JSON of a plan with what is sensitive replaced. Unlike a review it is of the whole plan, and wanted seldom: it
// is decoded whole.
func (p *Plan) copyHidden(w io.Writer, r io.ReadSeeker) error {
	text, err := wholeOf(r)
	if err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	s := scanner{text: text}
	plan, err := s.value()
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	if top, ok := plan.(map[string]any); ok {
		declared := child(child(child(top, "configuration"), "root_module"), "variables")
		variables, _ := top["variables"].(map[string]any)
		for name, v := range variables {
			if of, ok := v.(map[string]any); ok && child(child(declared, name), "sensitive") == true {
				of["value"] = SensitiveText
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(p.secrets.clear(withoutMarked(plan)))
}

// markedBy are the members of a plan's objects whose sensitive parts another member marks.
var markedBy = map[string]string{"before": "before_sensitive", "after": "after_sensitive", "values": "sensitive_values",
	"value": "sensitive"}

// withoutMarked replaces, at any depth, what the member beside it marks as sensitive.
func withoutMarked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		copied := make(map[string]any, len(v))
		for name, element := range v {
			if marks, ok := v[markedBy[name]]; ok && markedBy[name] != "" {
				copied[name] = withoutSecrets("", element, marks, nil)
				continue
			}
			copied[name] = withoutMarked(element)
		}
		return copied
	case []any:
		copied := make([]any, len(v))
		for i, element := range v {
			copied[i] = withoutMarked(element)
		}
		return copied
	}
	return v
}
