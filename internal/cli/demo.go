package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/org/connect2/v2/internal/demo"
	"github.com/org/connect2/v2/internal/flags"
	"github.com/org/connect2/v2/pkg/action"
)

func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("connect2 demo", flag.ContinueOnError)
	summary := set.String("summary", filepath.Join(os.TempDir(), "connect2-demo-summary.md"), "write the job summary to this `FILE`")
	reports := set.String("reports", "", "write a report of each action to this `FOLDER`, which is there")
	usage := "Usage: connect2 demo [--summary FILE] [--reports FOLDER]\n\nNo network, no Docker and no account are needed.\n\n"
	if code, done := flags.Parse(set, usage, args, stdout, stderr); done {
		return code
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "connect2 demo: unexpected argument %q\n", set.Arg(0))
		return action.Invalid.ExitCode()
	}
	outcome, err := demo.Run(ctx, stdout, *summary, *reports)
	if err != nil {
		fmt.Fprintf(stderr, "connect2 demo: %v\n", err)
	}
	return outcome.ExitCode()
}
