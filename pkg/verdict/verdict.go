// Package verdict says what the end of a rollout means for an action that followed one: its outcome, its title, what to do next, and
// what stands in the job summary.
package verdict

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Of returns the error of a rollout as the *action.Error that it is for an action, and nil for nil. Where the cause is known and
// says more than the end does, it is the title, and the finding.
func Of(result rollout.Result, err error) error {
	if err == nil {
		return nil
	}
	failure := ends[result.End](result)
	failure.Err = err
	var told *record.Failure
	if errors.As(err, &told) {
		failure.Err = told.Err
	}
	if errors.Is(err, context.DeadlineExceeded) && result.End == rollout.EndInterrupted {
		failure.Outcome = action.TimedOut
	}
	switch {
	case result.Emptied && failure.Outcome == action.Stuck:
		failure = emptied(result, failure.Err)
	case result.Emptied && failure.Outcome == action.RolledBack:
		failure.Title = firstFailed
	}
	if told != nil && told.Finding != nil {
		return explained(failure, *told.Finding)
	}
	return &failure
}

// ends are the outcomes of the ends that are not a success, each with how it is told.
var ends = map[rollout.End]func(rollout.Result) action.Error{
	rollout.EndRolledBack: func(rollout.Result) action.Error {
		return action.Error{Outcome: action.RolledBack, Title: "The deployment failed and was rolled back"}
	},
	rollout.EndTimedOut: func(r rollout.Result) action.Error {
		return action.Error{Outcome: action.TimedOut,
			Title: fmt.Sprintf("The deployment was not done after %s and was rolled back", clock.Took(r.Timeout))}
	},
	rollout.EndOverdue: func(r rollout.Result) action.Error {
		outcome := action.Stuck
		if r.By == rollout.ByTimeout {
			outcome = action.TimedOut
		}
		return action.Error{Outcome: outcome, Title: "The rollback is not done yet",
			Advice: fmt.Sprintf("Look at service %s: ECS goes on with the rollback by itself, but it takes longer than it should.",
				r.Target.Service)}
	},
	rollout.EndStuck: func(r rollout.Result) action.Error {
		return action.Error{Outcome: action.Stuck, Title: "The deployment failed and could not be put back",
			Advice: fmt.Sprintf("Act now: look at service %s, and deploy a version that is known to work (ecs-rollback with `to`).",
				r.Target.Service)}
	},
	rollout.EndFailed: func(r rollout.Result) action.Error {
		return action.Error{Outcome: action.Failed, Title: "The version that the service was at before fails",
			Advice: fmt.Sprintf("Look at service %s now: no other version was put in its place. Deploy one that works (ecs-rollback with `to`), "+
				"or mend what it fails of and deploy it once more.", r.Target.Service)}
	},
	rollout.EndSuperseded: func(rollout.Result) action.Error {
		return action.Error{Outcome: action.Superseded, Title: "A newer deployment took over",
			Advice: "Nothing to do here: the newer deployment has the service now. " +
				"Give deployments of one service a common concurrency group to avoid this."}
	},
	rollout.EndDeleted: func(rollout.Result) action.Error {
		return action.Error{Outcome: action.Stuck, Title: "The service was deleted during the deployment",
			Advice: "Nothing serves and nothing can be put back: " +
				"find out who deleted it (CloudTrail, DeleteService), create it again, and deploy again."}
	},
	rollout.EndUnknown: func(r rollout.Result) action.Error {
		return action.Error{Outcome: action.Unknown, Title: "Contact lost: how the deployment went is not known",
			Advice: fmt.Sprintf("Look at service %s before doing anything else: the deployment of %s goes on without this run.",
				r.Target.Service, arn.Revision(r.Target.TaskDefinition))}
	},
	rollout.EndInterrupted: func(r rollout.Result) action.Error {
		return action.Error{Outcome: action.Cancelled, Title: "Interrupted during the deployment",
			Advice: fmt.Sprintf("Look at service %s: nobody waits for how that ends.", r.Target.Service)}
	},
}

const firstFailed = "The first release of the service failed"

// emptied is the error of a first release that failed. There was no version to put back; that the service is empty again is all
// there was to restore.
func emptied(r rollout.Result, err error) action.Error {
	return action.Error{
		Outcome: action.RolledBack,
		Title:   firstFailed,
		Err:     fmt.Errorf("the first release of %s failed, and the service is without tasks again: %w", r.Target.Service, err),
	}
}

// explained is a failure with its cause as the title.
func explained(failure action.Error, cause record.Finding) error {
	switch failure.Outcome {
	case action.RolledBack, action.Failed, action.Stuck, action.TimedOut:
	default:
		return &failure
	}
	failure.Title, failure.Finding = cause.Title, &cause
	return &failure
}

// Cause returns the stable word for why a rollout failed; "" where it did not, or where that is not known.
func Cause(result rollout.Result) string {
	if result.End == rollout.EndSucceeded || result.Cause == nil {
		return ""
	}
	return result.Cause.Code
}
