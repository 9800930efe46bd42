package verdict

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
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

// TellReplaced says what an update replaced that had not been read before: what somebody began in the moment before it, since
// UpdateService knows no compare-and-swap. The answer to the update tells it at once, and once the service deployment is known, so does
// that.
func TellReplaced(ctx context.Context, events record.Sink, client history.Client, result rollout.Result) {
	names := replacedBy(result.Target)
	if result.Target.ServiceDeployment != "" && !result.Target.TakenUp && ctx.Err() == nil {
		sources, err := history.Replaced(ctx, client, result.Target.ServiceDeployment)
		if err != nil {
			events.Debugf("what the deployment replaced is not known: %v", err)
		}
		for _, d := range sources {
			if name := arn.Revision(d.TaskDefinition); result.Target.Unread(d.TaskDefinition) && !slices.Contains(names, name) {
				warnReplaced(events, name)
				names = append(names, name)
			}
		}
	}
	if len(names) > 0 {
		events.Fact("Replaced unread", record.Text{Text: strings.Join(names, ", "), Form: record.Code})
	}
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
