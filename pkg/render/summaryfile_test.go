package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummaryStaysBelowTheLimit(t *testing.T) {
	row := "| ä | " + strings.Repeat("x", 90) + " |\n"
	for _, test := range []struct {
		name     string
		markdown string
		used     int
		whole    bool
		ends     string
	}{
		{"fits", "# Title\n", 0, true, "# Title\n\n"},
		{"too long", strings.Repeat(row, 20_000), 0, false, " |\n" + summaryNote},
		{"in a fence", "```\n" + strings.Repeat(row, 20_000) + "```\n", 0, false, " |\n\n```\n" + summaryNote},
		{"folded", "<details><summary>x</summary>\n\n" + strings.Repeat(row, 20_000) + "</details>\n", 0, false, "\n</details>\n" + summaryNote},
		{"one line", strings.Repeat("ä", SummaryLimit), 0, false, "ä" + summaryNote},
		{"others wrote before", strings.Repeat(row, 100), SummaryLimit - 5000, false, " |\n" + summaryNote},
		{"nothing is left", "# Title\n", SummaryLimit - 10, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, whole := fitSummary(test.markdown, test.used)
			if whole != test.whole || !strings.HasSuffix(got, test.ends) {
				t.Errorf("whole %v; ends %q", whole, got[max(len(got)-200, 0):])
			}
			if test.used+len(got) > SummaryLimit {
				t.Errorf("%d bytes", test.used+len(got))
			}
			if !whole && test.ends != "" && test.used+len(got) < SummaryLimit-1000 {
				t.Errorf("only %d bytes of it are used", len(got))
			}
		})
	}
}

func TestSummaryIsAppended(t *testing.T) {
	file := filepath.Join(t.TempDir(), "summary")
	for _, text := range []string{"# One", strings.Repeat("line\n", SummaryLimit/5+1), "# Three"} {
		if err := AppendSummary(file, text); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(b), "# One\n\nline\n") || !strings.HasSuffix(string(b), summaryNote) || len(b) > SummaryLimit {
		t.Errorf("%v, %d bytes: %.40q … %q", err, len(b), b, b[max(len(b)-40, 0):])
	}
	if err := AppendSummary(filepath.Join(t.TempDir(), "no", "such"), "x"); err == nil {
		t.Error("a file that cannot be written is not an error")
	}
	if err := AppendSummary("", "x"); err != nil {
		t.Errorf("no file: %v", err)
	}
}
