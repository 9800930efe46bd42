package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
)

// file is a generated file, its path relative to the module's root.
type file struct{ path, text string }

// rootAction is the action whose action.yml is the repository's own: GitHub's Marketplace wants one at the root.
const rootAction = "release"

// render returns the files of one action as they should be, given those that are there.
func render(root string, a *action.Action) ([]file, error) {
	folder, image := filepath.Join("actions", a.Meta.Name), "../../Dockerfile"
	if a.Meta.Name == rootAction {
		folder, image = "", "Dockerfile"
	}
	manifest := filepath.Join(folder, "action.yml")
	existing, err := readIfThere(filepath.Join(root, manifest))
	if err != nil {
		return nil, err
	}
	runs := topLevelBlock(existing, "runs")
	if runs == "" {
		runs = fmt.Sprintf("runs:\n  using: docker\n  image: %s\n  args:\n    - %s\n", image, a.Meta.Name)
	}
	files := []file{{manifest, manifestOf(a, runs)}}

	readme := filepath.Join(folder, "README.md")
	text, err := readIfThere(filepath.Join(root, readme))
	if err != nil {
		return nil, err
	}
	if text == "" && folder != "" {
		text = newReadme(a)
	}
	for name, table := range map[string]string{"inputs": inputTable(a), "outputs": outputTable(a)} {
		var found bool
		if text, found = replaceBetween(text, name, table); !found && folder != "" {
			return nil, fmt.Errorf("%s: no <!-- %s --> and <!-- /%s --> to write the table between", readme, name, name)
		}
	}
	if text != "" {
		files = append(files, file{readme, text})
	}

	program := filepath.Join("cmd", a.Meta.Name, "main.go")
	if text, err = readIfThere(filepath.Join(root, program)); err != nil {
		return nil, err
	}
	if text == "" {
		text = newProgram(a)
	}
	return append(files, file{program, text}), nil
}

func readIfThere(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// topLevelBlock returns the lines of a top-level key of a YAML document, as they are, or "".
func topLevelBlock(document, key string) string {
	var block strings.Builder
	inside := false
	for line := range strings.Lines(document) {
		if line[0] != ' ' && line[0] != '\n' && line[0] != '#' {
			inside = strings.HasPrefix(line, key+":")
		}
		if inside {
			block.WriteString(line)
		}
	}
	return block.String()
}

// manifestOf writes an action.yml. Texts are JSON strings, which YAML reads alike whatever they hold.
func manifestOf(a *action.Action, runs string) string {
	var b strings.Builder
	title := "Connect2 " + a.Meta.Name
	fmt.Fprintf(&b, "# Written by `go generate ./...` from the action's inputs and outputs. Only `runs` is edited here.\n")
	fmt.Fprintf(&b, "name: %s\ndescription: %s\n", quote(title), quote(a.Meta.Description))
	fmt.Fprintf(&b, "branding:\n  icon: %s\n  color: %s\n", quote(a.Meta.Icon), quote(a.Meta.Color))
	b.WriteString("inputs:\n")
	for _, f := range a.Inputs() {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", f.Name, quote(f.Doc+notes(f)))
		// An input that an alias may stand for is not required by GitHub's rules; the program requires one of the names.
		fmt.Fprintf(&b, "    required: %t\n", f.Required && f.Unless == "" && len(f.Aliases) == 0)
		if f.Default != "" {
			fmt.Fprintf(&b, "    default: %s\n", quote(f.Default))
		}
		for _, alias := range f.Aliases {
			text := fmt.Sprintf("The same as %s.", f.Name)
			if alias.Unit != "" {
				text = fmt.Sprintf("The same as %s, a number of %s.", f.Name, units[alias.Unit])
			}
			fmt.Fprintf(&b, "  %s:\n    description: %s\n    required: false\n", alias.Name, quote(text))
		}
	}
	b.WriteString("outputs:\n")
	for _, f := range a.Outputs() {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", f.Name, quote(f.Doc))
	}
	b.WriteString(strings.TrimRight(runs, "\n") + "\n")
	return b.String()
}

var units = map[string]string{"s": "seconds", "m": "minutes", "h": "hours"}

// notes says of an input what its description does not.
func notes(f action.Field) string {
	var n []string
	switch {
	case len(f.Enum) > 0:
		n = append(n, "One of "+strings.Join(f.Enum, ", ")+".")
	case f.Min != "" && f.Max != "":
		n = append(n, "From "+f.Min+" to "+f.Max+".")
	case f.Min != "":
		n = append(n, "At least "+f.Min+".")
	case f.Max != "":
		n = append(n, "At most "+f.Max+".")
	}
	if f.Zero != "" {
		n = append(n, "Or "+f.Zero+".")
	}
	switch f.Kind {
	case action.List:
		n = append(n, "One per line, or separated by commas.")
	case action.Map:
		n = append(n, "KEY=value, one per line.")
	case action.JSON:
		n = append(n, "JSON.")
	}
	switch {
	case f.Required && f.Unless != "":
		n = append(n, "Required, unless "+f.Unless+" says it.")
	case f.Required && len(f.Aliases) > 0:
		n = append(n, "Required.")
	}
	if len(n) == 0 {
		return ""
	}
	return " " + strings.Join(n, " ")
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSpace(b.String())
}

// standardCell is what a table says of an input that is not given.
func standardCell(f action.Field) string {
	switch {
	case f.Required && f.Unless == "":
		return "**required**"
	case f.Default != "":
		return "`" + cell(f.Default) + "`"
	}
	return ""
}

func inputTable(a *action.Action) string {
	var b strings.Builder
	b.WriteString("| input | what it is | default |\n|---|---|---|\n")
	for _, f := range a.Inputs() {
		standard := standardCell(f)
		text := f.Doc + notes(f)
		if len(f.Aliases) > 0 {
			var names []string
			for _, alias := range f.Aliases {
				names = append(names, "`"+alias.Name+"`")
			}
			text += " Also accepted as " + strings.Join(names, ", ") + "."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, cell(text), standard)
	}
	return b.String()
}

func outputTable(a *action.Action) string {
	var b strings.Builder
	b.WriteString("| output | what it is |\n|---|---|\n")
	for _, f := range a.Outputs() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Name, cell(f.Doc))
	}
	return b.String()
}

// cell is text for a cell of a table, where angle brackets would be taken for HTML.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;").Replace(s)
}

// replaceBetween replaces what stands between <!-- name --> and <!-- /name -->.
func replaceBetween(text, name, content string) (string, bool) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	if !ok {
		return text, false
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return text, false
	}
	return before + begin + content + end + after, true
}
