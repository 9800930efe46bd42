package archtest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the packages in CONTRIBUTING.md anew")

// floors are the layers of the drawing, from top to bottom.
var floors = []struct {
	layer layer
	title string
}{
	{entry, "entry: decode, call, encode"},
	{verb, "verbs: one package for each action"},
	{edge, "edge: what people and machines see"},
	{noun, "nouns: one mechanism each"},
	{view, "view: reads AWS"},
	{ground, "ground: the record, inputs and outputs, the connection"},
	{standIn, "stand-in for AWS"},
	{base, "base: for everybody, so without arrows"},
}

// arrows are the imports between the packages of a drawing: for each, those that it imports.
type arrows map[string]map[string]bool

const begin, end = "<!-- packages -->\n", "<!-- /packages -->"

// TestDrawing holds the drawing in CONTRIBUTING.md to the imports.
func TestDrawing(t *testing.T) {
	const path = "../../../CONTRIBUTING.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	drawn, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("CONTRIBUTING.md has no %s and %s to draw between", strings.TrimSpace(begin), end)
	}
	want := draw(imports(packages(t)))
	switch {
	case drawn == want:
	case *update:
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the drawing in CONTRIBUTING.md differs from the imports: run go generate ./internal/test/archtest. It should be\n%s", want)
	}
}

// TestNoArrowUp holds that every import goes down, or stays on its floor; but for those that are still to go (open).
func TestNoArrowUp(t *testing.T) {
	for from, all := range imports(packages(t)) {
		for to := range all {
			if floorOf(to) < floorOf(from) && !slices.Contains(open[from], to) {
				t.Errorf("%s (%s) imports %s (%s), which stands above it", from, layerOf(from), to, layerOf(to))
			}
		}
	}
}

// floorOf returns the place of a folder's layer in floors, or -1.
func floorOf(folder string) int {
	for i, floor := range floors {
		if floor.layer == layerOf(folder) {
			return i
		}
	}
	return -1
}

// imports returns the imports between packages that stand on a floor. A package and those below it on its floor are one.
func imports(all []listed) arrows {
	known := map[string]bool{}
	for _, p := range all {
		if folder, ok := folderOf(p.ImportPath); ok && floorOf(folder) >= 0 {
			known[folder] = true
		}
	}
	node := func(folder string) string {
		for i := range folder {
			if above := folder[:i]; folder[i] == '/' && known[above] && layerOf(above) == layerOf(folder) {
				return above
			}
		}
		return folder
	}
	a := arrows{}
	for _, p := range all {
		from, _ := folderOf(p.ImportPath)
		if !known[from] || strings.HasPrefix(from, "bench/") || from == "examples" {
			continue
		}
		if from = node(from); a[from] == nil {
			a[from] = map[string]bool{}
		}
		for _, path := range p.Imports {
			if to, ok := folderOf(path); ok && known[to] && node(to) != from && to != "examples" {
				a[from][node(to)] = true
			}
		}
	}
	return a
}

// reaches says whether an import of from, or of what it imports, is to.
func (a arrows) reaches(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(at string) bool {
		for next := range a[at] {
			if next == to {
				return true
			}
			if !seen[next] {
				if seen[next] = true; walk(next) {
					return true
				}
			}
		}
		return false
	}
	return walk(from)
}

// needed says whether the drawing needs an arrow: not where others lead from one end to the other.
func (a arrows) needed(from, to string) bool {
	for via := range a[from] {
		if via != to && !slices.Contains(open[from], via) && a.reaches(via, to) {
			return false
		}
	}
	return true
}

// draw draws the packages as a Mermaid flowchart.
func draw(a arrows) string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	id := strings.NewReplacer("/", "_", "-", "_").Replace
	folders := slices.Sorted(maps.Keys(a))
	for i, floor := range floors {
		var nodes []string
		for _, folder := range folders {
			if floorOf(folder) == i {
				nodes = append(nodes, fmt.Sprintf("    %s[\"%s\"]\n", id(folder), folder))
			}
		}
		if len(nodes) > 0 {
			fmt.Fprintf(&b, "  subgraph %s_[\"%s\"]\n%s  end\n", floor.layer, floor.title, strings.Join(nodes, ""))
		}
	}
	for _, from := range folders {
		for _, to := range slices.Sorted(maps.Keys(a[from])) {
			switch {
			case layerOf(to) == base:
			case slices.Contains(open[from], to):
				fmt.Fprintf(&b, "  %s -. to go .-> %s\n", id(from), id(to))
			case a.needed(from, to):
				fmt.Fprintf(&b, "  %s --> %s\n", id(from), id(to))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func TestDraw(t *testing.T) {
	a := arrows{
		"cmd/connect2":  {"pkg/ecsdeploy": true, "pkg/taskdef": true},
		"pkg/ecsdeploy": {"pkg/rollout": true, "pkg/taskdef": true, "internal/arn": true},
		"pkg/rollout":   {"pkg/awserr": true},
		"pkg/taskdef":   {},
		"pkg/awserr":    {"internal/arn": true},
		"internal/arn":  {},
		"pkg/terraform": {"pkg/render": true},
		"pkg/render":    {"pkg/taskdef": true},
	}
	got := draw(a)
	for _, want := range []string{
		"  subgraph noun_[\"nouns: one mechanism each\"]\n    pkg_rollout[\"pkg/rollout\"]\n    pkg_taskdef[\"pkg/taskdef\"]\n",
		"  cmd_connect2 --> pkg_ecsdeploy\n  pkg_ecsdeploy --> pkg_rollout\n  pkg_ecsdeploy --> pkg_taskdef\n",
		"    internal_arn[\"internal/arn\"]\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"cmd_connect2 --> pkg_taskdef", "--> internal_arn", "subgraph view"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in\n%s", not, got)
		}
	}
}
