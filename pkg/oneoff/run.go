package oneoff

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// End says how a task ended, as far as it is known.
type End string

// The ends. Only after Lost may a task be running, or have been started, that nobody watches.
const (
	Exited     End = "exited"      // the container ended by itself, with the exit code of the result
	Stopped    End = "stopped"     // somebody or something stopped the task before its container had come to its own end
	Refused    End = "refused"     // ECS answered that it starts no task: no capacity, a quota
	NotStarted End = "not-started" // a call before the start failed, or the one that starts it: the error says why
	NeverRan   End = "never-ran"   // the task was started, and its container never ran
	TimedOut   End = "timed-out"   // the time was over, and the task was stopped
	Cancelled  End = "cancelled"   // the context ended; the task was stopped, or none was started
	Busy       End = "busy"        // another task of the family is running, and Exclusive forbids a second: a BusyError
	Lost       End = "lost"        // ECS is out of reach, or refuses to stop the task
)

// Result is what is known of a task when Run returns, also when it returns an error.
type Result struct {
	End      End
	TaskARN  string // empty if none was started
	ExitCode *int   // of the named container; nil if it never ran
	StopCode string
	Reason   string         // why the task stopped, in ECS's words
	Duration time.Duration  // from the call that started it, by the clock of the options
	Cause    record.Finding // of a failure; zero where there is none
	// Unread says why the log is missing or incomplete; empty if it was read to its end.
	Unread string
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

// Run starts the task and follows it to its end. The error is nil whenever the container ended by itself with an exit code,
// whatever that is. Otherwise it is a *record.Failure, and Result.End says of which kind. With the context the task is stopped.
func Run(ctx context.Context, clients Clients, spec Spec, options Options) (Result, error) {
	r := &run{clients: clients, spec: spec, events: options.Events, clock: clock.Or(options.Clock), gone: map[string]bool{}}
	r.began = r.clock.Now()
	err := r.run(ctx)
	if endOf(err) != Lost {
		r.over()
	}
	r.result.End, r.result.Duration = Exited, clock.Since(r.clock, r.began)
	var failed *failure
	if errors.As(err, &failed) {
		r.result.End, err = failed.end, &failed.Failure
	}
	return r.result, err
}

// failure is an error that knows the end that it stands for.
type failure struct {
	record.Failure
	end End
}

type run struct {
	clients Clients
	spec    Spec
	clock   clock.Clock
	began   time.Time
	result  Result

	mu     sync.Mutex // serialises the events
	events record.Sink

	status string
	since  time.Time       // when this status was seen first
	last   types.Task      // as it was described last
	gone   map[string]bool // other tasks of the family, by ARN, that have ended
	looked bool            // whether other tasks of the family were asked for since the start, and answered for

	essential map[string]bool // which containers end the task when they end; nil where it is not known
	outrun    string          // the container that ended the task while the named one still ran
	exited    time.Time       // when its containers had ended, by the clock
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
	r.essential = essentials(definition)
	logs := r.follow(definition)
	defer logs.abandon()

	limited, cancel := clock.WithTimeoutCause(ctx, r.clock, r.spec.Timeout-clock.Since(r.clock, r.began), errTimeout)
	defer cancel()
	err := r.wait(limited)
	if limited.Err() != nil && err != nil && endOf(err) == "" {
		err = r.stop(ctx)
	}
	if endOf(err) == TimedOut && r.result.ExitCode != nil && ownEnd(r.last, r.outrun != "") {
		err = nil // it had ended by itself when it was to be stopped
	}
	switch end := endOf(err); {
	case end == Lost, end == Busy, end == Cancelled:
		return err
	case r.ended():
		logs.drain(ctx)
	}
	r.result.Unread = logs.unread()
	return r.conclude(definition, logs, err)
}

var errTimeout = errors.New("the task's time is over")

// endOf returns the end that an error stands for, or "" where it stands for none.
func endOf(err error) End {
	var failed *failure
	if errors.As(err, &failed) {
		return failed.end
	}
	return ""
}

// wait describes the task until it has ended.
func (r *run) wait(ctx context.Context) error {
	seen := r.clock.Now() // when the API was last heard to know the task
	known := false
	for {
		if err := r.clock.Sleep(ctx, r.interval()); err != nil {
			return err
		}
		out, err := r.clients.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(r.spec.Cluster),
			Tasks: []string{r.result.TaskARN}})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !(awserr.IsLost(err) || awserr.IsThrottled(err)):
			return r.lost(err)
		case err != nil && clock.Since(r.clock, seen) > lostPatience:
			return r.lost(err)
		case err != nil:
			r.tell(record.Event{Kind: record.KindNote, Text: "ECS cannot be reached, trying again: " + firstLine(err)})
			continue
		case len(out.Tasks) == 0 && !known && clock.Since(r.clock, seen) < missingPatience:
			continue // RunTask and DescribeTasks agree only after a moment
		case len(out.Tasks) == 0:
			return r.lost(fmt.Errorf("ECS no longer knows the task (%s)", missingReason(out.Failures)))
		}
		seen, known = r.clock.Now(), true
		r.saw(out.Tasks[0])
		if r.ended() {
			return nil
		}
		if r.mayGiveWay() {
			if err := r.giveWay(ctx); err != nil {
				return err
			}
		}
	}
}

// saw takes note of the task as it is now.
func (r *run) saw(t types.Task) {
	r.last = t
	if r.outrun == "" {
		r.outrun = outruns(t, r.spec.Container, r.essential)
	}
	if t.ExecutionStoppedAt != nil && r.exited.IsZero() {
		r.exited = r.clock.Now()
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
	if status := aws.ToString(t.LastStatus); status != r.status {
		r.changed(status)
	}
}

// changed tells the task's new status, and what the old one took.
func (r *run) changed(status string) {
	r.over()
	r.status, r.since = status, r.clock.Now()
	r.tell(record.Event{Kind: record.KindNote, Text: "task " + strings.ToLower(status)})
}

// over tells that the task is no more in the status that it was in.
func (r *run) over() {
	if r.status == "" || r.status == "STOPPED" {
		return
	}
	r.tell(record.Event{Kind: record.KindStepEnded, Step: &record.Step{Lane: "Task " + arn.Last(r.result.TaskARN),
		Name: strings.ToLower(r.status), Begun: r.since, Ended: r.clock.Now(), State: record.Done}})
}

// tell emits one event at a time: the readers of the log tell as well.
func (r *run) tell(e record.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events.Emit(e)
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
		r.saw(out.Tasks[0])
	}
}

// interval is how long to wait before the task is described again. A second is short against the half minute that Fargate
// takes to start one, and long against what the API allows (20 calls a second for the account).
func (r *run) interval() time.Duration {
	switch age := clock.Since(r.clock, r.began); {
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
		cleanup, done := outlive.Cleanup(ctx, cancelPatience)
		defer done()
		if err := r.stopTask(cleanup, "the run was cancelled"); err != nil {
			return r.leftRunning(err)
		}
		r.result.Unread = "the run was cancelled"
		return &failure{end: Cancelled, Failure: record.Failure{Title: "The run was cancelled, the task was stopped",
			Err: fmt.Errorf("task %s was stopped because the run was cancelled: %w", r.result.TaskARN, ctx.Err())}}
	}
	why := fmt.Sprintf("timeout of %s", r.spec.Timeout)
	if err := r.stopTask(ctx, why); err != nil {
		return r.leftRunning(err)
	}
	stopped := &failure{end: TimedOut, Failure: record.Failure{
		Title:  fmt.Sprintf("The task did not end within %s and was stopped", r.spec.Timeout),
		Advice: "Raise the timeout if the command needs longer; its last log lines show how far it came.",
		Err:    fmt.Errorf("task %s was stopped: it ran longer than the timeout of %s", r.result.TaskARN, r.spec.Timeout)}}
	// Its log is complete, and its exit code known, only when it has ended.
	grace, done := clock.WithTimeoutCause(ctx, r.clock, stopPatience, errTimeout)
	defer done()
	if err := r.wait(grace); err != nil && ctx.Err() != nil {
		stopped.end, stopped.Advice = Cancelled, ""
	}
	return stopped
}

func (r *run) stopTask(ctx context.Context, why string) error {
	_, err := r.clients.ECS.StopTask(ctx, &ecs.StopTaskInput{Cluster: aws.String(r.spec.Cluster),
		Task:   aws.String(r.result.TaskARN),
		Reason: aws.String("connect2: " + why)})
	return err
}

// lost says that the task may be running without anybody watching.
func (r *run) lost(err error) error {
	return r.unwatched("Contact with the task was lost: it may still be running", "task", err)
}

// leftRunning says that the task could not be stopped.
func (r *run) leftRunning(err error) error {
	return r.unwatched("The task could not be stopped: it may still be running", "stopping task", err)
}

func (r *run) unwatched(title, what string, err error) error {
	return &failure{end: Lost, Failure: record.Failure{Title: title,
		Advice: fmt.Sprintf("Look before running it again: `aws ecs describe-tasks --cluster %s --tasks %s`; "+
			"stop it: `aws ecs stop-task --cluster %[1]s --task %[2]s`.", r.spec.Cluster, r.result.TaskARN),
		Err: fmt.Errorf("contact with ECS was lost: %s %s: %w", what, r.result.TaskARN, awserr.Explain(err))}}
}

// definition reads where the containers' logs go; without that permission the logs are left out.
func (r *run) definition(ctx context.Context) *types.TaskDefinition {
	out, err := r.clients.ECS.DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(r.spec.TaskDefinition)})
	if err != nil {
		if !awserr.Optional(r.tell, "The task's logs", err) && ctx.Err() == nil {
			r.tell(record.Event{Kind: record.KindNote, Text: "the task's logs are not shown: " + firstLine(err)})
		}
		return nil
	}
	return out.TaskDefinition
}

// conclude names the cause of a failure, and decides the error where wait has not.
func (r *run) conclude(definition *types.TaskDefinition, logs *follower, err error) error {
	code := r.result.ExitCode
	own := ownEnd(r.last, r.outrun != "")
	if err == nil && own && code != nil && *code == 0 {
		return nil
	}
	task := ecsview.TaskOf(r.last, definition)
	for i := range task.Containers {
		task.Containers[i].Logs = logs.tail(task.Containers[i].Name)
	}
	evidence := diagnose.Evidence{Cluster: r.spec.Cluster, TaskDefinition: r.spec.TaskDefinition,
		Tasks: []diagnose.Task{task}, At: r.clock.Now()}
	if r.result.Unread != "" {
		evidence.Missing = []string{"the task's log: " + r.result.Unread}
	}
	r.result.Cause = diagnose.Classify(evidence)
	var failed *failure
	if errors.As(err, &failed) { // its time was over
		cause := timedOutCause(r.spec, task)
		r.result.Cause, failed.Finding = cause, &cause
	}
	switch {
	case err != nil, own && code != nil:
		return err
	case code != nil:
		return r.stoppedEarly(*code)
	}
	return r.because(NeverRan, r.result.Cause, fmt.Errorf("container %s of task %s never ran: %s: %s", r.spec.Container,
		r.result.TaskARN, r.result.StopCode, diagnose.Redact(r.result.Reason)))
}

// stoppedEarly is the failure of a task whose container ran and was ended by something else, whatever its exit code is then.
func (r *run) stoppedEarly(code int) *failure {
	by := fmt.Sprintf("%s: %s", r.result.StopCode, diagnose.Redact(r.result.Reason))
	if r.outrun != "" {
		by = fmt.Sprintf("container %s ended first, and it is essential", r.outrun)
	}
	failed := r.because(Stopped, r.result.Cause, fmt.Errorf("task %s was stopped before container %s had come to its own end (%s); "+
		"its exit code %d only says how it took the signal", r.result.TaskARN, r.spec.Container, by, code))
	failed.Advice = "What the command had done by then is done. Read its log, find out who or what stopped the task, then run it again."
	return failed
}

// because is a failure with a cause, which gives it its title and its advice where it is known.
func (r *run) because(end End, cause record.Finding, err error) *failure {
	r.result.Cause = cause
	failed := &failure{end: end, Failure: record.Failure{Title: cause.Title, Err: err}}
	if len(cause.Fix) > 0 {
		failed.Advice = cause.Fix[0]
	}
	if cause.Code != "" {
		failed.Finding = &cause
	}
	return failed
}

// timedOutCause says what the container wrote before its time was over; that it was then stopped is not a cause.
func timedOutCause(spec Spec, t diagnose.Task) record.Finding {
	c := record.Finding{Code: "timed-out", Title: fmt.Sprintf("%s did not end within %s", spec.Container, spec.Timeout),
		Fault: record.FaultUnclear, Task: t.ARN, Container: spec.Container,
		Fix: []string{"raise the timeout if the command needs longer",
			"a command that hangs at a database waits for a lock more often than not: see `pg_stat_activity` and `pg_locks`"}}
	for _, container := range t.Containers {
		if container.Name == spec.Container {
			for _, line := range container.Logs[max(0, len(container.Logs)-15):] {
				c.Evidence = append(c.Evidence, container.Name+" | "+line)
			}
		}
	}
	return c
}
