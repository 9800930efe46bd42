package status

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/schedule"
)

// timed is a schedule of the service's cluster that runs a revision of its family.
type timed struct {
	name     string
	revision string // FAMILY:REVISION; "FAMILY, the newest" where none is named
	serves   bool   // it is the revision that the service is at
	when     string
}

// lookAtSchedules finds what runs tasks of the service's family at set times. Without it the rest is worth telling.
func (v *view) lookAtSchedules(ctx context.Context, events record.Sink, cfg aws.Config, cluster string) {
	found, err := schedule.New(cfg, nil).Find(ctx, cluster)
	if err != nil && !awserr.Optional(events, "The schedules that run it", err) {
		events.Warnf("Schedules not known", "which schedules run the service's family could not be read: %v", err)
	}
	for _, s := range found {
		for _, t := range s.Of(v.service.TaskDefinition) {
			one := timed{name: s.Name.String(), revision: arn.Revision(t.TaskDefinition), serves: t.TaskDefinition == v.service.TaskDefinition,
				when: s.When(v.at)}
			if t.Newest() {
				one.revision += ", the newest"
			}
			v.schedules = append(v.schedules, one)
		}
	}
}

// note says what is wrong with what a schedule runs.
func (t timed) note() string {
	if t.serves {
		return ""
	}
	return "not what the service runs"
}

func (v *view) scheduleRows() [][]string {
	var rows [][]string
	for _, t := range v.schedules {
		rows = append(rows, []string{t.name, t.revision, t.when, t.note()})
	}
	return rows
}

// scheduleLines are the schedules, one line each.
func (v *view) scheduleLines() []string {
	var lines []string
	for _, row := range v.scheduleRows() {
		line := row[0] + "  " + row[1] + ": " + row[2]
		if row[3] != "" {
			line += " (" + row[3] + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func (v *view) scheduleList() json.RawMessage {
	list := []map[string]any{}
	for _, t := range v.schedules {
		list = append(list, map[string]any{"name": t.name, "revision": t.revision, "serves": t.serves, "when": t.when})
	}
	return operate.JSON(list)
}
