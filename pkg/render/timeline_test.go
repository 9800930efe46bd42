package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

// TestFoldsAreNoBars: a section of the log that takes no time is on no timeline; one that does, and a moment that is a step, are.
func TestFoldsAreNoBars(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		group bool
		took  time.Duration // negative: it has not ended
		want  bool
	}{
		{"a change of a plan", true, 0, false},
		{"a change of a long plan", true, 99 * time.Millisecond, false},
		{"terraform plan", true, 100 * time.Millisecond, true},
		{"a section that goes on", true, -1, true},
		{"a moment of the rollout", false, 0, true},
		{"a short step", false, time.Millisecond, true},
	} {
		step := record.Step{Name: test.name, Group: test.group, Begun: begun, State: record.Done}
		if test.took >= 0 {
			step.Ended = begun.Add(test.took)
		}
		r := &record.Record{Name: "tf-apply", Begun: begun, Ended: begun.Add(time.Minute), Steps: []record.Step{step}}
		inSummary := false
		for _, span := range timelineSpans(r, false) {
			inSummary = inSummary || span.Name == test.name
		}
		inReport := false
		for _, lane := range timelineLanes(r) {
			for _, bar := range lane.bars {
				inReport = inReport || bar.step.Name == test.name
			}
		}
		if inSummary != test.want || inReport != test.want {
			t.Errorf("%s: in the summary %v, in the report %v, want %v", test.name, inSummary, inReport, test.want)
		}
	}
}

// TestAPlansFoldsLeaveTheRunsBars: a plan with many changes has the chart of what took its time.
func TestAPlansFoldsLeaveTheRunsBars(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &record.Record{Name: "tf-apply", Begun: begun, Ended: begun.Add(time.Minute)}
	add := func(name string, from, to time.Duration) {
		r.Steps = append(r.Steps, record.Step{Name: name, Group: true, Begun: begun.Add(from), Ended: begun.Add(to), State: record.Done})
	}
	add("terraform init", 0, 10*time.Second)
	add("terraform plan", 10*time.Second, 50*time.Second)
	for i := range 80 {
		add(fmt.Sprintf("create aws_instance.this[%d]", i), 55*time.Second, 55*time.Second+time.Microsecond)
	}
	const want = "```mermaid\ngantt\n    title tf-apply\n    dateFormat YYYY-MM-DD HH:mm:ss.SSS\n    axisFormat %M:%S\n    todayMarker off\n" +
		"    section tf-apply\n" +
		"    +0.0s terraform init :done, 2000-01-01 00:00:00.000, 10000ms\n" +
		"    +10.0s terraform plan :done, 2000-01-01 00:00:10.000, 40000ms\n```\n"
	if got := runTimeline(r); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestALaneIsDrawnOnce: a part whose step stands in its lane of the run's own timeline has no bar besides; one without a step has its bar.
func TestALaneIsDrawnOnce(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begun.Add(time.Minute)
	step := record.Step{ID: "api", Name: "api", Lane: "api", Begun: begun, Ended: end, State: record.Done}
	inner := record.Step{ID: "1", Name: "rolling", Lane: "api", Begun: begun, Ended: end, State: record.Done}
	moment := record.Step{ID: "2", Name: "started", Lane: "api", Begun: begun, Ended: begun, State: record.Done}
	for _, test := range []struct {
		name  string
		own   []record.Step // of the run
		parts []record.Step // of the part
		want  []string      // the lanes and bars
	}{
		{"the step of the run", []record.Step{step}, nil, []string{"api: api"}},
		{"with steps of its own", []record.Step{step}, []record.Step{inner}, []string{"api: api", "api: rolling"}},
		{"steps of its own alone", nil, []record.Step{inner}, []string{"api: rolling"}},
		{"a moment alone", []record.Step{moment}, nil, []string{"api: started", "Api: api"}},
		{"a moment of its own", nil, []record.Step{moment}, []string{"Api: api", "api: started"}},
		{"a fold", []record.Step{{ID: "3", Name: "fold", Lane: "api", Group: true, Begun: begun, Ended: begun.Add(1)}}, nil,
			[]string{"Api: api"}},
		{"the lane of another", []record.Step{{ID: "4", Name: "mail", Lane: "mail", Begun: begun, Ended: end}}, nil,
			[]string{"mail: mail", "Api: api"}},
		{"nothing", nil, nil, []string{"Api: api"}},
	} {
		part := &record.Record{Name: "api", Begun: begun, Ended: end, Steps: test.parts}
		var got []string
		for _, span := range timelineSpans(&record.Record{Name: "release", Begun: begun, Ended: end, Steps: test.own,
			Parts: []*record.Record{part}}, false) {
			got = append(got, span.Lane+": "+span.Name)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSentencesOfAVerdictStandApart: what follows the cause on a line of its own is a paragraph of its own, in the summary and the report.
func TestSentencesOfAVerdictStandApart(t *testing.T) {
	r := &record.Record{Name: "release", Verdict: record.Verdict{Outcome: "rolled-back", Title: "It crashes",
		Message: "worker: api:1 serves again\napi is back on `api:1`", Finding: &record.Finding{Code: "crash", Title: "It crashes"}}}
	if got, want := Summary(r, nil), "worker: api:1 serves again\n\napi is back on `api:1`\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	var page strings.Builder
	if err := HTML(&page, r, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := page.String(), "<p>worker: api:1 serves again</p><p>api is back on <code>api:1</code></p>"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}
