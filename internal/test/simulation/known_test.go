package simulation

import (
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{
	{
		name: "a rollback that meets what another rollback has begun stops it, and the version that was to be left serves again",
		is:   func(_ *world, v violation) bool { return v.invariant == rollbackLeaves && v.run.joined },
		shows: History{
			Desired: 1, Past: 2,
			Runs: []Run{{Verb: Rollback, Timeout: 4 * minute, End: Cancel, After: 5 * second, Again: 80 * second}},
		},
	},
	{
		name: "a deployment or a rollback that completed is green although a newer deployment took over before the read that saw it",
		is: func(w *world, v violation) bool {
			overtaken := v.run.newest.primary != v.run.began && v.run.newest.since.After(v.run.begun)
			return v.invariant == greenIsInForce && overtaken && w.completed(v.run)
		},
		shows: History{
			Desired: 2, Past: 1, Fates: []Fate{{}, {}},
			Runs: []Run{{
				Verb: Deploy, Version: 2, Timeout: 10 * minute,
				Faults: []Fault{{Action: "ecs:DescribeServiceDeployments", Answer: "throttle", Skip: 5, Times: 40}},
			}},
			Others: []Act{{At: 160 * second, What: ColleagueDeploys, N: 3}},
		},
	},
	{
		name: "a rollback that stops a deployment of the very revision that completed last ends on that revision",
		is: func(w *world, v violation) bool {
			return v.invariant == rollbackLeaves && v.run.first.state == engine.InProgress && w.served(v.run.first.at) == v.run.leave
		},
		shows: History{
			Desired: 1, Past: 2,
			Runs:   []Run{{At: 30 * second, Verb: Rollback, Timeout: 10 * minute}},
			Others: []Act{{At: 10 * second, What: ColleagueForces}},
		},
	},
}

// served returns the task definition of the deployment that was complete last before a time.
func (w *world) served(before time.Time) (taskDefinition string) {
	for _, m := range w.timeline {
		if m.state == engine.Completed && m.at.Before(before) {
			taskDefinition = m.taskDefinition
		}
	}
	return taskDefinition
}

// completed says whether what a run was to put in place was complete at any time before its newest read.
func (w *world) completed(r *report) bool {
	for _, m := range w.timeline {
		ours := m.primary == r.began || r.run.Verb == Rollback && m.taskDefinition != r.leave
		if ours && m.state == engine.Completed && m.at.After(r.begun) && !m.at.After(r.newest.at) {
			return true
		}
	}
	return false
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
