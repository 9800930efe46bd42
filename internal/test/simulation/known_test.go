package simulation

import (
	"cmp"
	"strings"
	"time"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{
	{
		name: "a deployment that begins while a run still prepares its own is replaced without having been read",
		is: func(_ *world, v violation) bool {
			return v.invariant == nothingLost && strings.HasSuffix(v.text, "which it had not read")
		},
		shows: History{
			Desired: 1, Past: 2, Fates: []Fate{{}, {}},
			Runs: []Run{{
				Verb: Deploy, Version: 3, Timeout: 10 * minute,
				Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "throttle", Times: 5}},
			}},
			Others: []Act{{At: 500 * time.Millisecond, What: ColleagueDeploys, N: 4}},
		},
	},
	{
		name: "a deployment that began right before an update is replaced without a word",
		is: func(_ *world, v violation) bool {
			return v.invariant == nothingLost && strings.HasSuffix(v.text, "says nothing of it")
		},
		shows: History{
			Desired: 1, Past: 1, Fates: []Fate{{}, {}},
			Runs:   []Run{{At: 2 * second, Verb: Deploy, Version: 2, Timeout: 10 * minute}},
			Others: []Act{{At: 2200 * time.Millisecond, What: ColleagueDeploys, N: 3}},
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
