// Package action describes an action by one tagged struct of inputs and one of outputs: it decodes and checks what was given, and
// encodes what came of it. Package run runs an action as a GitHub action or as a command of a terminal.
package action

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Meta describes an action to people.
type Meta struct {
	Name        string // as in `connect2 NAME` and actions/NAME
	Description string // one sentence below 125 characters, which is what the Marketplace shows
	Doc         string // a few lines more, for --help
	Icon        string // Feather icon of the branding
	Color       string // white, black, yellow, blue, green, orange, red, purple or gray-dark
	Examples    []Example
	Looks       bool // it changes nothing, so that an interrupt ends it with nothing to put in order
}

// Example is one use of an action.
type Example struct {
	Title string // what it does
	Args  string // what follows `connect2 NAME`
}

// Outputs are what every action tells of its run; embed it in an action's own outputs. What the run left empty is
// filled in.
type Outputs struct {
	Outcome  Outcome       `output:"outcome" doc:"How it ended: succeeded, no-change, invalid, failed, rolled-back, stuck, superseded, timed-out, unknown, cancelled or defect."`
	Duration time.Duration `output:"duration" doc:"How long it took, in seconds."`
}

// Validator may be implemented by inputs, or by a struct embedded in them, for checks that go beyond one input. Each problem
// names the inputs that it is about. It is called even when some inputs could not be decoded (those are zero).
type Validator interface{ Validate() []error }

// Action is one action, ready to be run as a container's entry point or as a command.
type Action struct {
	Meta   Meta
	in     reflect.Type
	out    reflect.Type
	run    func(ctx context.Context, env *Env, in reflect.Value) (reflect.Value, error)
	fields func() specification
}

// Common are the inputs that every action has beside its own: where the record of a run is kept.
type Common struct {
	Events string `input:"events" group:"Output" path:"write" doc:"File to write the run's events to as they happen, as JSON lines (docs/EVENTS.md)."`
	Report string `input:"report" group:"Output" path:"write" doc:"File to write a report of the run to: one HTML page that needs no network."`
}

// specification is what the structs' tags say.
type specification struct {
	own     []Field // inputs of the action itself
	inputs  []Field // these, and the common ones
	outputs []Field
}

// Define makes an action of a function. In and Out are structs; their exported fields carry the tags that the package
// documents for inputs and outputs (Field). Nothing is looked at before the action is used: defining costs no start-up time.
func Define[In, Out any](meta Meta, run func(context.Context, *Env, In) (Out, error)) *Action {
	a := &Action{
		Meta: meta,
		in:   reflect.TypeFor[In](),
		out:  reflect.TypeFor[Out](),
		run: func(ctx context.Context, env *Env, in reflect.Value) (reflect.Value, error) {
			out, err := run(ctx, env, in.Interface().(In))
			v := reflect.New(reflect.TypeFor[Out]()).Elem()
			v.Set(reflect.ValueOf(out))
			return v, err
		},
	}
	a.fields = sync.OnceValue(func() specification {
		own := fieldsOf(a.in, "input")
		return specification{
			own:     own,
			inputs:  slices.Concat(own, fieldsOf(reflect.TypeFor[Common](), "input")),
			outputs: fieldsOf(a.out, "output"),
		}
	})
	return a
}

// Inputs returns the action's inputs in the order of the struct, and then the common ones. It panics where a tag is wrong.
func (a *Action) Inputs() []Field { return a.fields().inputs }

// Outputs returns the action's outputs in the order of the struct. It panics where a tag is wrong.
func (a *Action) Outputs() []Field { return a.fields().outputs }
