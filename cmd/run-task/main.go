// Command run-task is the action run-task alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/runtask"
)

func main() { os.Exit(run.Entry(runtask.Action, os.Args[1:])) }
