package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// step is what has to be done with a schedule.
type step string

const (
	keep  step = "keep"  // it runs the revision already
	over  step = "over"  // it will not run again
	point step = "point" // some of its targets run another revision
)

// decide says what has to be done with a schedule for its targets of a family to run a revision.
func decide(s Schedule, family, revision string, now time.Time) step {
	older := func(t Target) bool { return !t.Runs(revision) }
	switch {
	case s.Over(now):
		return over
	case !slices.ContainsFunc(s.Of(family), older):
		return keep
	}
	return point
}

// refuse says why a schedule cannot go along with a release of some families; nil where it can.
func refuse(s Schedule, families []string) error {
	of := func(family string) bool { return len(s.Of(family)) > 0 }
	switch {
	case s.Managed != "":
		return fmt.Errorf("%s is a rule of %s, which alone may change it", s.Name, s.Managed)
	case len(s.Targets) == 0:
		return fmt.Errorf("%s starts no ECS task", s.Name)
	case !slices.ContainsFunc(families, of):
		return fmt.Errorf("%s runs %s, and this releases %s", s.Name, strings.Join(s.Families(), " and "), strings.Join(families, " and "))
	}
	return nil
}

// Of returns the targets that run a family, or its template.
func (s Schedule) Of(family string) []Target {
	return slices.Collect(func(yield func(Target) bool) {
		for _, t := range s.Targets {
			if t.Family() == Family(family) && !yield(t) {
				return
			}
		}
	})
}

// Families returns what families the targets run, each once, in order.
func (s Schedule) Families() []string {
	var families []string
	for _, t := range s.Targets {
		families = append(families, t.Family())
	}
	slices.Sort(families)
	return slices.Compact(families)
}
