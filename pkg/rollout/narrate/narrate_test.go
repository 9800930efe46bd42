package narrate

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

var cause = record.Finding{Code: "app-import-error", Title: "api cannot import payments", Evidence: []string{"api | ModuleNotFoundError"}, Fix: []string{"add the dependency"}}

func TestExplained(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		cause   record.Finding
		outcome action.Outcome
		title   string
	}{
		{"a cause replaces the outcome's title", &action.Error{Outcome: action.RolledBack, Title: "rolled back", Err: io.EOF}, cause, action.RolledBack, cause.Title},
		{"also of a timeout", &action.Error{Outcome: action.TimedOut, Title: "too long", Err: io.EOF}, cause, action.TimedOut, cause.Title},
		{"no cause", &action.Error{Outcome: action.RolledBack, Title: "rolled back", Err: io.EOF}, record.Finding{}, action.RolledBack, "rolled back"},
		{"superseded is no failure of the release", &action.Error{Outcome: action.Superseded, Title: "newer", Err: io.EOF}, cause, action.Superseded, "newer"},
		{"interrupted neither", &action.Error{Outcome: action.Cancelled, Title: "interrupted", Err: io.EOF}, cause, action.Cancelled, "interrupted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Explained(test.err, test.cause)
			var failure *action.Error
			if !errors.As(got, &failure) || failure.Outcome != test.outcome || failure.Title != test.title || !errors.Is(got, io.EOF) {
				t.Fatalf("got %+v", got)
			}
			if explained := strings.Contains(got.Error(), "ModuleNotFoundError") && strings.Contains(failure.Advice, "add the dependency"); explained != (test.title == cause.Title) {
				t.Errorf("evidence and fix are given: %v; %v, advice %q", explained, got, failure.Advice)
			}
		})
	}
}

func TestSummaryHoldsForeignTextBack(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	result := rollout.Result{
		Outcome: action.RolledBack,
		Target:  rollout.Target{Cluster: "c", Service: "s", TaskDefinition: "arn:aws:ecs:r:1:task-definition/api:2"},
		Serving: "arn:aws:ecs:r:1:task-definition/api:1",
		Started: begun,
		Took:    75 * time.Second,
		Steps:   []rollout.Step{{Name: "rolling", From: begun, To: begun.Add(time.Minute), Failed: true}},
		Events: []rollout.SeenEvent{{Seen: begun, ServiceEvent: ecsview.ServiceEvent{ID: "1", At: begun,
			Text: "(service s) ```\n<script>alert(1)</script> has started 1 tasks"}}},
		Failed: []rollout.FailedTask{{Task: ecsview.Task{ARN: "arn:aws:ecs:r:1:task/c/0123456789abcdef"}, Seen: begun.Add(30 * time.Second)}},
	}
	got := Summary("Deployment of api:2", result, cause)
	for _, want := range []string{"❌", "`rolled-back`", "`api:1`", "cannot import payments", "gantt", "task 01234567 failed", "1m15s"} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks %q:\n%s", want, got)
		}
	}
	if strings.Count(got, "````")%2 != 0 || !strings.Contains(got, "````") {
		t.Errorf("a fence in an event ends the summary's own:\n%s", got)
	}
	result.Outcome = action.Succeeded
	if got := Summary("Deployed api:2", result, cause); strings.Contains(got, "payments") || !strings.Contains(got, "✅") {
		t.Errorf("a success shows a cause:\n%s", got)
	}
}
