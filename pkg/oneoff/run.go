package oneoff

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/record"
)

// Result is what is known of a task when Run returns, also when it returns an error.
type Result struct {
	TaskARN  string // empty if none was started
	ExitCode *int   // of the named container; nil if it never ran
	StopCode string
	Reason   string        // why the task stopped, in ECS's words
	Duration time.Duration // from the call that started it
	Cause    record.Finding
	// Unread says why the log is missing or incomplete; empty if it was read to its end.
	Unread string
}

// Sink is told what happens, one call at a time. A nil function is not called.
type Sink struct {
	Status func(status string)                               // the task's lastStatus, each time it changes
	Note   func(text string)                                 // something that is waited for or tried again
	Line   func(container string, at time.Time, line string) // one log line, redacted, in the order of its container
}

// BusyError says that another task of the family is running.
type BusyError struct{ TaskARN string }

// Error names the task.
func (e *BusyError) Error() string { return "another task of this family is running: " + e.TaskARN }

const (
	startPatience   = 3 * time.Minute  // how long a start is tried again while there is no capacity
	missingPatience = time.Minute      // how long DescribeTasks may not know a task that RunTask has named
	lostPatience    = 2 * time.Minute  // how long the API may be out of reach before the task is given up
	stopPatience    = 2 * time.Minute  // how long a task may take to end after StopTask: stopTimeout is at most 120 s
	answerPatience  = 3 * time.Second  // how long the answer of RunTask is waited for when the job is cancelled meanwhile
	cancelPatience  = 4 * time.Second  // what is then left for StopTask: the runner sends SIGTERM after 7.5 s
	longRun         = 10 * time.Minute // from then on nobody notices some seconds
)

// Run starts the task and follows it to its end. The error is nil whenever the container ended with an exit code, whatever
// that is. Otherwise it is an action.Error: Failed if the task did not start or its container did not run; TimedOut and
// Cancelled after the task was stopped; Invalid with a BusyError in the chain if Exclusive forbids it; Unknown, naming the
// task, if contact was lost while it may still be running.
func Run(ctx context.Context, log *action.Log, clients Clients, spec Spec, sink Sink) (Result, error) {
	r := &run{log: log, clients: clients, spec: spec, sink: sink, began: time.Now()}
	err := r.run(ctx)
	r.result.Duration = time.Since(r.began)
	return r.result, err
}

type run struct {
	log     *action.Log
	clients Clients
	spec    Spec
	sink    Sink
	began   time.Time
	result  Result

	mu     sync.Mutex // serialises the sink
	status string
	last   types.Task // as it was described last
	exited time.Time  // when its containers had ended, by this machine's clock
}

func (r *run) run(ctx context.Context) error {
	if r.spec.Exclusive {
		if err := r.refuseIfBusy(ctx); err != nil {
			return err
		}
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	definition := r.definition(ctx)
	logs := r.follow(definition)
	defer logs.abandon()

	limited, cancel := context.WithTimeoutCause(ctx, r.spec.Speed.Wall(r.spec.Timeout)-time.Since(r.began), errTimeout)
	defer cancel()
	err := r.wait(limited)
	if limited.Err() != nil && err != nil && !errors.Is(err, errLost) && !errors.Is(err, errBusy) {
		err = r.stop(ctx)
	}
	switch {
	case errors.Is(err, errLost), errors.Is(err, errBusy), action.OutcomeOf(err) == action.Cancelled:
		return err
	case r.ended():
		logs.drain(ctx)
	}
	r.result.Unread = logs.unread()
	return r.conclude(definition, logs, err)
}

var (
	errTimeout = errors.New("the task's time is over")
	errLost    = errors.New("contact with ECS was lost")
	errBusy    = errors.New("another task was there first")
)

// wait describes the task until it has ended.
func (r *run) wait(ctx context.Context) error {
	seen := time.Now() // when the API was last heard to know the task
	known := false
	for {
		if err := pause(ctx, r.spec.Speed.Wall(r.interval())); err != nil {
			return err
		}
		out, err := r.clients.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(r.spec.Cluster),
			Tasks: []string{r.result.TaskARN}})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !(awserr.IsLost(err) || awserr.IsThrottled(err)):
			return r.lost(err)
		case err != nil && time.Since(seen) > lostPatience:
			return r.lost(err)
		case err != nil:
			r.note("ECS cannot be reached, trying again: " + firstLine(err))
			continue
		case len(out.Tasks) == 0 && !known && time.Since(seen) < missingPatience:
			continue // RunTask and DescribeTasks agree only after a moment
		case len(out.Tasks) == 0:
			return r.lost(fmt.Errorf("ECS no longer knows the task (%s)", missingReason(out.Failures)))
		}
		seen, known = time.Now(), true
		if err := r.saw(ctx, out.Tasks[0]); err != nil {
			return err
		}
		if r.ended() {
			return nil
		}
	}
}

// saw takes note of the task as it is now.
func (r *run) saw(ctx context.Context, t types.Task) error {
	r.last = t
	if t.ExecutionStoppedAt != nil && r.exited.IsZero() {
		r.exited = time.Now()
		if t.StoppedAt != nil { // seen late: ECS's own clock says how late
			r.exited = r.exited.Add(-t.StoppedAt.Sub(*t.ExecutionStoppedAt))
		}
	}
	r.result.StopCode, r.result.Reason = string(t.StopCode), aws.ToString(t.StoppedReason)
	for _, c := range t.Containers {
		if aws.ToString(c.Name) == r.spec.Container && c.ExitCode != nil {
			r.result.ExitCode = aws.Int(int(*c.ExitCode))
		}
	}
	status := aws.ToString(t.LastStatus)
	if status == r.status {
		return nil
	}
	r.status = status
	if r.sink.Status != nil {
		r.mu.Lock()
		r.sink.Status(status)
		r.mu.Unlock()
	}
	if r.spec.Exclusive && (status == "PROVISIONING" || status == "PENDING" || status == "ACTIVATING") {
		return r.yieldIfLater(ctx)
	}
	return nil
}

// ended reports whether nothing of the task can change any more that matters: it is STOPPED, or all its containers have
// ended and only its network interface is still being taken away.
func (r *run) ended() bool {
	if aws.ToString(r.last.LastStatus) == "STOPPED" {
		return true
	}
	for _, c := range r.last.Containers {
		if aws.ToString(c.LastStatus) != "STOPPED" || c.ExitCode == nil {
			return false
		}
	}
	return len(r.last.Containers) > 0 && r.last.ExecutionStoppedAt != nil && r.last.StopCode != ""
}

// lookAgain describes a task that has ended once more, for what only its last state tells. It does without an answer.
func (r *run) lookAgain(ctx context.Context) {
	if aws.ToString(r.last.LastStatus) == "STOPPED" {
		return
	}
	out, err := r.clients.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(r.spec.Cluster),
		Tasks: []string{r.result.TaskARN}})
	if err == nil && len(out.Tasks) == 1 {
		_ = r.saw(ctx, out.Tasks[0]) // its error is only that of a task that has not run yet
	}
}

// interval is how long to wait before the task is described again. A second is short against the half minute that Fargate
// takes to start one, and long against what the API allows (20 calls a second for the account).
func (r *run) interval() time.Duration {
	switch age := time.Since(r.began); {
	case r.status == "" || age < time.Minute:
		return time.Second
	case age < longRun:
		return 2 * time.Second
	default:
		return 5 * time.Second
	}
}

// stop ends the task because its time is over or the run was cancelled, and returns the error that says so.
func (r *run) stop(ctx context.Context) error {
	if ctx.Err() != nil { // cancelled from outside: every second counts
		cleanup, done := context.WithTimeout(context.WithoutCancel(ctx), cancelPatience)
		defer done()
		if err := r.stopTask(cleanup, "the run was cancelled"); err != nil {
			return r.leftRunning(err)
		}
		r.result.Unread = "the run was cancelled"
		return &action.Error{Outcome: action.OutcomeOf(ctx.Err()), Title: "The run was cancelled, the task was stopped",
			Err: fmt.Errorf("task %s was stopped because the run was cancelled: %w", r.result.TaskARN, ctx.Err())}
	}
	why := fmt.Sprintf("timeout of %s", r.spec.Timeout)
	if err := r.stopTask(ctx, why); err != nil {
		return r.leftRunning(err)
	}
	timedOut := &action.Error{Outcome: action.TimedOut,
		Title:  fmt.Sprintf("The task did not end within %s and was stopped", r.spec.Timeout),
		Advice: "Raise the input timeout if the command needs longer; its last log lines show how far it came.",
		Err:    fmt.Errorf("task %s was stopped: it ran longer than the timeout of %s", r.result.TaskARN, r.spec.Timeout)}
	// Its log is complete, and its exit code known, only when it has ended.
	grace, done := context.WithTimeout(ctx, stopPatience)
	defer done()
	if err := r.wait(grace); err != nil && ctx.Err() != nil {
		return &action.Error{Outcome: action.Cancelled, Title: timedOut.Title, Err: timedOut.Err}
	}
	return timedOut
}

func (r *run) stopTask(ctx context.Context, why string) error {
	_, err := r.clients.ECS.StopTask(ctx, &ecs.StopTaskInput{Cluster: aws.String(r.spec.Cluster),
		Task:   aws.String(r.result.TaskARN),
		Reason: aws.String("connect2: " + why)})
	return err
}

// lost says that the task may be running without anybody watching.
func (r *run) lost(err error) error {
	return &action.Error{Outcome: action.Unknown, Title: "Contact with the task was lost: it may still be running",
		Advice: r.lookAdvice(),
		Err:    fmt.Errorf("%w: task %s: %w", errLost, r.result.TaskARN, awserr.Explain(err))}
}

// leftRunning says that the task could not be stopped.
func (r *run) leftRunning(err error) error {
	return &action.Error{Outcome: action.Unknown, Title: "The task could not be stopped: it may still be running",
		Advice: r.lookAdvice(),
		Err:    fmt.Errorf("%w: stopping task %s: %w", errLost, r.result.TaskARN, awserr.Explain(err))}
}

func (r *run) lookAdvice() string {
	return fmt.Sprintf("Look before running it again: `aws ecs describe-tasks --cluster %s --tasks %s`; stop it: `aws ecs stop-task --cluster %[1]s --task %[2]s`.",
		r.spec.Cluster, r.result.TaskARN)
}

// definition reads where the containers' logs go; without that permission the logs are left out.
func (r *run) definition(ctx context.Context) *types.TaskDefinition {
	out, err := r.clients.ECS.DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(r.spec.TaskDefinition)})
	if err != nil {
		if !awserr.Optional(r.log.Sink(), "The task's logs", err) && ctx.Err() == nil {
			r.note("the task's logs are not shown: " + firstLine(err))
		}
		return nil
	}
	return out.TaskDefinition
}

// conclude names the cause of a failure, and decides the error where wait has not.
func (r *run) conclude(definition *types.TaskDefinition, logs *follower, err error) error {
	code := r.result.ExitCode
	if err == nil && code != nil && *code == 0 {
		return nil
	}
	task := diagnose.TaskOf(r.last, definition)
	for i := range task.Containers {
		task.Containers[i].Logs = logs.tail(task.Containers[i].Name)
	}
	evidence := diagnose.Evidence{Cluster: r.spec.Cluster, TaskDefinition: r.spec.TaskDefinition,
		Tasks: []diagnose.Task{task}, At: time.Now()}
	if r.result.Unread != "" {
		evidence.Missing = []string{"the task's log: " + r.result.Unread}
	}
	r.result.Cause = diagnose.Classify(evidence)
	if action.OutcomeOf(err) == action.TimedOut {
		r.result.Cause = timedOutCause(r.spec, task)
	}
	if err != nil || code != nil {
		return err
	}
	c := r.result.Cause
	return &action.Error{Outcome: action.Failed, Title: c.Title, Advice: firstOf(c.Fix),
		Err: fmt.Errorf("container %s of task %s never ran: %s: %s", r.spec.Container, r.result.TaskARN,
			r.result.StopCode, diagnose.Redact(r.result.Reason))}
}

// timedOutCause says what the container wrote before its time was over; that it was then stopped is no cause.
func timedOutCause(spec Spec, t diagnose.Task) record.Finding {
	c := record.Finding{Code: "timed-out", Title: fmt.Sprintf("%s did not end within %s", spec.Container, spec.Timeout),
		Fault: record.FaultUnclear,
		Task:  t.ARN, Container: spec.Container, Fix: []string{"raise the input `timeout` if the command needs longer",
			"a migration that hangs waits for a lock more often than not: see `pg_stat_activity` and `pg_locks`"}}
	for _, container := range t.Containers {
		if container.Name == spec.Container {
			for _, line := range container.Logs[max(0, len(container.Logs)-15):] {
				c.Evidence = append(c.Evidence, container.Name+" | "+line)
			}
		}
	}
	return c
}

func (r *run) note(text string) {
	if r.sink.Note != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sink.Note(text)
	}
}

// pause waits for d, or until the context ends: then it returns the context's cause.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
