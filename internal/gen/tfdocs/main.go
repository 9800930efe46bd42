// Command tfdocs writes the table of security controls in docs/CONTROLS.md: what the tests of the Terraform modules assert,
// the exceptions of terraform/test/exceptions.yaml with their reasons, and what terraform/test/controls.yaml says of the rest.
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

//go:generate go run . ../../..

func main() {
	log.SetFlags(0)
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	path := filepath.Join(root, "docs", "CONTROLS.md")
	old, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	table, err := controlTable(root)
	if err != nil {
		log.Fatal(err)
	}
	out, err := inject(old, table)
	if err != nil {
		log.Fatalf("%s: %v", path, err)
	}
	if err := os.WriteFile(path, out, 0o644); err != nil {
		log.Fatal(err)
	}
}

// assertion is one `assert` whose message begins with a control's id in brackets.
type assertion struct{ id, says, module string }

// exception is one entry of exceptions.yaml.
type exception struct {
	ID    string `yaml:"id"`
	Asks  string `yaml:"asks"`
	Where string `yaml:"where"`
	Why   string `yaml:"why"`
}

// catalog is controls.yaml: what the standard asks of the services that are used.
type catalog struct {
	Standard map[string][]int `yaml:"standard"`
	Beyond   []string         `yaml:"beyond"`
	Absent   []absence        `yaml:"absent"`
}

// absence is a kind of thing that the modules do not make, with the controls that are about it.
type absence struct {
	What string   `yaml:"what"`
	IDs  []string `yaml:"ids"`
}

var (
	marked  = regexp.MustCompile(`error_message\s*=\s*"\[([A-Za-z0-9]+\.[0-9]+)\] ([^"]*)"`)
	control = regexp.MustCompile(`^([A-Z][A-Za-z0-9]*)\.([0-9]+)$`)
)

// assertions reads the tests of all modules.
func assertions(root string) ([]assertion, error) {
	files, err := filepath.Glob(filepath.Join(root, "terraform", "modules", "*", "tests", "*.tftest.hcl"))
	if err != nil {
		return nil, err
	}
	var all []assertion
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		module := filepath.Base(filepath.Dir(filepath.Dir(file)))
		for _, m := range marked.FindAllSubmatch(text, -1) {
			all = append(all, assertion{id: string(m[1]), says: string(m[2]), module: module})
		}
	}
	return all, nil
}

// load reads a file of terraform/test.
func load(root, name string, into any) error {
	path := filepath.Join(root, "terraform", "test", name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// gaps says which controls of the standard nobody has dealt with, and which the lists name that are none of it.
func gaps(c catalog, asserted []assertion, excepted []exception) []string {
	dealt := map[string]string{}
	for _, a := range asserted {
		dealt[a.id] = "asserted"
	}
	for _, e := range excepted {
		dealt[e.ID] = "an exception"
	}
	var out []string
	for _, a := range c.Absent {
		for _, id := range a.IDs {
			if how, ok := dealt[id]; ok {
				out = append(out, fmt.Sprintf("%s: it is about %s, which are not here, and also %s", id, a.What, how))
			}
			dealt[id] = "about " + a.What
		}
	}
	known := map[string]bool{}
	for _, id := range c.Beyond {
		known[id] = true
	}
	for service, numbers := range c.Standard {
		for _, n := range numbers {
			id := fmt.Sprintf("%s.%d", service, n)
			known[id] = true
			if dealt[id] == "" {
				out = append(out, id+": neither asserted by a test, nor an exception, nor about what is not here")
			}
		}
	}
	for id, how := range dealt {
		if !known[id] {
			out = append(out, fmt.Sprintf("%s: %s, but no control that controls.yaml knows", id, how))
		}
	}
	slices.Sort(out)
	return out
}

// problems says what is wrong with the two lists taken together.
func problems(asserted []assertion, excepted []exception) []string {
	var out []string
	met := map[string]bool{}
	for _, a := range asserted {
		met[a.id] = true
	}
	seen := map[string]bool{}
	for _, e := range excepted {
		switch {
		case !control.MatchString(e.ID):
			out = append(out, fmt.Sprintf("exception %q: not the id of a control", e.ID))
		case e.Asks == "" || e.Why == "":
			out = append(out, fmt.Sprintf("exception %s: says not what is asked or not why it is not done", e.ID))
		case met[e.ID] && e.Where == "":
			out = append(out, fmt.Sprintf("exception %s: a test asserts the control, so the exception must say where it does not hold", e.ID))
		case seen[e.ID]:
			out = append(out, fmt.Sprintf("exception %s: stands there twice", e.ID))
		}
		seen[e.ID] = true
	}
	return out
}

func controlTable(root string) (string, error) {
	asserted, err := assertions(root)
	if err != nil {
		return "", err
	}
	var excepted []exception
	if err := load(root, "exceptions.yaml", &excepted); err != nil {
		return "", err
	}
	var known catalog
	if err := load(root, "controls.yaml", &known); err != nil {
		return "", err
	}
	if found := append(problems(asserted, excepted), gaps(known, asserted, excepted)...); len(found) > 0 {
		return "", fmt.Errorf("%s", strings.Join(found, "\n"))
	}
	met, not := map[string][]string{}, map[string]exception{}
	ids := map[string]bool{}
	for _, a := range asserted {
		met[a.id] = append(met[a.id], fmt.Sprintf("%s (%s)", a.says, a.module))
		ids[a.id] = true
	}
	for _, e := range excepted {
		not[e.ID] = e
		ids[e.ID] = true
	}
	var b strings.Builder
	b.WriteString("| control | asserted by a test (module) | exception |\n|---|---|---|\n")
	for _, id := range sorted(ids) {
		reason := ""
		if e, ok := not[id]; ok {
			reason = e.Why
			if e.Where != "" {
				reason = "*" + e.Where + ":* " + reason
			} else {
				reason = "asks that " + e.Asks + ". " + reason
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", id, strings.Join(met[id], "; "), reason)
	}
	fmt.Fprintf(&b, "\nBeyond the standard: %s. Not here, and so without a row:\n\n", strings.Join(known.Beyond, ", "))
	for _, a := range known.Absent {
		b.WriteString(wrapped("- "+a.What+" ("+strings.Join(a.IDs, ", ")+")", "  ", 140) + "\n")
	}
	return b.String(), nil
}

// wrapped breaks a text at blanks into lines of at most width characters, each but the first behind the indent.
func wrapped(text, indent string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// sorted orders ids by service and then by number.
func sorted(ids map[string]bool) []string {
	out := make([]string, 0, len(ids))
	for id := range ids {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b string) int {
		x, y := control.FindStringSubmatch(a), control.FindStringSubmatch(b)
		m, _ := strconv.Atoi(x[2])
		n, _ := strconv.Atoi(y[2])
		return cmp.Or(cmp.Compare(strings.ToLower(x[1]), strings.ToLower(y[1])), cmp.Compare(m, n))
	})
	return out
}

const (
	begin = "<!-- BEGIN CONTROLS -->\n"
	end   = "<!-- END CONTROLS -->"
)

// inject puts the table between the two markers.
func inject(document []byte, table string) ([]byte, error) {
	before, rest, ok := strings.Cut(string(document), begin)
	if !ok {
		return nil, fmt.Errorf("no line %s", strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return nil, fmt.Errorf("no line %s", end)
	}
	return []byte(before + begin + table + end + after), nil
}
