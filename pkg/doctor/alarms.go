package doctor

import (
	"fmt"

	"github.com/org/connect2/v2/pkg/alarm"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/operate"
)

// What is to be done about an alarm.
const (
	lookBack = "compare what it measures with what was deployed, and with what the tasks said at that time: connect2 status, " +
		"connect2 logs"
	goesBack  = "deployments of the service go back while it is in ALARM: mend what it measures before the next one"
	madeAgain = "apply Terraform, which makes it, or take its name out of what deployments watch (deployment.alarm_names)"
)

// alarms makes a check of each alarm that went off, and of each that is watched and not there; one check where there is none such.
func (f Facts) alarms() []Check {
	if f.Alarms.Err != nil {
		return []Check{unknown("the alarms were not read: %v", f.Alarms.Err).check("container", "alarm", "")}
	}
	var checks []Check
	silent := 0
	for _, a := range f.Alarms.Is {
		switch a.State {
		case alarm.Fired:
			checks = append(checks, fired(a))
		case alarm.Missing:
			checks = append(checks, wrong(madeAgain, "the service's deployments watch the alarm %s, and there is no such alarm",
				a.Name).check("container", "alarm", ""))
		case alarm.NoData:
			silent++
		}
	}
	if len(checks) > 0 {
		return checks
	}
	c := Check{Area: "container", Name: "alarm", State: OK, What: fmt.Sprintf("none of %s went off", operate.Count(len(f.Alarms.Is), "alarm"))}
	if silent > 0 {
		c.What += fmt.Sprintf(", %d without data", silent)
	}
	if len(f.Alarms.Is) == 0 {
		c.What = "there is none: deployments watch none, and none is called as the environment's are"
	}
	return []Check{c}
}

// fired is the check of an alarm that went off.
func fired(a operate.Alarm) Check {
	c := Check{Area: "container", Name: "alarm", State: Wrong, What: "the alarm " + a.Name + " went off"}
	if !a.Since.IsZero() {
		c.What += " at " + a.Since.UTC().Format("2006-01-02 15:04 MST")
	}
	if a.Description != "" {
		c.Evidence = append(c.Evidence, diagnose.Printable(diagnose.Redact(a.Description)))
	}
	if a.Reason != "" {
		c.Evidence = append(c.Evidence, diagnose.Printable(diagnose.Redact(a.Reason)))
	}
	c.Fix = []string{lookBack}
	if a.Watched {
		c.Fix = append(c.Fix, goesBack)
	}
	return c
}
