// Package logs is the sandbox's CloudWatch Logs: groups, streams and events that become visible some time after they
// were written.
//
// Sources: CloudWatch Logs API reference (GetLogEvents, FilterLogEvents, PutLogEvents) and answers recorded from the
// service. Live Tail, Insights, metric filters, subscriptions and retention are not modelled.
package logs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Options of the service; Account and Region are required.
type Options struct {
	Account, Region string
	Lag             time.Duration // virtual time from writing an event to its being readable
}

// Service holds the log groups. The world's lock guards it.
type Service struct {
	options Options
	groups  map[string]*group
	written int64 // numbers events in the order of their arrival
}

type group struct {
	name      string
	createdAt time.Time
	retention int
	kmsKey    string
	tags      map[string]string
	streams   map[string]*stream
}

type stream struct {
	name      string
	createdAt time.Time
	events    []event // sorted by key
}

type event struct {
	key
	ingested time.Time // readable from here on
	stream   string
	message  string
}

// key orders events: by timestamp, then by arrival.
type key struct {
	timestamp int64 // milliseconds since the epoch
	number    int64
}

func (a key) compare(b key) int {
	return cmp.Or(cmp.Compare(a.timestamp, b.timestamp), cmp.Compare(a.number, b.number))
}

// New makes a service without groups.
func New(options Options) *Service {
	return &Service{options: options, groups: map[string]*group{}}
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "logs", TargetPrefix: "Logs_20140328", Operations: map[string]wire.Operation{
		"CreateLogGroup":      s.createLogGroup,
		"DeleteLogGroup":      s.deleteLogGroup,
		"DescribeLogGroups":   s.describeLogGroups,
		"PutRetentionPolicy":  s.putRetentionPolicy,
		"CreateLogStream":     s.createLogStream,
		"DescribeLogStreams":  s.describeLogStreams,
		"PutLogEvents":        s.putLogEvents,
		"GetLogEvents":        s.getLogEvents,
		"FilterLogEvents":     s.filterLogEvents,
		"ListTagsForResource": s.listTagsForResource,
	}}
}

// CreateGroup adds a log group, unless it is there.
func (s *Service) CreateGroup(name string, now time.Time) {
	if s.groups[name] == nil {
		s.groups[name] = &group{name: name, createdAt: now, tags: map[string]string{}, streams: map[string]*stream{}}
	}
}

// GroupExists says whether a log group is there.
func (s *Service) GroupExists(name string) bool { return s.groups[name] != nil }

// Append writes one line as a container's log driver does, timestamped at. Group and stream come to be with it.
func (s *Service) Append(groupName, streamName string, at time.Time, message string) {
	s.CreateGroup(groupName, at)
	g := s.groups[groupName]
	st := g.streams[streamName]
	if st == nil {
		st = &stream{name: streamName, createdAt: at}
		g.streams[streamName] = st
	}
	s.add(st, at.UnixMilli(), at, message)
}

func (s *Service) add(st *stream, timestamp int64, written time.Time, message string) {
	s.written++
	e := event{key: key{timestamp, s.written}, ingested: written.Add(s.options.Lag), stream: st.name, message: message}
	at, _ := slices.BinarySearchFunc(st.events, e, func(a, b event) int { return a.compare(b.key) })
	st.events = slices.Insert(st.events, at, e)
}

// visible lists the events of a stream that can be read now.
func (st *stream) visible(now time.Time) []event {
	return slices.DeleteFunc(slices.Clone(st.events), func(e event) bool { return now.Before(e.ingested) })
}

func (s *Service) groupARN(name string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", s.options.Region, s.options.Account, name)
}

// authorize asks for an action on a stream of a group, or on all of them ("").
func (s *Service) authorize(r *wire.Request, groupName, streamName string) error {
	return r.Authorize("logs:"+r.Action, s.groupARN(groupName)+":log-stream:"+streamName)
}

// find authorises and returns a group. Either its name or its identifier (name or ARN) is given.
func (s *Service) find(r *wire.Request, name, identifier, streamName string) (*group, error) {
	if name == "" {
		name = strings.TrimSuffix(strings.TrimPrefix(identifier, s.groupARN("")), ":*")
	}
	if name == "" {
		return nil, invalid("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must not be null")
	}
	if err := s.authorize(r, name, streamName); err != nil {
		return nil, err
	}
	if g := s.groups[name]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf("ResourceNotFoundException", "The specified log group does not exist.")
}

func (g *group) find(name string) (*stream, error) {
	if st := g.streams[name]; st != nil {
		return st, nil
	}
	return nil, wire.Errorf("ResourceNotFoundException", "The specified log stream does not exist.")
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

// limitOf applies the bounds of a page size.
func limitOf(limit *int, otherwise, most int) (int, error) {
	switch {
	case limit == nil:
		return otherwise, nil
	case *limit < 1:
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater "+
			"than or equal to 1", *limit)
	case *limit > most:
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than "+
			"or equal to %d", *limit, most)
	}
	return *limit, nil
}

func sortedNames[T any](m map[string]T, prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}
