package verdict

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/rollout"
)

// TellTime tells how long a deployment has where nobody said and its service's own configuration makes it long.
func TellTime(events record.Sink, asked time.Duration, s ecsview.Snapshot) {
	if limit, err := rollout.TimeFor(asked, s); err == nil && asked == 0 && s.Bakes > 0 {
		events.Notef("it may take %s: %s of that are what the service's own deployment configuration (%s) waits",
			clock.Took(limit), clock.Took(s.Bakes), cmp.Or(s.Strategy, "ROLLING"))
	}
}

// Report tells what is to be known of a rollout at its end: its facts, and what the scheduler said. The steps of its timeline were
// told while it went on.
func Report(events record.Sink, result rollout.Result) {
	events.Fact("Service", record.Text{Text: result.Target.Cluster + " / " + result.Target.Service})
	events.Fact("Deployed", record.Text{Text: arn.Revision(result.Target.TaskDefinition), Form: record.Code})
	if result.Emptied {
		events.Fact("Serving now", record.Text{Text: "nothing: the service is without tasks"})
	} else {
		events.Fact("Serving now", record.Text{Text: arn.Revision(result.Serving), Form: record.Code})
	}
	if own := result.Target.ServiceDeployment; own != "" {
		events.Fact("Deployment", record.Text{Text: arn.Last(own), Link: console.Deployment(own)})
	}
	if len(result.Failed) > 0 {
		failed := result.Failed[0]
		events.Fact("Failed task", record.Text{Text: failed.ID(), Link: console.Task(failed.ARN)})
		for _, c := range failed.Containers {
			if c.LogGroup != "" {
				events.Fact("Log of "+c.Name, record.Text{Text: c.LogGroup + " " + c.Stream, Link: console.LogStream(failed.ARN, c.LogGroup, c.Stream)})
			}
		}
	}
	if groups := result.Last.TargetGroups; len(groups) > 0 && len(result.Failed) > 0 {
		events.Fact("Target group", record.Text{Text: targetGroupName(groups[0]), Link: console.TargetGroup(groups[0])})
	}
	if len(result.Events) > 0 {
		events.Section(record.Section{Name: "events", Title: fmt.Sprintf("%d service events", len(result.Events)), Folded: true,
			Blocks: []record.Block{{Verbatim: eventLines(result), Language: "text"}}})
	}
}

// targetGroupName is the name in the ARN of a target group.
func targetGroupName(name string) string {
	_, rest, _ := strings.Cut(name, ":targetgroup/")
	short, _, _ := strings.Cut(rest, "/")
	return cmp.Or(short, name)
}

func eventLines(result rollout.Result) string {
	var b strings.Builder
	for _, e := range result.Events {
		fmt.Fprintf(&b, "%s  %s\n", render.Second(e.At), e.Text)
	}
	return b.String()
}
