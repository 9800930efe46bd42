package action

import (
	"errors"
	"time"
)

// ErrInterrupted is the cause (context.Cause) of a context that was cancelled by a signal: by Ctrl-C, or by the runner when
// the job is cancelled.
var ErrInterrupted = errors.New("interrupted")

// CleanupTime is what a run has for putting things in order after it was cancelled. The runner sends SIGINT, 7.5 s later
// SIGTERM, and kills 2.5 s after that.
const CleanupTime = 8 * time.Second
