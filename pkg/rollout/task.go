package rollout

import (
	"context"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// FailedTask is a task of the deployment that failed. One that was stopped because it was not needed any more is none.
type FailedTask struct {
	ecsview.Task
	Seen time.Time // when it was found, by our clock
}

// String tells the failure in one line.
func (t FailedTask) String() string { return t.Failure() }

// look returns the deployment's tasks that failed since the last look, oldest first.
func look(ctx context.Context, reader *ecsview.TaskReader, t Target) ([]FailedTask, error) {
	stopped, err := reader.Stopped(ctx)
	if err != nil {
		return nil, err
	}
	var failed []FailedTask
	for _, task := range stopped {
		if task.StartedBy == t.ID && task.Failed() {
			failed = append(failed, FailedTask{task, time.Now()})
		}
	}
	slices.SortFunc(failed, func(a, b FailedTask) int { return a.StoppedAt.Compare(b.StoppedAt) })
	return failed, nil
}
