package action

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// Outcome says how a run ended. It is the output `outcome` of every action and decides the exit code.
type Outcome string

// The outcomes, in the order of their exit codes.
const (
	Succeeded  Outcome = "succeeded"   // 0: the work is done
	NoChange   Outcome = "no-change"   // 0: the wanted state was there already
	Invalid    Outcome = "invalid"     // 1: bad input, a guard, a failed check; nothing was changed
	Failed     Outcome = "failed"      // 2: failed, and the previous state is still in force
	RolledBack Outcome = "rolled-back" // 2: failed, and the previous state is in force again
	Stuck      Outcome = "stuck"       // 3: failed and could not be put back: act now
	Superseded Outcome = "superseded"  // 4: a newer deployment took over
	TimedOut   Outcome = "timed-out"   // 5: the time given was not enough
	Unknown    Outcome = "unknown"     // 6: contact or credentials lost; what is running is not known
	Defect     Outcome = "defect"      // 70: a defect of this program
	Cancelled  Outcome = "cancelled"   // 130: interrupted by the user or the runner
)

// ExitCode returns the process exit code that tells the outcome to a shell. An outcome that is not listed is a defect.
func (o Outcome) ExitCode() int {
	switch o {
	case Succeeded, NoChange:
		return 0
	case Invalid:
		return 1
	case Failed, RolledBack:
		return 2
	case Stuck:
		return 3
	case Superseded:
		return 4
	case TimedOut:
		return 5
	case Unknown:
		return 6
	case Cancelled:
		return 130
	default:
		return 70
	}
}

// Error is a failure that knows its outcome and how to be told.
type Error struct {
	Outcome Outcome
	Title   string          // the root cause in one short line; the annotation's title
	Advice  string          // what to do next, in one or two sentences; may be empty
	Finding *record.Finding // the cause, where it is known
	Place   *record.Place   // in the repository, where the cause is there
	Exit    int             // of Failed: the exit code of the program that the run was for; the process ends with it
	Err     error           // what was tried, on what, and what came back
}

// Error returns the message of the wrapped error, or the title where there is none.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Title
}

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Failf returns an Error with this outcome; the format takes %w.
func Failf(o Outcome, format string, args ...any) error {
	return &Error{Outcome: o, Err: fmt.Errorf(format, args...)}
}

// Invalidf returns an Error with the outcome Invalid: nothing was changed.
func Invalidf(format string, args ...any) error { return Failf(Invalid, format, args...) }

// OutcomeOf returns the outcome that err stands for: Succeeded for nil, that of the outermost Error in the chain that has
// one, what an explained error of AWS means before anything was changed, Cancelled for a cancelled context, TimedOut for a deadline,
// and Failed for everything else.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Succeeded
	}
	if outcome := decided(err); outcome != "" {
		return outcome
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrInterrupted):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	default:
		return Failed
	}
}

// Decided reports whether somebody decided on the outcome that err stands for, rather than passing on what came back.
func Decided(err error) bool { return decided(err) != "" }

// decided returns the outcome that somebody decided on, rather than passing on what came back, or "".
func decided(err error) (outcome Outcome) {
	walk(err, func(e error) bool {
		switch e := e.(type) { //nolint:errorlint // walk unwraps
		case *Error:
			outcome = e.Outcome
		case *awserr.Problem:
			outcome = OutcomeBeforeChange(e.Err)
		}
		return outcome != ""
	})
	return outcome
}
