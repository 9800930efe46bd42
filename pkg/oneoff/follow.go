package oneoff

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

const (
	logInterval = time.Second      // between reads of a stream that is at its end
	logLag      = 10 * time.Second // how late a line may show: the driver publishes every 5 s, CloudWatch takes up to some seconds more
	logQuiet    = 3 * time.Second  // lines that trickle in this close together are still the end of the log
	logMost     = 45 * time.Second // when to stop waiting for the end of a log that goes on and on after the task has ended
	keptLines   = 100              // last lines kept for the diagnosis
)

// follower reads the logs of all containers of a task, each in a goroutine of its own.
type follower struct {
	run     *run
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the task has ended
	once    sync.Once
	most    time.Time // with ended closed: when to give up
	readers sync.WaitGroup

	mu      sync.Mutex
	quiet   time.Time           // with ended closed: from when on silence means the end
	lines   map[string][]string // last lines of each container, redacted
	problem string
}

// follow begins to read. Streams come into being with their first line, so that a missing one is not an error.
func (r *run) follow(definition *types.TaskDefinition) *follower {
	// Reading goes on for a while after the run's own context has timed out, until drain or abandon end it.
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{run: r, cancel: cancel, ended: make(chan struct{}), lines: map[string][]string{}}
	if definition == nil || r.clients.Logs == nil {
		f.problem = "its place could not be read from the task definition"
		return f
	}
	id := arn.Last(r.result.TaskARN)
	found := false
	for _, c := range definition.ContainerDefinitions {
		group, stream, region := ecsview.LogStream(c, id)
		if group == "" {
			continue
		}
		found = true
		name := aws.ToString(c.Name)
		f.readers.Go(func() { f.read(ctx, name, group, stream, region) })
	}
	if !found {
		f.problem = "no container of the task definition logs to CloudWatch with a stream prefix (awslogs)"
	}
	return f
}

// read follows one stream by its forward token: events may come late and share a millisecond, so that neither times nor
// event counts can tell what was read before. The end of a page is the token that was passed in coming back.
func (f *follower) read(ctx context.Context, container, group, stream, region string) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(group), LogStreamName: aws.String(stream),
		StartFromHead: aws.Bool(true)}
	var redactor diagnose.Redactor
	r, heard := f.run, time.Time{} // when something new was read last
	for {
		asked := r.clock.Now()
		out, err := r.clients.Logs.GetLogEvents(ctx, in, diagnose.InRegion(region))
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if len(out.Events) > 0 {
				heard = r.clock.Now()
			}
			for _, event := range out.Events {
				f.emit(container, &redactor, aws.ToString(event.Message))
			}
			if next := aws.ToString(out.NextForwardToken); next != "" && next != aws.ToString(in.NextToken) {
				in.NextToken = out.NextForwardToken
				continue
			}
		case awserr.IsNotFound(err):
			// Nothing was written yet.
		case awserr.IsLost(err), awserr.IsThrottled(err):
			heard = r.clock.Now() // not heard is not silent
		default:
			awserr.Optional(r.tell, "The task's logs", err)
			f.setProblem(firstLine(awserr.Explain(err)))
			return
		}
		if f.over(asked, heard, err) || r.clock.Sleep(ctx, logInterval) != nil {
			return
		}
	}
}

// over reports whether the log is at its end: the task has ended, and what it wrote last had had the time to arrive when the read
// that has come back was asked for. How long the answer took does not count: what came meanwhile is not in it.
func (f *follower) over(asked, heard time.Time, err error) bool {
	select {
	case <-f.ended:
	default:
		return false
	}
	f.mu.Lock()
	quiet := f.quiet
	f.mu.Unlock()
	switch {
	case asked.Before(quiet):
		return false
	case asked.Sub(heard) >= logQuiet:
		return true
	case asked.Before(f.most):
		return false
	}
	if err != nil {
		f.setProblem("its end: " + firstLine(err))
	} else {
		f.setProblem("its end: it still grew when the task had long ended")
	}
	return true
}

// emit hands on the lines of one event.
func (f *follower) emit(container string, redactor *diagnose.Redactor, message string) {
	for _, line := range strings.Split(strings.TrimRight(message, "\n"), "\n") {
		line, ok := redactor.Line(line)
		if !ok {
			continue
		}
		f.mu.Lock()
		kept := append(f.lines[container], line)
		f.lines[container] = kept[max(0, len(kept)-keptLines):]
		f.mu.Unlock()
		f.run.tell(record.Event{Kind: record.KindOutput, Source: container, Text: line})
	}
}

// drain waits until the logs are at their end, or until the context ends. While the task's network interface is still being
// taken away it goes on looking: once ECS's own clock says that the last line has had its time, nothing more is waited for.
func (f *follower) drain(ctx context.Context) {
	f.most = f.run.clock.Now().Add(logMost)
	f.settle()
	f.once.Do(func() { close(f.ended) })
	reading, read := context.WithCancelCause(ctx)
	go func() { f.readers.Wait(); read(errRead) }()
	for f.run.clock.Sleep(reading, time.Second) == nil {
		f.run.lookAgain(ctx)
		f.settle()
	}
	if !errors.Is(context.Cause(reading), errRead) {
		f.setProblem("its end: the run was cancelled")
		f.abandon()
	}
}

var errRead = errors.New("the logs are read to their end")

// settle decides from when on silence is the end of the log; never later than it was decided before.
func (f *follower) settle() {
	t, now := f.run.last, f.run.clock.Now()
	quiet := f.run.exited.Add(logLag)
	switch {
	case t.StartedAt == nil && !slices.ContainsFunc(t.Containers, func(c types.Container) bool { return c.ExitCode != nil }):
		quiet = time.Time{} // no container ran: there is no log to wait for
	case f.run.exited.IsZero():
		quiet = now.Add(logLag)
	case t.StoppedAt != nil && t.ExecutionStoppedAt != nil && t.StoppedAt.Sub(*t.ExecutionStoppedAt) >= logLag:
		quiet = now // by ECS's own clock the last line is there: the next read has it
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet.IsZero() || quiet.Before(f.quiet) {
		f.quiet = quiet
	}
}

// abandon stops reading at once.
func (f *follower) abandon() {
	f.cancel()
	f.readers.Wait()
}

func (f *follower) setProblem(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem == "" {
		f.problem = text
	}
}

func (f *follower) unread() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.problem
}

func (f *follower) tail(container string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines[container])
}
