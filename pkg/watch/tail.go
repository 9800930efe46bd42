package watch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// How much of the log is read and kept.
const (
	firstLines = 30              // of each stream, at the first look
	pageLines  = 200             // and at each after that
	keptLines  = 300             // in all
	perLook    = 8               // streams that are read in one look: the others have their turn at the next
	afterEnd   = 2 * time.Minute // how long a task that has stopped is still read
)

// Logs reads log streams; *cloudwatchlogs.Client does.
type Logs interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput,
		...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
}

// tail is the end of the logs of a service's tasks.
type tail struct {
	streams []*stream
	lines   []Line
	unread  []string // containers whose log is not in CloudWatch
	denied  []string // what the slower part of a look was denied
	turn    int
}

type stream struct {
	group, name, region string
	container, task     string // task is its ARN
	ended               time.Time
	token               *string
	redactor            diagnose.Redactor
}

// read reads what is new, and returns the last lines of all.
func (t *tail) read(ctx context.Context, client Logs, r reading) ([]Line, error) {
	t.follow(r.tasks, r.at)
	ids := operate.ShortIDs(r.tasks)
	var failed error
	for range min(perLook, len(t.streams)) {
		s := t.streams[t.turn%len(t.streams)]
		t.turn++
		lines, err := s.next(ctx, client, ids[s.task])
		t.lines = append(t.lines, lines...)
		if err != nil && failed == nil {
			failed = err
		}
	}
	slices.SortStableFunc(t.lines, func(a, b Line) int { return a.At.Compare(b.At) })
	t.lines = slices.Clone(t.lines[max(len(t.lines)-keptLines, 0):])
	return t.lines, failed
}

// follow takes in the streams of new tasks, and lets go of those that have said their last.
func (t *tail) follow(tasks []ecsview.Task, now time.Time) {
	t.unread = nil
	for _, task := range tasks {
		ended := task.Ended()
		for _, c := range task.Containers {
			if c.LogGroup == "" {
				if note := "the log of container " + c.Name + ": it is not in CloudWatch"; !slices.Contains(t.unread, note) {
					t.unread = append(t.unread, note)
				}
				continue
			}
			i := slices.IndexFunc(t.streams, func(s *stream) bool { return s.group == c.LogGroup && s.name == c.Stream })
			switch {
			case i >= 0:
				t.streams[i].ended = ended
			case ended.IsZero() || now.Sub(ended) < afterEnd:
				t.streams = append(t.streams, &stream{group: c.LogGroup, name: c.Stream, region: c.LogRegion, container: c.Name,
					task: task.ARN, ended: ended})
			}
		}
	}
	t.streams = slices.DeleteFunc(t.streams, func(s *stream) bool { return !s.ended.IsZero() && now.Sub(s.ended) >= afterEnd })
}

// next reads what one stream has that was not read before.
func (s *stream) next(ctx context.Context, client Logs, task string) ([]Line, error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &s.group, LogStreamName: &s.name, NextToken: s.token,
		StartFromHead: aws.Bool(s.token != nil), Limit: aws.Int32(firstLines)}
	if s.token != nil {
		in.Limit = aws.Int32(pageLines)
	}
	out, err := client.GetLogEvents(ctx, in, diagnose.InRegion(s.region))
	switch {
	case awserr.IsNotFound(err):
		return nil, nil // nothing was written yet
	case err != nil:
		return nil, err
	}
	s.token = cmp.Or(out.NextForwardToken, s.token)
	var lines []Line
	for _, e := range out.Events {
		at := time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC()
		for text := range strings.SplitSeq(strings.TrimRight(aws.ToString(e.Message), "\r\n"), "\n") {
			text, ok := s.redactor.Line(text)
			if !ok {
				continue
			}
			if runes := []rune(text); len(runes) > mostLine {
				text = string(runes[:mostLine]) + "…"
			}
			lines = append(lines, Line{At: at, Task: task, Container: s.container, Text: text})
		}
	}
	return lines, nil
}
