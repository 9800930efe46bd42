package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

// runAction runs an action as a command.
func runAction(ctx context.Context, c Command, args []string, stdout, stderr io.Writer) int {
	given := c.Action.FromArguments(args, os.Getenv, run.ExtraFields(c.Action)...)
	if given.Help {
		if _, err := io.WriteString(stdout, c.Action.Help(run.ExtraFields(c.Action)...)); err != nil {
			return action.Defect.ExitCode()
		}
		return 0
	}
	run.Names(c.Action, &given, os.Getenv, run.FileHere)
	exit := 0
	if code := run.Given(ctx, c.Action, given, stdout, stderr, &action.Env{Exit: &exit}); code != 0 {
		return code
	}
	return exit
}

func runVersion(_ context.Context, _ []string, stdout, _ io.Writer) int {
	fmt.Fprintf(stdout, "connect2 %s\n", action.Version())
	return 0
}
