// Command connect2 runs every action of this module in a terminal or in a step of a workflow, and what else an operator needs.
package main

import (
	"context"
	"os"

	"github.com/org/connect2/v2/internal/cli"
	"github.com/org/connect2/v2/pkg/run"
)

func main() {
	ctx, stop := run.WithSignals(context.Background())
	defer stop()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
