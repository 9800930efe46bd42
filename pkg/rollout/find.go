package rollout

import (
	"slices"
	"time"
)

// The two APIs may write the moment of one update a little apart. One that was created within createdSlack before the target
// is taken for its own, but only after settleTime: until then the right one may not be listed yet.
const (
	createdSlack = time.Second
	settleTime   = 10 * time.Second
)

// pick returns the target's own service deployment: the first that was created when the target was, or later,
// for the target's task definition; the zero Candidate where there is none. A later one for the same task definition is somebody else's.
func pick(t Target, candidates []Candidate, slack time.Duration) Candidate {
	ours := slices.DeleteFunc(slices.Clone(candidates), func(c Candidate) bool {
		return c.TaskDefinition != t.TaskDefinition || c.Created.Before(t.Created.Add(-slack))
	})
	if len(ours) == 0 {
		return Candidate{}
	}
	return slices.MinFunc(ours, func(a, b Candidate) int { return a.Created.Compare(b.Created) })
}
