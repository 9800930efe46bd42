// Package operate is what the commands have in common that look at a service, or change something small about it, for a person: how
// the service is named, its tasks, what scales it, and where a report goes.
package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Inputs name a service.
type Inputs struct {
	awsconn.Inputs `group:"AWS"`
	Cluster        string `input:"cluster" required:"true" doc:"The ECS cluster: name or ARN."`
	Service        string `input:"service" required:"true" doc:"The ECS service: name or ARN."`
}

// Out returns where a report goes: standard output; in a step of a workflow the log, which keeps the runner from taking a line of the
// report for one of its commands.
func Out(env *action.Env) io.Writer {
	switch {
	case env.GitHub != (action.GitHub{}):
		return env.Events.Output("")
	case env.Stdout == nil:
		return io.Discard
	}
	return env.Stdout
}

// Style is how something is to be seen.
type Style string

// The styles.
const (
	Good Style = "32"
	Bad  Style = "31"
	Dim  Style = "2"
)

// Paint colours a text where the screen shows colours.
func Paint(screen action.Screen, style Style, text string) string {
	if !screen.Colours || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// JSON encodes what always encodes.
func JSON(v any) json.RawMessage {
	document, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of this program that has no form in JSON
	}
	return document
}

// Tasks returns the tasks of a service that run or are to, oldest first.
func Tasks(ctx context.Context, client ecsview.Tasks, cluster, service string) ([]ecsview.Task, error) {
	arns, err := ecsview.ListTasks(ctx, client, cluster, service, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	tasks, err := ecsview.DescribeTasks(ctx, client, cluster, arns)
	sorted.Stable(tasks, func(a, b ecsview.Task) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ARN, b.ARN)
	})
	return tasks, err
}

// shortest is how many characters of a task's id are shown at least.
const shortest = 8

// ShortIDs returns, by ARN, as much of each task's id as tells it from the others. Commands accept the beginning of an id.
func ShortIDs(tasks []ecsview.Task) map[string]string {
	short := map[string]string{}
	for _, t := range tasks {
		id := t.ID()
		n := min(shortest, len(id))
		for n < len(id) && slices.ContainsFunc(tasks, func(o ecsview.Task) bool { return o.ARN != t.ARN && strings.HasPrefix(o.ID(), id[:n]) }) {
			n++
		}
		short[t.ARN] = id[:n]
	}
	return short
}

// Named returns the task whose id, or ARN, begins as it was written. The error says which there are.
func Named(tasks []ecsview.Task, written string) (ecsview.Task, error) {
	var found []ecsview.Task
	for _, t := range tasks {
		if t.ARN == written || strings.HasPrefix(t.ID(), written) {
			found = append(found, t)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	var ids []string
	for _, id := range ShortIDs(tasks) {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	switch {
	case len(found) > 1:
		return ecsview.Task{}, fmt.Errorf("task: %d tasks begin with %q: write more of the id", len(found), written)
	case len(ids) == 0:
		return ecsview.Task{}, fmt.Errorf("task: there is no task %q: the service has none", written)
	}
	return ecsview.Task{}, fmt.Errorf("task: there is no task %q: there are %s", written, strings.Join(ids, ", "))
}

// Limits are those of a scalable target.
type Limits struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Scaling calls an operation of Application Auto Scaling with in, and reads its answer into out.
type Scaling func(ctx context.Context, operation string, in, out any) error

// ScalingOf returns the Scaling of the account and region of a configuration.
func ScalingOf(cfg aws.Config) Scaling {
	return func(ctx context.Context, operation string, in, out any) error {
		return awscall.JSON(ctx, cfg, awscall.AutoScaling, operation, in, out)
	}
}

// LimitsOf returns the limits of what scales a service, or nil where nothing does.
func LimitsOf(ctx context.Context, call Scaling, serviceARN string) (*Limits, error) {
	_, resource, ok := strings.Cut(serviceARN, ":service/")
	if !ok || !strings.Contains(resource, "/") {
		return nil, nil // the old format does not name the cluster
	}
	var out struct {
		ScalableTargets []struct{ MinCapacity, MaxCapacity int }
	}
	err := call(ctx, "DescribeScalableTargets", map[string]any{"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
		"ResourceIds": []string{"service/" + resource}}, &out)
	if err != nil {
		return nil, fmt.Errorf("reading what scales service/%s: %w", resource, err)
	}
	if len(out.ScalableTargets) == 0 {
		return nil, nil
	}
	t := out.ScalableTargets[0]
	return &Limits{t.MinCapacity, t.MaxCapacity}, nil
}

// Owned says that another number of tasks would not stay, and how the limits are changed. service is its name; resource is that of the
// scalable target, service/CLUSTER/NAME.
func (l Limits) Owned(service, resource string, tasks int) string {
	return fmt.Sprintf("%s scales by itself from %d to %d tasks, and would undo this. Change its limits: in Terraform the service's "+
		"min_capacity and max_capacity, or by\n  aws application-autoscaling register-scalable-target --service-namespace ecs "+
		"--scalable-dimension ecs:service:DesiredCount --resource-id %s --min-capacity %d --max-capacity %d",
		service, l.Min, l.Max, resource, tasks, max(tasks, l.Max))
}

// Count writes a number of things: "1 task", "2 tasks".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
