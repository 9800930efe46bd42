package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/term"

	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/internal/scaffold"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// runInit sets GitHub up where a flag of that is given, and writes the files of a service's repository otherwise.
func runInit(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var ask func(string) (string, error)
	if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())) {
		typed := bufio.NewReader(os.Stdin)
		ask = func(question string) (string, error) {
			fmt.Fprint(stderr, question)
			return typed.ReadString('\n')
		}
	}
	hub := githubsetup.Env{Getenv: os.Getenv, Stdout: stdout, Stderr: stderr, Ask: ask}
	files := scaffold.Env{Stdout: stdout, Stderr: stderr, Ask: ask, Service: readService}
	switch {
	case setsUpGitHub(args):
		return githubsetup.Run(ctx, args, hub)
	case slices.ContainsFunc(args, func(arg string) bool { return slices.Contains([]string{"--help", "-help", "-h", "--h"}, arg) }):
		if code := scaffold.Run(ctx, []string{"--help"}, files); code != 0 {
			return code
		}
		fmt.Fprintln(stdout)
		return githubsetup.Run(ctx, []string{"--help"}, hub)
	}
	return scaffold.Run(ctx, args, files)
}

// githubFlags are those that only the setup of GitHub has.
var githubFlags = []string{"github", "service", "value", "reviewer", "no-reviewers", "prevent-self-review", "only-these-branches"}

func setsUpGitHub(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return strings.HasPrefix(name, "-") && slices.Contains(githubFlags, strings.TrimLeft(name, "-"))
	})
}

// readService reads a service that runs, with its task definition. Nothing is changed.
func readService(ctx context.Context, region, cluster, name string) (types.Service, types.TaskDefinition, error) {
	conn, err := awsconn.Connect(ctx, &action.Env{}, awsconn.Inputs{Region: region})
	if err != nil {
		return types.Service{}, types.TaskDefinition{}, err
	}
	client := ecs.NewFromConfig(conn.Config)
	service, err := ecsview.Find(ctx, client, cluster, name)
	if err != nil {
		return types.Service{}, types.TaskDefinition{}, awserr.Explain(err)
	}
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: service.TaskDefinition})
	if err != nil {
		return types.Service{}, types.TaskDefinition{}, awserr.Explain(err)
	}
	return service, *out.TaskDefinition, nil
}
