package tfapply

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/terraform"
)

// minSecret is the least length of an exposed output: the mask of a shorter one would blank innocent text in every log.
const minSecret = 8

// outputs reads the state's outputs and sets those that may be seen.
func (s *session) outputs(ctx context.Context, out *Outputs) error {
	all, err := s.runner.Outputs(ctx)
	if err != nil {
		return &action.Error{Outcome: action.Failed, Title: "The Terraform outputs cannot be read", Err: err}
	}
	visible, exposed, problems := choose(all, s.in.Expose)
	for _, secret := range exposed {
		s.env.Hide(secret)
	}
	for _, problem := range problems {
		s.env.Events.Warnf("An output is not exposed", "%s", problem)
	}
	if out.Values, err = json.Marshal(visible); err != nil {
		return err
	}
	return s.writeOutputs(visible, exposed)
}

// choose sorts the outputs: those that are not sensitive, and the sensitive ones that were asked for, as text.
func choose(all map[string]terraform.Output,
	expose []string) (visible map[string]json.RawMessage, exposed map[string]string, problems []string) {
	visible, exposed = map[string]json.RawMessage{}, map[string]string{}
	for name, o := range all {
		if !o.Sensitive {
			visible[name] = o.Value
		}
	}
	for _, name := range expose {
		o, ok := all[name]
		text := plain(o.Value)
		switch {
		case !ok:
			problems = append(problems, fmt.Sprintf("expose: there is no output %q: there are %s", name,
				strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
		case !o.Sensitive:
			problems = append(problems, fmt.Sprintf("expose: the output %q is not sensitive and is set anyway", name))
		case len(text) < minSecret:
			problems = append(problems, fmt.Sprintf("expose: the output %q is shorter than %d characters: its mask would blank innocent text", name,
				minSecret))
		default:
			exposed[name] = text
		}
	}
	return visible, exposed, problems
}

// plain writes a string as it is, anything else as JSON.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

var outputName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// writeOutputs sets one output of the step for each Terraform output whose name is none of the action's own.
func (s *session) writeOutputs(visible map[string]json.RawMessage, exposed map[string]string) error {
	file := s.env.Var("GITHUB_OUTPUT")
	if file == "" {
		return nil
	}
	own := map[string]bool{}
	for _, f := range outputNames() {
		own[f] = true
	}
	values := maps.Clone(exposed)
	for name, value := range visible {
		values[name] = plain(value)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case own[name]:
			s.env.Events.Noticef("", "the Terraform output %q has the name of one of this action's: it is in outputs alone", name)
			continue
		case !outputName.MatchString(name):
			continue // Terraform's own rule for names is the same
		}
		delimiter := "connect2_" + rand.Text() // random, so that no value can end its block and set other outputs
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", name, delimiter, values[name], delimiter)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("the outputs could not be written: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(b.String()); err != nil {
		return fmt.Errorf("the outputs could not be written: %w", err)
	}
	return f.Close()
}

// outputNames are the names that are the action's. It is a variable because the action refers to Run, and Run to it.
var outputNames = func() []string { return nil }

func init() {
	outputNames = func() []string {
		var names []string
		for _, f := range Action.Outputs() {
			names = append(names, f.Name)
		}
		return names
	}
}
