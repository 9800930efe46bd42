package simulation

import (
	"cmp"
	"time"
)

// known lists what today's code is known to get wrong, one kind of history each. A violation that is of one of these kinds is
// counted and does not fail the test. Each has a history that shows it: once that shows it no more, TestKnown fails, and the
// fault has to leave the list.
var known = []fault{}

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
