// Package clock is the time that waiting code goes by, so that a rehearsal against a world that runs faster than the wall clock
// needs nothing but another clock.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the present moment.
	Now() time.Time
	// Sleep waits for d; it returns the context's cause where the context ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the wall clock. In a testing/synctest bubble it is the bubble's.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Faster returns a clock of a world that runs speed times as fast as the wall clock; it agrees with it at the moment of the call.
// A speed of 1 or less is the wall clock's own.
func Faster(speed float64) Clock {
	if !(speed > 1) {
		return System
	}
	return &faster{speed: speed, from: time.Now()}
}

type faster struct {
	speed float64
	from  time.Time
}

func (c *faster) Now() time.Time {
	return c.from.Add(time.Duration(float64(time.Since(c.from)) * c.speed))
}

func (c *faster) Sleep(ctx context.Context, d time.Duration) error {
	return System.Sleep(ctx, time.Duration(float64(d)/c.speed))
}

// Or returns c, or the wall clock where c is nil.
func Or(c Clock) Clock {
	if c == nil {
		return System
	}
	return c
}

// Since returns how much time of the clock has passed since t.
func Since(c Clock, t time.Time) time.Duration { return c.Now().Sub(t) }

// WithTimeoutCause is context.WithTimeoutCause by a clock: the context ends when d of the clock's time is over, with this cause.
func WithTimeoutCause(ctx context.Context, c Clock, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	switch c := c.(type) {
	case system:
		return context.WithTimeoutCause(ctx, d, cause)
	case *Rehearsal:
		return WithTimeoutCause(ctx, c.current(), d, cause)
	case *seeded:
		return WithTimeoutCause(ctx, c.Clock, d, cause)
	case *faster:
		return context.WithTimeoutCause(ctx, time.Duration(float64(d)/c.speed), cause)
	}
	limited, cancel := context.WithCancelCause(ctx)
	go func() {
		if c.Sleep(limited, d) == nil {
			cancel(cause)
		}
	}()
	return limited, func() { cancel(context.Canceled) }
}
