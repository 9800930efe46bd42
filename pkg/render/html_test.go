package render

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

func htmlOf(t *testing.T, r *record.Record, secrets *Secrets) string {
	t.Helper()
	var b strings.Builder
	if err := HTML(&b, r, secrets); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLHoldsTheRecord(t *testing.T) {
	doc := htmlOf(t, failedRelease(), nil)
	for _, part := range []string{
		"<title>release: rolled-back</title>", "<h1>Connect2-api needs", "missing-variable", "What to do", "<code>DATABASE_URL</code>",
		"took 1m36s", "2026-03-04 05:06:07 UTC", "connect2-api-dev:11", "sha256:0f1e2d3c", "<ins>+image", "<del>-image",
		"Optional permission missing", "What was asked", "task ab12cd34", "lies with this release", "schema of the new image",
	} {
		if part == "<h1>Connect2-api needs" { // a name with a hyphen keeps its case
			part = "<h1>connect2-api needs"
		}
		if !strings.Contains(strings.ToLower(doc), strings.ToLower(part)) {
			t.Errorf("lacks %q", part)
		}
	}
	if n := strings.Count(doc, "needs the environment variable"); n != 1 {
		t.Errorf("the root cause stands %d times, want once", n)
	}
}

func TestHTMLIsOneFile(t *testing.T) {
	doc := htmlOf(t, failedRelease(), nil)
	for _, pattern := range []string{`<script`, `<link`, `<img`, `<iframe`, `@import`, `url\(`, `src=`, `http://`, `\bon[a-z]+="`} {
		if found := regexp.MustCompile(pattern).FindString(doc); found != "" {
			t.Errorf("holds %q: the report needs no network and runs nothing", found)
		}
	}
}

func TestHTMLEscapes(t *testing.T) {
	doc := htmlOf(t, failedRelease(), nil)
	for _, raw := range []string{"<script>alert", "<b>&", "\u202e"} {
		if strings.Contains(doc, raw) {
			t.Errorf("holds %q as markup", raw)
		}
	}
	if !strings.Contains(doc, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the text itself is lost")
	}
	linked := &record.Record{Name: "x", Facts: []record.Fact{
		{Name: "bad", Value: record.Text{Text: "click", Link: "javascript:alert(1)"}},
		{Name: "good", Value: record.Text{Text: "run", Link: `https://github.com/o/r/actions/runs/1?a="b`}},
	}}
	doc = htmlOf(t, linked, nil)
	if strings.Contains(doc, "javascript:") || !strings.Contains(doc, `href="https://github.com/o/r/actions/runs/1?a=&#34;b"`) {
		t.Errorf("links: %s", doc[strings.Index(doc, "<dl"):])
	}
}

func TestHTMLRedacts(t *testing.T) {
	var secrets Secrets
	secrets.Add("DATABASE_URL", "sha256:bbb")
	doc := htmlOf(t, failedRelease(), &secrets)
	for _, secret := range []string{"DATABASE_URL", "sha256:bbb"} {
		if strings.Contains(doc, secret) {
			t.Errorf("shows %q", secret)
		}
	}
}

func TestHTMLOfARunThatGoesOn(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	r := &record.Record{Name: "ecs-deploy", Begun: start, Steps: []record.Step{
		{ID: "1", Name: "rolling", Begun: start}, {ID: "2", Name: "first task", Begun: start.Add(time.Minute), Ended: start.Add(time.Minute)}}}
	doc := htmlOf(t, r, nil)
	for _, part := range []string{"ecs-deploy: still running", `class="open"`, `class="open" style="--row:0;left:0.00%;width:100.00%`,
		"moment"} {
		if !strings.Contains(doc, part) {
			t.Errorf("lacks %q", part)
		}
	}
	if strings.Contains(doc, "took") {
		t.Error("says how long a run took that is not over")
	}
}

func TestHTMLTellsThatItCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	broken := errors.New("disk full")
	_ = r.CloseWithError(broken)
	if err := HTML(w, failedRelease(), nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestLanes(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	r := &record.Record{Name: "release", Begun: start, Steps: []record.Step{
		{Name: "gone", Lane: "task 0", Begun: at(-9), Ended: at(-1)}, {Name: "g", Lane: "task 2", Begun: at(-9), Ended: at(1)},
		{Name: "a", Begun: at(5), Ended: at(9)}, {Name: "b", Begun: at(9), Ended: at(12)}, {Name: "c", Begun: at(8), Ended: at(10)}, {Name: "d",
			Begun: at(11)}},
		Parts: []*record.Record{{Name: "push", Steps: []record.Step{{Name: "e", Begun: at(0), Ended: at(4)}, {Name: "f", Lane: "task 1",
			Begun: at(20), Ended: at(20)}}}}}
	lanes := timelineLanes(r)
	var got []string
	for _, l := range lanes {
		line := l.name + ":"
		for _, b := range l.bars {
			line += " " + b.step.Name + string(rune('0'+b.row))
		}
		got = append(got, line)
	}
	want := []string{"task 2: g0", "push: e0", "release: a0 c1 b0 d1", "task 1: f0"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("got %q, want %q", got, want)
	}
	if from, to := timeRange(r, lanes); !from.Equal(at(0)) || !to.Equal(at(20)) {
		t.Errorf("spans %s to %s", from, to)
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		of    time.Duration
		count int
		last  time.Duration
	}{
		{time.Second, 2, time.Second}, {5 * time.Second, 6, 5 * time.Second}, {6 * time.Second, 4, 6 * time.Second},
		{95 * time.Second, 4, 90 * time.Second}, {time.Hour, 5, time.Hour}, {0, 1, 0},
	} {
		all := ticks(test.of)
		if len(all) != test.count || all[len(all)-1] != test.last {
			t.Errorf("%s: %v, want %d up to %s", test.of, all, test.count, test.last)
		}
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv("CONNECT2_WRITE_SAMPLE"); name != "" { // to look at the report in a browser
		f, err := os.Create(name)
		if err == nil {
			err = errors.Join(HTML(f, failedRelease(), nil), f.Close())
		}
		if err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}
