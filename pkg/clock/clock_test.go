package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
)

func TestSystemSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := clock.System.Now()
		if err := clock.System.Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := clock.Since(clock.System, start); d != time.Minute {
			t.Errorf("slept %s, want a minute", d)
		}
	})
}

func TestFasterRunsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, wall := clock.Faster(60), time.Now()
		start := c.Now()
		if !start.Equal(wall) {
			t.Errorf("begins at %s, want the wall clock's %s", start, wall)
		}
		if err := c.Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(wall); d != time.Second {
			t.Errorf("a minute took %s of the wall clock, want 1s", d)
		}
		if d := clock.Since(c, start); d != time.Minute {
			t.Errorf("the clock went on by %s, want a minute", d)
		}
	})
}

func TestSpeedsThatAreNone(t *testing.T) {
	for _, speed := range []float64{-1, 0, 0.5, 1} {
		if clock.Faster(speed) != clock.System {
			t.Errorf("speed %g is not the wall clock", speed)
		}
	}
	if clock.Or(nil) != clock.System {
		t.Error("no clock is not the wall clock")
	}
	if c := clock.Faster(2); clock.Or(c) != c {
		t.Error("Or replaces a clock that is given")
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []clock.Clock{clock.System, clock.Faster(10)} {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			if err := c.Sleep(ctx, time.Hour); !errors.Is(err, cause) {
				t.Errorf("got %v, want the context's cause", err)
			}
		}
	})
}

// other is a clock that this package does not know.
type other struct{ clock.Clock }

func TestTimeoutByTheClock(t *testing.T) {
	cause := errors.New("time is over")
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			clock clock.Clock
			want  time.Duration
		}{
			"system": {clock.System, time.Minute},
			"faster": {clock.Faster(60), time.Second},
			"other":  {other{clock.Faster(30)}, 2 * time.Second},
		} {
			wall := time.Now()
			ctx, cancel := clock.WithTimeoutCause(t.Context(), test.clock, time.Minute, cause)
			<-ctx.Done()
			if d := time.Since(wall); d != test.want {
				t.Errorf("%s: ended after %s, want %s", name, d, test.want)
			}
			if !errors.Is(context.Cause(ctx), cause) {
				t.Errorf("%s: cause %v", name, context.Cause(ctx))
			}
			cancel()
		}
		ctx, cancel := clock.WithTimeoutCause(t.Context(), other{clock.System}, time.Minute, cause)
		cancel()
		<-ctx.Done()
		if errors.Is(context.Cause(ctx), cause) {
			t.Error("a context that was cancelled says its time was over")
		}
	})
}

// TestSeeded holds that the waits of a seed are the same each time, differ from those of another seed, and stay within their share.
func TestSeeded(t *testing.T) {
	draws := func(seed uint64) (waits [20]time.Duration) {
		c := clock.Seeded(nil, seed)
		for i := range waits {
			waits[i] = clock.Spread(c, 10*time.Second, 0.1)
			if waits[i] < 9*time.Second || waits[i] > 11*time.Second {
				t.Errorf("10s spread by a tenth is %s", waits[i])
			}
		}
		return waits
	}
	if again := draws(1); again != draws(1) {
		t.Error("one seed gave two histories")
	}
	if draws(1) == draws(2) {
		t.Error("two seeds gave one history")
	}
	if a, b := clock.Random(clock.System), clock.Random(clock.System); a == b || a < 0 || a >= 1 {
		t.Errorf("the wall clock's random numbers are %g and %g", a, b)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := clock.WithTimeoutCause(t.Context(), clock.Seeded(clock.Faster(60), 1), time.Minute, context.Canceled)
		defer cancel()
		<-ctx.Done()
		if took := time.Since(start); took != time.Second {
			t.Errorf("a minute of a clock 60 times as fast took %s", took)
		}
	})
}

// TestRehearsal holds that the clock is the wall clock until it is told a speed, and that it is told once.
func TestRehearsal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock.Rehearsal
		c.Run(1)
		c.Run(0)
		slept := func() time.Duration {
			start := time.Now()
			if err := c.Sleep(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := clock.WithTimeoutCause(t.Context(), &c, time.Minute, context.Canceled)
			defer cancel()
			<-ctx.Done()
			return time.Since(start)
		}
		if took := slept(); took != 2*time.Minute || clock.Speed(&c) != 1 || !c.Now().Equal(time.Now()) {
			t.Errorf("two minutes took %s at speed %g before anything was told", took, clock.Speed(&c))
		}
		c.Run(60)
		c.Run(1000)
		if took := slept(); took != 2*time.Second || clock.Speed(clock.Seeded(&c, 1)) != 60 {
			t.Errorf("two minutes took %s at speed %g, want 2s at 60", took, clock.Speed(&c))
		}
	})
	if clock.Speed(clock.System) != 1 {
		t.Error("the wall clock does not run at speed 1")
	}
}
