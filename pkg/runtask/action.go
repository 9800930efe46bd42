// Package runtask runs a task of any family, or of a service's own revision with the service's settings, follows its log to the last
// line, and passes its exit code on.
package runtask

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Action is run-task, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "run-task",
	Description: "Run a one-off Amazon ECS task, show its log to the last line, and pass its exit code on.",
	Doc: `Runs a revision as it is registered, with what is overridden for this run alone: the command, environment variables, the size. With
service it has the service's network, capacity and volumes, and without task-definition the revision that the service is at. What is
given beside goes before them. A task that was stopped before its command had come to its own end is a failure, whatever its
exit code. Otherwise the process ends with the container's exit code, also where that is one which says something else of a run:
the output outcome is then failed. Tasks of a run that is cancelled or takes too long are stopped. Nothing is registered, and no service is changed.`,
	Icon: "play", Color: "blue",
	Examples: []action.Example{
		{Title: "A command with the code and the settings of the service",
			Args: `--cluster connect2-api-cluster-dev --service connect2-api-service-dev --command "python -m app.digest"`},
		{Title: "Another family, with its own network", Args: "--cluster connect2-api-cluster-dev --task-definition report:4 " +
			"--launch-type FARGATE --subnets subnet-0a1b2c3d4e5f60001 --security-groups sg-0a1b2c3d4e5f60001"},
	},
}, Run)

// Inputs are what run-task can be told.
type Inputs struct {
	awsconn.Inputs `group:"AWS"`
	Cluster        string            `input:"cluster" required:"true" doc:"The ECS cluster: name or ARN."`
	Service        string            `input:"service" doc:"A service of the cluster whose network, platform, capacity and volumes the task gets; also its revision, if task-definition is empty."`
	TaskDefinition string            `input:"task-definition" doc:"What to run: a family (its newest revision), FAMILY:REVISION or an ARN. One of service and task-definition is needed."`
	Container      string            `input:"container" doc:"The container that command and environment-variables are for, and whose exit code counts. Empty: the only one, or the only essential one."`
	Command        string            `input:"command" doc:"Replaces the container's command: words, split as a shell would, or a JSON array of strings. Empty: its own."`
	Environment    map[string]string `input:"environment-variables" doc:"Environment variables of the container for this run, KEY=value lines. Values are never printed, but ECS keeps them with the task: passwords belong in secrets."`
	CPU            string            `input:"cpu" doc:"CPU units of the task, such as 512, instead of its own."`
	Memory         string            `input:"memory" doc:"Memory of the task in MiB, such as 1024, instead of its own."`
	Count          int               `input:"count" default:"1" min:"1" max:"10" doc:"How many tasks to run at once. The exit code is the first one that is not 0."`
	LaunchType     string            `input:"launch-type" enum:",FARGATE,EC2" doc:"FARGATE or EC2, instead of the service's."`
	Capacity       []string          `input:"capacity-providers" doc:"Capacity providers instead of a launch type: NAME, NAME=WEIGHT or NAME=WEIGHT:BASE, one per line."`
	Platform       string            `input:"platform-version" doc:"Platform version of Fargate."`
	Subnets        []string          `input:"subnets" doc:"Subnets instead of the service's, one per line."`
	SecurityGroups []string          `input:"security-groups" doc:"Security groups instead of the service's, one per line."`
	PublicIP       string            `input:"assign-public-ip" enum:",ENABLED,DISABLED" doc:"ENABLED or DISABLED, instead of the service's."`
	Tags           map[string]string `input:"tags" doc:"Tags of the task, KEY=value lines, in addition to those that a service gives its tasks."`
	Propagate      string            `input:"propagate-tags" enum:",TASK_DEFINITION" doc:"TASK_DEFINITION: the task gets the tags of its task definition."`
	ManagedTags    bool              `input:"enable-ecs-managed-tags" default:"false" doc:"Let ECS tag the task with the cluster's name. A service with this setting passes it on."`
	StartedBy      string            `input:"started-by" default:"connect2-run-task" doc:"What ECS shows as the task's origin, at most 36 characters."`
	VolumeName     string            `input:"managed-ebs-volume-name" doc:"The volume of the task definition, configured at launch, that gets an EBS volume."`
	Volume         string            `input:"managed-ebs-volume" doc:"That volume, as JSON: roleArn and sizeInGiB or snapshotId, and filesystemType, volumeType, iops, throughput, encrypted, kmsKeyId. It is deleted with the task."`
	Timeout        time.Duration     `input:"timeout" default:"15m" min:"10s" max:"24h" doc:"How long a task may take; then it is stopped."`
	DryRun         bool              `input:"dry-run" default:"false" doc:"Check everything and say what would run, but run nothing."`
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := in.Inputs.Validate()
	add := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, errors.New(text))
		}
	}
	if in.Service == "" && in.TaskDefinition == "" {
		problems = append(problems, action.Missing("service", "neither service nor task-definition is given: one of them says what runs"))
	}
	add(in.LaunchType != "" && len(in.Capacity) > 0, "launch-type, capacity-providers: one of them at most")
	add(len(in.StartedBy) > 36, "started-by: it has more than 36 characters")
	add((in.VolumeName == "") != (in.Volume == ""), "managed-ebs-volume-name, managed-ebs-volume: one needs the other")
	if in.Command != "" {
		if _, err := taskdef.SplitCommand(in.Command); err != nil {
			problems = append(problems, fmt.Errorf("command: %w", err))
		}
	}
	for _, size := range []struct{ input, value string }{{"cpu", in.CPU}, {"memory", in.Memory}} {
		if n, err := strconv.Atoi(size.value); size.value != "" && (err != nil || n < 1) {
			problems = append(problems, fmt.Errorf("%s: %q is not a positive whole number", size.input, size.value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Environment)) {
		if strings.TrimSpace(name) == "" || strings.ContainsAny(name, " \t=") {
			problems = append(problems, fmt.Errorf("environment-variables: %q is not a name of a variable", name))
		}
	}
	if _, err := capacity(in.Capacity); err != nil {
		problems = append(problems, err)
	}
	if in.Volume != "" {
		if _, err := volume(in.VolumeName, in.Volume); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	ExitCode          *int     `output:"exit-code" doc:"Exit code of the container; with several tasks the first that is not 0. Empty if one never ran."`
	TaskARN           string   `output:"task-arn" doc:"ARN of the task; with several, of the first. Empty if none was started."`
	TaskARNs          []string `output:"task-arns" doc:"ARNs of all tasks."`
	TaskDefinitionARN string   `output:"task-definition-arn" doc:"ARN of the revision that was run."`
	Cause             string   `output:"cause" doc:"Stable identifier of the root cause of a failure, such as app-exit or image-not-found."`
}

// Run connects, checks everything, and runs the tasks.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	plan, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	return plan.Execute(ctx, env)
}
