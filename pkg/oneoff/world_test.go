package oneoff

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/record"
)

const (
	taskARN       = "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d1c2b3a4958677685a4b3c2d1e0f9"
	definitionARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition/api-migrate:7"
)

// line is a log line that becomes visible some time after the task was started.
type line struct {
	visible time.Duration
	stream  string
	text    string
}

// world plays ECS and CloudWatch Logs for one task. Times count from the moment at which RunTask starts it.
type world struct {
	mu sync.Mutex

	// The script.
	unknownFor time.Duration // DescribeTasks says MISSING
	running    time.Duration // when the container runs
	exits      time.Duration // when it ends by itself; 0: never
	stopTail   time.Duration // from there to STOPPED
	speed      time.Duration // how much faster ECS's own clock runs
	rate       float64       // how much faster all of this happens than the wall clock says
	exitCode   *int32
	stopCode   types.TaskStopCode
	reason     string
	lines      []line
	runErrors  []error                   // answers of the first calls of RunTask
	refusals   []string                  // then failures[]
	describe   func(time.Duration) error // error of DescribeTasks at this time
	logsError  error
	definition *types.TaskDefinition
	others     []types.Task  // other tasks of the family
	othersFrom int           // from which call of ListTasks on they are listed
	othersEnd  time.Duration // when they are STOPPED, from the first call on; 0: never
	proxyEnds  time.Duration // when the container proxy ends; 0: with the task
	stopError  error
	// stopComesLate says that StopTask finds a task whose container has ended by itself.
	stopComesLate bool
	slowRun       time.Duration // how long RunTask takes to answer
	slowLogs      time.Duration // and GetLogEvents, with what was there when it was asked

	// What happened.
	asked     time.Time // the first call
	began     time.Time
	stopAsked time.Time
	stops     []string
	inputs    []*ecs.RunTaskInput
	lists     int
	describes int
}

func newWorld() *world {
	return &world{speed: 1, rate: 1, running: 20 * time.Second, exits: 40 * time.Second, stopTail: 15 * time.Second, exitCode: aws.Int32(0),
		stopCode: types.TaskStopCodeEssentialContainerExited, reason: "Essential container in task " +
			"exited", definition: definition("awslogs", "app")}
}

func definition(driver types.LogDriver, containers ...string) *types.TaskDefinition {
	d := &types.TaskDefinition{TaskDefinitionArn: aws.String(definitionARN), Memory: aws.String("512")}
	for _, name := range containers {
		d.ContainerDefinitions = append(d.ContainerDefinitions, types.ContainerDefinition{Name: aws.String(name),
			LogConfiguration: &types.LogConfiguration{
				LogDriver: driver, Options: map[string]string{"awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs",
					"awslogs-region": "eu-west-1"}}})
	}
	return d
}

func (w *world) age() time.Duration { return time.Duration(float64(time.Since(w.began)) * w.rate) }

// times returns when the container ended and when the task was STOPPED; zero for not yet planned.
func (w *world) times() (exited, stopped time.Duration) {
	exited = w.exits
	if !w.stopAsked.IsZero() {
		if at := w.stopAsked.Sub(w.began) + 2*time.Second; exited == 0 || at < exited {
			exited = at
		}
	}
	if exited == 0 {
		return 0, 0
	}
	return exited, exited + w.stopTail
}

func (w *world) task() types.Task {
	age := w.age()
	t := types.Task{TaskArn: aws.String(taskARN), CreatedAt: aws.Time(w.began),
		TaskDefinitionArn: aws.String(definitionARN), StartedBy: aws.String("test")}
	status := "PROVISIONING"
	container := types.Container{Name: aws.String("app"), LastStatus: aws.String("PENDING")}
	if age > w.running/2 {
		status = "PENDING"
	}
	if age >= w.running && w.exitCode != nil {
		status = "RUNNING"
		t.StartedAt = aws.Time(w.began.Add(w.running))
		container.LastStatus = aws.String("RUNNING")
	}
	exited, stopped := w.times()
	if exited != 0 && age >= exited {
		status = "DEPROVISIONING"
		t.StopCode, t.StoppedReason = w.stopCode, aws.String(w.reason)
		container.LastStatus, container.ExitCode = aws.String("STOPPED"), w.exitCode
		if w.exitCode != nil {
			t.ExecutionStoppedAt = aws.Time(w.began.Add(exited * w.speed))
		}
		if !w.stopAsked.IsZero() {
			t.StopCode, t.StoppedReason, container.ExitCode = types.TaskStopCodeUserInitiated, aws.String(w.stops[0]), aws.Int32(143)
		}
	}
	if stopped != 0 && age >= stopped {
		status = "STOPPED"
		t.StoppedAt = aws.Time(w.began.Add(stopped * w.speed))
	}
	t.LastStatus, t.Containers = aws.String(status), []types.Container{container}
	if w.proxyEnds > 0 {
		proxy := types.Container{Name: aws.String("proxy"), LastStatus: container.LastStatus, ExitCode: container.ExitCode}
		if age >= w.proxyEnds {
			proxy.LastStatus, proxy.ExitCode = aws.String("STOPPED"), aws.Int32(1)
		}
		t.Containers = append(t.Containers, proxy)
	}
	return t
}

func (w *world) RunTask(ctx context.Context, in *ecs.RunTaskInput, _ ...func(*ecs.Options)) (*ecs.RunTaskOutput, error) {
	if w.slowRun > 0 {
		select {
		case <-time.After(w.slowRun):
		case <-ctx.Done():
			return nil, &smithy.CanceledError{Err: ctx.Err()}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inputs = append(w.inputs, in)
	if len(w.runErrors) > 0 {
		err := w.runErrors[0]
		w.runErrors = w.runErrors[1:]
		return nil, err
	}
	if len(w.refusals) > 0 {
		reason := w.refusals[0]
		w.refusals = w.refusals[1:]
		return &ecs.RunTaskOutput{Failures: []types.Failure{{Reason: aws.String(reason)}}}, nil
	}
	w.began = time.Now()
	return &ecs.RunTaskOutput{Tasks: []types.Task{w.task()}}, nil
}

func (w *world) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, &smithy.CanceledError{Err: err}
	}
	w.describes++
	if w.describe != nil {
		if err := w.describe(w.age()); err != nil {
			return nil, err
		}
	}
	out := &ecs.DescribeTasksOutput{}
	for _, arn := range in.Tasks {
		if arn != taskARN {
			for _, other := range w.others {
				if aws.ToString(other.TaskArn) == arn {
					if w.othersEnd > 0 && time.Since(w.asked) >= w.othersEnd {
						other.LastStatus = aws.String("STOPPED")
					}
					out.Tasks = append(out.Tasks, other)
				}
			}
			continue
		}
		if w.age() < w.unknownFor {
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(arn), Reason: aws.String("MISSING")})
			continue
		}
		out.Tasks = append(out.Tasks, w.task())
	}
	return out, nil
}

func (w *world) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in.DesiredStatus == types.DesiredStatusRunning {
		w.lists++
	}
	if w.asked.IsZero() {
		w.asked = time.Now()
	}
	out := &ecs.ListTasksOutput{}
	if aws.ToString(in.Family) != "api-migrate" {
		return nil, fmt.Errorf("asked for family %q", aws.ToString(in.Family))
	}
	if w.lists > w.othersFrom {
		for _, other := range w.others {
			if stopping := aws.ToString(other.DesiredStatus) == "STOPPED"; stopping == (in.DesiredStatus == types.DesiredStatusStopped) {
				out.TaskArns = append(out.TaskArns, aws.ToString(other.TaskArn))
			}
		}
	}
	if !w.began.IsZero() && in.DesiredStatus == types.DesiredStatusRunning {
		out.TaskArns = append(out.TaskArns, taskARN)
	}
	return out, nil
}

func (w *world) StopTask(ctx context.Context, in *ecs.StopTaskInput, _ ...func(*ecs.Options)) (*ecs.StopTaskOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, &smithy.CanceledError{Err: err}
	}
	if w.stopError != nil {
		return nil, w.stopError
	}
	if aws.ToString(in.Task) == taskARN && !w.stopComesLate {
		w.stopAsked = w.began.Add(w.age())
	}
	w.stops = append(w.stops, aws.ToString(in.Reason))
	return &ecs.StopTaskOutput{}, nil
}

func (w *world) DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput,
	...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: w.definition}, nil
}

// GetLogEvents pages two lines at a time, as the API does: the token at the end comes back unchanged.
func (w *world) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput,
	_ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	if w.slowLogs > 0 {
		defer func() { <-time.After(w.slowLogs) }()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logsError != nil {
		return nil, w.logsError
	}
	var visible []line
	for _, l := range w.lines {
		if l.stream == aws.ToString(in.LogStreamName) && l.visible <= w.age() {
			visible = append(visible, l)
		}
	}
	if len(visible) == 0 {
		return nil, &logtypes.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}
	}
	from, _ := strconv.Atoi(strings.TrimPrefix(aws.ToString(in.NextToken), "f/"))
	to := min(from+2, len(visible))
	out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String(fmt.Sprintf("f/%d", to))}
	for _, l := range visible[from:to] {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: aws.String(l.text),
			Timestamp: aws.Int64(w.began.UnixMilli())})
	}
	return out, nil
}

func apiError(code, message string) error {
	return &smithy.OperationError{ServiceID: "ECS", OperationName: "X", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}},
		Err:      &smithy.GenericAPIError{Code: code, Message: message}}}
}

func unreachable() error {
	return &smithy.OperationError{ServiceID: "ECS", OperationName: "X",
		Err: &smithyhttp.RequestSendError{Err: fmt.Errorf("dial tcp: i/o timeout")}}
}

// told is what the events tell.
type told struct {
	notes, lines []string
	steps        []record.Step
}

func (s *told) sink() record.Sink {
	return func(e record.Event) {
		switch e.Kind {
		case record.KindNote:
			s.notes = append(s.notes, e.Text)
		case record.KindOutput:
			s.lines = append(s.lines, e.Source+": "+e.Text)
		case record.KindStepEnded:
			s.steps = append(s.steps, *e.Step)
		}
	}
}

func stream(container string) string {
	return "ecs/" + container + "/0f9d1c2b3a4958677685a4b3c2d1e0f9"
}

func spec() Spec {
	return Spec{Cluster: "prod", TaskDefinition: definitionARN, Container: "app",
		Command: []string{"alembic", "upgrade", "head"}, Timeout: 15 * time.Minute,
		StartedBy: "test", Token: "TOKEN", Exclusive: true, Settings: Settings{LaunchType: types.LaunchTypeFargate}}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
