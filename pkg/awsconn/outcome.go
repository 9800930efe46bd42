package awsconn

import (
	"context"
	"errors"

	"github.com/org/connect2/v2/pkg/action"
)

// Outcome returns the outcome that a failed AWS call stands for in a run that has changed nothing yet. An outcome that
// somebody decided before (an action.Error in the chain) is kept. A run that has changed something asks
// [OutcomeAfterChange] instead.
func Outcome(err error) action.Outcome {
	if outcome, decided := decidedOutcome(err); decided {
		return outcome
	}
	switch KindOf(err) {
	case KindDenied, KindKey, KindCredentials, KindRegion, KindClock, KindNotFound, KindUnsupported, KindQuota:
		return action.Invalid // refused before it did anything: to be set right, then run again
	case KindExpired, KindLost, KindThrottled:
		return action.Unknown // the call may have been heard, and nobody can look
	default:
		return action.Failed
	}
}

// OutcomeAfterChange returns the outcome of a run that has changed something and then cannot go on watching: whatever keeps it
// from looking leaves the state unknown, a denied read included.
func OutcomeAfterChange(err error) action.Outcome {
	if outcome, decided := decidedOutcome(err); decided {
		return outcome
	}
	switch KindOf(err) {
	case KindDenied, KindKey, KindCredentials, KindRegion, KindClock, KindExpired, KindLost, KindThrottled:
		return action.Unknown
	default:
		return action.Failed
	}
}

func decidedOutcome(err error) (action.Outcome, bool) {
	if err == nil {
		return action.Succeeded, true
	}
	failure := failureIn(err)
	switch {
	case failure != nil:
		return failure.Outcome, true
	case !cancelled(err):
		return "", false
	case errors.Is(err, context.DeadlineExceeded):
		return action.TimedOut, true
	default:
		return action.Cancelled, true
	}
}

// failureIn finds the outermost action.Error that somebody wrote. errors.As would also take the one that a Problem lends,
// which asks Outcome itself.
func failureIn(err error) *action.Error {
	switch e := err.(type) { //nolint:errorlint // the chain is walked by hand
	case nil:
		return nil
	case *action.Error:
		return e
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if failure := failureIn(part); failure != nil {
				return failure
			}
		}
		return nil
	default:
		return failureIn(errors.Unwrap(err))
	}
}
