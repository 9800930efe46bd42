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
	Description: "Check connect2.yaml, and tell what a service's things are called in an environment",
	Doc: "Every problem of the file is told at once, with its line and column; then this ends with 1. Where the file is right, the names " +
		"of the environment are told: what each command takes where its own flag is not given. Nothing is called.",
	Examples: []action.Example{
		{Title: "What is prod called?", Args: "--environment prod"},
		{Title: "The names without a file", Args: "--project connect2-api --environment dev"},
	},
}, runShowConfig)

type showInputs struct {
	Cluster    string `input:"cluster" required:"true" doc:"Taken in place of the name that connect2.yaml, or --project, gives."`
	Service    string `input:"service" doc:"Taken in place of the file's."`
	Repository string `input:"repository" doc:"Taken in place of the file's."`
	Region     string `input:"region" doc:"Taken in place of the file's."`
	AccountID  string `input:"account-id" doc:"Taken in place of the file's."`
}

type showOutputs struct {
	action.Outputs
	Cluster    string `output:"cluster" doc:"The ECS cluster."`
	Service    string `output:"service" doc:"The ECS service; empty where the file has several."`
	Repository string `output:"repository" doc:"The ECR repository."`
	Region     string `output:"region" doc:"The AWS region; empty where nothing says it."`
	AccountID  string `output:"account-id" doc:"The AWS account; empty where nothing says it."`
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
