package awsconn

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// Refuse joins what the checks before the first change found into one error with the outcome Invalid: nothing was changed,
// whatever it was that could not be read. It returns nil where there is no problem. One problem alone keeps the title
// that it has, if it has one; title is for several, and for one that has none. A run that was cancelled, or is out of
// time, found no problem of its own: that is what is told then.
func Refuse(ctx context.Context, title string, problems ...error) error {
	var all []error
	for _, err := range problems {
		if err != nil {
			all = append(all, awserr.Explain(err))
		}
	}
	switch {
	case len(all) == 0:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("checking before anything is changed: %w", context.Cause(ctx))
	case len(all) == 1:
		var failure *action.Error
		if errors.As(all[0], &failure) {
			return all[0]
		}
		var told *record.Failure
		var problem *awserr.Problem
		switch {
		case errors.As(all[0], &told) && told.Title != "":
			title = told.Title
		case errors.As(all[0], &problem):
			title = problem.Title
		}
	}
	return &action.Error{Outcome: action.Invalid, Title: title, Err: errors.Join(all...)}
}
