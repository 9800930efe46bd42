package commits

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

// h makes a full hash of a letter.
func h(letter string) string { return strings.Repeat(fmt.Sprintf("%x", letter[0]%16), 40) }

// list writes commits as git does: "b a" is a commit b with the parent a.
func list(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		for word := range strings.FieldsSeq(line) {
			b.WriteString(h(word) + " ")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestRelation(t *testing.T) {
	line := list("c b", "b a", "a")
	fork := list("d b", "c b", "b a", "a")
	merge := list("e d c", "d b", "c b", "b a", "a")
	shallow := list("c b", "d a") // neither b nor a is listed
	for _, tt := range []struct {
		name, list, released, running string
		want                          Relation
	}{
		{"the same", line, h("b"), h("b"), Same},
		{"a child", line, h("c"), h("b"), Newer},
		{"a grandchild", line, h("c"), h("a"), Newer},
		{"a parent", line, h("b"), h("c"), Older},
		{"a grandparent", line, h("a"), h("c"), Older},
		{"a fork", fork, h("d"), h("c"), Diverged},
		{"merged by the second parent", merge, h("e"), h("c"), Newer},
		{"what was merged", merge, h("c"), h("e"), Older},
		{"both sides of a merge", merge, h("c"), h("d"), Diverged},
		{"a shallow clone that ends before they meet", shallow, h("c"), h("d"), Unknown},
		{"a parent that is named and not listed", shallow, h("c"), h("b"), Newer},
		{"nothing runs", line, h("c"), "", Unknown},
		{"nothing is released", line, "", h("c"), Unknown},
		{"what runs is not in the list", line, h("c"), h("f"), Unknown},
		{"what is released is not in the list", line, h("f"), h("c"), Unknown},
		{"the same, in no list", line, h("f"), h("f"), Same},
	} {
		graph, err := Read(strings.NewReader(tt.list))
		if err != nil {
			t.Fatal(err)
		}
		if got := graph.Relation(tt.released, tt.running); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct{ in, err string }{
		{"", "lists no commit"},
		{"\n \n", "lists no commit"},
		{h("a") + "\n", ""},
		{h("a") + " " + h("b") + "\r\n\n" + strings.Repeat("a", 64), ""},
		{h("a") + "\n4f2c9e1 " + h("a"), "line 2"},
		{strings.ToUpper(h("a")) + "\n" + strings.Repeat("A", 40), "line 2"},
		{"<html>", "not a full commit hash"},
	} {
		_, err := Read(strings.NewReader(tt.in))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %q", tt.in, err, tt.err)
		}
	}
}

func TestCheck(t *testing.T) {
	name := filepath.Join(t.TempDir(), "commits")
	if err := os.WriteFile(name, []byte(list("d b", "c b", "b a", "a")), 0o600); err != nil {
		t.Fatal(err)
	}
	running := func(commit string) Running { return Running{Revision: "api:7", Commit: commit} }
	for _, tt := range []struct {
		name     string
		in       Order
		released string
		running  Running
		refused  bool
		warning  string // a part of it; "" for none
	}{
		{"older", Order{List: name}, h("a"), running(h("c")), true, ""},
		{"older, and asked for", Order{List: name, Older: true}, h("a"), running(h("c")), false, "allow-older"},
		{"older, without a list", Order{}, h("a"), running(h("c")), false, ""},
		{"the first release", Order{List: name}, h("a"), Running{}, false, ""},
		{"newer", Order{List: name}, h("c"), running(h("a")), false, ""},
		{"the same", Order{List: name}, h("c"), running(h("c")), false, ""},
		{"diverged", Order{List: name}, h("d"), running(h("c")), false, "does not follow"},
		{"a revision without a commit", Order{List: name}, h("d"), running(""), false, "api:7 has no tag"},
		{"no commit", Order{List: name}, "", running(h("c")), false, "no commit is named"},
		{"a commit that is not listed", Order{List: name}, h("f"), running(h("c")), false, Short(h("f")) + " is not in the list"},
		{"what runs is not listed", Order{List: name}, h("c"), running(h("f")), false, "was released from, is not in the list"},
	} {
		var warnings []string
		err := tt.in.Check(func(e record.Event) {
			if e.Kind == record.KindWarning {
				warnings = append(warnings, e.Text)
			}
		}, tt.released, tt.running)
		var failure *record.Failure
		if errors.As(err, &failure) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
		got := strings.Join(warnings, "\n")
		if (got == "") != (tt.warning == "") || !strings.Contains(got, tt.warning) {
			t.Errorf("%s: warned %q, want %q", tt.name, got, tt.warning)
		}
	}
	if err := (Order{List: name + "?"}).Check(nil, h("a"), running(h("c"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a list that is not there: %v", err)
	}
}

func TestProblems(t *testing.T) {
	for commit, good := range map[string]bool{
		"": true, None: true, h("a"): true, strings.Repeat("0", 64): true, "4f2c9e1": false, "main": false,
	} {
		if problems := (Order{Commit: commit}).Problems(); (len(problems) == 0) != good {
			t.Errorf("%q: %v", commit, problems)
		}
	}
}

// A push whose build was slow comes after that of the next commit.
func ExampleGraph_Relation() {
	graph, _ := Read(strings.NewReader(list("b a", "a")))
	fmt.Println(graph.Relation(h("a"), h("b")), graph.Relation(h("b"), h("a")))
	// Output: older newer
}

func BenchmarkRelation(b *testing.B) {
	var lines strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&lines, "%040x %040x\n", i+1, i)
	}
	text := lines.String()
	for b.Loop() {
		graph, err := Read(strings.NewReader(text))
		if err != nil || graph.Relation(fmt.Sprintf("%040x", 1), fmt.Sprintf("%040x", n)) != Older {
			b.Fatal(err)
		}
	}
}

func TestReleased(t *testing.T) {
	for commit, want := range map[string]string{"": h("f"), None: "", h("a"): h("a")} {
		if got := (Order{Commit: commit}).Released(h("f")); got != want {
			t.Errorf("%q: %q, want %q", commit, got, want)
		}
	}
}
