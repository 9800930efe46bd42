// Command release is the action release alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/release"
)

func main() { os.Exit(release.Action.Entry(os.Args[1:])) }
