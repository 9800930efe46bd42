package render

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

func TestText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain words", "plain words"},
		{"a|b\nc", "a&#124;b c"},
		{"<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"},
		{"**bold** `code` [a](b) @team #1", "&#42;&#42;bold&#42;&#42; &#96;code&#96; &#91;a&#93;(b) &#64;\u200bteam &#35;\u200b1"},
		{"image@sha256:ab, a #b, GH-x", "image&#64;sha256:ab, a &#35;b, GH-x"},
		{"(@a,@b/c) org/repo#12 gh-3", "(&#64;\u200ba,&#64;\u200bb/c) org/repo&#35;\u200b12 gh-\u200b3"},
		{"HTTPS://evil.example www.evil.example mailto:a@b", "HTTPS:\u200b//evil.example www\u200b.evil.example mailto\u200b:a&#64;b"},
		{"bell\x07 esc\x1b[31m", "bell esc"},
		{"\u202eevil", "evil"},
	}
	for _, tt := range tests {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCode(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"sha256:abc", "`sha256:abc`"},
		{"a`b", "``a`b``"},
		{"`a``b", "``` `a``b ```"},
		{"a | b", "<code>a &#124; b</code>"},
		{"a\nb", "`a b`"},
	}
	for _, tt := range tests {
		if got := Code(tt.in); got != tt.want {
			t.Errorf("Code(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestProse(t *testing.T) {
	tests := []struct{ in, want string }{
		{"run `aws ecs` <now>", "run `aws ecs` &lt;now&gt;"},
		{"one ` alone", "one &#96; alone"},
		{"`a | jq` works", "<code>a &#124; jq</code> works"},
	}
	for _, tt := range tests {
		if got := WithCode(tt.in); got != tt.want {
			t.Errorf("WithCode(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// A fence is longer than any run of backquotes inside, so that nothing inside can end it.
func TestFence(t *testing.T) {
	got := Fence("text", "a\n```\n````\n<b>\x1b")
	if !strings.HasPrefix(got, "`````text\n") || !strings.HasSuffix(got, "\n`````\n") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("line of a log\n", 10000) + "the last line"
	got = Fence("", long)
	if len(got) > maxFence+200 || !strings.Contains(got, "the last line") || !strings.Contains(got, "left out") {
		t.Errorf("%d bytes, begins %q", len(got), got[:60])
	}
}

func TestTable(t *testing.T) {
	got := Table([]Cell{"Task", "Reason"}, []Cell{"a", Text("x|y\nz"), "surplus"}, []Cell{"b"})
	want := "| Task | Reason |\n|---|---|\n| a | x&#124;y z |\n| b |  |\n\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Table([]Cell{"a"}); got != "" {
		t.Errorf("a table without rows: %q", got)
	}
	rows := make([][]Cell, maxRows+7)
	if got := Table([]Cell{"a"}, rows...); !strings.Contains(got, "and 7 more") {
		t.Error("a long table does not say what it left out")
	}
	if got := Facts([2]Cell{"Image", "`x`"}, [2]Cell{"Empty", ""}); strings.Contains(got, "Empty") ||
		!strings.Contains(got, "| **Image** | `x` |") {
		t.Errorf("facts: %q", got)
	}
}

func TestLink(t *testing.T) {
	for _, tt := range []struct{ text, address, want string }{
		{"run", "https://github.com/o/r/actions/runs/1", "[run](https://github.com/o/r/actions/runs/1)"},
		{"x](javascript:1)", "javascript:alert(1)", "x&#93;(javascript:1)"},
		{"a", "https://x/(b)", "[a](https://x/%28b%29)"},
	} {
		if got := Link(tt.text, tt.address); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// ganttLine is what Mermaid's lexer accepts for the lines that Timeline writes: labels without # : ; and no %%.
var ganttLine = regexp.MustCompile(`^(?:gantt|    (?:title|section) [^#:;%]+|    dateFormat [^#;]+|    axisFormat [^#;]+|    todayMarker off|` +
	`    \+[^#:;%]+ :(?:(?:done|active|crit), )?(?:milestone, )?2000-01-\d\d \d\d:\d\d:\d\d\.\d\d\d, \d+ms)$`)

func TestTimeline(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	got := Timeline("api: v42; #7 100%%", start, []Span{
		{Lane: "Tasks", Name: "section one: click {x} %% comment\nend", Start: at(12), End: at(75.5), State: Failed},
		{Lane: "Deployment", Name: "started", Start: at(-3)},
		{Lane: "Deployment", Name: "served", Start: at(-3600), End: at(20), State: Done},
		{Lane: "Tasks", Name: "", Start: at(80), End: at(81), State: Done},
	})
	lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
	if lines[0] != "```mermaid" || lines[len(lines)-1] != "```" {
		t.Fatalf("no fence: %q", got)
	}
	for _, line := range lines[1 : len(lines)-1] {
		if !ganttLine.MatchString(line) {
			t.Errorf("Mermaid would not read %q", line)
		}
	}
	for _, want := range []string{"+12.0s section one click (x) pct pct comment end :crit, 2000-01-01 00:00:12.000, 63500ms",
		"+0.0s started :milestone, 2000-01-01 00:00:00.000, 0ms",
		"+0.0s served :done, 2000-01-01 00:00:00.000, 20000ms",
		"+1m20s … :done, 2000-01-01 00:01:20.000, 1000ms", "axisFormat %M:%S"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "section Tasks"); n != 1 {
		t.Errorf("the lane Tasks is there %d times", n)
	}
	var many []Span
	for i := range 500 {
		many = append(many, Span{Lane: "Tasks", Name: fmt.Sprint("n", i), Start: at(float64(i) * 60)})
	}
	got = Timeline("x", start, many)
	if n := strings.Count(got, "milestone"); n != maxSpans || !strings.Contains(got, "n499") ||
		!strings.Contains(got, "axisFormat %H:%M:%S") {
		t.Errorf("%d spans in\n%s", n, got)
	}
	if Timeline("x", start, nil) != "" {
		t.Error("a chart without spans")
	}
}

func TestDetailsAndJoin(t *testing.T) {
	got := Details("Log of <app>", Fence("text", "x"))
	if got != "<details><summary>Log of &lt;app&gt;</summary>\n\n```text\nx\n```\n\n</details>\n\n" {
		t.Errorf("got %q", got)
	}
	if got := Join(0, "a\n", "", "b"); got != "a\n\nb\n\n" {
		t.Errorf("got %q", got)
	}
	if got := Join(200, "a", strings.Repeat("x", 300), "b"); len(got) > 200 || !strings.Contains(got, "left out") ||
		strings.Contains(got, "xx") {
		t.Errorf("got %q", got)
	}
}

func TestCard(t *testing.T) {
	c := record.Finding{Code: "app-exit", Title: "app exited with code 1: <b>x</b> | y",
		Evidence: []string{"Essential container in task exited", "app | ```", "app | <script>"},
		Fix:      []string{"run `docker run --rm IMAGE`"}, Fault: record.FaultRelease, Task: "arn:aws:ecs:r:a:task/prod/0f9d", Container: "app"}
	got := Card(c)
	for _, want := range []string{"> **App exited with code 1: &lt;b&gt;x&lt;/b&gt; &#124; y**",
		"````text\n", "1. run `docker run --rm IMAGE`", "`app-exit`", "`0f9d`", "this release"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := findingText(c); !strings.Contains(got, "  | app | <script>\n") || !strings.Contains(got, "  -> run") {
		t.Errorf("as text:\n%s", got)
	}
}

// FuzzText attacks the escaper: whatever a foreign text is, nothing of it is markup, a mention, a reference or a link.
func FuzzText(f *testing.F) {
	for _, s := range []string{"@team", "a@b @c", "#1", "GH-1", "[a](javascript:b)", "<img src=x>", "![x](y)", "`a", "a\n\n# b", "| a |",
		"<!-- x", "-->", "\u202e@a", "\\@a", "&#64;a", "https://x", "wwwwww.", "@\u200b@a", "~~a~~", "$x$", "***"} {
		f.Add(s)
	}
	active := regexp.MustCompile("[<>|`*_~\\[\\]\\\\@$!\n\r]")
	entity := regexp.MustCompile(`&(?:#[0-9]+|amp|lt|gt);`)
	calls := regexp.MustCompile(`(?i)(?:^|[^a-z0-9_])@[a-z0-9]|#[0-9]|\bgh-[0-9]|\b(?:https?|ftp)://|\bwww\.`)
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"Text": Text(s), "Prose": WithCode(strings.ReplaceAll(s, "`", ""))} {
			if bare := entity.ReplaceAllString(got, ""); active.MatchString(bare) || strings.ContainsAny(bare, "&#") {
				t.Errorf("%s(%q) = %q", name, s, got)
			}
			if shown := html.UnescapeString(got); calls.MatchString(shown) {
				t.Errorf("%s(%q) shows %q", name, s, shown)
			}
		}
	})
}
