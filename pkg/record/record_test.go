package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/record"
)

var begun = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// recorder returns a recorder whose clock goes on by a second at each look, what it has recorded, and what its view got.
func recorder() (*record.Recorder, func() *record.Record, *[]record.Event) {
	now := begun.Add(-time.Second)
	var seen []record.Event
	r := record.NewRecorder("run", func() time.Time { now = now.Add(time.Second); return now },
		func(e record.Event) { seen = append(seen, e) })
	return r, func() (made *record.Record) { r.Read(func(kept *record.Record) { made = kept }); return made }, &seen
}

func TestEventsAddUp(t *testing.T) {
	r, made, seen := recorder()
	s := r.Sink()
	s.Notef("100%% of %s", "it")
	s.Notef("a percent sign: 5%d")
	s.Progressf("half")
	s.Debugf("detail")
	s.Warnf("title", "text")
	s.WarnAt(record.Place{File: "main.tf", Line: 3}, "placed", "text")
	s.Decided("deploy", "it differs")
	s.Fact("Image", record.Text{Text: "a"})
	s.Fact("Service", record.Text{Text: "s"})
	s.Fact("Image", record.Text{Text: "b"})
	s.Fact("Nothing", record.Text{})
	s.Section(record.Section{Name: "empty"})
	s.Section(record.Section{Name: "diff", Blocks: []record.Block{{Verbatim: "x"}}})
	s.Found(record.Finding{Code: "c"})
	s.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "failed"}})

	got := made()
	var texts []string
	for _, e := range got.Events {
		texts = append(texts, string(e.Kind)+" "+e.Text)
	}
	if diff := cmp.Diff([]string{"note 100% of it", "note a percent sign: 5%d", "warning text", "warning text"}, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]record.Fact{{Name: "Image", Value: record.Text{Text: "b"}}, {Name: "Service", Value: record.Text{Text: "s"}}},
		got.Facts); diff != "" {
		t.Errorf("a fact takes the place of the one of its name (-want +got):\n%s", diff)
	}
	if len(got.Sections) != 1 || len(got.Decisions) != 1 || len(got.Findings) != 1 || got.Verdict.Outcome != "failed" {
		t.Errorf("%+v", got)
	}
	if got.Events[3].Place.Line != 3 || !got.Begun.Equal(begun) || got.Took() != 13*time.Second {
		t.Errorf("place %+v, begun %s, took %s", got.Events[3].Place, got.Begun, got.Took())
	}
	if len(*seen) != 13 {
		t.Errorf("the view got %d events, want all 13", len(*seen))
	}
}

func TestPartsAreRecordsOfTheirOwn(t *testing.T) {
	r, made, _ := recorder()
	push := r.Sink().Part("push")
	push.Notef("sent")
	push.Part("layer").Notef("compressed")
	push.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "succeeded", OK: true}})
	got := made()
	part := got.Part("push")
	if part == nil || part.Verdict.Outcome != "succeeded" || len(part.Events) != 1 || part.Part("layer").Events[0].Text != "compressed" {
		t.Fatalf("%+v", part)
	}
	if got.Verdict.Outcome != "" || len(got.Events) != 0 || got.Part("other") != nil || part.Took() != 2*time.Second {
		t.Errorf("%+v, the part took %s", got, part.Took())
	}
}

func TestOnceIsOnce(t *testing.T) {
	r, made, _ := recorder()
	for range 3 {
		r.Sink().WarnOncef("permission x", "Missing", "x")
		r.Sink().WarnOncef("permission y", "Missing", "y")
	}
	if n := len(made().Events); n != 2 {
		t.Errorf("%d warnings, want one for each name", n)
	}
}

func TestGroupsNestAndEndOnce(t *testing.T) {
	r, made, _ := recorder()
	outer := r.Sink().Group("same")
	inner := r.Sink().Group("same")
	inner()
	inner()
	outer()
	want := []record.Step{
		{ID: "1", Name: "same", Group: true, Begun: begun.Add(time.Second), Ended: begun.Add(4 * time.Second), State: record.Done},
		{ID: "2", Name: "same", Group: true, Begun: begun.Add(2 * time.Second), Ended: begun.Add(3 * time.Second), State: record.Done},
	}
	if diff := cmp.Diff(want, made().Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMomentsAndStretches(t *testing.T) {
	r, made, _ := recorder()
	r.Emit(record.Event{Kind: record.KindStepEnded, Step: &record.Step{Name: "moment"}})
	r.Emit(record.Event{Kind: record.KindStepEnded, Step: &record.Step{Name: "stretch", Begun: begun}})
	steps := made().Steps
	if !steps[0].Moment() || steps[1].Moment() || steps[1].Ended.Sub(begun) != 2*time.Second || (record.Step{}).Moment() {
		t.Errorf("%+v", steps)
	}
}

func TestOutputIsKeptByLinesAndBounded(t *testing.T) {
	r, made, _ := recorder()
	w := r.Sink().Output("app")
	fmt.Fprint(w, "one\r\ntw")
	fmt.Fprint(w, "o\n\nrest")
	w.Close()
	w.Close()
	var lines []string
	for _, e := range made().Output {
		lines = append(lines, e.Text)
	}
	if diff := cmp.Diff([]string{"one", "two", "", "rest"}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	long := r.Sink().Output("long")
	fmt.Fprint(long, strings.Repeat("é", 40<<10)) // 80 KiB without a line's end
	if n := len(made().Output); n != 5 || len(made().Output[4].Text) > 64<<10 || strings.Contains(made().Output[4].Text, "\uFFFD") {
		t.Errorf("a line without an end: %d lines, the last of %d bytes", n, len(made().Output[4].Text))
	}
	for i := range record.MaxOutput + 7 {
		fmt.Fprintf(long, "line %d\n", i)
	}
	kept := 0
	for _, e := range made().Output {
		if e.Source == "long" {
			kept++
		}
	}
	if last := made().Output[len(made().Output)-1].Text; kept != record.MaxOutput || last != fmt.Sprintf("line %d", record.MaxOutput+6) {
		t.Errorf("%d lines of one source are kept, the last is %q; want the last %d", kept, last, record.MaxOutput)
	}
	if len(made().Output) != record.MaxOutput+4 {
		t.Error("the lines of another source went")
	}
}

func TestNilSinksDiscard(t *testing.T) {
	var s record.Sink
	s.Notef("x")
	s.Group("x")()
	s.Fact("x", record.Text{Text: "y"})
	if s.Part("x") != nil || (*record.Recorder)(nil).Sink() != nil {
		t.Error("a nil sink has a part that is not")
	}
	fmt.Fprintln(s.Output("x"), "y")
}

func TestFindings(t *testing.T) {
	for _, test := range []struct {
		finding record.Finding
		known   bool
	}{{record.Finding{Code: "c", Title: "t"}, true}, {record.Finding{Code: "c", Vague: true}, false}, {record.Finding{Title: "t"}, false}} {
		if test.finding.Known() != test.known || test.finding.String() != test.finding.Title {
			t.Errorf("%+v", test.finding)
		}
	}
}

func TestFailureTells(t *testing.T) {
	cause := fmt.Errorf("what came back")
	if f := (&record.Failure{Title: "t", Err: cause}); f.Error() != "what came back" || f.Unwrap() != cause {
		t.Error(f.Error())
	}
	if f := (&record.Failure{Title: "t"}); f.Error() != "t" {
		t.Error(f.Error())
	}
}
