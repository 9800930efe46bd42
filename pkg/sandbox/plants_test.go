package sandbox

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPlantsAreListed holds the table of docs/SANDBOX.md to what can be broken.
func TestPlantsAreListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/SANDBOX.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### What can be broken\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for _, name := range Plants() {
		what := plants[name].doc
		if plants[name].domain {
			what += "; with a domain"
		}
		if row := fmt.Sprintf("\n| `%s` | %s |\n", name, what); !strings.Contains(section, row) {
			t.Errorf("docs/SANDBOX.md lacks%s", row)
		}
		rows++
	}
	if got := strings.Count(section, "\n| `") - 1; got != rows {
		t.Errorf("docs/SANDBOX.md lists %d, and %d can be broken", got, rows)
	}
}
