package run

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/org/connect2/v2/pkg/action"
)

// WithSignals returns a context that the first SIGINT or SIGTERM cancels, with a cause that is action.ErrInterrupted. The process has
// to take them itself: in a container it is PID 1, for which the kernel has no default action. A second signal ends the
// process at once in a terminal; on GitHub it is the runner's next step towards killing, and the time until then is needed.
func WithSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	patient := os.Getenv("GITHUB_ACTIONS") == "true"
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case s := <-signals:
				if first {
					cancel(interruption{s})
				} else if !patient && !signalAgain() {
					os.Exit(action.Cancelled.ExitCode())
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// interruption is action.ErrInterrupted with the signal that did it.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted (SIGINT)"
	}
	return "interrupted (SIGTERM)"
}

func (i interruption) Is(target error) bool { return target == action.ErrInterrupted }
