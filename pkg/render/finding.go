package render

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/record"
)

// Card returns a cause as Markdown: the title, the quotes that prove it, and what to do next.
func Card(f record.Finding) string {
	return joinPieces([]string{caution(f.Title), findingFacts(f), Fence("text", strings.Join(f.Evidence, "\n")), advice(f.Fix, "")})
}

// caution is a title in an alert. A fence with foreign text in it could not stand there safely, so only the title does.
func caution(title string) string {
	return fmt.Sprintf("> [!CAUTION]\n> **%s**", WithCode(firstUpper(title)))
}

// findingFacts is what else is known of a cause.
func findingFacts(f record.Finding) string {
	return Facts([2]Cell{"Cause", Code(f.Code)}, [2]Cell{"Lies with", Text(faults[f.Fault])},
		[2]Cell{"Container", Code(f.Container)}, [2]Cell{"Task", Code(arn.Last(f.Task))})
}

// CardText returns a cause as plain text.
func CardText(f record.Finding) string { return findingText(f) + "\n" }

// findingText returns a cause as plain text for a log, each line indented below the title.
func findingText(f record.Finding) string {
	lines := append([]string{firstUpper(oneLine(f.Title))}, evidenceLines(f)...)
	for _, fix := range f.Fix {
		lines = append(lines, "  -> "+oneLine(fix))
	}
	return strings.Join(lines, "\n")
}

func evidenceLines(f record.Finding) []string {
	var lines []string
	for _, quote := range f.Evidence {
		for _, line := range cleanLines(quote, false) {
			lines = append(lines, "  | "+line)
		}
	}
	return lines
}

// VerdictText returns what comes below the title of a failure in a log or an annotation: what was tried and what came back, the
// words that prove the cause, and what to do.
func VerdictText(v record.Verdict) string {
	var lines []string
	if v.Message != "" {
		lines = append(lines, v.Message)
	}
	if v.Finding != nil {
		lines = append(lines, evidenceLines(*v.Finding)...)
	}
	if v.Advice != "" {
		lines = append(lines, v.Advice)
	}
	if v.Finding != nil {
		lines = append(lines, v.Finding.Fix...)
	}
	return strings.Join(lines, "\n")
}
