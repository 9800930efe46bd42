package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// Client reads log streams; *cloudwatchlogs.Client does.
type Client interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput,
		...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput,
		...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

// Line is one line of a log.
type Line struct {
	At        time.Time `json:"at"`
	Task      string    `json:"task"` // its id, as short as tells it from others
	Container string    `json:"container"`
	Text      string    `json:"text"`
}

// stream is the log stream of one container of one task, and how far it was read.
type stream struct {
	group, name, region string
	task, container     string // as lines are marked
	taskARN             string

	token string          // where to go on; "" before the first page
	seen  map[string]bool // ids of the lines of the newest moments, where a filter is asked: its answers have no such token
	until time.Time       // the newest line that was read
}

// what is asked for of each stream.
type asked struct {
	since  time.Time // zero: from its beginning
	tail   int       // of the first read: the last so many lines; 0: all
	filter string
}

// overlap is how far back a filter looks again: lines of one stream may be shown by CloudWatch some seconds late.
const overlap = 30 * time.Second

// mostPages bounds what one look at a stream reads, so that no stream keeps the others waiting; the next look goes on there.
const mostPages = 20

// fullPage is from how many lines on a page may have another one behind it. CloudWatch may give fewer than it has where lines are long,
// so this is far below its limit of 10,000; a page that was missed comes with the next look.
const fullPage = 100

// next reads what is new in the stream since the last call, in its order. more says that there is likely more at once. A stream that is
// not there yet has no lines. After an error the same call can be made again: nothing is lost, and nothing comes twice.
func (s *stream) next(ctx context.Context, client Client, a asked) (lines []Line, more bool, err error) {
	if a.filter != "" {
		lines, err = s.filtered(ctx, client, a)
	} else {
		lines, more, err = s.page(ctx, client, a)
	}
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil, false, nil
	}
	return lines, more, err
}

func (s *stream) options(o *cloudwatchlogs.Options) {
	if s.region != "" {
		o.Region = s.region
	}
}

func (s *stream) line(at *int64, text *string) Line {
	l := Line{At: time.UnixMilli(aws.ToInt64(at)), Task: s.task, Container: s.container, Text: aws.ToString(text)}
	if l.At.After(s.until) {
		s.until = l.At
	}
	return l
}

// page reads one page by the stream's own token.
func (s *stream) page(ctx context.Context, client Client, a asked) (lines []Line, more bool, err error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &s.group, LogStreamName: &s.name, StartFromHead: aws.Bool(true)}
	if !a.since.IsZero() {
		in.StartTime = aws.Int64(a.since.UnixMilli())
	}
	switch {
	case s.token != "":
		in.NextToken = &s.token
	case a.tail > 0:
		in.StartFromHead, in.Limit = aws.Bool(false), aws.Int32(int32(min(a.tail, 10_000)))
	}
	out, err := client.GetLogEvents(ctx, in, s.options)
	if err != nil {
		return nil, false, fmt.Errorf("reading the log stream %s of %s: %w", s.name, s.group, err)
	}
	for _, e := range out.Events {
		lines = append(lines, s.line(e.Timestamp, e.Message))
	}
	token := aws.ToString(out.NextForwardToken)
	fromEnd := s.token == "" && a.tail > 0
	more = !fromEnd && token != s.token && (len(lines) >= fullPage || len(lines) == 0 && s.token == "")
	s.token = cmp.Or(token, s.token)
	return lines, more, nil
}

// filtered reads what matches a pattern, of the last moments again: what was seen is left out.
func (s *stream) filtered(ctx context.Context, client Client, a asked) ([]Line, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &s.group, LogStreamNames: []string{s.name}, FilterPattern: &a.filter}
	from := a.since
	if !s.until.IsZero() && s.until.Add(-overlap).After(from) {
		from = s.until.Add(-overlap)
	}
	if !from.IsZero() {
		in.StartTime = aws.Int64(from.UnixMilli())
	}
	seen := map[string]bool{}
	before := *s
	var lines []Line
	for {
		out, err := client.FilterLogEvents(ctx, in, s.options)
		if err != nil {
			s.until = before.until // all of it is read again
			return nil, fmt.Errorf("searching the log stream %s of %s: %w", s.name, s.group, err)
		}
		for _, e := range out.Events {
			id := aws.ToString(e.EventId)
			line := s.line(e.Timestamp, e.Message)
			if !s.seen[id] && !seen[id] {
				lines = append(lines, line)
			}
			seen[id] = true
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	s.seen = seen
	return lines, nil
}

// merge puts the lines of several streams into the order of time. Those of one stream keep theirs.
func merge(lines []Line) []Line {
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return lines
}
