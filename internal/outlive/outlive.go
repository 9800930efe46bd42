// Package outlive has contexts for work that goes on after the context of its run was cancelled.
package outlive

import (
	"context"
	"time"
)

// Cleanup returns a context for putting things in order: whether ctx is cancelled does not matter to it, and it ends after
// limit.
func Cleanup(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

// Answer returns a context for a call whose answer must be known, since what it changes stays: it ends grace after ctx does,
// with the cause of ctx. As long as ctx lasts it does too.
func Answer(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	call, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-call.Done():
		}
	})
	return call, func() {
		stop()
		cancel(nil)
	}
}

// Bounded is Answer with an end of its own: it ends after limit, and grace after ctx does.
func Bounded(ctx context.Context, limit, grace time.Duration) (context.Context, context.CancelFunc) {
	answered, done := Answer(ctx, grace)
	limited, cancel := context.WithTimeout(answered, limit)
	return limited, func() {
		cancel()
		done()
	}
}
