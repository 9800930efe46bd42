// Command ecs-rollback is the action ecs-rollback alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecsrollback"
)

func main() { os.Exit(ecsrollback.Action.Entry(os.Args[1:])) }
