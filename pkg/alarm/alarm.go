// Package alarm reads the states of CloudWatch alarms, metric and composite ones.
package alarm

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/awscall"
)

// State is what CloudWatch says of an alarm.
type State string

// The states of CloudWatch, and that of an alarm that somebody names and that is not there.
const (
	OK      State = "OK"
	Fired   State = "ALARM"
	NoData  State = "INSUFFICIENT_DATA"
	Missing State = "MISSING"
)

// Alarm is a CloudWatch alarm.
type Alarm struct {
	Name        string    `json:"name"`
	State       State     `json:"state"`
	Since       time.Time `json:"since,omitzero"`
	Reason      string    `json:"reason,omitempty"`
	Description string    `json:"description,omitempty"` // in the words of who made it
}

// mostNames is how many alarms one call may name, and how many one page of the answer has at most.
const mostNames = 100

// Named reads the alarms of these names. One that is not there is left out.
func Named(ctx context.Context, cfg aws.Config, names []string) (all []Alarm, err error) {
	for some := range slices.Chunk(names, mostNames) {
		query := url.Values{}
		for i, name := range some {
			query.Set("AlarmNames.member."+strconv.Itoa(i+1), name)
		}
		found, err := describe(ctx, cfg, query)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Prefixed reads the alarms whose names begin so.
func Prefixed(ctx context.Context, cfg aws.Config, prefix string) ([]Alarm, error) {
	return describe(ctx, cfg, url.Values{"AlarmNamePrefix": {prefix}})
}

// describe reads all pages of what a query finds.
func describe(ctx context.Context, cfg aws.Config, query url.Values) (all []Alarm, err error) {
	query.Set("AlarmTypes.member.1", "MetricAlarm")
	query.Set("AlarmTypes.member.2", "CompositeAlarm")
	query.Set("MaxRecords", strconv.Itoa(mostNames))
	for {
		type alarm struct {
			Name        string `xml:"AlarmName"`
			State       State  `xml:"StateValue"`
			Reason      string `xml:"StateReason"`
			Since       string `xml:"StateUpdatedTimestamp"`
			Description string `xml:"AlarmDescription"`
		}
		var out struct {
			Metric    []alarm `xml:"DescribeAlarmsResult>MetricAlarms>member"`
			Composite []alarm `xml:"DescribeAlarmsResult>CompositeAlarms>member"`
			Next      string  `xml:"DescribeAlarmsResult>NextToken"`
		}
		if err := awscall.Query(ctx, cfg, awscall.CloudWatch, "DescribeAlarms", query, &out); err != nil {
			return nil, err
		}
		for _, a := range slices.Concat(out.Metric, out.Composite) {
			since, err := time.Parse(time.RFC3339Nano, a.Since)
			if err != nil {
				since = time.Time{} // an alarm without it is worth telling
			}
			all = append(all, Alarm{Name: a.Name, State: a.State, Reason: a.Reason, Since: since, Description: a.Description})
		}
		if out.Next == "" {
			return all, nil
		}
		query.Set("NextToken", out.Next)
	}
}
