package ecsview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// crowd is a client whose service has many tasks: more than one page, in no order, and as many as a test wants.
type crowd struct {
	stopped, running []types.Task
	described        []string // ARNs, as they were asked for
	lists, batches   int
	largest          int // batch
	err              error
}

func (c *crowd) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	c.lists++
	tasks, from := c.stopped, 0
	if in.DesiredStatus == types.DesiredStatusRunning {
		tasks = c.running
	}
	if _, err := fmt.Sscan(aws.ToString(in.NextToken), &from); in.NextToken != nil && err != nil {
		return nil, err
	}
	to := min(from+int(aws.ToInt32(in.MaxResults)), len(tasks))
	out := &ecs.ListTasksOutput{}
	for _, t := range tasks[from:to] {
		out.TaskArns = append(out.TaskArns, *t.TaskArn)
	}
	if to < len(tasks) {
		out.NextToken = aws.String(fmt.Sprint(to))
	}
	if aws.ToString(in.ServiceName) != "api" {
		return nil, fmt.Errorf("service %q", aws.ToString(in.ServiceName))
	}
	return out, c.err
}

func (c *crowd) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	c.batches++
	c.largest = max(c.largest, len(in.Tasks))
	c.described = append(c.described, in.Tasks...)
	out := &ecs.DescribeTasksOutput{}
	for _, t := range slices.Concat(c.stopped, c.running) {
		if slices.Contains(in.Tasks, *t.TaskArn) {
			out.Tasks = append(out.Tasks, t)
		}
	}
	return out, nil
}

func apiTask(id, status string, code types.TaskStopCode) types.Task {
	return types.Task{TaskArn: aws.String("arn:aws:ecs:r:1:task/c/" + id), LastStatus: aws.String(status), StopCode: code,
		StartedBy: aws.String("ecs-svc/1")}
}

// TestTheLastOfManyTasksIsSeen holds that the news of a service with hundreds of stopped tasks are read to the end: ECS promises
// no order.
func TestTheLastOfManyTasksIsSeen(t *testing.T) {
	c := &crowd{}
	for i := range 250 {
		c.stopped = append(c.stopped, apiTask(fmt.Sprintf("%03d", i), "STOPPED", types.TaskStopCodeServiceSchedulerInitiated))
	}
	r := NewTaskReader(c, "c", "arn:aws:ecs:r:1:service/c/api")
	first, err := r.Stopped(t.Context())
	if err != nil || len(first) != 250 || c.lists != 3 || c.batches != 3 || c.largest > 100 {
		t.Fatalf("%d tasks by %d lists and %d batches of up to %d: %v", len(first), c.lists, c.batches, c.largest, err)
	}
	c.stopped = append(c.stopped, apiTask("last", "STOPPED", types.TaskStopCodeEssentialContainerExited))
	c.described = nil
	second, err := r.Stopped(t.Context())
	if err != nil || len(second) != 1 || second[0].ID() != "last" || len(c.described) != 1 {
		t.Errorf("%v, %d described: %v", second, len(c.described), err)
	}
}

func TestTaskReaderDescribesWhatCanChange(t *testing.T) {
	c := &crowd{
		stopped: []types.Task{apiTask("leaving", "DEACTIVATING", ""), apiTask("stopping", "STOPPING", "EssentialContainerExited"),
			apiTask("ended", "STOPPED", "EssentialContainerExited")},
		running: []types.Task{apiTask("up", "RUNNING", "")},
	}
	r := NewTaskReader(c, "c", "api")
	ids := func(tasks []Task, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, task := range tasks {
			all = append(all, task.ID())
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	described := func() string {
		var all []string
		for _, arn := range c.described {
			all = append(all, arn[strings.LastIndexByte(arn, '/')+1:])
		}
		slices.Sort(all)
		c.described = nil
		return strings.Join(all, " ")
	}
	if got := ids(r.Stopped(t.Context())); got != "ended stopping" {
		t.Errorf("stopped: %s", got)
	}
	described()
	if got := ids(r.Stopped(t.Context())); got != "" || described() != "leaving" {
		t.Errorf("stopped again: %s", got)
	}
	if got, asked := ids(r.Running(t.Context())), described(); got != "leaving stopping up" || asked != "leaving stopping up" {
		t.Errorf("running: %s, described %s", got, asked)
	}
	everything := []string{"arn:aws:ecs:r:1:task/c/up", "arn:aws:ecs:r:1:task/c/ended", "arn:aws:ecs:r:1:task/c/up"}
	if got, asked := ids(r.Read(t.Context(), everything)), described(); got != "ended up" || asked != "up" {
		t.Errorf("read: %s, described %s", got, asked)
	}
	c.err = errors.New("no")
	for name, read := range map[string]func() ([]Task, error){
		"Stopped": func() ([]Task, error) { return r.Stopped(t.Context()) },
		"Running": func() ([]Task, error) { return r.Running(t.Context()) },
	} {
		if _, err := read(); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailed(t *testing.T) {
	for _, test := range []struct {
		code, reason string
		want         bool
	}{
		{"TaskFailedToStart", "CannotPullContainerError: …", true},
		{"EssentialContainerExited", "Essential container in task exited", true},
		{"ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group …)", true},
		{"ServiceSchedulerInitiated", "Task failed container health checks", true},
		{"ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", false},
		{"UserInitiated", "health checks", false},
		{"SpotInterruption", "Your Spot Task was interrupted.", false},
		{"", "", false},
	} {
		if got := (Task{StopCode: test.code, Reason: test.reason}).Failed(); got != test.want {
			t.Errorf("%s, %q: %v", test.code, test.reason, got)
		}
	}
}

func TestFailure(t *testing.T) {
	one, kill := 1, 137
	for _, test := range []struct {
		name string
		task Task
		want string
	}{
		{"an exit says more than that there was one", Task{StopCode: "EssentialContainerExited", Reason: "Essential container in task exited",
			Containers: []Container{{Name: "api", ExitCode: &one}}}, "api exited with 1"},
		{"the container's own reason", Task{StopCode: "EssentialContainerExited", Reason: "Essential container in task exited",
			Containers: []Container{{Name: "api", ExitCode: &kill, Reason: "OutOfMemoryError"}, {Name: "sidecar"}}},
			"api exited with 137 (OutOfMemoryError)"},
		{"no container ran", Task{StopCode: "TaskFailedToStart", Reason: "CannotPull"}, "CannotPull"},
		{"a health check", Task{StopCode: "ServiceSchedulerInitiated", Reason: "Task failed container health checks",
			Containers: []Container{{Name: "api", ExitCode: &kill}, {Name: "log", ExitCode: &one}}},
			"Task failed container health checks (api exited with 137, log exited with 1)"},
		{"no reason", Task{StopCode: "ServiceSchedulerInitiated", Containers: []Container{{Name: "api", ExitCode: &one}}}, "api exited with 1"},
	} {
		test.task.ARN = "arn:aws:ecs:r:1:task/c/0a1b"
		if got := test.task.Failure(); got != "task 0a1b failed: "+test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestCheckCommand(t *testing.T) {
	const script = `import urllib.request as u; u.urlopen("http://localhost/health")`
	for _, test := range []struct {
		command []string
		want    string
	}{
		{[]string{"CMD", "python", "-c", script}, "python -c '" + script + "'"},
		{[]string{"CMD-SHELL", "curl -f http://localhost/ || exit 1"}, "sh -c 'curl -f http://localhost/ || exit 1'"},
		{[]string{"CMD-SHELL", "echo 'ok'"}, `sh -c 'echo '\''ok'\'''`},
		{[]string{"CMD", "/check", "--fast"}, "/check --fast"},
		{[]string{"CMD"}, ""},
	} {
		if got := typed(test.command); got != test.want {
			t.Errorf("%q: %s, want %s", test.command, got, test.want)
		}
	}
}
