package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/org/connect2/v2/internal/demo"
	"github.com/org/connect2/v2/pkg/action"
)

func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	summary := flags.String("summary", filepath.Join(os.TempDir(), "connect2-demo-summary.md"), "write the job summary to this `FILE`")
	reports := flags.String("reports", "", "write a report of each action to this `FOLDER`, which is there")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Usage: connect2 demo [--summary FILE] [--reports FOLDER]\n\nNo network, no Docker and no account are needed.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return action.Invalid.ExitCode()
	}
	outcome, err := demo.Run(ctx, stdout, *summary, *reports)
	if err != nil {
		fmt.Fprintf(stderr, "connect2 demo: %v\n", err)
	}
	return outcome.ExitCode()
}
