// Command ecs-deploy is the action ecs-deploy alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/run"
)

func main() { os.Exit(run.Entry(ecsdeploy.Action, os.Args[1:])) }
