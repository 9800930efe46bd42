package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/arn"
)

// world is a service that follows a script: at a time after the update, a scene changes what the API answers.
type world struct {
	mu      sync.Mutex
	service types.Service
	own     []types.ServiceDeployment
	tasks   []types.Task
	script  []scene
	begun   time.Time // when UpdateService was called for the first time

	onUpdate func(w *world, taskDefinition string) // what UpdateService does; nil: begin the new deployment
	onStop   func(w *world) error                  // what StopServiceDeployment does; nil refuses
	fail     func(action string, call int) error   // faults, by action and number of the call

	calls map[string]int
	log   []string // the calls that change something
}

// scene is what happens how long after the update.
type scene struct {
	after time.Duration
	do    func(*world)
}

func newWorld(script ...scene) *world {
	w := &world{calls: map[string]int{}, script: slices.Clone(script)}
	now := time.Now()
	w.service = types.Service{
		ServiceName: aws.String("api"), Status: aws.String("ACTIVE"), TaskDefinition: aws.String(oldTD), DesiredCount: 2, RunningCount: 2,
		Deployments: []types.Deployment{{
			Id: aws.String(oldID), Status: aws.String("PRIMARY"), TaskDefinition: aws.String(oldTD), DesiredCount: 2, RunningCount: 2,
			RolloutState: "COMPLETED", CreatedAt: aws.Time(now.Add(-time.Hour)), UpdatedAt: aws.Time(now.Add(-time.Hour)),
		}},
		Events: []types.ServiceEvent{{Id: aws.String("e0"), CreatedAt: aws.Time(now.Add(-time.Minute)),
			Message: aws.String("(service api) has reached a steady state.")}},
	}
	return w
}

// endless is more often than any script here lets one action be called.
const endless = 10_000

// enter brings the script up to date, counts the call and returns its fault.
func (w *world) enter(action string) error {
	for len(w.script) > 0 && !w.begun.IsZero() && time.Since(w.begun) >= w.script[0].after {
		w.script[0].do(w)
		w.script = w.script[1:]
	}
	w.calls[action]++
	if w.calls[action] > endless {
		panic(action + " is called without end")
	}
	if w.fail != nil {
		return w.fail(action, w.calls[action])
	}
	return nil
}

func (w *world) event(text string) {
	id := fmt.Sprintf("e%d", len(w.service.Events))
	e := types.ServiceEvent{Id: &id, CreatedAt: aws.Time(time.Now()), Message: aws.String("(service api) " + text)}
	w.service.Events = append([]types.ServiceEvent{e}, w.service.Events...)
}

// begin makes UpdateService's deployment.
func (w *world) begin(taskDefinition, id string) {
	now := time.Now()
	w.service.TaskDefinition = aws.String(taskDefinition)
	for i := range w.service.Deployments {
		w.service.Deployments[i].Status = aws.String("ACTIVE")
	}
	w.service.Deployments = append([]types.Deployment{{
		Id: aws.String(id), Status: aws.String("PRIMARY"), TaskDefinition: aws.String(taskDefinition), DesiredCount: 2,
		RolloutState: "IN_PROGRESS", CreatedAt: aws.Time(now), UpdatedAt: aws.Time(now),
	}}, w.service.Deployments...)
	w.own = append(w.own, types.ServiceDeployment{
		ServiceDeploymentArn: aws.String("arn:sd/" + id), Status: "IN_PROGRESS", CreatedAt: aws.Time(now.Add(time.Millisecond)),
		TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String("arn:sr/" + taskDefinition)},
	})
}

func (w *world) find(id string) *types.Deployment {
	for i := range w.service.Deployments {
		if *w.service.Deployments[i].Id == id {
			return &w.service.Deployments[i]
		}
	}
	return &types.Deployment{}
}

func (w *world) drop(id string) {
	var left []types.Deployment
	for _, d := range w.service.Deployments {
		if *d.Id != id {
			left = append(left, d)
		}
	}
	w.service.Deployments = left
}

// status sets the state of the newest service deployment but skip.
func (w *world) status(skip int, status types.ServiceDeploymentStatus, reason string) {
	d := &w.own[len(w.own)-1-skip]
	d.Status, d.StatusReason = status, aws.String(reason)
}

// rollBack puts the old deployment back the way the circuit breaker does.
func (w *world) rollBack(reason string) {
	w.service.TaskDefinition = aws.String(oldTD)
	old, failed := *w.find(oldID), *w.find(newID)
	old.Id, old.TaskDefinition, old.Status, old.RolloutState = aws.String(oldID), aws.String(oldTD), aws.String("PRIMARY"), "IN_PROGRESS"
	old.RolloutStateReason = aws.String(rollingBackText)
	old.CreatedAt, old.UpdatedAt = aws.Time(time.Now()), aws.Time(time.Now())
	failed.Status, failed.RolloutState, failed.RolloutStateReason = aws.String("ACTIVE"), "FAILED", aws.String(failedText)
	w.service.Deployments = []types.Deployment{old, failed}
	w.status(0, "ROLLBACK_IN_PROGRESS", reason)
}

func (w *world) rolledBack(reason string) {
	w.drop(newID)
	w.find(oldID).RolloutState = "COMPLETED"
	w.status(0, "ROLLBACK_SUCCESSFUL", reason)
}

func (w *world) crash(id string) {
	w.tasks = append(w.tasks, types.Task{
		TaskArn: aws.String("arn:task/" + id), StartedBy: aws.String(newID), StopCode: types.TaskStopCodeEssentialContainerExited,
		StoppedReason: aws.String("Essential container in task exited"), LastStatus: aws.String("STOPPED"), StoppedAt: aws.Time(time.Now()),
		Containers: []types.Container{{Name: aws.String("api"), ExitCode: aws.Int32(1)}},
	})
}

// complete ends the new deployment well.
func (w *world) complete() {
	w.drop(oldID)
	w.find(newID).RolloutState, w.find(newID).RunningCount = "COMPLETED", 2
	w.event("(deployment " + newID + ") deployment completed.")
	w.status(0, "SUCCESSFUL", "")
}

func (w *world) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("DescribeServices"); err != nil {
		return nil, err
	}
	answer := w.service
	answer.Deployments = append([]types.Deployment(nil), w.service.Deployments...)
	return &ecs.DescribeServicesOutput{Services: []types.Service{answer}}, nil
}

func (w *world) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("UpdateService"); err != nil {
		return nil, err
	}
	w.log = append(w.log, fmt.Sprintf("update %s force=%v desired=%v", arn.Revision(*in.TaskDefinition), in.ForceNewDeployment,
		in.DesiredCount))
	switch {
	case w.onUpdate != nil && !w.begun.IsZero():
		w.onUpdate(w, *in.TaskDefinition)
	default:
		w.begin(*in.TaskDefinition, newID)
	}
	if w.begun.IsZero() {
		w.begun = time.Now()
	}
	answer := w.service
	answer.Deployments = append([]types.Deployment(nil), w.service.Deployments...)
	return &ecs.UpdateServiceOutput{Service: &answer}, nil
}

func (w *world) ListServiceDeployments(_ context.Context, in *ecs.ListServiceDeploymentsInput,
	_ ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("ListServiceDeployments"); err != nil {
		return nil, err
	}
	out := &ecs.ListServiceDeploymentsOutput{}
	for i := len(w.own) - 1; i >= 0; i-- {
		d := w.own[i]
		visible := time.Since(*d.CreatedAt) > 1500*time.Millisecond // a new one appears a moment later
		if visible && d.CreatedAt.After(*in.CreatedAt.After) {
			out.ServiceDeployments = append(out.ServiceDeployments, types.ServiceDeploymentBrief{
				ServiceDeploymentArn: d.ServiceDeploymentArn, CreatedAt: d.CreatedAt,
				TargetServiceRevisionArn: d.TargetServiceRevision.Arn, Status: d.Status,
			})
		}
	}
	return out, nil
}

func (w *world) DescribeServiceDeployments(_ context.Context, in *ecs.DescribeServiceDeploymentsInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("DescribeServiceDeployments"); err != nil {
		return nil, err
	}
	out := &ecs.DescribeServiceDeploymentsOutput{}
	for _, d := range w.own {
		if *d.ServiceDeploymentArn == in.ServiceDeploymentArns[0] {
			out.ServiceDeployments = append(out.ServiceDeployments, d)
		}
	}
	return out, nil
}

func (w *world) DescribeServiceRevisions(_ context.Context, in *ecs.DescribeServiceRevisionsInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error) {
	out := &ecs.DescribeServiceRevisionsOutput{}
	for _, arn := range in.ServiceRevisionArns {
		out.ServiceRevisions = append(out.ServiceRevisions, types.ServiceRevision{
			ServiceRevisionArn: aws.String(arn), TaskDefinition: aws.String(arn[len("arn:sr/"):]),
		})
	}
	return out, nil
}

func (w *world) StopServiceDeployment(_ context.Context, in *ecs.StopServiceDeploymentInput,
	_ ...func(*ecs.Options)) (*ecs.StopServiceDeploymentOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("StopServiceDeployment"); err != nil {
		return nil, err
	}
	w.log = append(w.log, fmt.Sprintf("stop %s %s", *in.ServiceDeploymentArn, in.StopType))
	if w.onStop == nil {
		return nil, errors.New("stopping is not part of this script")
	}
	return &ecs.StopServiceDeploymentOutput{ServiceDeploymentArn: in.ServiceDeploymentArn}, w.onStop(w)
}

func (w *world) ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enter("ListTasks"); err != nil {
		return nil, err
	}
	out := &ecs.ListTasksOutput{}
	for _, task := range w.tasks {
		out.TaskArns = append(out.TaskArns, *task.TaskArn)
	}
	return out, nil
}

func (w *world) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &ecs.DescribeTasksOutput{}
	for _, task := range w.tasks {
		for _, arn := range in.Tasks {
			if *task.TaskArn == arn {
				out.Tasks = append(out.Tasks, task)
			}
		}
	}
	return out, nil
}

// drains takes the old tasks out of their target groups.
func (w *world) drains() {
	w.find(oldID).RunningCount = 0
	w.tasks = append(w.tasks, types.Task{TaskArn: aws.String("arn:task/old"), StartedBy: aws.String(oldID),
		StopCode: "ServiceSchedulerInitiated", LastStatus: aws.String("DEACTIVATING"), DesiredStatus: aws.String("STOPPED")})
}

func denied(what string) error {
	return &smithy.OperationError{ServiceID: "ECS", OperationName: what, Err: &smithy.GenericAPIError{
		Code: "AccessDeniedException",
		Message: "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: ecs:" + what +
			" on resource: * because no identity-based policy allows the ecs:" + what + " action",
	}}
}

func throttled() error {
	return &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
}
