package logs

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) createLogGroup(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName, KmsKeyID string
		Tags                   map[string]string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.LogGroupName == "" {
		return nil, invalid("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must not be null")
	}
	if err := s.authorize(r, in.LogGroupName, ""); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := r.Authorize("logs:TagResource", s.groupARN(in.LogGroupName)); err != nil {
			return nil, err
		}
	}
	if s.groups[in.LogGroupName] != nil {
		return nil, wire.Errorf("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	s.CreateGroup(in.LogGroupName, r.Now)
	g := s.groups[in.LogGroupName]
	g.kmsKey = in.KmsKeyID
	for k, v := range in.Tags {
		g.tags[k] = v
	}
	return nil, nil
}

func (s *Service) deleteLogGroup(r *wire.Request) (any, error) {
	var in struct{ LogGroupName string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, "", "")
	if err != nil {
		return nil, err
	}
	delete(s.groups, g.name)
	return nil, nil
}

func (s *Service) putRetentionPolicy(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName    string
		RetentionInDays int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, "", "")
	if err != nil {
		return nil, err
	}
	g.retention = in.RetentionInDays
	return nil, nil
}

func (s *Service) describeLogGroups(r *wire.Request) (any, error) {
	var in struct {
		LogGroupNamePrefix, LogGroupNamePattern, NextToken string
		Limit                                              *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, "", ""); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, 50, 50)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(sortedNames(s.groups, in.LogGroupNamePrefix), func(name string) bool {
		return !strings.Contains(strings.ToLower(name), strings.ToLower(in.LogGroupNamePattern))
	})
	page, next, ok := wire.Page(names, in.NextToken, limit)
	if !ok {
		return nil, invalid("The specified nextToken is invalid.")
	}
	groups := []any{}
	for _, name := range page {
		g := s.groups[name]
		stored := 0
		for _, st := range g.streams {
			for _, e := range st.visible(r.Now) {
				stored += len(e.message) + overhead
			}
		}
		out := map[string]any{
			"logGroupName": g.name, "creationTime": g.createdAt.UnixMilli(), "metricFilterCount": 0,
			"arn": s.groupARN(g.name) + ":*", "logGroupArn": s.groupARN(g.name), "storedBytes": stored, "logGroupClass": "STANDARD",
		}
		if g.retention > 0 {
			out["retentionInDays"] = g.retention
		}
		if g.kmsKey != "" {
			out["kmsKeyId"] = g.kmsKey
		}
		groups = append(groups, out)
	}
	return withToken(map[string]any{"logGroups": groups}, next), nil
}

func (s *Service) listTagsForResource(r *wire.Request) (any, error) {
	var in struct{ ResourceArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, "", in.ResourceArn, "")
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": g.tags}, nil
}

func (s *Service) createLogStream(r *wire.Request) (any, error) {
	var in struct{ LogGroupName, LogStreamName string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, "", in.LogStreamName)
	if err != nil {
		return nil, err
	}
	if g.streams[in.LogStreamName] != nil {
		return nil, wire.Errorf("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.streams[in.LogStreamName] = &stream{name: in.LogStreamName, createdAt: r.Now}
	return nil, nil
}

// describeLogStreams reports event times as soon as the events can be read. The real service updates them up to an hour
// late, so nothing may choose streams by them.
func (s *Service) describeLogStreams(r *wire.Request) (any, error) {
	var in struct {
		LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, OrderBy, NextToken string
		Descending                                                                bool
		Limit                                                                     *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.find(r, in.LogGroupName, in.LogGroupIdentifier, "")
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, 50, 50)
	if err != nil {
		return nil, err
	}
	if in.OrderBy == "LastEventTime" && in.LogStreamNamePrefix != "" {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	names := sortedNames(g.streams, in.LogStreamNamePrefix)
	last := func(name string) int64 {
		if events := g.streams[name].visible(r.Now); len(events) > 0 {
			return events[len(events)-1].timestamp
		}
		return 0
	}
	if in.OrderBy == "LastEventTime" {
		slices.SortStableFunc(names, func(a, b string) int { return int(last(a) - last(b)) })
	}
	if in.Descending {
		slices.Reverse(names)
	}
	page, next, ok := wire.Page(names, in.NextToken, limit)
	if !ok {
		return nil, invalid("The specified nextToken is invalid.")
	}
	streams := []any{}
	for _, name := range page {
		st := g.streams[name]
		out := map[string]any{
			"logStreamName": name, "creationTime": st.createdAt.UnixMilli(), "storedBytes": 0,
			"arn": s.groupARN(g.name) + ":log-stream:" + name,
		}
		if events := st.visible(r.Now); len(events) > 0 {
			out["firstEventTimestamp"], out["lastEventTimestamp"] = events[0].timestamp, events[len(events)-1].timestamp
			out["lastIngestionTime"] = events[len(events)-1].ingested.UnixMilli()
			out["uploadSequenceToken"] = "0" // kept by the service for old clients, and ignored
		}
		streams = append(streams, out)
	}
	return withToken(map[string]any{"logStreams": streams}, next), nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["nextToken"] = next
	}
	return out
}
