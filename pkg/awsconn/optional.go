package awsconn

import (
	"errors"
	"sync"
	"weak"

	"github.com/org/connect2/v2/pkg/action"
)

// Optional reports whether err is the denial of a read that the run can do without: then it goes on without it, and one
// warning names the missing permission. The warning comes once for each permission and log, however often the read is
// tried. what says what is missing without it, as in "The tasks' logs". Any other error, and nil, is the caller's: false.
func Optional(log *action.Log, what string, err error) bool {
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
	if firstWarning(log, orElse(permission, what)) {
		log.Warnf("Optional permission missing: "+orElse(permission, what), "%s: not available, going on without. %s", what, problem)
	}
	return true
}

// warned remembers what has been warned about, per log: one log is one run. It does not keep a log alive.
var warned sync.Map

type warning struct {
	log        weak.Pointer[action.Log]
	permission string
}

func firstWarning(log *action.Log, permission string) bool {
	_, before := warned.LoadOrStore(warning{weak.Make(log), permission}, true)
	return !before
}
