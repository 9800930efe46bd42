// Command tf-apply is the action tf-apply alone: with flags a command, without any a container's entry point. Under the name
// tf-apply-post it is the step after the job's others, which waits for an apply that a cancelled job left at work.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/tfapply"
)

func main() {
	if filepath.Base(os.Args[0]) == "tf-apply-post" {
		os.Exit(tfapply.PostMain())
	}
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("tf-apply", action.Version())
		return
	}
	os.Exit(run.Entry(tfapply.Action, os.Args[1:]))
}
