package action_test

import (
	"fmt"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// TestExitOfAProgram: a failed run ends with the exit code of the program that it was for, as far as a shell can see one.
func TestExitOfAProgram(t *testing.T) {
	for _, test := range []struct {
		outcome action.Outcome
		exit    int
		want    int
	}{
		{action.Failed, 7, 7},
		{action.Failed, 1, 1},
		{action.Failed, 255, 255},
		{action.Failed, 256, 0},
		{action.Failed, 0, 0},
		{action.Failed, -1, 0},
		{action.TimedOut, 7, 0},
	} {
		err := fmt.Errorf("running it: %w", &action.Error{Outcome: test.outcome, Exit: test.exit, Err: fmt.Errorf("it failed")})
		if got := action.VerdictOf("x", test.outcome, err).Exit; got != test.want {
			t.Errorf("%s with %d: %d, want %d", test.outcome, test.exit, got, test.want)
		}
	}
}
