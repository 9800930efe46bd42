package verdict

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Report tells what is to be known of a rollout at its end: its facts, and what the scheduler said. The steps of its timeline were
// told while it went on.
func Report(events record.Sink, result rollout.Result) {
	events.Fact("Service", record.Text{Text: result.Target.Cluster + " / " + result.Target.Service})
	events.Fact("Deployed", record.Text{Text: arn.Revision(result.Target.TaskDefinition), Form: record.Code})
	events.Fact("Serving now", record.Text{Text: arn.Revision(result.Serving), Form: record.Code})
	if len(result.Events) > 0 {
		events.Section(record.Section{Name: "events", Title: fmt.Sprintf("%d service events", len(result.Events)), Folded: true,
			Blocks: []record.Block{{Verbatim: eventLines(result), Language: "text"}}})
	}
}

func eventLines(result rollout.Result) string {
	var b strings.Builder
	for _, e := range result.Events {
		fmt.Fprintf(&b, "%s  %s\n", render.Second(e.At), e.Text)
	}
	return b.String()
}
