// Package cloudwatch is the sandbox's CloudWatch: the traffic of the service's target groups, minute by minute, the free storage of
// databases, and alarms whose state somebody sets. It speaks the query protocol, JSON, and CBOR, as the service does.
//
// Sources: CloudWatch API reference 2010-08-01, "GetMetricData" and "DescribeAlarms"; Elastic Load Balancing user guide, "CloudWatch
// metrics for your Application Load Balancer"; Amazon RDS user guide, "Amazon CloudWatch metrics for Amazon RDS". A minute can be read
// as soon as it is over, or later by Lag: the real service takes a minute or more.
package cloudwatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Traffic is what a target group answered in one minute.
type Traffic struct {
	Requests, Errors int
	Latency          time.Duration
}

// Service answers for metrics and alarms. The world's lock guards it.
type Service struct {
	Account, Region string
	Served          func(targetGroup string, minute time.Time) Traffic // targetgroup/NAME/ID
	Free            func(database string) (bytes int64, ok bool)       // storage of a database instance that is free
	Alarms          map[string]string                                  // states by name
	Changed         map[string]time.Time                               // when each got its state
	Began           time.Time                                          // when the others did
	Lag             time.Duration                                      // from the end of a minute until it can be read
}

// API is the service's table of operations in the query protocol.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{Name: "cloudwatch", Version: "2010-08-01", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Operations: s.operations()}
}

// JSON is the same table in JSON and CBOR.
func (s *Service) JSON() *wire.JSONService {
	return &wire.JSONService{Name: "cloudwatch", TargetPrefix: "GraniteServiceVersion20100801", Operations: s.operations()}
}

func (s *Service) operations() map[string]wire.Operation {
	return map[string]wire.Operation{"GetMetricData": s.getMetricData, "DescribeAlarms": s.describeAlarms}
}

// moment is a time as either protocol sends it: ISO 8601, or epoch seconds.
type moment string

// UnmarshalJSON takes numbers and texts.
func (m *moment) UnmarshalJSON(data []byte) error {
	*m = moment(strings.Trim(string(data), `"`))
	return nil
}

func (m moment) time() (time.Time, error) {
	if seconds, err := strconv.ParseFloat(string(m), 64); err == nil {
		return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, string(m))
	if err != nil {
		return at, wire.Errorf("InvalidParameterValue", "timestamp %s is not ISO 8601", m)
	}
	return at.UTC(), nil
}

type dimension struct{ Name, Value string }

type query struct {
	Id         string
	Expression string
	MetricStat struct {
		Period int
		Stat   string
		Metric struct {
			Namespace, MetricName string
			Dimensions            []dimension
		}
	}
}

type result struct {
	Id, Label  string
	Timestamps wire.List[wire.Time]
	Values     wire.List[float64]
	StatusCode string
}

func (s *Service) getMetricData(r *wire.Request) (any, error) {
	var in struct {
		MetricDataQueries  []query
		StartTime, EndTime moment
		ScanBy             string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("cloudwatch:GetMetricData", "*"); err != nil {
		return nil, err
	}
	from, err := in.StartTime.time()
	if err != nil {
		return nil, err
	}
	to, err := in.EndTime.time()
	if err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, wire.Errorf("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	var out struct {
		MetricDataResults wire.List[result]
		Messages          wire.List[string]
	}
	for _, q := range in.MetricDataQueries {
		read := s.metric
		if q.MetricStat.Metric.Namespace == "AWS/RDS" {
			read = s.storage
		} else if q.MetricStat.Metric.Namespace != "AWS/ApplicationELB" {
			return nil, wire.NotModelled("metrics but those of AWS/ApplicationELB and AWS/RDS")
		}
		if q.Expression != "" || q.MetricStat.Period != 60 {
			return nil, wire.NotModelled("metrics but for each minute")
		}
		found, err := read(q, from, to, r.Now)
		if err != nil {
			return nil, err
		}
		if in.ScanBy != "TimestampAscending" { // the newest first, unless it is asked for otherwise
			slices.Reverse(found.Timestamps)
			slices.Reverse(found.Values)
		}
		out.MetricDataResults = append(out.MetricDataResults, found)
	}
	return out, nil
}

// metric returns the minutes of a metric that are over. There is no point where nothing was counted.
func (s *Service) metric(q query, from, to, now time.Time) (result, error) {
	metric := q.MetricStat.Metric
	group, balancer := "", ""
	for _, d := range metric.Dimensions {
		switch d.Name {
		case "TargetGroup":
			group = d.Value
		case "LoadBalancer":
			balancer = d.Value
		}
	}
	found := result{Id: q.Id, Label: metric.MetricName, StatusCode: "Complete",
		Timestamps: wire.List[wire.Time]{}, Values: wire.List[float64]{}}
	if group == "" || balancer == "" || len(metric.Dimensions) != 2 {
		return found, nil // metrics are kept by these two together: others are empty
	}
	for at := from.Truncate(time.Minute); at.Before(to) && !at.Add(time.Minute+s.Lag).After(now); at = at.Add(time.Minute) {
		served := s.Served(group, at)
		var value float64
		switch metric.MetricName + " " + q.MetricStat.Stat {
		case "RequestCount Sum":
			value = float64(served.Requests)
		case "HTTPCode_Target_5XX_Count Sum":
			value = float64(served.Errors)
		case "TargetResponseTime Average":
			value = served.Latency.Seconds()
		default:
			return found, wire.NotModelled("the statistic %s of %s", q.MetricStat.Stat, metric.MetricName)
		}
		if served.Requests > 0 && value > 0 {
			found.Timestamps, found.Values = append(found.Timestamps, wire.Time(at)), append(found.Values, value)
		}
	}
	return found, nil
}

// storage returns the free storage of a database, which does not change.
func (s *Service) storage(q query, from, to, now time.Time) (result, error) {
	metric := q.MetricStat.Metric
	found := result{Id: q.Id, Label: metric.MetricName, StatusCode: "Complete",
		Timestamps: wire.List[wire.Time]{}, Values: wire.List[float64]{}}
	if metric.MetricName != "FreeStorageSpace" || q.MetricStat.Stat != "Minimum" && q.MetricStat.Stat != "Average" {
		return found, wire.NotModelled("the statistic %s of %s", q.MetricStat.Stat, metric.MetricName)
	}
	if len(metric.Dimensions) != 1 || metric.Dimensions[0].Name != "DBInstanceIdentifier" {
		return found, nil
	}
	free, ok := s.Free(metric.Dimensions[0].Value)
	for at := from.Truncate(time.Minute); ok && at.Before(to) && !at.Add(time.Minute+s.Lag).After(now); at = at.Add(time.Minute) {
		found.Timestamps, found.Values = append(found.Timestamps, wire.Time(at)), append(found.Values, float64(free))
	}
	return found, nil
}

type alarm struct {
	AlarmName, AlarmArn, StateValue, StateReason string
	StateUpdatedTimestamp                        wire.Time
	ActionsEnabled                               bool
}

// mostAlarms is how many alarms a call may name, and how many a page has.
const mostAlarms = 100

func (s *Service) describeAlarms(r *wire.Request) (any, error) {
	var in struct {
		AlarmNames, AlarmTypes []string
		AlarmNamePrefix        string
		StateValue, NextToken  string
		MaxRecords             int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("cloudwatch:DescribeAlarms", "*"); err != nil {
		return nil, err
	}
	switch {
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != "":
		return nil, wire.Errorf("ValidationError", "AlarmNamePrefix and AlarmNames may not be specified together")
	case len(in.AlarmNames) > mostAlarms:
		return nil, wire.Errorf("ValidationError", "AlarmNames: at most %d may be specified", mostAlarms)
	case in.MaxRecords < 0 || in.MaxRecords > mostAlarms:
		return nil, wire.Errorf("ValidationError", "MaxRecords must be between 1 and %d", mostAlarms)
	}
	if in.MaxRecords == 0 {
		in.MaxRecords = 50
	}
	var out struct {
		CompositeAlarms, MetricAlarms wire.List[alarm]
		NextToken                     string `json:",omitempty" xml:",omitempty"`
	}
	out.CompositeAlarms, out.MetricAlarms = wire.List[alarm]{}, wire.List[alarm]{}
	if len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, "MetricAlarm") {
		return out, nil // none is a composite one
	}
	for _, name := range slices.Sorted(maps.Keys(s.Alarms)) {
		state := s.Alarms[name]
		if len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name) || !strings.HasPrefix(name, in.AlarmNamePrefix) ||
			in.StateValue != "" && in.StateValue != state {
			continue
		}
		since, ok := s.Changed[name]
		if !ok {
			since = s.Began
		}
		out.MetricAlarms = append(out.MetricAlarms, alarm{AlarmName: name, StateValue: state, ActionsEnabled: true,
			StateUpdatedTimestamp: wire.Time(since),
			StateReason:           "set in the sandbox", AlarmArn: fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", s.Region, s.Account, name)})
	}
	page, next, ok := wire.Page(out.MetricAlarms, in.NextToken, in.MaxRecords)
	if !ok {
		return nil, wire.Errorf("InvalidNextToken", "The next token specified is invalid.")
	}
	out.MetricAlarms, out.NextToken = page, next
	return out, nil
}
