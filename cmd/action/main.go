// Command action is the entry point of the actions' image: its first argument, given by each action.yml, is the action's name.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/org/connect2/v2/internal/catalog"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

func main() {
	actions := catalog.Scratch()
	var names []string
	for _, a := range actions {
		names = append(names, a.Meta.Name)
	}
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: %s NAME, where NAME is one of %s\n", os.Args[0], strings.Join(names, ", "))
		os.Exit(1)
	}
	if os.Args[1] == "--version" {
		fmt.Println("action", action.Version())
		return
	}
	a := catalog.Named(actions, os.Args[1])
	if a == nil {
		fmt.Fprintf(os.Stderr, "there is no action %q in this image: it has %s\n", os.Args[1], strings.Join(names, ", "))
		os.Exit(1)
	}
	os.Exit(run.Entry(a, os.Args[2:]))
}
