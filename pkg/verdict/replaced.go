package verdict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Overtaken returns the error of an update that was not sent, since somebody else's deployment began meanwhile, as the *action.Error that
// it is for an action; nil where that is not the reason.
func Overtaken(err error) error {
	var overtaken *rollout.OvertakenError
	if !errors.As(err, &overtaken) {
		return nil
	}
	return &action.Error{
		Outcome: action.Superseded, Title: "Another deployment began meanwhile", Err: err,
		Advice: "Nothing was overwritten: that deployment has the service now. Run this again if it is to take its place all the same.",
	}
}

// WithSince returns the error of a deployment that did not arrive, which says what somebody has begun since, as a later read of the service
// shows it.
func WithSince(err error, result rollout.Result, later ecsview.Snapshot) error {
	var failure *action.Error
	since := result.Since(later)
	if since == nil || !errors.As(err, &failure) {
		return err
	}
	told := *failure
	told.Err = fmt.Errorf("%w. Since then a deployment of %s has begun", failure.Err, arn.Revision(since.TaskDefinition))
	return &told
}

// TellReplaced says what an update replaced that had not been read before: what somebody began in the moment before it, since
// UpdateService knows no compare-and-swap. The answer to the update tells it at once, and once the service deployment is known, so does
// that.
func TellReplaced(ctx context.Context, events record.Sink, client history.Client, result rollout.Result) {
	names := replacedBy(result.Target)
	if result.Target.ServiceDeployment != "" && !result.Target.TakenUp && (result.Target.Sources != nil || ctx.Err() == nil) {
		for _, source := range sources(ctx, events, client, result.Target) {
			if name := arn.Revision(source); result.Target.Unread(source) && !slices.Contains(names, name) {
				warnReplaced(events, name)
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		events.Fact("Replaced unread", record.Text{Text: strings.Join(names, ", "), Form: record.Code})
	}
}

// sources returns the task definitions that ran when a deployment began, which are asked for where they were not told on the way.
func sources(ctx context.Context, events record.Sink, client history.Client, target rollout.Target) []string {
	if target.Sources != nil {
		return target.Sources
	}
	replaced, err := history.Replaced(ctx, client, target.ServiceDeployment)
	if err != nil {
		events.Debugf("what the deployment replaced is not known: %v", err)
	}
	var sources []string
	for _, d := range replaced {
		sources = append(sources, d.TaskDefinition)
	}
	return sources
}

// WarnReplaced tells what the answer to an update shows that it replaced unread.
func WarnReplaced(events record.Sink, target rollout.Target) {
	for _, name := range replacedBy(target) {
		warnReplaced(events, name)
	}
}

func replacedBy(target rollout.Target) (names []string) {
	for _, taskDefinition := range target.Replaced {
		names = append(names, arn.Revision(taskDefinition))
	}
	return names
}

func warnReplaced(events record.Sink, name string) {
	events.Warnf("A newer deployment was replaced", "a deployment of %s was begun right before the service was updated, and was replaced "+
		"by that without having been read: tell whoever began it", name)
}
