package action

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

type typed struct {
	Old     string   `input:"old" required:"true" arg:"OLD" doc:"The old one."`
	New     string   `input:"new" arg:"NEW" doc:"The new one."`
	Follow  bool     `input:"follow" short:"f" doc:"Go on."`
	Lines   int      `input:"lines" short:"n" doc:"How many."`
	Command []string `input:"command" rest:"true" arg:"COMMAND" doc:"What to run."`
}

type chosen struct {
	Environment string `input:"environment" enum:"dev,prod" doc:"Which."`
}

// TestTerminal tells how what needs no flag, short flags and what stands behind -- are read.
func TestTerminal(t *testing.T) {
	a := Define(Meta{Name: "typed"}, func(context.Context, *Env, typed) (Outputs, error) { return Outputs{}, nil })
	for _, test := range []struct {
		args     string
		want     typed
		problems string
	}{
		{args: "1 2", want: typed{Old: "1", New: "2"}},
		{args: "1 --new 2", want: typed{Old: "1", New: "2"}},
		{args: "1 -f -n 5", want: typed{Old: "1", Follow: true, Lines: 5}},
		{args: "-n=5 1", want: typed{Old: "1", Lines: 5}},
		{args: "1 -- sh -c exit,3 --help", want: typed{Old: "1", Command: []string{"sh", "-c", "exit,3", "--help"}}},
		{args: "1 --command a,b", want: typed{Old: "1", Command: []string{"a", "b"}}},
		{args: "1 2 3", problems: `unexpected argument "3"`},
		{args: "1 --old 2", problems: `OLD and --old are one input, given as "1" and as "2"`},
		{args: "-f", problems: "--old is required"},
		{args: "1 -x", problems: "-x: flags are written with two hyphens: --x"},
		{args: "1 --environment=prd", problems: `--environment: "prd": want one of dev, prod (did you mean prod?)`},
	} {
		t.Run(test.args, func(t *testing.T) {
			given := a.FromArguments(strings.Fields(test.args), nil, FieldsOf(chosen{})...)
			given.Into(&chosen{})
			decoded, err := a.Decode(given)
			switch {
			case test.problems != "":
				if err == nil || !strings.Contains(err.Error(), test.problems) {
					t.Errorf("got %v, want %s", err, test.problems)
				}
			case err != nil:
				t.Error(err)
			default:
				got := decoded.in.Interface().(typed)
				if !slices.Equal(got.Command, test.want.Command) {
					t.Errorf("command %q", got.Command)
				}
				got.Command, test.want.Command = nil, nil
				if got.Old != test.want.Old || got.New != test.want.New || got.Follow != test.want.Follow || got.Lines != test.want.Lines {
					t.Errorf("got %+v, want %+v", got, test.want)
				}
			}
		})
	}
}

func TestSuppose(t *testing.T) {
	a := Define(Meta{Name: "typed"}, func(context.Context, *Env, typed) (Outputs, error) { return Outputs{}, nil })
	given := a.FromArguments([]string{"--lines=2"}, nil)
	given.Suppose("old", "1", "file: old")
	given.Suppose("lines", "3", "file: lines")
	given.Suppose("nonsense", "3", "file: nonsense")
	decoded, err := a.Decode(given)
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded.in.Interface().(typed); got.Old != "1" || got.Lines != 2 {
		t.Errorf("got %+v: what is given beats what is supposed", got)
	}
	given = a.FromArguments(nil, nil)
	given.Suppose("lines", "many", "file: lines")
	given.Problem(errors.New("file: no good"))
	_, err = a.Decode(given)
	if err == nil || !strings.Contains(err.Error(), `file: lines: "many": want a whole number`) ||
		!strings.Contains(err.Error(), "file: no good") {
		t.Errorf("got %v", err)
	}
}
