// Command release is the action release alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/run"
)

func main() { os.Exit(run.Entry(release.Action, os.Args[1:])) }
