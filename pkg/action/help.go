package action

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/sorted"
)

// Usage returns how the action is called in a terminal, behind its name.
func (a *Action) Usage() string {
	var b strings.Builder
	rest := ""
	for _, f := range a.Inputs() {
		switch {
		case f.Rest:
			rest = " -- " + f.Arg
		case f.Arg != "" && f.Required:
			b.WriteString(f.Arg + " ")
		case f.Arg != "":
			b.WriteString("[" + f.Arg + "] ")
		}
	}
	return b.String() + "--flag VALUE ..." + rest
}

// Help returns what `connect2 NAME --help` prints: what the action does, its flags with their defaults, its outputs, and
// examples. extra are the program's own flags.
func (a *Action) Help(extra ...Field) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: connect2 %s %s\n", a.Meta.Description, a.Meta.Name, a.Usage())
	for paragraph := range strings.SplitSeq(strings.TrimSpace(a.Meta.Doc), "\n\n") {
		if lines := wrap(paragraph, 100); len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s\n", strings.Join(lines, "\n"))
		}
	}
	if len(a.Meta.Examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, e := range a.Meta.Examples {
			fmt.Fprintf(&b, "  # %s\n  connect2 %s %s\n", e.Title, a.Meta.Name, strings.TrimSpace(e.Args))
		}
	}
	for _, group := range grouped(slices.Concat(extra, a.Inputs(), EveryCommand())) {
		fmt.Fprintf(&b, "\n%s:\n", cmp.Or(group[0].Group, "Flags"))
		for _, f := range group {
			short := ""
			if f.Short != "" {
				short = "-" + f.Short + ", "
			}
			fmt.Fprintf(&b, "  %s--%s%s%s\n", short, f.Name, f.Placeholder(), f.Remark())
			for _, line := range wrap(f.Doc, 100) {
				fmt.Fprintf(&b, "        %s\n", line)
			}
		}
	}
	b.WriteString("\nOutputs:\n")
	for _, f := range a.Outputs() {
		fmt.Fprintf(&b, "  %s\n", f.Name)
		for _, line := range wrap(f.Doc, 100) {
			fmt.Fprintf(&b, "        %s\n", line)
		}
	}
	b.WriteString("\n" + ExitCodes)
	return b.String()
}

// EveryCommand returns the flags that every action has as a command, besides its inputs.
func EveryCommand() []Field {
	return []Field{
		{Name: "json", Kind: Bool, Group: "Output", Doc: "Print the outputs as one JSON object on standard output; events go to standard error."},
		{Name: "debug", Kind: Bool, Group: "Output", Doc: "Log more."},
	}
}

// ForReading returns fields as somebody looks for them: what must be given first, then the rest of the command's own, and then by
// group what many commands share.
func ForReading(fields []Field) []Field { return slices.Concat(grouped(fields)...) }

func grouped(fields []Field) [][]Field {
	var names []string
	for _, f := range fields {
		if !slices.Contains(names, f.Group) {
			names = append(names, f.Group)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return min(len(a), 1) - min(len(b), 1) }) // its own have no name: first
	groups := make([][]Field, len(names))
	for i, name := range names {
		for _, f := range fields {
			if f.Group == name {
				groups[i] = append(groups[i], f)
			}
		}
		sorted.Stable(groups[i], func(a, b Field) int { return rank(a) - rank(b) })
	}
	return groups
}

// rank is 0 for what must be given, and 1 for the rest.
func rank(f Field) int {
	if f.Required {
		return 0
	}
	return 1
}

// ExitCodes explains the exit codes, for help texts.
const ExitCodes = `Exit codes:
    0  succeeded, or nothing was to be done
    1  invalid: a check failed before anything was changed
    2  failed or rolled-back: the previous state is in force
    3  stuck: failed and could not be put back, act now
    4  superseded by a newer deployment
    5  timed-out
    6  unknown: contact or credentials lost
   70  a defect of this program
  130  cancelled
`

// Placeholder returns what stands for the value behind the field's flag, after a blank; nothing where the flag needs none.
func (f Field) Placeholder() string {
	switch {
	case f.Kind == Bool:
		return ""
	case f.Secret:
		return " env:NAME|file:PATH"
	case len(f.Enum) > 0:
		return " " + strings.Join(f.Enum, "|")
	}
	return " " + map[Kind]string{
		String: "TEXT", Int: "N", Duration: "DURATION", List: "A,B", Map: "KEY=VALUE", JSON: "JSON",
	}[f.Kind]
}

// Remark returns what else is to be known about the field's flag, in brackets after two blanks, or nothing.
func (f Field) Remark() string {
	var notes []string
	switch {
	case f.Required && f.Unless != "":
		notes = append(notes, "required unless --"+f.Unless+" says it")
	case f.Required:
		notes = append(notes, "required")
	}
	if f.Arg != "" && !f.Rest {
		notes = append(notes, "or "+f.Arg+" without the flag")
	}
	if f.Default != "" {
		notes = append(notes, "default "+f.Default)
	}
	if f.Kind == List || f.Kind == Map {
		notes = append(notes, "may be repeated")
	}
	if r := f.rangeText(); r != "" {
		notes = append(notes, strings.TrimSpace(r))
	}
	for _, alias := range f.Aliases {
		notes = append(notes, "also --"+alias.Name)
	}
	if len(notes) == 0 {
		return ""
	}
	return "  [" + strings.Join(notes, "; ") + "]"
}

// wrap breaks a text between words into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
