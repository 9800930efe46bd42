package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/record"
)

func failure(err error) error { return &record.Failure{Title: "title", Advice: "advice", Err: err} }

func answered(code, message string) error {
	return fmt.Errorf("running X in cluster Y: %w", awserrtest.Answered("ECS", "RunTask", 400, awserrtest.API(code, message)))
}

// Each end of the task is one outcome of the migration, with the title and the advice of the failure unless the migration has
// better ones.
func TestOutcomeOfEachEnd(t *testing.T) {
	zero, three := 0, 3
	plain := failure(errors.New("x"))
	tests := []struct {
		name   string
		result oneoff.Result
		err    error
		want   action.Outcome
	}{
		{"exit code 0", oneoff.Result{End: oneoff.Exited, ExitCode: &zero}, nil, action.Succeeded},
		{"another exit code", oneoff.Result{End: oneoff.Exited, ExitCode: &three}, nil, action.Failed},
		{"ECS starts none, whatever its reason is called", oneoff.Result{End: oneoff.Refused},
			failure(errors.New("AccessDeniedException: not authorized")), action.Failed},
		{"denied", oneoff.Result{End: oneoff.NotStarted}, failure(answered("AccessDeniedException", "no")), action.Invalid},
		{"expired", oneoff.Result{End: oneoff.NotStarted}, failure(answered("ExpiredTokenException", "too old")), action.Unknown},
		{"throttled to the end", oneoff.Result{End: oneoff.NotStarted}, failure(answered("ThrottlingException", "Rate exceeded")),
			action.Unknown},
		{"refused for its parameters", oneoff.Result{End: oneoff.NotStarted}, failure(answered("InvalidParameterException", "no")),
			action.Failed},
		{"stopped before its own end, though it exits with 0", oneoff.Result{End: oneoff.Stopped, ExitCode: &zero}, plain, action.Failed},
		{"its container never ran", oneoff.Result{End: oneoff.NeverRan}, plain, action.Failed},
		{"its time was over", oneoff.Result{End: oneoff.TimedOut}, plain, action.TimedOut},
		{"cancelled", oneoff.Result{End: oneoff.Cancelled}, failure(fmt.Errorf("x: %w", context.Canceled)), action.Cancelled},
		{"cancelled while it was stopped", oneoff.Result{End: oneoff.Cancelled}, plain, action.Cancelled},
		{"the run's own deadline", oneoff.Result{End: oneoff.Cancelled}, failure(fmt.Errorf("x: %w", context.DeadlineExceeded)), action.TimedOut},
		{"another runs", oneoff.Result{End: oneoff.Busy}, failure(&oneoff.BusyError{TaskARN: "arn:x"}), action.Invalid},
		{"contact was lost", oneoff.Result{End: oneoff.Lost}, failure(answered("AccessDeniedException", "no")), action.Unknown},
		{"an end that nobody knows", oneoff.Result{}, plain, action.Defect},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &Plan{cluster: "prod", service: "api", command: []string{"alembic", "upgrade", "head"}}
			err := p.judge(tt.result, tt.err)
			if got := action.OutcomeOf(err); got != tt.want {
				t.Errorf("outcome %s, want %s: %v", got, tt.want, err)
			}
			if tt.want == action.Succeeded {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			var decided *action.Error
			var told *record.Failure
			switch errors.As(err, &decided); {
			case decided == nil:
				t.Fatalf("%T is not an action.Error", err)
			case tt.result.End == oneoff.Busy:
				if decided.Title != "Another migration of this service is running" ||
					!strings.Contains(err.Error(), "aws ecs stop-task --cluster prod --task arn:x") {
					t.Errorf("title %q, %v", decided.Title, err)
				}
			case tt.result.End == oneoff.Exited:
				if !strings.Contains(decided.Advice, "The service itself was not touched.") ||
					!strings.Contains(err.Error(), "`alembic upgrade head` ended with exit code 3") {
					t.Errorf("advice %q, %v", decided.Advice, err)
				}
			case tt.result.End == oneoff.TimedOut && !strings.Contains(decided.Advice, "Raise the input timeout"):
				t.Errorf("advice %q", decided.Advice)
			case tt.result.End != oneoff.TimedOut && decided.Advice != "", decided.Title != "", !errors.As(err, &told), told.Title != "title":
				t.Errorf("the failure of the task is not the one that is told: %#v", err)
			}
		})
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var lines tail
	var passed []string
	sink := lines.of(func(e record.Event) { passed = append(passed, e.Text) })
	sink.Notef("a note")
	for i := range keptLines + 1 {
		sink.Emit(record.Event{Kind: record.KindOutput, Source: "app", Text: fmt.Sprint(i)})
	}
	if len(lines) != keptLines || lines[0] != "app | 1" || lines[keptLines-1] != fmt.Sprint("app | ", keptLines) {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if len(passed) != keptLines+2 || !slices.Equal(passed[:2], []string{"a note", "0"}) {
		t.Errorf("%d events passed on, first %q", len(passed), passed[:2])
	}
}

func TestLogElsewhere(t *testing.T) {
	for driver, want := range map[string]string{"awslogs": "", "": "has no log configuration",
		"awsfirelens": "logs by the driver awsfirelens"} {
		if got := logElsewhere(driver); got != want {
			t.Errorf("%q: %q, want %q", driver, got, want)
		}
	}
}
