// Command ecs-rollback is the action ecs-rollback alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/run"
)

func main() { os.Exit(run.Entry(ecsrollback.Action, os.Args[1:])) }
