package adjust

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// Open is `connect2 open`.
var Open = action.Define(action.Meta{
	Name:        "open",
	Looks:       true,
	Description: "Open the page of the AWS console for a service, its deployment, a task, its log or its targets",
	Doc:         "The address is printed; in a terminal the browser opens it.",
	Examples: []action.Example{{Title: "The service", Args: "--environment prod"},
		{Title: "Only the address of a task's log", Args: "log --environment prod --task 8f3a91c2 --print"}},
}, runOpen)

// OpenInputs are what open can be told.
type OpenInputs struct {
	operate.Inputs
	Thing string `input:"thing" default:"service" enum:"service,deployment,task,log,targets" arg:"THING" doc:"What to open."`
	Task  string `input:"task" doc:"Which task, by the beginning of its id. Empty: the newest."`
	Print bool   `input:"print" default:"false" doc:"Print the address; do not open a browser."`
}

// OpenOutputs are what was found.
type OpenOutputs struct {
	action.Outputs
	Address string `output:"address" doc:"The address of the page."`
}

func runOpen(ctx context.Context, env *action.Env, in OpenInputs) (OpenOutputs, error) {
	s, err := find(ctx, env, in.Inputs, false)
	if err != nil {
		return OpenOutputs{}, err
	}
	address, err := s.address(ctx, in)
	if err != nil {
		return OpenOutputs{}, awsconn.Refuse(ctx, "There is no page to open", err)
	}
	fmt.Fprintln(operate.Out(env), address)
	if env.Screen.Width != nil && !in.Print {
		if err := operate.Browse(ctx, address); err != nil {
			env.Events.Notef("no browser was found: %v", err)
		}
	}
	return OpenOutputs{Address: address}, nil
}

func (s *site) address(ctx context.Context, in OpenInputs) (string, error) {
	address, missing := "", "its ARN names no page"
	switch in.Thing {
	case "service":
		address = console.Service(aws.ToString(s.service.ServiceArn))
	case "deployment":
		address, missing = console.Deployment(s.now.Current), "the service names no deployment"
	case "targets":
		if missing = "the service has no target group"; len(s.now.TargetGroups) > 0 {
			address = console.TargetGroup(s.now.TargetGroups[0])
		}
	case "task", "log":
		tasks, err := operate.Tasks(ctx, s.client, in.Cluster, in.Service)
		if err != nil {
			return "", err
		}
		if in.Task == "" && len(tasks) == 0 {
			return "", fmt.Errorf("service: %s has no task", s.name())
		}
		var task ecsview.Task
		if in.Task == "" {
			task = tasks[len(tasks)-1]
		} else if task, err = operate.Named(tasks, in.Task); err != nil {
			return "", err
		}
		if in.Thing == "task" {
			address = console.Task(task.ARN)
			break
		}
		if address, err = s.log(ctx, task); err != nil {
			return "", err
		}
		missing = "no container of the task logs to a stream of CloudWatch that is known"
	}
	if address == "" {
		return "", fmt.Errorf("thing: the console's page of the %s of %s is not known: %s", in.Thing, s.name(), missing)
	}
	return address, nil
}

func (s *site) log(ctx context.Context, task ecsview.Task) (string, error) {
	out, err := s.client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &task.TaskDefinition})
	if err != nil {
		return "", fmt.Errorf("describing the task definition, which says where the containers log: %w", err)
	}
	for _, c := range task.With(out.TaskDefinition).Containers {
		if address := console.LogStream(task.ARN, c.LogGroup, c.Stream); address != "" {
			return address, nil
		}
	}
	return "", nil
}
