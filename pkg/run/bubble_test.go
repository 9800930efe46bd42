package run_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/run"
)

// TestCommandRunsInABubble runs a whole command on virtual time, as the tests of rollouts do.
func TestCommandRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, told := actiontest.NewTestEnv(t, nil)
		var stdout, stderr bytes.Buffer
		if code := run.Command(t.Context(), probe, []string{"--cluster=c"}, &stdout, &stderr, env); code != 0 {
			t.Errorf("exit code %d, told %q", code, told.Text())
		}
	})
}
