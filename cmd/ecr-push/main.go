// Command ecr-push is the action ecr-push alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecrpush"
)

func main() { os.Exit(ecrpush.Action.Entry(os.Args[1:])) }
