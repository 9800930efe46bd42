package ecsview

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// Tasks says how many tasks run: of the service where it has one deployment, otherwise of each. During a deployment more may run
// than are wanted, old ones and new ones.
func (s Snapshot) Tasks() string {
	primary := s.Primary()
	if primary == nil || s.Running <= s.Desired && primary.Running == s.Running {
		return runOf(s.Running, s.Desired, "")
	}
	parts := []string{runOf(primary.Running, s.Desired, arn.Revision(primary.TaskDefinition))}
	for _, d := range s.Deployments {
		if d.ID != primary.ID && d.Running > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s", d.Running, arn.Revision(d.TaskDefinition)))
		}
	}
	return strings.Join(parts, ", and ")
}

func runOf(running, desired int, of string) string {
	tasks, verb := "tasks", "run"
	if desired == 1 {
		tasks, verb = "task", "runs"
	}
	if of != "" {
		of = " of " + of
	}
	if running > desired { // some are about to be stopped
		return fmt.Sprintf("%d tasks%s run, and %d are wanted", running, of, desired)
	}
	return fmt.Sprintf("%d of %d %s%s %s", running, desired, tasks, of, verb)
}
