package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/record"
)

const revision = "arn:aws:ecs:eu-west-1:111122223333:task-definition/api:42"

// cloud answers with what it is given, and fails the calls that it is told to.
type cloud struct {
	service types.Service
	tasks   []types.Task
	logs    func(stream string) []string
	targets []elbtypes.TargetHealthDescription
	fail    map[string]error
	calls   map[string]int
}

func (c *cloud) call(name string) error {
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[name]++
	return c.fail[name]
}

func (c *cloud) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []types.Service{c.service}}, c.call("ecs:DescribeServices")
}

// ListTasks pages, so that a test with many tasks sees whether all pages are read.
func (c *cloud) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	if err := c.call("ecs:ListTasks"); err != nil {
		return nil, err
	}
	var arns []string
	for _, t := range c.tasks {
		if stopped := aws.ToString(t.LastStatus) == "STOPPED"; stopped == (in.DesiredStatus == types.DesiredStatusStopped) {
			arns = append(arns, aws.ToString(t.TaskArn))
		}
	}
	var from int
	_, _ = fmt.Sscan(aws.ToString(in.NextToken), &from)
	out := &ecs.ListTasksOutput{TaskArns: arns[from:min(from+100, len(arns))]}
	if from+100 < len(arns) {
		out.NextToken = aws.String(fmt.Sprint(from + 100))
	}
	return out, nil
}

func (c *cloud) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	if len(in.Tasks) > 100 {
		return nil, errors.New("more than 100 tasks")
	}
	out := &ecs.DescribeTasksOutput{}
	for _, t := range c.tasks {
		if slices.Contains(in.Tasks, aws.ToString(t.TaskArn)) {
			out.Tasks = append(out.Tasks, t)
		}
	}
	return out, c.call("ecs:DescribeTasks")
}

func (c *cloud) DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput,
	...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{Memory: aws.String("512"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("app"), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8000)}},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs,
				Options: map[string]string{"awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs",
					"awslogs-region": "eu-central-1"}}}}}}, c.call("ecs:DescribeTaskDefinition")
}

func (c *cloud) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput,
	options ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	var o cloudwatchlogs.Options
	for _, option := range options {
		option(&o)
	}
	if o.Region != "eu-central-1" {
		return nil, fmt.Errorf("asked in region %q, not where the driver writes", o.Region)
	}
	if err := c.call("logs:GetLogEvents"); err != nil {
		return nil, err
	}
	var lines []string
	if c.logs != nil {
		lines = c.logs(aws.ToString(in.LogStreamName))
	}
	if lines == nil {
		return nil, &logtypes.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}
	}
	out := &cloudwatchlogs.GetLogEventsOutput{NextBackwardToken: aws.String("b/1")}
	if in.NextToken == nil {
		return out, nil // the API may answer an empty page while more follow
	}
	for _, l := range lines {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: aws.String(l)})
	}
	return out, nil
}

func (c *cloud) DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput,
	...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: c.targets}, c.call("elasticloadbalancing:DescribeTargetHealth")
}

func (c *cloud) clients() Clients { return Clients{ECS: c, Logs: c, Health: health.Of(c)} }

// started begins a task of the deployment ecs-svc/NEW this long before now.
func started(id string, ago time.Duration) types.Task {
	return types.Task{TaskArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:task/prod/" + id),
		TaskDefinitionArn: aws.String(revision), StartedBy: aws.String("ecs-svc/NEW"),
		LastStatus: aws.String("RUNNING"), CreatedAt: aws.Time(time.Now().Add(-ago)), StartedAt: aws.Time(time.Now().Add(-ago + 10*time.Second)),
		Containers: []types.Container{{Name: aws.String("app"), LastStatus: aws.String("RUNNING"),
			NetworkInterfaces: []types.NetworkInterface{{PrivateIpv4Address: aws.String("10.0.0." + id)}}}}}
}

// crashed is a task that ended this long before now.
func crashed(id string, ago time.Duration) types.Task {
	t := started(id, ago+time.Minute)
	t.LastStatus, t.StopCode, t.StoppedReason = aws.String("STOPPED"), types.TaskStopCodeEssentialContainerExited,
		aws.String("Essential container in task exited")
	t.ExecutionStoppedAt, t.StoppedAt = aws.Time(time.Now().Add(-ago)), aws.Time(time.Now().Add(-ago))
	t.Containers[0].ExitCode = aws.Int32(1)
	return t
}

func query() Query {
	return Query{Cluster: "prod", Service: "api", Deployment: "ecs-svc/NEW", TaskDefinition: revision,
		Since: time.Now().Add(-30 * time.Minute)}
}

func denied(permission string) error {
	return &smithy.OperationError{ServiceID: "X", OperationName: "Y",
		Err: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 400}},
			Err: &smithy.GenericAPIError{Code: "AccessDeniedException",
				Message: "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: " + permission + " on resource: x because " +
					"no identity-based policy allows the " + permission + " action"}}}
}

func gather(t *testing.T, c *cloud, q Query) (e Evidence, warnings int) {
	t.Helper()
	recorder := record.NewRecorder("test", time.Now, func(e record.Event) {
		if e.Kind == record.KindWarning {
			warnings++
		}
	})
	q.Events = recorder.Sink()
	e, err := Gather(t.Context(), c.clients(), q)
	if err != nil {
		t.Fatal(err)
	}
	return e, warnings
}

func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := crashed("8", time.Hour)
		other := crashed("9", time.Minute)
		other.StartedBy = aws.String("ecs-svc/OLD")
		c := &cloud{
			tasks: []types.Task{crashed("2", 10*time.Minute), started("1", time.Minute), other, old},
			logs:  func(stream string) []string { return []string{"line of " + stream} },
			targets: []elbtypes.TargetHealthDescription{
				{Target: &elbtypes.TargetDescription{Id: aws.String("10.0.0.1"), Port: aws.Int32(8000)},
					TargetHealth: &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnhealthy,
						Reason: elbtypes.TargetHealthReasonEnumResponseCodeMismatch, Description: aws.String("Health checks failed with these codes: " +
							"[404]")}},
				{Target: &elbtypes.TargetDescription{Id: aws.String("10.0.0.99"), Port: aws.Int32(8000)},
					TargetHealth: &elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumHealthy}},
			},
			service: types.Service{
				LoadBalancers: []types.LoadBalancer{{TargetGroupArn: aws.String("arn:tg")}},
				Deployments: []types.Deployment{{Id: aws.String("ecs-svc/OLD"), RolloutStateReason: aws.String("old")},
					{Id: aws.String("ecs-svc/NEW"),
						RolloutStateReason: aws.String("ECS deployment circuit breaker: tasks failed to start.")}},
				Events: []types.ServiceEvent{{CreatedAt: aws.Time(time.Now().Add(-time.Hour)),
					Message: aws.String("too old")},
					{CreatedAt: aws.Time(time.Now().Add(-2 * time.Minute)),
						Message: aws.String("first")}, {CreatedAt: aws.Time(time.Now()), Message: aws.String("second")}},
			},
		}
		e, warnings := gather(t, c, query())
		var ids []string
		for _, task := range e.Tasks {
			ids = append(ids, task.ID())
		}
		if !slices.Equal(ids, []string{"1", "2"}) {
			t.Errorf("tasks %q: want those of the deployment, newest first", ids)
		}
		for _, task := range e.Tasks {
			if got, want := task.Containers[0].Logs, []string{"line of ecs/app/" + task.ID()}; !slices.Equal(got, want) {
				t.Errorf("log of %s: %q, want %q", task.ID(), got, want)
			}
			if c := task.Containers[0]; c.Memory != 512 || !slices.Equal(c.Ports, []int{8000}) {
				t.Errorf("settings of the definition: %+v", c)
			}
		}
		if len(e.Targets) != 1 || e.Targets[0].ID != "10.0.0.1" || len(e.Events) != 2 || e.Events[0].Text != "second" {
			t.Errorf("targets %+v, events %+v", e.Targets, e.Events)
		}
		if e.RolloutReason != "ECS deployment circuit breaker: tasks failed to start." || len(e.Missing) > 0 ||
			warnings > 0 {
			t.Errorf("reason %q, missing %q, %d warnings", e.RolloutReason, e.Missing, warnings)
		}
	})
}

func TestGatherWithoutPermissions(t *testing.T) {
	for _, permission := range []string{"ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks",
		"ecs:DescribeTaskDefinition", "logs:GetLogEvents",
		"elasticloadbalancing:DescribeTargetHealth"} {
		t.Run(permission, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{tasks: []types.Task{crashed("1", 5*time.Minute), crashed("2", 6*time.Minute)},
					fail:    map[string]error{permission: denied(permission)},
					service: types.Service{LoadBalancers: []types.LoadBalancer{{TargetGroupArn: aws.String("arn:tg")}}}}
				e, warnings := gather(t, c, query())
				if warnings != 1 || len(e.Missing) != 1 || !strings.Contains(e.Missing[0], permission) {
					t.Errorf("%d warnings, missing %q", warnings, e.Missing)
				}
				if cause := Classify(e); !strings.Contains(strings.Join(cause.Fix, "\n"), permission) {
					t.Errorf("the advice does not name the permission: %q", cause.Fix)
				}
			})
		})
	}
}

func TestGatherWaitsForTheLog(t *testing.T) {
	tests := []struct {
		name     string
		stopped  time.Duration // before now
		appears  time.Duration // after now; 0: never
		patience time.Duration
		waits    time.Duration // at most
		code     string
		explains bool
	}{
		{"it comes", time.Second, 5 * time.Second, 20 * time.Second, 6 * time.Second, "app-import-error", true},
		{"it does not come", time.Second, 0, 20 * time.Second, 5 * time.Second, "app-exit", false},
		{"little patience", time.Second, 5 * time.Second, 2 * time.Second, 3 * time.Second, "app-exit", false},
		{"no patience", time.Second, 5 * time.Second, 0, 0, "app-exit", false},
		{"it would have come by now", 5 * time.Minute, 0, 20 * time.Second, 0, "app-exit", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := &cloud{tasks: []types.Task{crashed("1", tt.stopped)}, logs: func(string) []string {
					if tt.appears > 0 && time.Since(began) >= tt.appears {
						return []string{"ModuleNotFoundError: No module named 'x'"}
					}
					return nil
				}}
				q := query()
				q.Patience = tt.patience
				e, _ := gather(t, c, q)
				if took := time.Since(began); took > tt.waits {
					t.Errorf("waited %s, want at most %s", took, tt.waits)
				}
				if cause := Classify(e); cause.Code != tt.code || cause.Certain != tt.explains {
					t.Errorf("cause %+v", cause)
				}
			})
		})
	}
}

func TestGatherReadsAllTasksAndFewLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{logs: func(string) []string { return []string{"SyntaxError: invalid syntax"} }}
		for i := range 250 {
			c.tasks = append(c.tasks, crashed(fmt.Sprint(i), time.Duration(i/10)*65*time.Second))
		}
		e, _ := gather(t, c, query())
		if len(e.Tasks) != 250 || c.calls["logs:GetLogEvents"] > 2*(logTasks+logEarly) || len(e.Unread) != 250-logTasks-logEarly {
			t.Errorf("%d tasks, %d unread, calls %v", len(e.Tasks), len(e.Unread), c.calls)
		}
		if row := Streak(e); row.Alike != logTasks+logEarly || row.Waves != 2 || row.Finding.Code != "app-syntax-error" {
			t.Errorf("%d in %d waves of %s", row.Alike, row.Waves, row.Finding.Code)
		}
	})
}

func TestGatherOneOffTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{tasks: []types.Task{crashed("1", time.Minute)},
			logs: func(string) []string { return []string{"SyntaxError: invalid syntax"} }}
		e, _ := gather(t, c, Query{Cluster: "prod", TaskDefinition: revision,
			Tasks: []string{aws.ToString(c.tasks[0].TaskArn)}})
		if cause := Classify(e); cause.Code != "app-syntax-error" ||
			c.calls["ecs:DescribeServices"]+c.calls["ecs:ListTasks"] > 0 {
			t.Errorf("cause %+v, calls %v", cause, c.calls)
		}
	})
}

func TestGatherEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{tasks: []types.Task{crashed("1", time.Second)}}
		q := query()
		q.Patience = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		e, err := Gather(ctx, c.clients(), q)
		if !errors.Is(err, context.DeadlineExceeded) || len(e.Tasks) != 1 || time.Since(began) > 4*time.Second {
			t.Errorf("%v after %s with %d tasks", err, time.Since(began), len(e.Tasks))
		}
	})
}
