package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/project"
)

// config is what can be done with connect2.yaml itself.
var config = Command{Name: "config", Group: SetUp, Summary: "Look at connect2.yaml: what it says, whether it is right, what it may hold",
	Words: []string{"settings", "configuration", "names"},
	Commands: []Command{
		{Name: "show", Action: showConfig, Words: []string{"get", "list", "view"}},
		{Name: "schema", Summary: "Print the JSON Schema of connect2.yaml, for editors", Run: printSchema},
	}}

var showConfig = action.Define(action.Meta{
	Name:        "config show",
	Description: "Check connect2.yaml, and show the names it gives for an environment",
	Doc: "Every problem in the file is listed at once, with its line and column, and the exit code is 1. If the file is right, the names " +
		"for the environment are shown: what each command uses if its own flag is not given. AWS is not called.",
	Examples: []action.Example{
		{Title: "What is prod called?", Args: "--environment prod"},
		{Title: "The names without a file", Args: "--project connect2-api --environment dev"},
	},
}, runShowConfig)

type showInputs struct {
	Cluster    string `input:"cluster" required:"true" doc:"Overrides the name from connect2.yaml or --project."`
	Service    string `input:"service" doc:"Overrides the one in the file."`
	Repository string `input:"repository" doc:"Overrides the one in the file."`
	Region     string `input:"region" doc:"Overrides the one in the file."`
	AccountID  string `input:"account-id" doc:"Overrides the one in the file."`
}

type showOutputs struct {
	action.Outputs
	Cluster    string `output:"cluster" doc:"The ECS cluster."`
	Service    string `output:"service" doc:"The ECS service; empty if the file has several."`
	Repository string `output:"repository" doc:"The ECR repository."`
	Region     string `output:"region" doc:"The AWS region; empty if nothing sets it."`
	AccountID  string `output:"account-id" doc:"The AWS account; empty if nothing sets it."`
}

func runShowConfig(_ context.Context, env *action.Env, in showInputs) (showOutputs, error) {
	out := showOutputs{Cluster: in.Cluster, Service: in.Service, Repository: in.Repository, Region: in.Region, AccountID: in.AccountID}
	for _, line := range [][2]string{{"cluster", in.Cluster}, {"service", in.Service}, {"repository", in.Repository},
		{"region", in.Region}, {"account", in.AccountID}} {
		if line[1] == "" {
			line[1] = "(not said)"
		}
		fmt.Fprintf(env.Stdout, "%-11s %s\n", line[0], line[1])
	}
	return out, nil
}

func printSchema(_ context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		if args[0] != "--help" && args[0] != "-h" {
			fmt.Fprintf(stderr, "connect2 config schema: unexpected argument %q\n", args[0])
			return action.Invalid.ExitCode()
		}
		fmt.Fprintln(stdout, "Usage: connect2 config schema\n\n"+
			"Prints the JSON Schema of connect2.yaml. Editors that know it complete and check the file.")
		return 0
	}
	if _, err := stdout.Write(project.Schema()); err != nil {
		return action.Defect.ExitCode()
	}
	return 0
}
