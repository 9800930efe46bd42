package outlive

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errStop = errors.New("stop")

type key struct{}

func TestCleanupGoesOnAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		cancel(errStop)
		cleanup, done := Cleanup(ctx, 8*time.Second)
		defer done()
		if cleanup.Err() != nil || cleanup.Value(key{}) != "value" {
			t.Fatalf("%v, value %v: cancelled with its run, or without the run's values", cleanup.Err(), cleanup.Value(key{}))
		}
		start := time.Now()
		<-cleanup.Done()
		if took := time.Since(start); took != 8*time.Second || !errors.Is(cleanup.Err(), context.DeadlineExceeded) {
			t.Errorf("ended after %s: %v", took, cleanup.Err())
		}
	})
}

func TestAnswerEndsAWhileAfterItsRun(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc, error){
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc, error) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Minute, func() { cancel(errStop) })
			return ctx, func() { cancel(nil) }, errStop
		},
		"out of time": func(ctx context.Context) (context.Context, context.CancelFunc, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			return ctx, cancel, context.DeadlineExceeded
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel, want := end(context.WithValue(t.Context(), key{}, "value"))
				defer cancel()
				call, done := Answer(ctx, 2*time.Second)
				defer done()
				start := time.Now()
				<-call.Done()
				if took := time.Since(start); took != time.Minute+2*time.Second || context.Cause(call) != want {
					t.Errorf("ended after %s: %v, want %v", took, context.Cause(call), want)
				}
				if call.Value(key{}) != "value" {
					t.Error("without the run's values")
				}
			})
		})
	}
}

func TestAnswerOfARunThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errStop)
		call, done := Answer(ctx, 2*time.Second)
		defer done()
		if call.Err() != nil {
			t.Fatal("it has ended with its run")
		}
		start := time.Now()
		<-call.Done()
		if took := time.Since(start); took != 2*time.Second || context.Cause(call) != errStop {
			t.Errorf("ended after %s: %v", took, context.Cause(call))
		}
	})
}

// A bubble ends only when every goroutine in it has: one that went on waiting would fail the test.
func TestAnswerThatIsDone(t *testing.T) {
	for name, cancelled := range map[string]bool{"while the run goes on": false, "after the run was cancelled": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				call, done := Answer(ctx, 2*time.Second)
				if cancelled {
					cancel(errStop)
				}
				synctest.Wait()
				if call.Err() != nil {
					t.Fatalf("over before it is done: %v", context.Cause(call))
				}
				done()
				if context.Cause(call) != context.Canceled {
					t.Errorf("when it is done its cause is %v", context.Cause(call))
				}
			})
		})
	}
}

func TestBoundedEndsByItselfAndAWhileAfterItsRun(t *testing.T) {
	for name, test := range map[string]struct{ interrupted, want time.Duration }{
		"the run goes on":            {time.Hour, time.Minute},
		"it is interrupted":          {10 * time.Second, 12 * time.Second},
		"it was already":             {0, 2 * time.Second},
		"it is right before the end": {59 * time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if test.interrupted == 0 {
					cancel(errStop)
				}
				timer := time.AfterFunc(test.interrupted, func() { cancel(errStop) })
				defer timer.Stop()
				call, done := Bounded(ctx, time.Minute, 2*time.Second)
				defer done()
				start := time.Now()
				<-call.Done()
				if took := time.Since(start); took != test.want {
					t.Errorf("ended after %s, want %s", took, test.want)
				}
			})
		})
	}
}
