// Package flags reads the flags of a command that is not an action, as those of the actions are read and shown: two hyphens, and the
// nearest name where one is not known.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
)

// Parse reads the arguments into the set. usage stands above the list of flags. What is asked for with --help goes to stdout and what is
// wrong to stderr, with the command's name, which is the set's. done is whether that was all, and code the exit code then.
func Parse(set *flag.FlagSet, usage string, args []string, stdout, stderr io.Writer) (code int, done bool) {
	set.Init(set.Name(), flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		if _, err := io.WriteString(stdout, usage+list(set)); err != nil {
			return 1, true
		}
		return 0, true
	case err != nil:
		fmt.Fprintf(stderr, "%s: %s\n%[1]s --help lists the flags.\n", set.Name(), problem(set, err))
		return 1, true
	}
	return 0, false
}

// problem says what is wrong in the words of the other commands. err is what package flag made of it.
func problem(set *flag.FlagSet, err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return "--" + name + " needs a value"
	}
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return strings.Replace(err.Error(), " for flag -", " for --", 1)
	}
	var names []string
	set.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	text := "unknown flag --" + name
	if near := nearest.One(name, names); near != "" {
		text += ": did you mean --" + near + "?"
	}
	return text
}

// list is the flags with what they are, as the help of an action lists its own.
func list(set *flag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *flag.Flag) {
		value, doc := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			value += "  [default " + f.DefValue + "]"
		}
		fmt.Fprintf(&b, "  --%s%s\n        %s\n", f.Name, value, doc)
	})
	return b.String()
}

// List is a flag that may be given again and again.
type List []string

// String shows what was given.
func (l *List) String() string { return strings.Join(*l, ", ") }

// Set adds a value.
func (l *List) Set(text string) error {
	*l = append(*l, text)
	return nil
}

// Tell writes an error to stderr, each of its lines with the command's name; nothing where there is none.
func Tell(stderr io.Writer, command string, err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "%s: %s\n", command, strings.TrimRight(line, "\n"))
	}
}
