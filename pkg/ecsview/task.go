package ecsview

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

// Tasks lists and describes tasks; *ecs.Client does.
type Tasks interface {
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
}

// Task is one task, as DescribeTasks tells it. All times are by the clock of ECS, and zero for what has not happened.
type Task struct {
	ARN            string
	TaskDefinition string // ARN
	StartedBy      string // ecs-svc/… of the deployment that started it
	LastStatus     string // RUNNING, STOPPED, …
	StopCode       string // TaskFailedToStart, EssentialContainerExited, …; empty while it runs
	Reason         string // stoppedReason
	Health         string // HEALTHY, UNHEALTHY, UNKNOWN: the containers' own health checks
	IP             string // private IPv4 address of its network interface
	Zone           string // availability zone
	CreatedAt      time.Time
	PullStartedAt  time.Time
	PullStoppedAt  time.Time
	StartedAt      time.Time // zero if it never reached RUNNING
	StoppingAt     time.Time
	EndedAt        time.Time // executionStoppedAt: its containers have ended
	StoppedAt      time.Time
	Containers     []Container
}

// ID returns the last part of the task's ARN.
func (t Task) ID() string { return arn.Last(t.ARN) }

// Stopped reports whether the task has ended or is ending: ECS sets the stop code as soon as it decides to stop one.
func (t Task) Stopped() bool { return t.LastStatus == "STOPPED" || t.StopCode != "" }

// Failed reports whether the task ended by its own fault or that of its environment, not because it was not wanted any more.
func (t Task) Failed() bool {
	switch types.TaskStopCode(t.StopCode) {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	case types.TaskStopCodeServiceSchedulerInitiated:
		return strings.Contains(t.Reason, "health checks")
	default:
		return false
	}
}

// Failure tells in one line how the task failed.
func (t Task) Failure() string {
	var exits []string
	for _, c := range t.Containers {
		if c.ExitCode != nil {
			exit := fmt.Sprintf("%s exited with %d", c.Name, *c.ExitCode)
			if c.Reason != "" {
				exit += " (" + c.Reason + ")"
			}
			exits = append(exits, exit)
		}
	}
	why, exit := t.Reason, strings.Join(exits, ", ")
	switch {
	case exit == "":
	case why == "" || t.StopCode == string(types.TaskStopCodeEssentialContainerExited):
		why = exit
	default:
		why += " (" + exit + ")"
	}
	return fmt.Sprintf("task %s failed: %s", t.ID(), why)
}

// Container is one container of a task, with the settings of its definition that matter for an explanation.
type Container struct {
	Name     string
	Image    string
	Sidecar  bool   // the definition says essential: false, so its exit does not end the task
	ExitCode *int   // nil if it never ran
	Reason   string // the container's own reason, e.g. OutOfMemoryError
	Health   string // HEALTHY, UNHEALTHY, UNKNOWN
	Ports    []int  // container ports of the definition
	Check    string // the definition's health check command, as it is typed in a shell
	Memory   int    // MiB: its hard limit, or the task's where it has none; 0 if unknown
	Arch     string // CPU architecture that the definition asks for: X86_64 (also when it names none) or ARM64
	LogGroup string // CloudWatch log group and stream of its awslogs driver; empty for other drivers
	Stream   string
	Logs     []string // last log lines, oldest first, not yet redacted; read by whoever explains the task

	LogRegion string // the region of the log group; empty: the service's
}

// TaskOf returns what the API says of a task, with the settings of its definition (which may be nil).
func TaskOf(t types.Task, definition *types.TaskDefinition) Task {
	out := Task{
		ARN:            aws.ToString(t.TaskArn),
		TaskDefinition: aws.ToString(t.TaskDefinitionArn),
		StartedBy:      aws.ToString(t.StartedBy),
		LastStatus:     aws.ToString(t.LastStatus),
		StopCode:       string(t.StopCode),
		Reason:         aws.ToString(t.StoppedReason),
		Health:         string(t.HealthStatus),
		Zone:           aws.ToString(t.AvailabilityZone),
		CreatedAt:      aws.ToTime(t.CreatedAt),
		PullStartedAt:  aws.ToTime(t.PullStartedAt),
		PullStoppedAt:  aws.ToTime(t.PullStoppedAt),
		StartedAt:      aws.ToTime(t.StartedAt),
		StoppingAt:     aws.ToTime(t.StoppingAt),
		EndedAt:        aws.ToTime(t.ExecutionStoppedAt),
		StoppedAt:      aws.ToTime(t.StoppedAt),
	}
	for _, c := range t.Containers {
		container := Container{Name: aws.ToString(c.Name), Image: aws.ToString(c.Image), Reason: aws.ToString(c.Reason),
			Health: string(c.HealthStatus)}
		if c.ExitCode != nil {
			n := int(*c.ExitCode)
			container.ExitCode = &n
		}
		for _, n := range c.NetworkInterfaces {
			if out.IP == "" {
				out.IP = aws.ToString(n.PrivateIpv4Address)
			}
		}
		out.Containers = append(out.Containers, container)
	}
	return out.With(definition)
}

// With returns the task with the settings of its definition, which may be nil.
func (t Task) With(definition *types.TaskDefinition) Task {
	if definition == nil {
		return t
	}
	t.Containers = slices.Clone(t.Containers)
	for i := range t.Containers {
		t.Containers[i].settings(definition, t.ID())
	}
	return t
}

// settings fills in what the task definition says of the container of this name.
func (c *Container) settings(definition *types.TaskDefinition, taskID string) {
	i := slices.IndexFunc(definition.ContainerDefinitions,
		func(d types.ContainerDefinition) bool { return aws.ToString(d.Name) == c.Name })
	if i < 0 {
		return
	}
	d := definition.ContainerDefinitions[i]
	c.Sidecar, c.Ports = d.Essential != nil && !*d.Essential, nil
	for _, p := range d.PortMappings {
		c.Ports = append(c.Ports, int(aws.ToInt32(p.ContainerPort)))
	}
	if d.HealthCheck != nil && len(d.HealthCheck.Command) > 0 {
		c.Check = typed(d.HealthCheck.Command)
	}
	c.Memory = int(aws.ToInt32(d.Memory))
	if c.Memory == 0 {
		c.Memory, _ = strconv.Atoi(aws.ToString(definition.Memory))
	}
	if definition.RuntimePlatform != nil {
		c.Arch = string(definition.RuntimePlatform.CpuArchitecture)
	}
	c.LogGroup, c.Stream, c.LogRegion = LogStream(d, taskID)
}

// typed writes a health check's command as it is typed in a shell.
func typed(command []string) string {
	words := command[1:]
	if command[0] == "CMD-SHELL" {
		words = append([]string{"sh", "-c"}, words...)
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n\"'`$\\;&|<>()*?[]{}~#!") {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// LogStream returns where the awslogs driver of a container puts the log of this task; all empty for another driver, or
// where no stream prefix is set: then the stream has a name that only the host knows (Fargate requires a prefix).
func LogStream(d types.ContainerDefinition, taskID string) (group, stream, region string) {
	if d.LogConfiguration == nil || d.LogConfiguration.LogDriver != types.LogDriverAwslogs {
		return "", "", ""
	}
	o := d.LogConfiguration.Options
	if o["awslogs-group"] == "" || o["awslogs-stream-prefix"] == "" {
		return "", "", ""
	}
	return o["awslogs-group"], o["awslogs-stream-prefix"] + "/" + aws.ToString(d.Name) + "/" + taskID, o["awslogs-region"]
}

// ListTasks returns the ARNs of a service's tasks of one desired status, RUNNING or STOPPED, in no order: ECS promises none. It
// keeps stopped ones for about an hour.
func ListTasks(ctx context.Context, client Tasks, cluster, service string, desired types.DesiredStatus) ([]string, error) {
	input := &ecs.ListTasksInput{Cluster: aws.String(cluster), ServiceName: aws.String(arn.Last(service)), DesiredStatus: desired,
		MaxResults: aws.Int32(pageSize)}
	var all []string
	for {
		out, err := client.ListTasks(ctx, input)
		if err != nil {
			return all, fmt.Errorf("listing the tasks of service %s: %w", service, err)
		}
		all = append(all, out.TaskArns...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		input.NextToken = out.NextToken
	}
}

// DescribeTasks reads tasks by ARN, in no order. Those that ECS does not know, or does not know yet, are left out. Where a batch
// fails, the error is returned with the tasks of the others.
func DescribeTasks(ctx context.Context, client Tasks, cluster string, arns []string) ([]Task, error) {
	var all []Task
	var failed error
	for batch := range slices.Chunk(arns, pageSize) {
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: batch})
		if err != nil {
			failed = fmt.Errorf("describing %d tasks in cluster %s: %w", len(batch), cluster, err)
			continue
		}
		for _, t := range out.Tasks {
			all = append(all, TaskOf(t, nil))
		}
	}
	return all, failed
}

// TaskReader reads the tasks of one service again and again. What cannot change any more is described once.
type TaskReader struct {
	client           Tasks
	cluster, service string
	known            map[string]Task // the newest description of each, by ARN
}

// NewTaskReader returns a reader of the tasks of a service, which is a name or an ARN.
func NewTaskReader(client Tasks, cluster, service string) *TaskReader {
	return &TaskReader{client: client, cluster: cluster, service: service, known: map[string]Task{}}
}

// Stopped returns the tasks that have stopped or are stopping and whose stop code was not known before: the news since the last
// call. A task that is on its way out without a stop code is returned by a later call.
func (r *TaskReader) Stopped(ctx context.Context) ([]Task, error) {
	arns, err := ListTasks(ctx, r.client, r.cluster, r.service, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	read, err := r.describe(ctx, arns, func(t Task) bool { return t.StopCode != "" })
	return slices.DeleteFunc(read, func(t Task) bool { return t.StopCode == "" }), err
}

// Running returns the service's tasks that are to run, and describes once more those that were seen stopping and not at their end.
func (r *TaskReader) Running(ctx context.Context) ([]Task, error) {
	arns, err := ListTasks(ctx, r.client, r.cluster, r.service, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	for _, t := range r.known {
		if t.LastStatus != "STOPPED" {
			arns = append(arns, t.ARN)
		}
	}
	return r.Read(ctx, arns)
}

// Ending returns the tasks that are to stop and have not come to their end. Those are listed once, and described at each call.
func (r *TaskReader) Ending(ctx context.Context) ([]Task, error) {
	var arns []string
	for _, t := range r.known {
		if t.LastStatus != string(types.DesiredStatusStopped) {
			arns = append(arns, t.ARN)
		}
	}
	if len(r.known) == 0 {
		var err error
		if arns, err = ListTasks(ctx, r.client, r.cluster, r.service, types.DesiredStatusStopped); err != nil {
			return nil, err
		}
	}
	read, err := r.describe(ctx, arns, func(Task) bool { return false })
	return slices.DeleteFunc(read, func(t Task) bool { return t.LastStatus == string(types.DesiredStatusStopped) }), err
}

// Read returns the tasks with these ARNs, in no order. Those that have come to their end are not described again.
func (r *TaskReader) Read(ctx context.Context, arns []string) ([]Task, error) {
	ended := func(t Task) bool { return t.LastStatus == "STOPPED" && t.StopCode != "" }
	var all []Task
	slices.Sort(arns)
	arns = slices.Compact(arns)
	for _, arn := range arns {
		if t, known := r.known[arn]; known && ended(t) {
			all = append(all, t)
		}
	}
	read, err := r.describe(ctx, arns, ended)
	return append(all, read...), err
}

// describe reads those of the tasks that are not known well enough.
func (r *TaskReader) describe(ctx context.Context, arns []string, enough func(Task) bool) ([]Task, error) {
	var wanted []string
	for _, arn := range arns {
		if t, known := r.known[arn]; !known || !enough(t) {
			wanted = append(wanted, arn)
		}
	}
	read, err := DescribeTasks(ctx, r.client, r.cluster, wanted)
	for _, t := range read {
		r.known[t.ARN] = t
	}
	return read, err
}
