package verdict

import (
	"context"
	"errors"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/oneoff"
)

// TaskOutcome returns the outcome of a run whose one-off task ended so; err is the error that came with that end.
func TaskOutcome(result oneoff.Result, err error) action.Outcome {
	switch result.End {
	case oneoff.Exited:
		if *result.ExitCode == 0 {
			return action.Succeeded
		}
		return action.Failed
	case oneoff.Refused, oneoff.NeverRan, oneoff.Stopped:
		return action.Failed
	case oneoff.NotStarted:
		return action.OutcomeBeforeChange(err)
	case oneoff.TimedOut:
		return action.TimedOut
	case oneoff.Cancelled:
		if errors.Is(err, context.DeadlineExceeded) {
			return action.TimedOut
		}
		return action.Cancelled
	case oneoff.Busy:
		return action.Invalid
	case oneoff.Lost:
		return action.Unknown
	}
	return action.Defect
}
