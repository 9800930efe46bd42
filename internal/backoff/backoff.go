// Package backoff has the waits between the tries of something that may pass by itself.
package backoff

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"
)

// Policy says how the waits between tries grow. Each is up to half shorter at random, so that runs which failed together do
// not try again together.
type Policy struct {
	First  time.Duration // after the first try, before anything is taken off at random; at least 2 ns
	Most   time.Duration // no wait is longer; at least First
	Factor int           // by which a wait is longer than the one before; 0 means 2
	Steady bool          // nothing is taken off: for what no other run does at the same time
}

// Wait returns how long to wait after the nth try has failed. The first try is number 1.
func (p Policy) Wait(n int) time.Duration {
	wait, factor := p.First, time.Duration(cmp.Or(p.Factor, 2))
	for ; n > 1 && wait < p.Most; n-- {
		if wait > p.Most/factor {
			wait = p.Most
		} else {
			wait *= factor
		}
	}
	if p.Steady {
		return wait
	}
	return wait - rand.N(wait/2)
}

// Pause waits for d. Where the context ends before that, it returns the context's cause at once.
func Pause(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
