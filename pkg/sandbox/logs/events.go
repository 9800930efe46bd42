package logs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Limits of the API reference.
const (
	overhead   = 26        // bytes counted for each event beside its text
	maxBatch   = 1_048_576 // bytes of one PutLogEvents, and of one page
	maxEvents  = 10_000    // events of one PutLogEvents, and of one page
	tooOld     = 14 * 24 * time.Hour
	tooNew     = 2 * time.Hour
	digitsOfID = 56
)

func (s *Service) putLogEvents(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct {
			Timestamp int64
			Message   string
		}
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, "", in.LogStreamName)
	if err != nil {
		return nil, err
	}
	st, err := g.find(in.LogStreamName)
	if err != nil {
		return nil, err
	}
	size, last := 0, int64(0)
	for _, e := range in.LogEvents {
		if e.Timestamp < last {
			return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		size, last = size+len(e.Message)+overhead, e.Timestamp
	}
	if size > maxBatch {
		return nil, invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatch)
	}
	if len(in.LogEvents) == 0 || len(in.LogEvents) > maxEvents {
		return nil,
			invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and %d",
				maxEvents)
	}
	rejected := map[string]any{}
	for i, e := range in.LogEvents {
		switch at := time.UnixMilli(e.Timestamp); {
		case r.Now.Sub(at) > tooOld:
			rejected["tooOldLogEventEndIndex"] = i + 1
		case at.Sub(r.Now) > tooNew:
			if rejected["tooNewLogEventStartIndex"] == nil {
				rejected["tooNewLogEventStartIndex"] = i
			}
		default:
			s.add(st, e.Timestamp, r.Now, e.Message)
		}
	}
	out := map[string]any{"nextSequenceToken": "0"}
	if len(rejected) > 0 {
		out["rejectedLogEventsInfo"] = rejected
	}
	return out, nil
}

// getLogEvents pages through one stream. The end is reached when the forward token that comes back is the one that was
// sent; a token is never missing.
func (s *Service) getLogEvents(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName, LogGroupIdentifier, LogStreamName, NextToken string
		StartTime, EndTime                                         *int64
		Limit                                                      *int
		StartFromHead                                              bool
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	st, err := g.find(in.LogStreamName)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxEvents, maxEvents)
	if err != nil {
		return nil, err
	}
	direction, position, err := parseToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	events := slices.DeleteFunc(st.visible(r.Now), func(e event) bool {
		return in.StartTime != nil && e.timestamp < *in.StartTime || in.EndTime != nil && e.timestamp >= *in.EndTime ||
			direction == "f" && e.compare(position) <= 0 || direction == "b" && e.compare(position) >= 0
	})
	if direction == "f" || direction == "" && in.StartFromHead {
		events = firstPage(events, limit)
	} else {
		slices.Reverse(events)
		events = firstPage(events, limit)
		slices.Reverse(events)
	}
	first, last := position, position
	if len(events) > 0 {
		first, last = events[0].key, events[len(events)-1].key
	}
	out := []any{}
	for _, e := range events {
		out = append(out, map[string]any{"timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested.UnixMilli()})
	}
	return map[string]any{"events": out, "nextForwardToken": token("f", last), "nextBackwardToken": token("b", first)}, nil
}

// firstPage cuts after limit events or one page's bytes.
func firstPage(events []event, limit int) []event {
	size := 0
	for i, e := range events {
		if size += len(e.message) + overhead; i >= limit || i > 0 && size > maxBatch {
			return events[:i]
		}
	}
	return events
}

// token writes a position as the service's tokens look: a direction and a long number. Their meaning is the sandbox's own.
func token(direction string, k key) string {
	return fmt.Sprintf("%s/%0*d%020d", direction, digitsOfID-20, k.timestamp, k.number)
}

func parseToken(text string) (direction string, k key, err error) {
	if text == "" {
		return "", key{}, nil
	}
	direction, digits, _ := strings.Cut(text, "/")
	if (direction != "f" && direction != "b") || len(digits) != digitsOfID {
		return "", key{}, invalid("The specified nextToken is invalid.")
	}
	timestamp, err1 := strconv.ParseInt(digits[:digitsOfID-20], 10, 64)
	number, err2 := strconv.ParseInt(digits[digitsOfID-20:], 10, 64)
	if err1 != nil || err2 != nil {
		return "", key{}, invalid("The specified nextToken is invalid.")
	}
	return direction, key{timestamp, number}, nil
}

// filterLogEvents searches the streams of a group. The end is reached when no token comes back.
func (s *Service) filterLogEvents(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, FilterPattern, NextToken string
		LogStreamNames                                                                  []string
		StartTime, EndTime                                                              *int64
		Limit                                                                           *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, in.LogGroupIdentifier, "")
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxEvents, maxEvents)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "" {
		return nil, invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.") // wording unconfirmed
	}
	matches, err := compile(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	direction, position, err := parseToken(in.NextToken)
	if err != nil || direction == "b" {
		return nil, invalid("The specified nextToken is invalid.")
	}
	streams := in.LogStreamNames
	if len(streams) == 0 {
		streams = sortedNames(g.streams, in.LogStreamNamePrefix)
	}
	var events []event
	for _, name := range streams {
		st, err := g.find(name)
		if err != nil {
			return nil, err
		}
		for _, e := range st.visible(r.Now) {
			if (in.StartTime == nil || e.timestamp >= *in.StartTime) && (in.EndTime == nil || e.timestamp <= *in.EndTime) &&
				e.compare(position) > 0 && matches(e.message) {
				events = append(events, e)
			}
		}
	}
	sorted.Stable(events, func(a, b event) int { return a.compare(b.key) })
	page := firstPage(events, limit)
	out := []any{}
	for _, e := range page {
		out = append(out, map[string]any{
			"logStreamName": e.stream, "timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested.UnixMilli(),
			"eventId": fmt.Sprintf("%0*d%020d", digitsOfID-20, e.timestamp, e.number),
		})
	}
	next := ""
	if len(page) < len(events) {
		next = token("f", page[len(page)-1].key)
	}
	return withToken(map[string]any{"events": out, "searchedLogStreams": []any{}}, next), nil
}

// compile makes a test of an unstructured filter pattern: terms that must all occur, ?terms of which one must, -terms that
// must not, quotes around what holds blanks. JSON and column patterns and regular expressions are not modelled.
// Source: CloudWatch Logs user guide, "Filter pattern syntax".
func compile(pattern string) (func(string) bool, error) {
	pattern = strings.TrimSpace(pattern)
	if strings.HasPrefix(pattern, "{") || strings.HasPrefix(pattern, "[") || strings.Contains(pattern, "%") {
		return nil, wire.NotModelled("the filter pattern %q: plain terms alone", pattern)
	}
	var all, any, none []string
	for rest := pattern; rest != ""; rest = strings.TrimSpace(rest) {
		list := &all
		switch rest[0] {
		case '?':
			list, rest = &any, rest[1:]
		case '-':
			list, rest = &none, rest[1:]
		}
		var term string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			if term, rest, ok = strings.Cut(quoted, `"`); !ok {
				return nil, invalid("Invalid filter pattern")
			}
		} else {
			term, rest, _ = strings.Cut(rest, " ")
		}
		*list = append(*list, term)
	}
	return func(message string) bool {
		contains := func(term string) bool { return strings.Contains(message, term) }
		return !slices.ContainsFunc(all, func(term string) bool { return !contains(term) }) &&
			(len(any) == 0 || slices.ContainsFunc(any, contains)) && !slices.ContainsFunc(none, contains)
	}, nil
}
