// Command migrate is the action migrate alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/run"
)

func main() { os.Exit(run.Entry(migrate.Action, os.Args[1:])) }
