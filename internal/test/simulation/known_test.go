package simulation

import (
	"cmp"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{
	{
		name: "a rollback that begins while another deployment is under way, or that meets one, ends on what it was to leave, or holds it",
		is: func(_ *world, v violation) bool {
			return (v.invariant == rollbackLeaves || v.invariant == holdIsOnLeft) && v.run.crowded()
		},
		shows: History{
			Seed: 22, Desired: 1, Past: 1, Breaker: Off, Busy: 0.5,
			Others: []Act{{Change: 3, What: ColleagueForces}},
			Fates:  []Fate{{Kind: "no pull", Job: "fails"}},
			Runs: []Run{
				{At: 1750 * time.Millisecond, Verb: Deploy, Version: 2, Timeout: 4 * minute, Grow: 4,
					Faults: []Fault{{Action: "ecs:DescribeServices", Answer: "throttle", Times: 40}}},
				{Change: 3, At: 500 * time.Millisecond, Verb: Rollback, Timeout: 4 * minute},
			},
		},
	},
}

// crowded says whether somebody else's deployment was under way when a run began, or began meanwhile.
func (r *report) crowded() bool { return !r.alone || r.before.state != engine.Completed }

// fate is what becomes of the tasks of a version.
func (w *world) fate(version int) Fate {
	if n := version - w.history.Past; n > 0 && n <= len(w.history.Fates) {
		return w.history.Fates[n-1]
	}
	return Fate{}
}

// lag is how long a new service deployment is not listed.
func (w *world) lag() time.Duration {
	return cmp.Or(w.history.Lag, 1500*time.Millisecond) + w.history.Reads
}

// fault is a known fault.
type fault struct {
	name  string
	is    func(w *world, v violation) bool
	shows History
}

// knownFault returns the name of the known fault that a violation is, or "".
func knownFault(w *world, v violation) string {
	for _, f := range known {
		if f.is(w, v) {
			return f.name
		}
	}
	return ""
}
