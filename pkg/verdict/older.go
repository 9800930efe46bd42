package verdict

import (
	"errors"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

// Older returns the refusal of a commit that is older than the one that runs as the error that it is for an action; any other error, and
// nil, is returned as it is.
func Older(err error) error {
	var older *record.Failure
	if !errors.As(err, &older) {
		return err
	}
	return &action.Error{Outcome: action.Superseded, Title: older.Title, Advice: older.Advice, Err: err}
}
