package operate

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awscall"
)

// AlarmState is what CloudWatch says of an alarm.
type AlarmState string

// The states of CloudWatch, and that of an alarm that somebody names and that is not there.
const (
	AlarmOK      AlarmState = "OK"
	AlarmFired   AlarmState = "ALARM"
	AlarmNoData  AlarmState = "INSUFFICIENT_DATA"
	AlarmMissing AlarmState = "MISSING"
)

// Alarm is a CloudWatch alarm.
type Alarm struct {
	Name    string     `json:"name"`
	State   AlarmState `json:"state"`
	Since   time.Time  `json:"since,omitzero"`
	Reason  string     `json:"reason,omitempty"`
	Watched bool       `json:"watched"` // deployments of the service watch it
}

// Environment returns project and environment of a service by its names, PROJECT-cluster-ENVIRONMENT or PROJECT-service-ENVIRONMENT. ok
// is false where neither is called so.
func Environment(cluster, service string) (project, environment string, ok bool) {
	for _, each := range [][2]string{{cluster, "-cluster-"}, {service, "-service-"}} {
		project, environment, ok = strings.Cut(arn.Last(each[0]), each[1])
		if ok && project != "" && environment != "" {
			return project, environment, true
		}
	}
	return "", "", false
}

// belongs reports whether an alarm is called as those of an environment are: PROJECT-ENVIRONMENT or PROJECT-KIND-ENVIRONMENT, and what
// follows.
func belongs(name, project, environment string) bool {
	rest, ok := strings.CutPrefix(name, project+"-")
	if !ok {
		return false
	}
	_, behind, _ := strings.Cut(rest, "-")
	for _, text := range []string{rest, behind} {
		if text == environment || strings.HasPrefix(text, environment+"-") {
			return true
		}
	}
	return false
}

// mostNames is how many alarms one call may name, and how many one page of the answer has at most.
const mostNames = 100

// Alarms reads the CloudWatch alarms of a service: those that its deployments watch, and those that are called as the environment's are.
// First come those that are in ALARM, then what is missing or has no data, by name.
func Alarms(ctx context.Context, cfg aws.Config, cluster, service string, watched []string) ([]Alarm, error) {
	var found []Alarm
	for names := range slices.Chunk(watched, mostNames) {
		query := url.Values{}
		for i, name := range names {
			query.Set("AlarmNames.member."+strconv.Itoa(i+1), name)
		}
		some, err := describeAlarms(ctx, cfg, query)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	if project, environment, ok := Environment(cluster, service); ok {
		some, err := describeAlarms(ctx, cfg, url.Values{"AlarmNamePrefix": {project + "-"}})
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(some, func(a Alarm) bool { return !belongs(a.Name, project, environment) })...)
	}
	return inOrder(found, watched), nil
}

// describeAlarms reads all pages of what a query finds, metric and composite alarms.
func describeAlarms(ctx context.Context, cfg aws.Config, query url.Values) (all []Alarm, err error) {
	query.Set("AlarmTypes.member.1", "MetricAlarm")
	query.Set("AlarmTypes.member.2", "CompositeAlarm")
	query.Set("MaxRecords", strconv.Itoa(mostNames))
	for {
		type alarm struct {
			Name   string     `xml:"AlarmName"`
			State  AlarmState `xml:"StateValue"`
			Reason string     `xml:"StateReason"`
			Since  string     `xml:"StateUpdatedTimestamp"`
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
			all = append(all, Alarm{Name: a.Name, State: a.State, Reason: a.Reason, Since: since})
		}
		if out.Next == "" {
			return all, nil
		}
		query.Set("NextToken", out.Next)
	}
}

// inOrder sorts alarms, without those that are there twice and with those that are watched and not there.
func inOrder(found []Alarm, watched []string) []Alarm {
	var all []Alarm
	known := map[string]bool{}
	for _, a := range found {
		if !known[a.Name] {
			a.Watched = slices.Contains(watched, a.Name)
			known[a.Name], all = true, append(all, a)
		}
	}
	for _, name := range watched {
		if !known[name] {
			known[name], all = true, append(all, Alarm{Name: name, State: AlarmMissing, Watched: true})
		}
	}
	rank := []AlarmState{AlarmFired, AlarmMissing, AlarmNoData}
	place := func(a Alarm) int {
		if i := slices.Index(rank, a.State); i >= 0 {
			return i
		}
		return len(rank)
	}
	slices.SortStableFunc(all, func(a, b Alarm) int {
		if c := place(a) - place(b); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}
