package bake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/pkg/alarm"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/ecsview/health"
)

// groups reads the traffic of target groups.
type groups struct {
	cfg       aws.Config
	arns      []string
	dimension [][2]string // target group and load balancer, as CloudWatch names them
}

// Traffic returns the read of what target groups have answered, or nil where there are none. CloudWatch knows a target group together
// with its load balancer alone, so that DescribeTargetGroups is asked for that first.
func Traffic(cfg aws.Config, targetGroups []string) func(ctx context.Context, from, to time.Time) ([]Minute, error) {
	if len(targetGroups) == 0 {
		return nil
	}
	g := &groups{cfg: cfg, arns: targetGroups}
	return g.minutes
}

// Health returns the read of how the load balancer finds the tasks in these target groups, both of blue/green, or nil where there are none.
func Health(cfg aws.Config, targetGroups []string) func(context.Context) ([]ecsview.Target, error) {
	if len(targetGroups) == 0 {
		return nil
	}
	client := elb.NewFromConfig(cfg)
	return func(ctx context.Context) (all []ecsview.Target, err error) {
		for _, group := range targetGroups {
			targets, err := health.Read(ctx, client, group)
			if err != nil {
				return nil, err
			}
			all = append(all, targets...)
		}
		return all, nil
	}
}

func (g *groups) find(ctx context.Context) error {
	out, err := elb.NewFromConfig(g.cfg).DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: g.arns})
	if err != nil {
		return fmt.Errorf("describing the target groups: %w", err)
	}
	g.dimension = [][2]string{}
	for _, group := range out.TargetGroups {
		for _, balancer := range group.LoadBalancerArns {
			if _, name, ok := strings.Cut(balancer, ":loadbalancer/"); ok && strings.HasPrefix(name, "app/") {
				g.dimension = append(g.dimension, [2]string{resource(aws.ToString(group.TargetGroupArn)), name})
			}
		}
	}
	return nil
}

// resource is the last part of an ARN, as the dimension TargetGroup has it: targetgroup/NAME/ID.
func resource(group string) string { return group[strings.LastIndexByte(group, ':')+1:] }

// metrics are those that are read of each target group: sums, and the average of the time that answers take, in seconds.
var metrics = []struct{ name, statistic string }{
	{"RequestCount", "Sum"}, {"HTTPCode_Target_5XX_Count", "Sum"}, {"TargetResponseTime", "Average"},
}

func (g *groups) minutes(ctx context.Context, from, to time.Time) ([]Minute, error) {
	if g.dimension == nil {
		if err := g.find(ctx); err != nil {
			return nil, err
		}
	}
	if len(g.dimension) == 0 {
		return nil, nil
	}
	query := url.Values{"StartTime": {from.UTC().Format(time.RFC3339)}, "EndTime": {to.UTC().Format(time.RFC3339)},
		"ScanBy": {"TimestampAscending"}}
	for i, pair := range g.dimension {
		for j, metric := range metrics {
			at := "MetricDataQueries.member." + strconv.Itoa(i*len(metrics)+j+1)
			query.Set(at+".Id", fmt.Sprintf("g%dm%d", i, j))
			query.Set(at+".MetricStat.Period", "60")
			query.Set(at+".MetricStat.Stat", metric.statistic)
			query.Set(at+".MetricStat.Metric.Namespace", "AWS/ApplicationELB")
			query.Set(at+".MetricStat.Metric.MetricName", metric.name)
			query.Set(at+".MetricStat.Metric.Dimensions.member.1.Name", "TargetGroup")
			query.Set(at+".MetricStat.Metric.Dimensions.member.1.Value", pair[0])
			query.Set(at+".MetricStat.Metric.Dimensions.member.2.Name", "LoadBalancer")
			query.Set(at+".MetricStat.Metric.Dimensions.member.2.Value", pair[1])
		}
	}
	var out struct {
		Results []struct {
			ID     string      `xml:"Id"`
			Times  []time.Time `xml:"Timestamps>member"`
			Values []float64   `xml:"Values>member"`
		} `xml:"GetMetricDataResult>MetricDataResults>member"`
	}
	if err := awscall.Query(ctx, g.cfg, awscall.CloudWatch, "GetMetricData", query, &out); err != nil {
		return nil, err
	}
	values := map[string]map[time.Time]float64{}
	for _, r := range out.Results {
		values[r.ID] = map[time.Time]float64{}
		for i, at := range r.Times {
			if i < len(r.Values) {
				values[r.ID][at.UTC()] = r.Values[i]
			}
		}
	}
	var all []Minute
	for at := from.UTC(); at.Before(to); at = at.Add(time.Minute) {
		var each []Minute
		for i := range g.dimension {
			read := func(metric int) float64 { return values[fmt.Sprintf("g%dm%d", i, metric)][at] }
			each = append(each, Minute{At: at, Requests: int(read(0)), Errors: int(read(1)),
				Latency: time.Duration(read(2) * float64(time.Second))})
		}
		sum := total(each)
		sum.At = at
		all = append(all, sum)
	}
	return all, nil
}

// Alarms returns the read of the states of CloudWatch alarms.
func Alarms(cfg aws.Config) func(ctx context.Context, names []string) (map[string]string, error) {
	return func(ctx context.Context, names []string) (map[string]string, error) {
		found, err := alarm.Named(ctx, cfg, names)
		if err != nil {
			return nil, err
		}
		states := map[string]string{}
		for _, a := range found {
			states[a.Name] = string(a.State)
		}
		return states, nil
	}
}

// maxBody is how much of an answer to a probe is looked at, in bytes.
const maxBody = 1 << 20

// Ask returns the read of a probe. The time is that of the network, whatever the clock of the run is.
func (p Probe) Ask(transport http.RoundTripper) func(context.Context) error {
	within := p.Within
	if within == 0 {
		within = 10 * time.Second
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) error {
		limited, done := context.WithTimeout(ctx, within)
		defer done()
		request, err := http.NewRequestWithContext(limited, http.MethodGet, p.URL, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			if limited.Err() != nil && ctx.Err() == nil {
				return fmt.Errorf("no answer within %s", within)
			}
			return err
		}
		defer response.Body.Close()
		switch {
		case p.Status == 0 && response.StatusCode >= 400, p.Status != 0 && response.StatusCode != p.Status:
			return fmt.Errorf("status %d", response.StatusCode)
		case p.Text == "":
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if !bytes.Contains(body, []byte(p.Text)) {
			return fmt.Errorf("the answer does not hold %q", p.Text)
		}
		return nil
	}
}
