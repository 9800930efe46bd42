package ecsview

import (
	"context"
	"sync"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
)

// pace lets through so many calls of one kind as AWS documents that it takes, in the order in which they are asked for: calls that are
// refused for their number are sent again after waits that grow, and the last of many would wait far longer than it has to.
type pace struct {
	burst, rate float64 // calls at once, and calls a second after that

	mu    sync.Mutex
	left  float64 // of the burst; below 0: that many calls wait
	as    time.Time
	begun bool
}

// ask returns how long the call that is asked for now has to wait.
func (p *pace) ask(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.left, p.as, p.begun = p.burst, now, true
	}
	p.left = min(p.burst, p.left+now.Sub(p.as).Seconds()*p.rate)
	p.as = now
	p.left--
	if p.left >= 0 {
		return 0
	}
	return time.Duration(-p.left / p.rate * float64(time.Second))
}

// wait waits for a call's turn.
func (p *pace) wait(ctx context.Context, c clock.Clock) error {
	if d := p.ask(c.Now()); d > 0 {
		return c.Sleep(ctx, d)
	}
	return nil
}
