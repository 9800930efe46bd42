package simulation

import (
	"cmp"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{
	{
		name: "a deployment begins in the moment after a run was rolled back: its read for clearing up shows it, and its verdict does not say so",
		is: func(w *world, v violation) bool {
			return v.invariant == rolledBackIsBack && w.wasBack(v.run)
		},
		shows: History{
			Seed: 7, Desired: 2, Past: 2, Breaker: Off, Shift: "CANARY", Busy: 0.9, Skew: 3 * time.Second,
			Fates: []Fate{{Kind: Crashes, First: 2}, {Kind: "no pull", First: 2, Job: "long"}, {Kind: "slow", Job: "fails"}},
			Others: []Act{
				{Change: 5, At: 750 * time.Millisecond, What: "operator stops", N: 1},
				{Change: 5, At: 2500 * time.Millisecond, What: "Terraform changes settings"},
				{Change: 1, At: 50 * time.Second, What: "operator stops", N: 1},
			},
			Runs: []Run{
				{Verb: Deploy, Version: 5, Lifts: true, Timeout: 4 * time.Minute,
					Faults: []Fault{{Action: "ecs:ListTasks", Answer: "throttle", Skip: 9, Times: 1}}},
				{At: 20 * time.Second, Verb: Migrate, Version: 5, Timeout: 4 * time.Minute},
				{Change: 3, Verb: Deploy, Version: 5, Timeout: 10 * time.Minute, Grow: 3, Faults: []Fault{
					{Action: "ecs:RunTask", Answer: "throttle", Skip: 2, Times: 1},
					{Action: "ecs:ListServiceDeployments", Answer: "throttle", Skip: 14, Times: 1},
				}},
			},
		},
	},
}

// wasBack says whether another version was PRIMARY and COMPLETED within the two seconds before a run's newest read.
func (w *world) wasBack(r *report) bool {
	return slices.ContainsFunc(w.timeline, func(m moment) bool {
		before := r.newest.at.Sub(m.at)
		return before > 0 && before < 2*time.Second && m.primary != r.began && m.state == engine.Completed
	})
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
