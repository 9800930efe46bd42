package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
)

// Given is what an action was given, before it is decoded.
type Given struct {
	source
	fields            []Field
	Help, JSON, Debug bool // the flags that every command has
}

// FromEnvironment collects the inputs that the runner passes to a container. environ is in the form of os.Environ.
func (a *Action) FromEnvironment(environ []string) Given {
	return Given{source: fromEnvironment(a.Inputs(), environ), fields: a.Inputs()}
}

// FromArguments reads the flags of a command line. extra are flags that are not the action's own, but its program's (FieldsOf): the
// program takes their values by Into.
func (a *Action) FromArguments(args []string, getenv func(string) string, extra ...Field) Given {
	fields := slices.Concat(a.Inputs(), extra)
	c := fromFlags(fields, args, getenv)
	return Given{source: c.source, fields: fields, Help: c.help, JSON: c.json, Debug: c.debug}
}

// FieldsOf returns the fields of a struct of inputs that belongs to no action. It panics where a tag is wrong.
func FieldsOf(inputs any) []Field { return fieldsOf(reflect.TypeOf(inputs), "input") }

// Into decodes what was given for a struct of inputs that belongs to no action. inputs points to it. What is wrong with its values is
// a problem of the whole, as Decode tells it.
func (g *Given) Into(inputs any) {
	v := reflect.ValueOf(inputs).Elem()
	own := g.source
	own.problems = nil
	for _, err := range own.decodeInto(v, fieldsOf(v.Type(), "input")) {
		g.Problem(err)
	}
}

// Problem adds something that is wrong with what was given: Decode tells it with everything else.
func (g *Given) Problem(err error) { g.problems = append(slices.Clone(g.problems), err) }

// Excuse notes inputs whose value a problem that is told keeps from being known: that they are missing is not a second problem.
func (g *Given) Excuse(names ...string) { g.excuse(names...) }

// Excused reports whether a problem that is told keeps the value of an input from being known, as a misspelt name does.
func (g Given) Excused(name string) bool { return g.excused[name] }

// Has reports whether something was given for an input.
func (g Given) Has(name string) bool { return g.has(name) }

// Asks reports whether there is an input of this name that can be given.
func (g Given) Asks(name string) bool {
	return slices.ContainsFunc(g.fields, func(f Field) bool { return f.Name == name })
}

// Rename puts other values in the place of those that were given for an input, as a name says that stands for a longer one. as says
// where the value is from, for messages.
func (g *Given) Rename(name, as string, other func(value string) string) {
	values := slices.Clone(g.values[name])
	for i, v := range values {
		if value := other(strings.TrimSpace(v.value)); value != "" {
			values[i] = given{as: as, value: value}
		}
	}
	if len(values) > 0 {
		g.values = maps.Clone(g.values)
		g.values[name] = values
	}
}

// Suppose gives an input a value where none was given. as says where the value is from, for messages.
func (g *Given) Suppose(name, value, as string) {
	i := slices.IndexFunc(g.fields, func(f Field) bool { return f.Name == name })
	passed := func(v given) bool { // the runner passes the default that action.yml declares as if it had been given
		return strings.TrimSpace(v.value) == "" || v.as == name && strings.TrimSpace(v.value) == g.fields[i].Default
	}
	if i < 0 || value == "" || slices.ContainsFunc(g.values[name], func(v given) bool { return !passed(v) }) {
		return
	}
	g.values = maps.Clone(g.values)
	g.values[name] = []given{{as: as, value: value}}
}

// Secrets returns the values that must be masked before anything can print: also those that will be refused.
func (g Given) Secrets() []string {
	var secrets []string
	for _, f := range g.fields {
		if !f.Secret {
			continue
		}
		for _, v := range g.values[f.Name] {
			secrets = append(secrets, v.value)
		}
	}
	return secrets
}

// Asked returns the inputs as they were given, in the order of the action's. What is as its default is left out: the runner passes it
// as if it had been given. Secrets and the values of a map are not shown.
func (g Given) Asked() []record.Fact {
	var facts []record.Fact
	for _, f := range g.fields {
		text, _, err := g.pick(f)
		if err != nil || text == "" || text == f.Default {
			continue
		}
		switch {
		case f.Secret:
			text = "(a secret)"
		case f.Kind == Map:
			m, err := decodeMap(text)
			if err != nil {
				continue // the error is told, and does not repeat the value
			}
			text = strings.Join(slices.Sorted(maps.Keys(m)), ", ")
		case f.Kind == List:
			text = strings.Join(decodeList(text), ", ")
		}
		facts = append(facts, record.Fact{Name: f.Name, Value: record.Text{Text: text, Form: record.Code}})
	}
	return facts
}

// Common returns the inputs that every action has. What is wrong with them is told by Decode, with everything else.
func (g Given) Common() Common {
	var c Common
	_ = g.decodeInto(reflect.ValueOf(&c).Elem(), fieldsOf(reflect.TypeFor[Common](), "input"))
	return c
}

// Result is what came of a run.
type Result struct {
	value  reflect.Value
	fields []Field
}

// Decoded are the inputs of one action, checked.
type Decoded struct{ in reflect.Value }

// Decode decodes and checks what was given. The error tells all problems at once.
func (a *Action) Decode(given Given) (Decoded, error) {
	in := reflect.New(a.in).Elem()
	if problems := given.decodeInto(in, a.fields().own); len(problems) > 0 {
		return Decoded{}, invalidInputs(problems)
	}
	return Decoded{in}, nil
}

// Run runs the action. The result holds what is known in every case.
func (a *Action) Run(ctx context.Context, env *Env, in Decoded) (Result, error) {
	out, err := a.run(ctx, env, in.in)
	result := a.None()
	result.value.Set(out)
	return result, err
}

// None returns the result of a run that did not begin.
func (a *Action) None() Result {
	return Result{value: reflect.New(a.out).Elem(), fields: a.Outputs()}
}

// Common returns the outputs that every action has, to be completed; of an action without them, some that are not written.
func (r Result) Common() *Outputs {
	if f, ok := r.value.Type().FieldByName("Outputs"); ok && f.Type == reflect.TypeFor[Outputs]() {
		return r.value.FieldByIndex(f.Index).Addr().Interface().(*Outputs)
	}
	return &Outputs{}
}

// Outputs encodes the outputs, secrets redacted, in the order of the struct.
func (r Result) Outputs(redact func(string) string) []Output {
	return outputsOf(r.value, r.fields, redact)
}

// IsInputProblem reports whether err says what is wrong with the inputs.
func IsInputProblem(err error) bool {
	var problems problemsError
	return errors.As(err, &problems)
}

func invalidInputs(problems []error) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.Error()
	}
	title := "An input is wrong"
	if len(problems) > 1 {
		title = fmt.Sprintf("%d inputs are wrong", len(problems))
	}
	return &Error{Outcome: Invalid, Title: title, Err: problemsError{lines: lines, problems: problems}}
}

// problemsError is several problems, one per line.
type problemsError struct {
	lines    []string
	problems []error
}

func (e problemsError) Error() string   { return strings.Join(e.lines, "\n") }
func (e problemsError) Unwrap() []error { return e.problems }
