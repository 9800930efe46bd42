package run_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

// TestNothingIsToldAfterTheEnd holds that work which a run has left behind writes nothing once the run has returned: the log is the
// caller's again.
func TestNothingIsToldAfterTheEnd(t *testing.T) {
	over, told := make(chan struct{}), make(chan struct{})
	type inputs struct{}
	type outputs struct{ action.Outputs }
	leaves := action.Define(action.Meta{Name: "leaves", Description: "Leaves work behind.", Doc: "It is part of the tests."},
		func(_ context.Context, env *action.Env, _ inputs) (outputs, error) {
			env.Events.Notef("begun")
			go func() {
				defer close(told)
				<-over
				env.Hide("a token that came late")
				env.Events.Notef("a note that came late")
			}()
			return outputs{}, nil
		})
	getenv := func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }
	var log bytes.Buffer
	if code := run.Command(t.Context(), leaves, nil, io.Discard, &log, &action.Env{Getenv: getenv}); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, &log)
	}
	before := log.String()
	close(over)
	<-told
	if log.String() != before || before == "" {
		t.Errorf("%q became %q", before, &log)
	}
}
