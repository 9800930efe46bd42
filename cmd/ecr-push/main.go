// Command ecr-push is the action ecr-push alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/run"
)

func main() { os.Exit(run.Entry(ecrpush.Action, os.Args[1:])) }
