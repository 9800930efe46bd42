package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/record"
)

// State colours a span of a timeline.
type State string

// The states that Mermaid's Gantt charts know; plain spans have none.
const (
	Plain  State = ""
	Done   State = "done"
	Active State = "active"
	Failed State = "crit"
)

// Span is one bar of a timeline, or one point if it has no end.
type Span struct {
	Lane  string // what it belongs to: "Tasks", "Load balancer", …; spans of one lane stand together
	Name  string // plain text
	Start time.Time
	End   time.Time // zero or not after Start: a moment, drawn as a milestone
	State State
}

// foldLimit is how long a section of the log lasts to be worth a place on a timeline: one that only folds lines away takes no time.
const foldLimit = 100 * time.Millisecond

// onTimeline reports whether a step is shown on a timeline: all but sections of the log in which nothing took time.
func onTimeline(s record.Step) bool {
	return !s.Group || s.Ended.IsZero() || s.Ended.Sub(s.Begun) >= foldLimit
}

// maxSpans bounds a timeline: Mermaid renders some hundred bars, GitHub shows fewer well.
const maxSpans = 60

// Timeline returns a Mermaid Gantt chart of the spans in a fenced block that GitHub renders. Times are shown relative to
// start, as minutes and seconds (hours too, where it lasts that long). Spans before start are moved to it. Of too many
// spans the last ones are kept. No spans, no chart.
func Timeline(title string, start time.Time, spans []Span) string {
	if len(spans) == 0 {
		return ""
	}
	spans = slices.Clone(spans)
	sorted.Stable(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	if len(spans) > maxSpans {
		spans = spans[len(spans)-maxSpans:]
	}
	last := time.Duration(0)
	for _, s := range spans {
		last = max(last, s.Start.Sub(start), s.End.Sub(start))
	}
	axis := "%M:%S"
	if last >= time.Hour {
		axis = "%H:%M:%S"
	}
	var b strings.Builder
	b.WriteString("```mermaid\ngantt\n")
	fmt.Fprintf(&b, "    title %s\n", chartText(title))
	// Mermaid reads and prints times in the viewer's zone, so a made-up day gives relative times in every zone.
	b.WriteString("    dateFormat YYYY-MM-DD HH:mm:ss.SSS\n")
	fmt.Fprintf(&b, "    axisFormat %s\n    todayMarker off\n", axis)
	for _, lane := range laneNames(spans) {
		fmt.Fprintf(&b, "    section %s\n", chartText(lane))
		for _, s := range spans {
			if s.Lane == lane {
				writeSpan(&b, start, s)
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// laneNames returns the names of the lanes in the order of their first span.
func laneNames(spans []Span) []string {
	var out []string
	for _, s := range spans {
		if !slices.Contains(out, s.Lane) {
			out = append(out, s.Lane)
		}
	}
	return out
}

// writeSpan writes one task line: "+12s name :crit, milestone, START, DURATION". The leading time also keeps a name from
// being read as one of the chart's keywords.
func writeSpan(b *strings.Builder, start time.Time, s Span) {
	at := max(0, s.Start.Sub(start))
	var tags []string
	if s.State != Plain {
		tags = append(tags, string(s.State))
	}
	length := s.End.Sub(start.Add(at)) // what was before the chart begins is not drawn
	if s.End.IsZero() || length <= 0 {
		tags = append(tags, "milestone")
		length = 0
	}
	tags = append(tags, moment(at), fmt.Sprintf("%dms", length.Milliseconds()))
	fmt.Fprintf(b, "    +%s %s :%s\n", Took(at), chartText(s.Name), strings.Join(tags, ", "))
}

// moment returns the offset as a time of the made-up day.
func moment(offset time.Duration) string {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(offset).Format("2006-01-02 15:04:05.000")
}

// chartText returns s as a label: Mermaid's grammar for Gantt charts ends a label at # : ; and a comment begins with %%.
func chartText(s string) string {
	s = oneLine(s)
	s = strings.NewReplacer("#", " ", ":", " ", ";", ",", "%", " pct", "`", "'", "{", "(", "}", ")", "<", "(", ">", ")", `"`, "'", "\\", "/").Replace(s)
	s = strings.Join(strings.Fields(s), " ")
	const most = 70
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	if s == "" {
		return "…"
	}
	return s
}
