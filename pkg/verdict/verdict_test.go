package verdict

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/rollout"
)

var cause = record.Finding{Code: "app-import-error", Title: "api cannot import payments",
	Evidence: []string{"api | ModuleNotFoundError"}, Fix: []string{"add the dependency"}}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		name    string
		result  rollout.Result
		err     error
		cause   *record.Finding
		outcome action.Outcome
		title   string // a part of it
	}{
		{"rolled back", rollout.Result{End: rollout.EndRolledBack}, io.EOF, nil, action.RolledBack, "failed and was rolled back"},
		{"a cause replaces the outcome's title", rollout.Result{End: rollout.EndRolledBack}, io.EOF, &cause, action.RolledBack, cause.Title},
		{"too slow",
			rollout.Result{End: rollout.EndTimedOut, Timeout: 30 * time.Minute}, io.EOF, nil, action.TimedOut,
			"not done after 30m00s and was rolled back"},
		{"also of a timeout", rollout.Result{End: rollout.EndTimedOut}, io.EOF, &cause, action.TimedOut, cause.Title},
		{"the way back takes long",
			rollout.Result{End: rollout.EndOverdue, By: rollout.ByCause}, io.EOF, nil, action.Stuck, "rollback is not done yet"},
		{"of one that was too slow",
			rollout.Result{End: rollout.EndOverdue, By: rollout.ByTimeout}, io.EOF, nil, action.TimedOut, "rollback is not done yet"},
		{"stuck", rollout.Result{End: rollout.EndStuck}, io.EOF, nil, action.Stuck, "could not be put back"},
		{"a first release",
			rollout.Result{End: rollout.EndStuck, Emptied: true}, io.EOF, nil, action.RolledBack, "first release of the service failed"},
		{"a first release whose cause is known",
			rollout.Result{End: rollout.EndStuck, Emptied: true}, io.EOF, &cause, action.RolledBack, cause.Title},
		{"a first release that went back",
			rollout.Result{End: rollout.EndRolledBack, Emptied: true}, io.EOF, nil, action.RolledBack, "first release of the service failed"},
		{"a first release whose time was over",
			rollout.Result{End: rollout.EndTimedOut, Emptied: true}, io.EOF, nil, action.TimedOut, "not done after"},
		{"the version that ran before",
			rollout.Result{End: rollout.EndFailed}, io.EOF, nil, action.Failed, "was at before fails"},
		{"superseded is not a failure of the release",
			rollout.Result{End: rollout.EndSuperseded}, io.EOF, &cause, action.Superseded, "newer deployment took over"},
		{"deleted", rollout.Result{End: rollout.EndDeleted}, io.EOF, nil, action.Stuck, "was deleted"},
		{"lost", rollout.Result{End: rollout.EndUnknown}, io.EOF, &cause, action.Unknown, "Contact lost"},
		{"interrupted neither",
			rollout.Result{End: rollout.EndInterrupted}, errors.Join(io.EOF, context.Canceled), &cause, action.Cancelled, "Interrupted"},
		{"by a deadline",
			rollout.Result{End: rollout.EndInterrupted}, errors.Join(io.EOF, context.DeadlineExceeded), nil, action.TimedOut, "Interrupted"},
		{"another deadline",
			rollout.Result{End: rollout.EndRolledBack}, errors.Join(io.EOF, context.DeadlineExceeded), nil, action.RolledBack, "rolled back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Of(test.result, &record.Failure{Err: test.err, Finding: test.cause})
			var failure *action.Error
			if !errors.As(got, &failure) || failure.Outcome != test.outcome || !strings.Contains(failure.Title, test.title) ||
				!errors.Is(got, io.EOF) {
				t.Fatalf("got %+v", got)
			}
			explained := failure.Finding != nil && failure.Finding.Code == cause.Code
			if explained != (test.title == cause.Title) {
				t.Errorf("the cause is given: %v; %+v", explained, failure)
			}
		})
	}
	if err := Of(rollout.Result{End: rollout.EndSucceeded}, nil); err != nil {
		t.Errorf("a success is an error: %v", err)
	}
}

func TestOlder(t *testing.T) {
	refused := &record.Failure{Title: "A newer commit runs", Advice: "release that", Err: io.EOF}
	var failure *action.Error
	if err := Older(refused); !errors.As(err, &failure) || failure.Outcome != action.Superseded || failure.Title != refused.Title ||
		failure.Advice != refused.Advice || !errors.Is(err, io.EOF) {
		t.Errorf("got %+v", err)
	}
	if err := Older(io.EOF); err != io.EOF {
		t.Errorf("another error became %v", err)
	}
	if err := Older(nil); err != nil {
		t.Errorf("nothing became %v", err)
	}
}

func TestOvertaken(t *testing.T) {
	var failure *action.Error
	const api = "arn:aws:ecs:r:1:task-definition/api:"
	err := Overtaken(&rollout.OvertakenError{Service: "s", TaskDefinition: api + "2", By: ecsview.Deployment{TaskDefinition: api + "3"}})
	if !errors.As(err, &failure) || failure.Outcome != action.Superseded ||
		!strings.Contains(failure.Err.Error(), "a deployment of api:3 began") {
		t.Errorf("got %+v", err)
	}
	if err := Overtaken(io.EOF); err != nil {
		t.Errorf("another error became %v", err)
	}
}

func TestSummaryHoldsForeignTextBack(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	result := rollout.Result{
		Cause:   &cause,
		Target:  rollout.Target{Cluster: "c", Service: "s", TaskDefinition: "arn:aws:ecs:r:1:task-definition/api:2"},
		Serving: "arn:aws:ecs:r:1:task-definition/api:1",
		Started: begun,
		Took:    75 * time.Second,
		Steps: []record.Step{{ID: "1", Lane: "Deployment", Name: "rolling", Begun: begun, Ended: begun.Add(time.Minute), State: record.Failed},
			{ID: "2", Lane: "Tasks", Name: "task 01234567 failed", Begun: begun.Add(30 * time.Second), Ended: begun.Add(30 * time.Second),
				State: record.Failed}},
		Events: []rollout.SeenEvent{{Seen: begun, ServiceEvent: ecsview.ServiceEvent{ID: "1", At: begun,
			Text: "(service s) ```\n<script>alert(1)</script> has started 1 tasks"}}},
		Failed: []rollout.FailedTask{{Task: ecsview.Task{ARN: "arn:aws:ecs:r:1:task/c/0123456789abcdef"}, Seen: begun.Add(30 * time.Second)}},
	}
	summary := func(outcome action.Outcome, err error) string {
		now := begun
		r := record.NewRecorder("deploy", func() time.Time { return now })
		for _, step := range result.Steps {
			r.Emit(record.Event{Kind: record.KindStepEnded, Step: &step})
		}
		Report(r.Sink(), result)
		ended := action.VerdictOf("deploy", outcome, err)
		now = begun.Add(75 * time.Second)
		r.Emit(record.Event{Kind: record.KindVerdict, Verdict: &ended})
		var text string
		r.Read(func(rec *record.Record) { text = render.Summary(rec, nil) })
		return text
	}
	result.End = rollout.EndRolledBack
	got := summary(action.RolledBack, Of(result, &record.Failure{Err: io.EOF, Finding: &cause}))
	for _, want := range []string{"❌", "deploy: rolled-back", "`api:1`", "cannot import payments", "gantt", "task 01234567 failed", "1m15s"} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks %q:\n%s", want, got)
		}
	}
	if strings.Count(got, "````")%2 != 0 || !strings.Contains(got, "````") {
		t.Errorf("a fence in an event ends the summary's own:\n%s", got)
	}
	if got := summary(action.Succeeded, nil); strings.Contains(got, "payments") || !strings.Contains(got, "✅") {
		t.Errorf("a success shows a cause:\n%s", got)
	}
}
