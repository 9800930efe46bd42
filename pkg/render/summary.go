package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

// Summary returns the job summary of a run as Markdown: the verdict with the cause and what to do, the facts, one timeline of all
// parts, then the sections. A run with none of these shows its outputs.
func Summary(r *record.Record, secrets *Secrets) string {
	r = redacted(r, secrets)
	pieces := []string{verdictHeading(r), verdictCard(r.Verdict)}
	if len(r.Facts)+len(r.Sections)+len(r.Parts) == 0 && r.Verdict.OK {
		pieces = append(pieces, resultTable(r.Results))
	}
	pieces = append(pieces, factTable(r.Facts, r), partTable(r), runTimeline(r), sections(r.Sections, 3))
	for _, part := range r.Parts {
		pieces = append(pieces, partSummary(part, ""))
	}
	return joinPieces(pieces)
}

// mark is the sign of an outcome.
func mark(v record.Verdict) string {
	switch {
	case v.OK:
		return "✅"
	case v.Outcome == string(action.Superseded):
		return "⏭️"
	case v.Outcome == "":
		return "⏳"
	}
	return "❌"
}

func verdictHeading(r *record.Record) string {
	outcome := r.Verdict.Outcome
	if outcome == "" {
		outcome = "under way"
	}
	return "## " + mark(r.Verdict) + " " + Text(r.Name+": "+outcome)
}

// faults says in words whose fault a finding is.
var faults = map[record.Fault]string{
	record.FaultRelease:        "this release (image, command or task definition)",
	record.FaultInfrastructure: "the infrastructure (roles, network, secrets, quotas, database)",
	record.FaultPlatform:       "AWS",
	record.FaultUnclear:        "not clear from the evidence",
}

// verdictCard says why a run failed: the root cause, what was tried and what came back, the words that prove it, and what to do.
func verdictCard(v record.Verdict) string {
	if v.OK || v.Outcome == "" {
		return ""
	}
	pieces := []string{caution(v.Title)}
	evidence := v.Message
	var fix []string
	if f := v.Finding; f != nil {
		pieces = append(pieces, linesWithCode(v.Message))
		evidence, fix = strings.Join(f.Evidence, "\n"), f.Fix
	}
	if evidence != "" {
		pieces = append(pieces, Fence("text", evidence))
	}
	pieces = append(pieces, advice(fix, v.Advice))
	if f := v.Finding; f != nil {
		pieces = append(pieces, findingFacts(*f))
	}
	return joinPieces(pieces)
}

// advice says what to do: the steps of a fix in order, and what else helps.
func advice(fix []string, more string) string {
	var b strings.Builder
	if len(fix) > 0 {
		b.WriteString("**What to do**\n\n")
		for i, step := range fix {
			fmt.Fprintf(&b, "%d. %s\n", i+1, WithCode(step))
		}
		b.WriteString("\n")
	}
	return b.String() + markdownAdvice(more)
}

// linesWithCode is WithCode of a text of several lines, each a paragraph.
func linesWithCode(text string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		out = append(out, WithCode(line))
	}
	return strings.TrimSpace(joinPieces(out))
}

// markdownAdvice shows an advice of several lines, in which a fenced block may stand.
func markdownAdvice(text string) string {
	if text == "" {
		return ""
	}
	before, rest, fenced := strings.Cut(text, "\n```")
	out := []string{linesWithCode(before)}
	if fenced {
		language, code, _ := strings.Cut(rest, "\n")
		code, after, _ := strings.Cut(code, "\n```")
		out = append(out, strings.TrimRight(Fence(language, code), "\n"), markdownAdvice(strings.TrimPrefix(after, "\n")))
	}
	return strings.Join(out, "\n\n")
}

// factTable is the table of the facts, with how long the run took; of a part, whose step says it, r is nil.
func factTable(facts []record.Fact, r *record.Record) string {
	var pairs [][2]Cell
	for _, f := range facts {
		pairs = append(pairs, [2]Cell{Text(f.Name), inline(f.Value)})
	}
	if r != nil && r.Took() > 0 && len(facts) > 0 {
		pairs = append(pairs, [2]Cell{"Took", Text(Took(r.Took()))})
	}
	return Facts(pairs...)
}

// partTable lists the parts of a run, with how long the step of each took.
func partTable(r *record.Record) string {
	var rows [][]Cell
	for _, p := range r.Parts {
		took := p.Took()
		for _, s := range r.Steps {
			if s.Name == p.Name && !s.Ended.IsZero() {
				took = s.Ended.Sub(s.Begun)
			}
		}
		if p.Verdict.Outcome != "" {
			rows = append(rows, []Cell{Text(firstUpper(p.Name)), Text(p.Verdict.Outcome), Text(Took(took))})
		}
	}
	return Table([]Cell{"Part", "Outcome", "Took"}, rows...)
}

// partSummary is what a part of a run adds to its summary. Why it failed stands on top, as the verdict of the run.
func partSummary(r *record.Record, under string) string {
	name := firstUpper(strings.TrimSpace(under + " " + r.Name))
	body := []string{factTable(r.Facts, nil), sections(r.Sections, 4)}
	for _, part := range r.Parts {
		body = append(body, partSummary(part, r.Name))
	}
	text := joinPieces(body)
	if text == "" {
		return ""
	}
	return "### " + Text(name) + "\n\n" + text
}

// resultTable lists outputs.
func resultTable(results []record.Fact) string {
	var rows [][]Cell
	for _, f := range results {
		rows = append(rows, []Cell{Text(f.Name), Code(cutBytes(oneLine(f.Value.Text), 300))})
	}
	return Table([]Cell{"Output", "Value"}, rows...)
}

// runTimeline is the timeline of a run and its parts, where there is more to see than one bar.
func runTimeline(r *record.Record) string {
	spans := timelineSpans(r, false)
	if len(spans) < 2 {
		return ""
	}
	return Timeline(r.Name, r.Begun, spans)
}

// timelineSpans are the bars of a run and its parts. drawn says that a part has a bar of its own in the timeline of its run.
func timelineSpans(r *record.Record, drawn bool) []Span {
	states := map[record.State]State{record.Active: Active, record.Done: Done, record.Failed: Failed, record.Undone: Active}
	var spans []Span
	own := drawn // a bar of the run itself
	for _, s := range r.Steps {
		if !onTimeline(s) {
			continue
		}
		span := Span{Lane: s.Lane, Name: s.Name, Start: s.Begun, End: s.Ended, State: states[s.State]}
		if s.Moment() && s.State == record.Done {
			span.State = Plain
		}
		if s.Ended.IsZero() {
			span.End = r.Ended
		}
		if span.Lane == "" {
			span.Lane = firstUpper(r.Name)
		}
		own = own || (s.Lane == "" || s.Lane == r.Name) && !s.Moment()
		spans = append(spans, span)
	}
	for _, part := range r.Parts {
		inLane := slices.ContainsFunc(r.Steps, func(s record.Step) bool { return s.Lane == part.Name && onTimeline(s) && !s.Moment() })
		spans = append(spans, timelineSpans(part, inLane)...)
	}
	if !own && len(r.Parts) == 0 && !r.Ended.IsZero() && r.Ended.After(r.Begun) {
		state := Done
		if !r.Verdict.OK {
			state = Failed
		}
		spans = append([]Span{{Lane: firstUpper(r.Name), Name: r.Name, Start: r.Begun, End: r.Ended, State: state}}, spans...)
	}
	return spans
}

// sectionMost is the most bytes of a section in a job summary: others write into the same one.
const sectionMost = 500 << 10

// sections renders parts of a report. level is that of their headings.
func sections(all []record.Section, level int) string {
	var pieces []string
	for _, s := range all {
		if s.Folded && s.Title == "" {
			s.Title = s.Name
		}
		pieces = append(pieces, cut(s, level, sectionMost, "… %d more do not fit here; the job's log lists them."))
	}
	return joinPieces(pieces)
}

// joinPieces puts pieces of Markdown one under the other.
func joinPieces(pieces []string) string {
	var b strings.Builder
	for _, piece := range pieces {
		if strings.TrimSpace(piece) != "" {
			b.WriteString(strings.TrimRight(piece, "\n") + "\n\n")
		}
	}
	return b.String()
}
