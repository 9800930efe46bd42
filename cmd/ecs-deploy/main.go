// Command ecs-deploy is the action ecs-deploy alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/ecsdeploy"
)

func main() { os.Exit(ecsdeploy.Action.Entry(os.Args[1:])) }
