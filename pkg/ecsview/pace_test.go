package ecsview

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	p := &pace{burst: 2, rate: 4}
	for i, step := range []struct{ after, want time.Duration }{
		{0, 0}, {0, 0}, {0, 250 * time.Millisecond}, {0, 500 * time.Millisecond}, // the burst, and then one after the other
		{500 * time.Millisecond, 250 * time.Millisecond}, // those before it have gone
		{time.Hour, 0}, {0, 0}, {0, 250 * time.Millisecond}, // no more is saved than the burst
	} {
		at = at.Add(step.after)
		if got := p.ask(at); got != step.want {
			t.Errorf("call %d waits %s, want %s", i, got, step.want)
		}
	}
}
