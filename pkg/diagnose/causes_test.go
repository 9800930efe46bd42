package diagnose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every code that stands in the package's source has its entry, and each entry is whole.
func TestCausesAreComplete(t *testing.T) {
	known := map[string]Cause{}
	for _, c := range Causes() {
		if _, twice := known[c.Code]; twice {
			t.Errorf("%s is listed twice", c.Code)
		}
		known[c.Code] = c
		if c.Meaning == "" || len(c.Fix) == 0 || len(c.Faults) == 0 || len(c.Evidence) == 0 && c.Code != "unknown" {
			t.Errorf("%s is not complete: %+v", c.Code, c)
		}
		if strings.Contains(c.Meaning+strings.Join(c.Fix, ""), "${") {
			t.Errorf("%s: a template is left unfilled", c.Code)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	coded := regexp.MustCompile(`(?:\bCode:|\bcode:|base\.Code(?:, base\.\w+)? =)\s+"([a-z0-9-]+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range coded.FindAllStringSubmatch(string(text), -1) {
			found++
			if known[m[1]].Code == "" {
				t.Errorf("%s: %s has no entry", file, m[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("%d codes were found in the source", found)
	}
}

// What every published failure was found to be stands in the list, and is certain only where the list says that it can be.
func TestCausesOfPublishedFailures(t *testing.T) {
	certain := map[string]bool{}
	for _, c := range Causes() {
		certain[c.Code] = c.Certain
	}
	for _, test := range published {
		if may, ok := certain[test.code]; !ok || test.certain && !may {
			t.Errorf("%s: %s", test.source, test.code)
		}
	}
}
