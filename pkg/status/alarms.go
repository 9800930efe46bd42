package status

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/alarm"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// lookAtAlarms reads the alarms of the service and of its environment. Without them the rest is worth telling.
func (v *view) lookAtAlarms(ctx context.Context, events record.Sink, cfg aws.Config) {
	var err error
	v.alarms, err = operate.Alarms(ctx, cfg, v.in.Cluster, v.in.Service, v.watched)
	v.alarmsRead = err == nil
	if err != nil && !awserr.Optional(events, "The state of the alarms", err) {
		events.Warnf("Alarms not known", "the state of the service's CloudWatch alarms could not be read: %v", err)
	}
}

// alarmWords says in one line how the alarms are.
func (v *view) alarmWords() string {
	watched := ""
	if len(v.watched) > 0 {
		watched = "; its deployments watch " + strings.Join(v.watched, ", ")
	}
	if !v.alarmsRead {
		if watched == "" {
			return ""
		}
		return "not read" + watched
	}
	if len(v.alarms) == 0 {
		return ""
	}
	count := map[alarm.State]int{}
	for _, a := range v.alarms {
		count[a.State]++
	}
	text := fmt.Sprintf("%d of %d went off", count[alarm.Fired], len(v.alarms))
	if count[alarm.Fired] == 0 {
		text = fmt.Sprintf("none of %d went off", len(v.alarms))
	}
	if n := count[alarm.NoData]; n > 0 {
		text += fmt.Sprintf(", %d without data", n)
	}
	if n := count[alarm.Missing]; n > 0 {
		text += fmt.Sprintf(", %d missing", n)
	}
	return text + watched
}

// alarmRows are the alarms that went off, and those that are watched and not there.
func (v *view) alarmRows() [][]string {
	var rows [][]string
	for _, a := range v.alarms {
		switch a.State {
		case alarm.Fired:
			rows = append(rows, []string{a.Name, "ALARM", render.Age(v.at.Sub(a.Since), !a.Since.IsZero()),
				diagnose.Printable(diagnose.Redact(a.Reason))})
		case alarm.Missing:
			rows = append(rows, []string{a.Name, "missing", "-", "the service's deployments watch it, and there is no such alarm"})
		}
	}
	return rows
}

// alarmLines are the same, one line each.
func (v *view) alarmLines() []string {
	var lines []string
	for _, row := range v.alarmRows() {
		line := row[0] + "  " + row[1]
		if row[2] != "-" {
			line += " for " + row[2]
		}
		lines = append(lines, strings.TrimSuffix(line+": "+row[3], ": "))
	}
	return lines
}
