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
var longLines = []string{
	"cmd/connect2/main.go",
	"internal/demo/demo.go",
	"pkg/action",
	"pkg/diagnose",
	"pkg/ecsdeploy",
	"pkg/ecsrollback",
	"pkg/history",
	"pkg/hold",
	"pkg/migrate",
	"pkg/oneoff",
	"pkg/release",
	"pkg/render",
	"pkg/rollout",
	"pkg/run",
	"pkg/status",
	"pkg/terraform",
	"pkg/tfapply",
}

// TestNoLongLines holds the lines of the Go sources to their length. Excepted are lines of a raw string, such as the tag of an
// input: its text is data, and cannot be broken without changing it.
func TestNoLongLines(t *testing.T) {
	const root = "../../.."
	needed := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
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

// longLinesOf returns the numbers of the lines that are too long.
func longLinesOf(source []byte) []int {
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
		if n++; !raw[n] && utf8.RuneCountInString(strings.TrimRight(line, "\r\n")) > longest {
			long = append(long, n)
		}
	}
	return long
}

func TestLongLinesOf(t *testing.T) {
	wide := strings.Repeat("é", longest)
	source := "package p\n//" + wide + "\nvar a = \"" + wide[:longest] + "\"\n" +
		"var b = `" + wide + "\n" + wide + "é`\nvar c = 1 // " + wide + "\n"
	if got, want := fmt.Sprint(longLinesOf([]byte(source))), "[2 6]"; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
}
