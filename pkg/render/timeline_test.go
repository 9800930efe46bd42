package render

import (
	"fmt"
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
		for _, span := range timelineSpans(r) {
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
