package report

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/record"
)

// Card returns the root cause as Markdown: the title, the quotes that prove it, and what to do next.
func Card(c record.Finding) string {
	var b strings.Builder
	// An alert block cannot hold a fence safely when foreign text is in it, so only the title stands in it.
	fmt.Fprintf(&b, "> [!CAUTION]\n> **%s**\n\n", Prose(firstUpper(c.Title)))
	facts := [][2]Cell{{"Cause", Code(c.Code)}, {"Lies with", faults[c.Fault]}, {"Container", Code(c.Container)},
		{"Task", Code(arn.Last(c.Task))}}
	b.WriteString(Facts(facts...))
	if len(c.Evidence) > 0 {
		b.WriteString(Fence("text", strings.Join(c.Evidence, "\n")))
		b.WriteByte('\n')
	}
	if len(c.Fix) > 0 {
		b.WriteString("**What to do**\n\n")
		for i, fix := range c.Fix {
			fmt.Fprintf(&b, "%d. %s\n", i+1, Prose(fix))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// CardText returns the root cause as plain text for a terminal or a log, each line indented by two spaces below the title.
func CardText(c record.Finding) string {
	var b strings.Builder
	b.WriteString(firstUpper(oneLine(c.Title)) + "\n")
	for _, quote := range c.Evidence {
		for _, line := range strings.Split(visible(quote), "\n") {
			b.WriteString("  | " + line + "\n")
		}
	}
	for _, fix := range c.Fix {
		b.WriteString("  -> " + oneLine(fix) + "\n")
	}
	return b.String()
}

// faults says in words whose fault it is.
var faults = map[record.Fault]string{
	record.FaultRelease:        "this release (image, command or task definition)",
	record.FaultInfrastructure: "the infrastructure (roles, network, secrets, quotas, database)",
	record.FaultPlatform:       "AWS",
	record.FaultUnclear:        "not clear from the evidence",
}

// firstUpper returns s with its first letter in upper case, unless the first word is a name with a dot, dash or slash.
func firstUpper(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ContainsAny(word, "./-_:0123456789") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
