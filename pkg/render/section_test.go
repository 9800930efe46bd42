package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

func TestSection(t *testing.T) {
	s := record.Section{Title: "Plan of <dev>", Blocks: []record.Block{
		{Paragraph: []record.Text{{Text: "2 to add.", Form: record.Strong}, {Text: " a_b stay."}, {Text: "x|y", Form: record.Code}}},
		{Section: &record.Section{Title: "Risks", Blocks: []record.Block{{Table: &record.Table{
			Head: []string{"Risk", "Where"}, Rows: [][]record.Text{{{Text: "Data *loss*", Form: record.Strong}, {Text: "a[0]", Form: record.Code}}},
		}}}}},
		{Section: &record.Section{Title: "Nothing", Blocks: []record.Block{{Table: &record.Table{Head: []string{"a"}}}}}},
		{List: [][]record.Text{{{Text: "Commit abc, "}, {Text: "run 7", Link: "https://github.com/o/r/actions/runs/7"}}, {{Text: "run 8",
			Link: "javascript:1"}}}},
		{Section: &record.Section{Title: "By resource", Blocks: []record.Block{
			{Section: &record.Section{Title: "~ a_b", Folded: true, Blocks: []record.Block{
				{Paragraph: []record.Text{{Text: "Why."}}}, {Verbatim: "! a = ``` -> <b>", Language: "diff"}}}},
			{Section: &record.Section{Title: "empty", Folded: true}},
		}}},
	}}
	want := "## Plan of &lt;dev&gt;\n\n**2 to add.** a&#95;stay.<code>x&#124;y</code>\n\n" +
		"### Risks\n\n| Risk | Where |\n|---|---|\n| **Data &#42;loss&#42;** | `a[0]` |\n\n" +
		"- Commit abc, [run 7](https://github.com/o/r/actions/runs/7)\n- run 8\n\n" +
		"### By resource\n\n<details><summary>&#126; a&#95;b</summary>\n\nWhy.\n\n````diff\n! a = ``` -> <b>\n````\n\n</details>\n\n"
	want = strings.Replace(want, "a&#95;stay.", "a&#95;b stay.", 1)
	if got := Section(s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Section(record.Section{Title: "Alone"}); got != "" {
		t.Errorf("a heading without anything below it: %q", got)
	}
	if got := Section(record.Section{Title: "Folded", Folded: true, Blocks: []record.Block{{Verbatim: "x"}}}); got != Details("Folded",
		Fence("", "x")) {
		t.Errorf("a folded section: %q", got)
	}
}

// review is a section of n risks and n folded resources.
func review(n int) record.Section {
	s := record.Section{Title: "Plan", Blocks: []record.Block{{Paragraph: []record.Text{{Text: fmt.Sprintf("%d to change", n)}}}}}
	table, resources := &record.Table{Head: []string{"Risk"}}, record.Section{Title: "By resource"}
	for i := range n {
		table.Rows = append(table.Rows, []record.Text{{Text: fmt.Sprintf("risk %d of a resource", i)}})
		resources.Blocks = append(resources.Blocks, record.Block{Section: &record.Section{
			Title: fmt.Sprint("~ resource ", i), Folded: true, Blocks: []record.Block{{Verbatim: strings.Repeat("! a = 1 -> 2\n", 1+i%40),
				Language: "diff"}},
		}})
	}
	for _, name := range []string{"Risks", "Services"} {
		s.Blocks = append(s.Blocks, record.Block{Section: &record.Section{Title: name, Blocks: []record.Block{{Table: table}}}})
	}
	s.Blocks = append(s.Blocks, record.Block{Section: &resources})
	return s
}

// A section is cut between its pieces, never within one, and says how much it lacks.
func TestCut(t *testing.T) {
	const left = "%d more changes do not fit."
	for _, n := range []int{1, 30, 500, 3000} {
		for _, limit := range []int{500, 1000, 3000, 20_000, CommentLimit, SummaryLimit} {
			text := Cut(review(n), limit, left)
			if len(text) > limit {
				t.Errorf("%d resources: %d bytes, limit %d", n, len(text), limit)
			}
			if !strings.HasPrefix(text, fmt.Sprintf("## Plan\n\n%d to change\n\n", n)) {
				t.Errorf("%d resources, limit %d: begins with %.40q", n, limit, text)
			}
			listed := strings.Count(text, "<details>")
			if listed != strings.Count(text, "</details>") || strings.Count(text, "```") != 2*listed {
				t.Errorf("%d resources, limit %d: cut within a resource", n, limit)
			}
			for i := range listed {
				if !strings.Contains(text, fmt.Sprintf("resource %d<", i)) {
					t.Fatalf("%d resources, limit %d: %d are listed, and not resource %d", n, limit, listed, i)
				}
			}
			if says := strings.Contains(text, fmt.Sprintf(left, n-listed)); says != (listed < n) {
				t.Errorf("%d resources, limit %d: %d are listed; ends with %.90q", n, limit, listed, text[len(text)-90:])
			}
			for _, title := range []string{"### Risks", "### Services"} {
				_, below, ok := strings.Cut(text, title)
				below, _, _ = strings.Cut(below, "###")
				rows := strings.Count(below, "| risk ")
				if !ok || rows == 0 {
					t.Errorf("%d resources, limit %d: %s has %d rows", n, limit, title, rows)
				}
				if says := strings.Contains(below, fmt.Sprintf("… and %d more\n", n-rows)); says != (rows < n) {
					t.Errorf("%d resources, limit %d: %s has %d rows and says of more: %t", n, limit, title, rows, says)
				}
			}
		}
	}
}

// What is neither a row nor a fold is not counted, but it is said that something is missing.
func TestCutParagraphs(t *testing.T) {
	s := record.Section{Title: "Log"}
	for range 50 {
		s.Blocks = append(s.Blocks, record.Block{Paragraph: []record.Text{{Text: strings.Repeat("word ", 20)}}})
	}
	if got := Cut(s, 1000, ""); len(got) > 1000 || !strings.HasSuffix(got, "\n… the rest does not fit here.\n") {
		t.Errorf("%d bytes, ends with %.60q", len(got), got[len(got)-60:])
	}
	if got := Cut(s, 10_000, ""); strings.Contains(got, "…") {
		t.Errorf("something is missing in %q", got)
	}
}

func TestHidden(t *testing.T) {
	if got, want := Hidden("a --> <b>\nc"), "<!-- a --&gt; <b> c -->\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
