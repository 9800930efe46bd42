package action

import (
	"context"
	"errors"

	"github.com/org/connect2/v2/pkg/awserr"
)

// OutcomeBeforeChange returns the outcome that a failed AWS call stands for in a run that has changed nothing yet. An outcome that
// somebody decided before (an [Error] in the chain) is kept. A run that has changed something asks
// [OutcomeAfterChange] instead.
func OutcomeBeforeChange(err error) Outcome {
	if outcome, decided := decidedOutcome(err); decided {
		return outcome
	}
	switch awserr.KindOf(err) {
	case awserr.KindDenied, awserr.KindKey, awserr.KindCredentials, awserr.KindRegion, awserr.KindClock, awserr.KindNotFound,
		awserr.KindUnsupported, awserr.KindQuota:
		return Invalid // refused before it did anything: to be set right, then run again
	case awserr.KindExpired, awserr.KindLost, awserr.KindThrottled:
		return Unknown // the call may have been heard, and nobody can look
	default:
		return Failed
	}
}

// OutcomeAfterChange returns the outcome of a run that has changed something and then cannot go on watching: whatever keeps it
// from looking leaves the state unknown, a denied read included.
func OutcomeAfterChange(err error) Outcome {
	if outcome, decided := decidedOutcome(err); decided {
		return outcome
	}
	switch awserr.KindOf(err) {
	case awserr.KindDenied, awserr.KindKey, awserr.KindCredentials, awserr.KindRegion, awserr.KindClock, awserr.KindExpired, awserr.KindLost,
		awserr.KindThrottled:
		return Unknown
	default:
		return Failed
	}
}

func decidedOutcome(err error) (Outcome, bool) {
	if err == nil {
		return Succeeded, true
	}
	failure := failureIn(err)
	switch {
	case failure != nil:
		return failure.Outcome, true
	case !awserr.Cancelled(err):
		return "", false
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut, true
	default:
		return Cancelled, true
	}
}

// failureIn finds the outermost [Error] in the chain.
func failureIn(err error) *Error {
	var failure *Error
	walk(err, func(e error) bool {
		failure, _ = e.(*Error) //nolint:errorlint // walk unwraps
		return failure != nil
	})
	return failure
}

// walk shows err and everything that it wraps, outermost first, until see returns true; it returns whether it did.
func walk(err error, see func(error) bool) bool {
	if err == nil {
		return false
	}
	if see(err) {
		return true
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the chain is walked by hand
		for _, part := range joined.Unwrap() {
			if walk(part, see) {
				return true
			}
		}
		return false
	}
	return walk(errors.Unwrap(err), see)
}
