package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
)

// State is what came of a check.
type State string

// The states. What could not be read is never green.
const (
	OK         State = "ok"
	Wrong      State = "wrong"
	NotChecked State = "not checked"
)

// Check is one thing that was looked at.
type Check struct {
	Area     string   `json:"area"` // container, database, redis, network or delivery
	Name     string   `json:"name"`
	State    State    `json:"state"`
	What     string   `json:"what"`               // what was found, or why it was not looked at
	Evidence []string `json:"evidence,omitempty"` // in the words of AWS, or of the log
	Fix      []string `json:"fix,omitempty"`
}

// Facts are what was read of a service. An error stands for what could not be.
type Facts struct {
	Area       string // what is looked at; "" or all: everything
	Service    ecsview.Snapshot
	Definition Definition
	Evidence   diagnose.Evidence // tasks of the current deployment, targets, events
	Cause      record.Finding    // why tasks fail, where they do
	Failed     int               // tasks of the current deployment that failed within the last hour
	Held       string            // what is on hold, in words

	Images  []Thing
	Secrets []Thing
	Groups  []Thing // log groups

	Alarms Known[[]operate.Alarm] // those that deployments watch, and the environment's

	Around   Surroundings // the network, the database, Redis
	Delivery Delivery     // GitHub's side

	DefinitionErr error // the task definition could not be read; then images, secrets and groups are not known either
}

// Definition is what matters of the task definition.
type Definition struct {
	Name          string // FAMILY:NUMBER
	ExecutionRole string
	NeedsRole     []string // why it needs one
}

// Thing is something that the task definition names and that has to be there.
type Thing struct {
	Name    string
	For     string // who needs it
	Missing string // what is wrong with it; "" where it is there
	Skipped string // why it was not looked for
	Err     error
}

// wants says whether an area is looked at.
func (f Facts) wants(areas ...string) bool {
	return f.Area == "" || f.Area == All || slices.Contains(areas, f.Area)
}

// Examine judges what was read. It is pure: the same facts give the same checks, in one order.
func Examine(f Facts) []Check {
	var all []Check
	if f.wants("container") {
		all = append(all, f.running(), f.rollout(), f.tasks(), f.held(), f.role())
		all = append(all, things("image", "The image", f.Images, f.DefinitionErr,
			"push it again (connect2 push), or roll back (connect2 rollback)")...)
		all = append(all, things("secret", "The secret", f.Secrets, f.DefinitionErr,
			"create or restore it, or correct its name in the task definition's template (Terraform)")...)
		all = append(all, things("log group", "The log group", f.Groups, f.DefinitionErr,
			"create it (Terraform makes it with the service): without it no container starts")...)
		all = append(all, f.alarms()...)
	}
	if f.wants("network") {
		all = append(all, f.targets()...)
		all = append(all, f.Around.network()...)
	}
	if f.wants("database") {
		all = append(all, f.Around.stores("database", "the database", f.Around.Databases, f.Around.Uses.Database)...)
	}
	if f.wants("redis") {
		all = append(all, f.Around.stores("redis", "Redis", f.Around.Caches, f.Around.Uses.Redis)...)
	}
	if f.wants("delivery") {
		all = append(all, f.Delivery.checks()...)
	}
	return all
}

func (f Facts) running() Check {
	s := f.Service
	c := Check{Area: "container", Name: "tasks", State: OK, What: s.Tasks()}
	if s.Running < s.Desired {
		c.State = Wrong
		for _, e := range s.Events[:min(len(s.Events), 3)] {
			c.Evidence = append(c.Evidence, diagnose.Printable(diagnose.Redact(e.Text)))
		}
		c.Fix = []string{"see the check \"failures\" for why, or connect2 logs --previous for what they said"}
	}
	return c
}

func (f Facts) rollout() Check {
	c := Check{Area: "container", Name: "deployment", State: OK}
	primary := f.Service.Primary()
	switch {
	case primary == nil:
		c.State, c.What = Wrong, "the service has no deployment"
		c.Fix = []string{"deploy it: connect2 deploy"}
	case primary.TakesBack():
		c.State, c.What = Wrong, "ECS is rolling a deployment back"
		c.Evidence = []string{diagnose.Printable(primary.Reason)}
		c.Fix = []string{"wait until it has arrived: connect2 status --watch"}
	case primary.State == "FAILED":
		c.State, c.What = Wrong, arn.Revision(primary.TaskDefinition)+" failed to be deployed"
		c.Evidence = []string{diagnose.Printable(primary.Reason)}
		c.Fix = []string{"roll back: connect2 rollback"}
	case primary.InProgress():
		c.What = arn.Revision(primary.TaskDefinition) + " is being deployed"
	default:
		c.What = arn.Revision(primary.TaskDefinition) + " is deployed"
	}
	return c
}

func (f Facts) tasks() Check {
	c := Check{Area: "container", Name: "failures", State: OK, What: "no task of the current deployment failed within the last hour"}
	unread := f.Evidence.Missing
	switch {
	case f.Failed > 0:
		c.State, c.What = Wrong, fmt.Sprintf("%d of its tasks failed within the last hour", f.Failed)
		if f.Cause.Known() {
			c.What += ": " + diagnose.Printable(f.Cause.Title)
			c.Evidence, c.Fix = f.Cause.Evidence, f.Cause.Fix
		} else {
			c.Fix = []string{"read what they said: connect2 logs --previous"}
		}
	case len(unread) > 0:
		c.State, c.What = NotChecked, strings.Join(unread, "; ")
	}
	return c
}

// held is a note: a hold is somebody's wish.
func (f Facts) held() Check {
	what := "nothing is on hold"
	if f.Held != "" {
		what = "on hold: " + f.Held + " (connect2 release-hold ends it)"
	}
	return Check{Area: "container", Name: "hold", State: OK, What: what}
}

func (f Facts) role() Check {
	c := Check{Area: "container", Name: "execution role", State: OK}
	d := f.Definition
	switch {
	case f.DefinitionErr != nil:
		c.State, c.What = NotChecked, f.DefinitionErr.Error()
	case d.ExecutionRole == "" && len(d.NeedsRole) > 0:
		c.State, c.What = Wrong, d.Name+" names no execution role, and needs one for "+strings.Join(d.NeedsRole, ", ")
		c.Fix = []string{"set executionRoleArn in the task definition's template (Terraform)"}
	case d.ExecutionRole == "":
		c.What = d.Name + " needs none"
	default:
		c.What = d.Name + " names " + arn.Last(d.ExecutionRole) + "; what it may do is not read"
	}
	return c
}

// things makes a check of each thing that has to be there.
func things(name, title string, all []Thing, unread error, fix string) []Check {
	if unread != nil {
		return []Check{{Area: "container", Name: name, State: NotChecked, What: unread.Error()}}
	}
	var checks []Check
	for _, t := range all {
		c := Check{Area: "container", Name: name, State: OK, What: t.Name + " is there"}
		switch {
		case t.Err != nil:
			c.State, c.What = NotChecked, fmt.Sprintf("%s: %v", t.Name, t.Err)
		case t.Skipped != "":
			c.State, c.What = NotChecked, t.Name+": "+t.Skipped
		case t.Missing != "":
			c.State, c.What = Wrong, fmt.Sprintf("%s %s that %s needs %s", title, t.Name, t.For, t.Missing)
			c.Fix = []string{fix}
		}
		checks = append(checks, c)
	}
	return checks
}

// targets judges each target group.
func (f Facts) targets() []Check {
	var checks []Check
	for _, group := range f.Service.TargetGroups {
		name := targetGroup(group)
		c := Check{Area: "network", Name: "targets", State: OK}
		healthy, all := 0, 0
		for _, t := range f.Evidence.Targets {
			if t.Group != group || t.State == "draining" {
				continue
			}
			all++
			switch t.State {
			case "healthy":
				healthy++
			case "unhealthy":
				c.Evidence = append(c.Evidence, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", t.ID, t.Port, t.Reason, t.Description)))
			}
		}
		c.What = fmt.Sprintf("%d of %d targets of %s are healthy", healthy, all, name)
		unread := slices.ContainsFunc(f.Evidence.Missing, func(note string) bool { return strings.Contains(note, "target") })
		switch {
		case unread, all == 0 && len(f.Evidence.Missing) > 0: // without tasks no targets are asked for
			c.State, c.What = NotChecked, strings.Join(f.Evidence.Missing, "; ")
		case len(c.Evidence) > 0:
			c.State = Wrong
			c.Fix = []string{"look at what the health check asks (path, port, codes) and what the tasks answer: connect2 logs"}
		case healthy == 0 && f.Service.Desired > 0 && len(f.Service.TargetGroups) == 1:
			c.State = Wrong
			c.Fix = []string{"no request reaches the service until one is: connect2 status --watch shows whether tasks come up"}
		}
		checks = append(checks, c)
	}
	return checks
}

// targetGroup is the name in an ARN: …:targetgroup/NAME/ID.
func targetGroup(arn string) string {
	parts := strings.Split(arn, "/")
	if len(parts) < 3 {
		return arn
	}
	return parts[len(parts)-2]
}
