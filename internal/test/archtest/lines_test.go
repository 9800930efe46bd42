package archtest

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// longest is how many characters a line may have.
const longest = 140

// longLines are the folders and files where lines are still to be broken. One that has no long line any more must go here too.
var longLines = []string{}

// TestNoLongLines holds the lines of Go, Markdown and YAML to their length. Excepted is what cannot be broken without changing
// it: in Go the lines of a raw string, such as the tag of an input; in Markdown tables and code; the descriptions in action.yml,
// which are generated; and what a run has printed, in docs/examples.
func TestNoLongLines(t *testing.T) {
	const root = "../../.."
	needed := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".github":
			return fs.SkipDir
		case entry.IsDir() && entry.Name() == "examples" && filepath.Base(filepath.Dir(path)) == "docs":
			return fs.SkipDir
		case entry.IsDir() || entry.Name() == "action.yml":
			return nil
		}
		longLinesOf := map[string]func([]byte) []int{
			".go": longLinesOfGo, ".md": longLinesOfMarkdown, ".yml": longLinesOfYAML, ".yaml": longLinesOfYAML,
		}[filepath.Ext(path)]
		if longLinesOf == nil {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		for _, line := range longLinesOf(source) {
			if excepted := exceptedBy(name); excepted != "" {
				needed[excepted] = true
				continue
			}
			t.Errorf("%s:%d has more than %d characters", name, line, longest)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, excepted := range longLines {
		if !needed[excepted] {
			t.Errorf("%s has no long lines any more: take it out of longLines", excepted)
		}
	}
}

func exceptedBy(name string) string {
	for _, excepted := range longLines {
		if name == excepted || strings.HasPrefix(name, excepted+"/") {
			return excepted
		}
	}
	return ""
}

func tooLong(line string) bool {
	return utf8.RuneCountInString(strings.TrimRight(line, "\r\n")) > longest
}

// longLinesOfGo returns the numbers of the lines that are too long.
func longLinesOfGo(source []byte) []int {
	file := token.NewFileSet().AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	raw := map[int]bool{}
	for pos, tok, text := s.Scan(); tok != token.EOF; pos, tok, text = s.Scan() {
		if tok == token.STRING && text[0] == '`' {
			first := file.Line(pos)
			for line := first; line <= first+strings.Count(text, "\n"); line++ {
				raw[line] = true
			}
		}
	}
	var long []int
	n := 0
	for line := range strings.Lines(string(source)) {
		if n++; !raw[n] && tooLong(line) {
			long = append(long, n)
		}
	}
	return long
}

func longLinesOfMarkdown(source []byte) []int {
	var long []int
	n, code := 0, false
	for line := range strings.Lines(string(source)) {
		n++
		start := strings.TrimLeft(line, " >")
		if strings.HasPrefix(start, "```") {
			code = !code
		}
		if !code && !strings.HasPrefix(start, "|") && tooLong(line) {
			long = append(long, n)
		}
	}
	return long
}

func longLinesOfYAML(source []byte) []int {
	var long []int
	n := 0
	for line := range strings.Lines(string(source)) {
		if n++; tooLong(line) {
			long = append(long, n)
		}
	}
	return long
}

func TestLongLinesOf(t *testing.T) {
	wide := strings.Repeat("é", longest)
	source := "package p\n//" + wide + "\nvar a = \"" + wide[:longest] + "\"\n" +
		"var b = `" + wide + "\n" + wide + "é`\nvar c = 1 // " + wide + "\n"
	if got, want := fmt.Sprint(longLinesOfGo([]byte(source))), "[2 6]"; got != want {
		t.Errorf("Go: lines %s, want %s", got, want)
	}
	source = wide + "\n" + wide + "é\n| " + wide + " |\n```\n" + wide + "é\n```\n- " + wide + "\n"
	if got, want := fmt.Sprint(longLinesOfMarkdown([]byte(source))), "[2 7]"; got != want {
		t.Errorf("Markdown: lines %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(longLinesOfYAML([]byte("a: b\r\n# "+wide+"\n"+wide+"\r\n"))), "[2]"; got != want {
		t.Errorf("YAML: lines %s, want %s", got, want)
	}
}
