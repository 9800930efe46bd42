package clock

import (
	"context"
	"sync/atomic"
	"time"
)

// Rehearsal is the clock of a run that may turn out to be a rehearsal: it is the wall clock, until it is told how fast the world runs
// that is acted on.
type Rehearsal struct{ told atomic.Pointer[faster] }

// Run has the clock go speed times as fast as the wall clock from now on; it agrees with it at the moment of the call. Only the first
// call counts, and none of a speed of 1 or less: that is a world which runs as fast as the wall clock.
func (r *Rehearsal) Run(speed float64) {
	if f, ok := Faster(speed).(*faster); ok {
		r.told.CompareAndSwap(nil, f)
	}
}

func (r *Rehearsal) current() Clock {
	if f := r.told.Load(); f != nil {
		return f
	}
	return System
}

// Now returns the present moment.
func (r *Rehearsal) Now() time.Time { return r.current().Now() }

// Sleep waits for d; it returns the context's cause where the context ends first.
func (r *Rehearsal) Sleep(ctx context.Context, d time.Duration) error {
	return r.current().Sleep(ctx, d)
}

// Speed returns how many times as fast as the wall clock a clock of this package goes.
func Speed(c Clock) float64 {
	switch c := c.(type) {
	case *faster:
		return c.speed
	case *seeded:
		return Speed(c.Clock)
	case *Rehearsal:
		return Speed(c.current())
	}
	return 1
}
