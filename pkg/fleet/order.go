// Package fleet works on several services in one run: in the order in which they depend on each other, those that do not at once; and
// says what came of all of them in one verdict.
package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/org/connect2/v2/pkg/project"
)

// Member is one of several that are worked on.
type Member struct {
	Name  string
	After []string // the names of those that come before it; names that are not among the members do not count
}

// State is what became of a member.
type State string

// The states of a member.
const (
	Waiting State = ""        // it has not begun
	Begun   State = "begun"   //
	Done    State = "done"    //
	Failed  State = "failed"  //
	Skipped State = "skipped" // it is not begun any more: what it comes after failed, or the whole was stopped
)

// Step says what happens next to members in these states: which begin now, and which will not any more. stopped says that none is to
// begin.
func Step(members []Member, states []State, stopped bool) (begin, skip []int) {
	for i, m := range members {
		if states[i] != Waiting {
			continue
		}
		ready, lost := true, stopped
		for j, before := range members {
			if !slices.Contains(m.After, before.Name) {
				continue
			}
			ready = ready && states[j] == Done
			lost = lost || states[j] == Failed || states[j] == Skipped
		}
		switch {
		case lost:
			skip = append(skip, i)
		case ready:
			begin = append(begin, i)
		}
	}
	return begin, skip
}

// ErrStopped is the cause of the context of members that were under way when another one failed.
var ErrStopped = errors.New("stopped, since another service of the release failed")

// Result is what became of a member.
type Result struct {
	State State
	Err   error
	Place int // in the order in which they ended, from 1; 0: it did not begin
}

// Run does something with each member: when all that it comes after are done. Where stop is set, the first failure ends the context of
// those that are under way with ErrStopped, and no other begins; without it only those that come after the one that failed do not begin.
// A context that has ended lets none begin.
func Run(ctx context.Context, members []Member, stop bool, do func(ctx context.Context, i int) error) []Result {
	type end struct {
		i   int
		err error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results, states := make([]Result, len(members)), make([]State, len(members))
	ends := make(chan end)
	running, ended := 0, 0
	for {
		for changed := true; changed; {
			begin, skip := Step(members, states, ctx.Err() != nil)
			for _, i := range skip {
				states[i] = Skipped
			}
			for _, i := range begin {
				states[i] = Begun
				running++
				go func() { ends <- end{i, do(ctx, i)} }()
			}
			changed = len(begin)+len(skip) > 0
		}
		if running == 0 {
			break
		}
		e := <-ends
		running--
		ended++
		states[e.i] = Done
		if e.err != nil {
			states[e.i] = Failed
			if stop {
				cancel(ErrStopped)
			}
		}
		results[e.i].Err, results[e.i].Place = e.err, ended
	}
	for i, state := range states {
		results[i].State = state
	}
	return results
}

// Reversed returns members in the order of a way back: what came after another one comes before it.
func Reversed(members []Member) []Member {
	reversed := make([]Member, len(members))
	for i, m := range members {
		reversed[i].Name = m.Name
		for _, other := range members {
			if slices.Contains(other.After, m.Name) {
				reversed[i].After = append(reversed[i].After, other.Name)
			}
		}
	}
	return reversed
}

// MembersOf returns the services of a release as members, and their names.
func MembersOf(services []project.Member) (members []Member, names []string) {
	for _, s := range services {
		members, names = append(members, Member{Name: s.Name, After: s.After}), append(names, s.Name)
	}
	return members, names
}

// AtOnce is how many services of a release are read and checked at once.
const AtOnce = 20

// Each does something with each of n at once, a few at a time, and returns when all are done.
func Each(n, most int, do func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, most)
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}
