package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{
	{
		name: "a run whose own update was never answered follows another run's deployment of the same revision, and puts it back when it fails",
		is: func(_ *world, v violation) bool {
			return v.invariant == nothingLost && slices.ContainsFunc(v.run.updates, func(u update) bool {
				return !u.first && u.before.state == engine.Failed && strings.Contains(v.text, fmt.Sprintf("replaced %s with", u.before))
			})
		},
		shows: History{
			Seed: 1, Desired: 3, Past: 2, Breaker: Stops,
			Others: []Act{{Change: 1, At: 5 * time.Second, What: ColleagueRollsBack}},
			Fates:  []Fate{{}, {Job: "fails"}, {Kind: "slow", Job: "long"}},
			Runs: []Run{
				{At: 5 * time.Second, Verb: Release, Version: 5, Lifts: true, Timeout: 10 * time.Minute,
					Faults: []Fault{{Action: "ecs:UpdateService", Answer: "hang-after", Times: 40}}},
				{Change: 1, At: 20 * time.Second, Verb: Deploy, Version: 5, Lifts: true, Timeout: 4 * time.Minute},
			},
		},
	},
}

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
