package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/cli"
	"github.com/org/connect2/v2/pkg/action"
)

// entry is one command, with the names that lead to it.
type entry struct {
	path []string
	cli.Command
}

// called is how the command is called.
func (e entry) called() string { return "connect2 " + strings.Join(e.path, " ") }

// entries are all commands that do something, those below others behind them.
func entries(path []string, commands []cli.Command) []entry {
	var found []entry
	for _, c := range commands {
		at := append(slices.Clone(path), c.Name)
		if c.Action != nil || c.Run != nil {
			found = append(found, entry{at, c})
		}
		found = append(found, entries(at, c.Commands)...)
	}
	return found
}

// reference is docs/COMMANDS.md and the man pages: every command of connect2 with its flags.
func reference() []file {
	var b strings.Builder
	b.WriteString("# The commands of connect2\n\nThis file and the man pages in [docs/man](man) are generated from the commands " +
		"themselves.\n\n")
	commands := entries(nil, cli.Commands())
	files := []file{{}}
	for _, group := range cli.Groups {
		fmt.Fprintf(&b, "**%s**\n\n| command | what it does |\n|---|---|\n", group)
		for _, e := range commands {
			if groupOf(e) == group {
				anchor := strings.ReplaceAll(e.called(), " ", "-")
				fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", e.called(), anchor, cell(e.Describe()))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("`connect2 completion bash`, `zsh`, `fish` and `powershell` write what these shells need to complete commands, flags and " +
		"values;\n`connect2 completion bash --help` says where it belongs.\n")
	for _, e := range commands {
		b.WriteString(sectionOf(e))
		files = append(files, file{path.Join("docs/man", strings.ReplaceAll(e.called(), " ", "-")+".1"), manPage(e)})
	}
	files[0] = file{"docs/COMMANDS.md", b.String()}
	return files
}

func groupOf(e entry) cli.Group {
	i := slices.IndexFunc(cli.Commands(), func(c cli.Command) bool { return c.Name == e.path[0] })
	return cli.Commands()[i].Group
}

// sectionOf is a command's part of the reference.
func sectionOf(e entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s.\n", e.called(), strings.TrimSuffix(e.Describe(), "."))
	if len(e.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso called `connect2 %s`.\n", strings.Join(e.Aliases, "`, `connect2 "))
	}
	if e.Action == nil {
		fmt.Fprintf(&b, "\n```text\n%s\n```\n", strings.TrimSpace(cli.HelpOf(e.Command)))
		return b.String()
	}
	for paragraph := range strings.SplitSeq(strings.TrimSpace(e.Action.Meta.Doc), "\n\n") {
		fmt.Fprintf(&b, "\n%s\n", folded(paragraph))
	}
	fmt.Fprintf(&b, "\n```sh\nconnect2 %s %s\n```\n", strings.Join(e.path, " "), e.Action.Usage())
	b.WriteString("\n```sh\n")
	for _, example := range e.Action.Meta.Examples {
		fmt.Fprintf(&b, "# %s\n%s\n", example.Title, strings.TrimSpace(e.called()+" "+example.Args))
	}
	b.WriteString("```\n\n| flag | what it is | default |\n|---|---|---|\n")
	for _, f := range cli.FlagsOf(e.Command) {
		standard := standardCell(f)
		name := "`--" + f.Name + "`"
		if f.Short != "" {
			name = "`-" + f.Short + "`, " + name
		}
		if f.Arg != "" && !f.Rest {
			name += ", or `" + f.Arg + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, cell(f.Doc+notes(f)), standard)
	}
	b.WriteString("\n| output of --json | what it is |\n|---|---|\n")
	for _, f := range e.Action.Outputs() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Name, cell(f.Doc))
	}
	return b.String()
}

// folded breaks a paragraph into lines that fit.
func folded(paragraph string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(paragraph) {
		if line != "" && len(line)+1+len(word) > 130 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n")
}

// manPage is a command's page for man(1).
func manPage(e entry) string {
	var b strings.Builder
	name := strings.ReplaceAll(e.called(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" connect2 \"connect2\"\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(name)), roff(name), roff(e.Describe()))
	if e.Action == nil {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(e.called()), roff(strings.TrimSpace(cli.HelpOf(e.Command))))
		return b.String()
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n%s\n.SH DESCRIPTION\n", roff(e.called()), roff(e.Action.Usage()))
	for i, paragraph := range strings.Split(strings.TrimSpace(e.Action.Meta.Doc), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(folded(paragraph)) + "\n")
	}
	if len(e.Aliases) > 0 {
		fmt.Fprintf(&b, ".PP\nAlso called connect2 %s.\n", roff(strings.Join(e.Aliases, ", connect2 ")))
	}
	b.WriteString(".SH OPTIONS\n")
	for _, f := range cli.FlagsOf(e.Command) {
		short := ""
		if f.Short != "" {
			short = "-" + f.Short + ", "
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(short+"--"+f.Name+f.Placeholder()), roff(f.Doc+f.Remark()))
	}
	b.WriteString(".SH OUTPUTS\nOf \\-\\-json, and of a step of a workflow.\n")
	for _, f := range e.Action.Outputs() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.Name), roff(f.Doc))
	}
	b.WriteString(".SH EXAMPLES\n")
	for _, example := range e.Action.Meta.Examples {
		fmt.Fprintf(&b, "%s:\n.PP\n.nf\n.RS\n%s\n.RE\n.fi\n.PP\n", roff(example.Title), roff(strings.TrimSpace(e.called()+" "+example.Args)))
	}
	_, codes, _ := strings.Cut(action.ExitCodes, "\n")
	fmt.Fprintf(&b, ".SH EXIT STATUS\n.nf\n%s.fi\n", roff(codes))
	return b.String()
}

// roff escapes a text for man's language: backslashes, hyphens that are to be copied, and lines that begin like a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
