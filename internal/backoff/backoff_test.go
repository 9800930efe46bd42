package backoff

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitGrowsToItsBound(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy Policy
		want   []time.Duration // the longest wait after the first try, the second, …
	}{
		{"doubling", Policy{First: time.Second, Most: 5 * time.Second},
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}},
		{"a factor", Policy{First: 2 * time.Second, Most: 30 * time.Second, Factor: 5},
			[]time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 30 * time.Second}},
		{"the bound is met exactly", Policy{First: time.Second, Most: 4 * time.Second},
			[]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second}},
		{"no growth", Policy{First: time.Second, Most: time.Second}, []time.Duration{time.Second, time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, most := range test.want {
				shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
				for range 1000 {
					wait := test.policy.Wait(i + 1)
					shortest, longest = min(shortest, wait), max(longest, wait)
				}
				if shortest <= most/2 || longest > most {
					t.Errorf("after try %d between %s and %s, want more than half of %s, and no more than it", i+1, shortest, longest, most)
				}
				// That a thousand waits leave out the lowest or the highest tenth of the range has a chance of 10⁻⁴⁵.
				if shortest > most*11/20 || longest < most*19/20 {
					t.Errorf("after try %d between %s and %s: not spread over the half below %s", i+1, shortest, longest, most)
				}
			}
		})
	}
}

func TestSteadyWaitsAreExact(t *testing.T) {
	p := Policy{First: 2 * time.Second, Most: 30 * time.Second, Factor: 5, Steady: true}
	for i, want := range []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 30 * time.Second} {
		for range 100 {
			if got := p.Wait(i + 1); got != want {
				t.Fatalf("after try %d %s, want %s", i+1, got, want)
			}
		}
	}
}

func TestWaitDoesNotOverflow(t *testing.T) {
	p := Policy{First: time.Second, Most: math.MaxInt64}
	exact := p
	exact.Steady = true
	for n, want := range map[int]time.Duration{34: 1 << 33 * time.Second, 35: math.MaxInt64, 63: math.MaxInt64, 64: math.MaxInt64,
		65: math.MaxInt64, 1000: math.MaxInt64, math.MaxInt: math.MaxInt64} {
		if got := exact.Wait(n); got != want {
			t.Errorf("after try %d: %s, want %s", n, got, want)
		}
		for range 100 {
			if got := p.Wait(n); got < want/2 || got > want {
				t.Errorf("after try %d: %s, of %s", n, got, want)
			}
		}
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := Pause(t.Context(), 3*time.Second); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start = time.Now()
		if err := Pause(ctx, time.Minute); !errors.Is(err, cause) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		for range 100 { // even where nothing is to be waited for
			if err := Pause(ctx, 0); !errors.Is(err, cause) {
				t.Fatalf("a context that has ended: %v", err)
			}
		}
	})
}
