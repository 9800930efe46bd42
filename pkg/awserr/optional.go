package awserr

import (
	"errors"

	"github.com/org/connect2/v2/pkg/record"
)

// Optional reports whether err is the denial of a read that the run can do without: then it goes on without it, and one
// warning names the missing permission. The warning counts once for each permission and run, however often the read is
// tried. what says what is missing without it, as in "The tasks' logs". Any other error, and nil, is the caller's: false.
func Optional(events record.Sink, what string, err error) bool {
	if !IsDenied(err) {
		return false
	}
	problem := &Problem{}
	if !errors.As(Explain(err), &problem) {
		return false
	}
	permission := factsOf(err).permission()
	if problem.Denial != nil {
		permission = problem.Denial.Action
	}
	permission = orElse(permission, what)
	events.WarnOncef("permission "+permission, "Optional permission missing: "+permission,
		"%s: not available, going on without. %s", what, problem)
	return true
}
