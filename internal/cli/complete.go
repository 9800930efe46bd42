package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

// declare tells cobra a command's flags, so that the shells complete them and their values.
func declare(cmd *cobra.Command, c Command) {
	flags := FlagsOf(c)
	for _, f := range flags {
		flag := &pflag.Flag{Name: f.Name, Shorthand: f.Short, Usage: f.Doc, Value: new(text)}
		if f.Kind == action.Bool {
			flag.NoOptDefVal = "true"
		}
		cmd.Flags().AddFlag(flag)
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return values(flags, args, toComplete)
	}
}

// text is the value of a flag that only completion knows.
type text string

// String returns it.
func (t *text) String() string { return string(*t) }

// Set takes any.
func (t *text) Set(value string) error { *t = text(value); return nil }

// Type is what pflag shows of it.
func (t *text) Type() string { return "string" }

// FlagsOf returns the flags of a command. Those of one without an action are read from its help.
func FlagsOf(c Command) []action.Field {
	if c.Action != nil {
		return action.ForReading(slices.Concat(run.ExtraFields(c.Action), c.Action.Inputs(), action.EveryCommand()))
	}
	var flags []action.Field
	for _, m := range flagLine.FindAllStringSubmatch(HelpOf(c), -1) {
		if slices.ContainsFunc(flags, func(f action.Field) bool { return f.Name == m[1] }) {
			continue // a command with two forms lists a flag of both twice
		}
		f := action.Field{Name: m[1], Kind: action.String, Doc: m[3]}
		if m[2] == "" {
			f.Kind = action.Bool
		}
		flags = append(flags, f)
	}
	return flags
}

// flagLine is a flag as internal/flags lists it.
var flagLine = lazyregexp.New(`(?m)^  --([a-z][a-z0-9-]*)(?: (\S+))?(?:  \[.*\])?\n        (.+)$`)

// HelpOf returns what a command without an action says to --help.
func HelpOf(c Command) string {
	var out bytes.Buffer
	if c.Run != nil {
		c.Run(context.Background(), []string{"--help"}, &out, &out)
	}
	return out.String()
}

// values completes the value of a flag, and what needs no flag.
func values(flags []action.Field, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	name, part, attached := strings.Cut(toComplete, "=")
	switch {
	case attached && strings.HasPrefix(name, "--"):
	case len(args) > 0 && strings.HasPrefix(args[len(args)-1], "-") && !strings.Contains(args[len(args)-1], "="):
		name, part = args[len(args)-1], toComplete
	default:
		name, part = "", toComplete
	}
	if i := slices.IndexFunc(flags, func(f action.Field) bool {
		return name == "--"+f.Name || f.Short != "" && name == "-"+f.Short
	}); i >= 0 && (attached || flags[i].Kind != action.Bool) {
		return valuesOf(flags[i], name, part, attached)
	}
	for _, f := range flags {
		if f.Arg != "" && !f.Rest && len(f.Enum) > 0 && !strings.HasPrefix(toComplete, "-") {
			return valuesOf(f, "", part, false)
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func valuesOf(f action.Field, name, part string, attached bool) ([]string, cobra.ShellCompDirective) {
	if f.Path != "" {
		return nil, cobra.ShellCompDirectiveDefault // files
	}
	choices := f.Enum
	if f.Kind == action.Bool {
		choices = []string{"true", "false"}
	}
	if f.Name == "environment" {
		choices = environments()
	}
	var found []string
	for _, choice := range choices {
		if !strings.HasPrefix(choice, part) {
			continue
		}
		if attached {
			choice = name + "=" + choice
		}
		found = append(found, choice)
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
