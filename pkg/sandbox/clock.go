package sandbox

import (
	"sync/atomic"
	"time"
)

// clock runs virtual time: from its start on, speed times as fast as the real one, plus what it was moved forward.
type clock struct {
	real  func() time.Time
	start time.Time
	speed float64
	moved atomic.Int64 // nanoseconds
}

func newClock(real func() time.Time, speed float64) *clock {
	return &clock{real: real, start: real(), speed: speed}
}

// Now is the virtual time, in UTC and to the millisecond, which is what AWS shows.
func (c *clock) Now() time.Time {
	elapsed := float64(c.real().Sub(c.start)) * c.speed
	return c.start.Add(time.Duration(elapsed) + time.Duration(c.moved.Load())).UTC().Truncate(time.Millisecond)
}

// Forward moves virtual time ahead.
func (c *clock) Forward(d time.Duration) { c.moved.Add(int64(d)) }
