package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

// FailedTask is a task of the deployment that failed. One that was stopped because it was not needed any more is none.
type FailedTask struct {
	ARN       string
	StopCode  string
	Reason    string    // stoppedReason
	Exit      string    // such as "api exited with 1"; empty where no container ran
	StoppedAt time.Time // by the clock of ECS; zero while it is still stopping
	Seen      time.Time // when it was found, by our clock
}

// ID returns the last part of the ARN.
func (t FailedTask) ID() string { return arn.Last(t.ARN) }

// String tells the failure in one line.
func (t FailedTask) String() string {
	why := t.Reason
	if t.Exit != "" {
		why = t.Exit
		if t.Reason != "" && t.StopCode != string(types.TaskStopCodeEssentialContainerExited) {
			why = t.Reason + " (" + t.Exit + ")"
		}
	}
	return fmt.Sprintf("task %s failed: %s", t.ID(), why)
}

// watcher finds the failed tasks of one deployment.
type watcher struct {
	client Client
	seen   map[string]bool // ARNs that were looked at and will not change their verdict
}

// look returns the deployment's tasks that failed since the last look, oldest first. Stopped tasks stay listed for an hour.
func (w *watcher) look(ctx context.Context, t Target) ([]FailedTask, error) {
	out, err := w.client.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster:       aws.String(t.Cluster),
		ServiceName:   aws.String(arn.Last(t.Service)),
		DesiredStatus: types.DesiredStatusStopped,
		MaxResults:    aws.Int32(100),
	})
	if err != nil {
		return nil, fmt.Errorf("listing the stopped tasks of %s: %w", t.Service, err)
	}
	var fresh []string
	for _, arn := range out.TaskArns {
		if !w.seen[arn] {
			fresh = append(fresh, arn)
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	described, err := w.client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(t.Cluster), Tasks: fresh})
	if err != nil {
		return nil, fmt.Errorf("describing the stopped tasks of %s: %w", t.Service, err)
	}
	var failed []FailedTask
	for _, task := range described.Tasks {
		if aws.ToString(task.StartedBy) == t.ID && task.StopCode == "" {
			continue // it is on its way out; why is not written yet
		}
		w.seen[aws.ToString(task.TaskArn)] = true
		if aws.ToString(task.StartedBy) == t.ID && failure(task) {
			failed = append(failed, failedTask(task))
		}
	}
	slices.SortFunc(failed, func(a, b FailedTask) int { return a.StoppedAt.Compare(b.StoppedAt) })
	return failed, nil
}

func failure(task types.Task) bool {
	return StoppedByFailure(task.StopCode, aws.ToString(task.StoppedReason))
}

// StoppedByFailure reports whether a task with this stop code and stoppedReason ended by its own fault or that of its
// environment, not because it was not wanted.
func StoppedByFailure(code types.TaskStopCode, reason string) bool {
	switch code {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	case types.TaskStopCodeServiceSchedulerInitiated:
		return strings.Contains(reason, "health checks")
	default:
		return false
	}
}

func failedTask(task types.Task) FailedTask {
	failed := FailedTask{
		ARN:       aws.ToString(task.TaskArn),
		StopCode:  string(task.StopCode),
		Reason:    aws.ToString(task.StoppedReason),
		StoppedAt: aws.ToTime(task.StoppedAt),
		Seen:      time.Now(),
	}
	var exits []string
	for _, c := range task.Containers {
		if c.ExitCode != nil {
			exit := fmt.Sprintf("%s exited with %d", aws.ToString(c.Name), *c.ExitCode)
			if reason := aws.ToString(c.Reason); reason != "" {
				exit += " (" + reason + ")"
			}
			exits = append(exits, exit)
		}
	}
	failed.Exit = strings.Join(exits, ", ")
	return failed
}
