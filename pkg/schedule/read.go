package schedule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
)

// ErrNotFound says that there is no such rule or schedule.
var ErrNotFound = errors.New("there is no such schedule")

// Client reads and changes the schedules of one account and region.
type Client struct {
	cfg   aws.Config
	clock clock.Clock
}

// New returns a client. A nil clock is the wall clock.
func New(cfg aws.Config, c clock.Clock) *Client { return &Client{cfg: cfg, clock: clock.Or(c)} }

// Schedule is a rule or a schedule, as it was read.
type Schedule struct {
	Name       Name
	ARN        string
	Enabled    bool
	Managed    string         // the AWS service whose rule it is; nobody else may change it
	Expression string         // empty: a rule that waits for events
	Zone       string         // IANA name; empty: UTC
	Start, End time.Time      // zero: none
	Window     time.Duration  // of a flexible time: how long after its time it may start
	Vanishes   bool           // it is deleted after its last run
	Targets    []Target       // those that start ECS tasks
	Others     int            // targets that start something else
	document   object         // of a schedule: what GetSchedule returned
	location   *time.Location // nil: not known here
}

// Read reads a rule or a schedule with its targets. The error is ErrNotFound where there is none.
func (c *Client) Read(ctx context.Context, n Name) (Schedule, error) {
	read := c.readSchedule
	if n.Rule != "" {
		read = c.readRule
	}
	s, err := read(ctx, n)
	switch {
	case err == nil:
		return s, nil
	case awserr.IsNotFound(err):
		return Schedule{}, fmt.Errorf("%s: %w in %s", n, ErrNotFound, c.cfg.Region)
	}
	return Schedule{}, fmt.Errorf("reading %s: %w", n, awserr.Explain(err))
}

func (c *Client) readRule(ctx context.Context, n Name) (Schedule, error) {
	var rule struct {
		Arn, ScheduleExpression, State, ManagedBy string //nolint:revive // as the API writes it
	}
	in := map[string]any{"Name": n.Rule}
	if n.Bus != "" {
		in["EventBusName"] = n.Bus
	}
	if err := awscall.JSON(ctx, c.cfg, awscall.EventBridge, "DescribeRule", in, &rule); err != nil {
		return Schedule{}, err
	}
	s := Schedule{Name: n, ARN: rule.Arn, Enabled: strings.HasPrefix(rule.State, "ENABLED"), Managed: rule.ManagedBy,
		Expression: rule.ScheduleExpression, location: time.UTC}
	for token := ""; ; {
		in := map[string]any{"Rule": n.Rule}
		if n.Bus != "" {
			in["EventBusName"] = n.Bus
		}
		if token != "" {
			in["NextToken"] = token
		}
		var page struct {
			Targets   []object
			NextToken string
		}
		if err := awscall.JSON(ctx, c.cfg, awscall.EventBridge, "ListTargetsByRule", in, &page); err != nil {
			return Schedule{}, err
		}
		for _, document := range page.Targets {
			s.add(document)
		}
		if token = page.NextToken; token == "" {
			return s, nil
		}
	}
}

func (c *Client) readSchedule(ctx context.Context, n Name) (Schedule, error) {
	var document object
	query := url.Values{"groupName": {cmp.Or(n.Group, Default)}}
	err := awscall.REST(ctx, c.cfg, awscall.Scheduler, "GetSchedule", http.MethodGet, "/schedules/"+url.PathEscape(n.Schedule), query, nil,
		&document)
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{Name: n, ARN: document.text("Arn"), Enabled: document.text("State") != "DISABLED",
		Expression: document.text("ScheduleExpression"), Zone: document.text("ScheduleExpressionTimezone"),
		Start: seconds(document.get("StartDate")), End: seconds(document.get("EndDate")),
		Vanishes: document.text("ActionAfterCompletion") == "DELETE", document: document}
	if s.location, err = time.LoadLocation(cmp.Or(s.Zone, "UTC")); err != nil {
		s.location = nil
	}
	var window struct {
		Mode                   string
		MaximumWindowInMinutes int
	}
	if json.Unmarshal(document.get("FlexibleTimeWindow"), &window) == nil && window.Mode == "FLEXIBLE" {
		s.Window = time.Duration(window.MaximumWindowInMinutes) * time.Minute
	}
	var target object
	if err := json.Unmarshal(document.get("Target"), &target); err != nil {
		return Schedule{}, fmt.Errorf("its target could not be read: %w", err)
	}
	s.add(target)
	return s, nil
}

// seconds reads a moment as the API writes it: seconds since 1970, with or without a fraction.
func seconds(text json.RawMessage) time.Time {
	var value float64
	if len(text) == 0 || json.Unmarshal(text, &value) != nil || value == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(value * 1000)).UTC()
}

func (s *Schedule) add(document object) {
	if target, ok := targetOf(document); ok {
		s.Targets = append(s.Targets, target)
	} else {
		s.Others++
	}
}

// Find returns the rules and schedules that start tasks in any of some clusters (ARNs): rules of every event bus, and schedules of every
// group, by their targets.
func (c *Client) Find(ctx context.Context, clusters ...string) ([]Schedule, error) {
	names, err := c.rules(ctx, clusters)
	if err != nil {
		return nil, fmt.Errorf("looking for rules: %w", awserr.Explain(err))
	}
	schedules, err := c.schedules(ctx, clusters)
	if err != nil {
		return nil, fmt.Errorf("looking for schedules: %w", awserr.Explain(err))
	}
	var found []Schedule
	for _, name := range append(names, schedules...) {
		s, err := c.Read(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound): // it was deleted since, or has run for the last time
			continue
		case err != nil:
			return nil, err
		}
		if len(s.Targets) > 0 {
			found = append(found, s)
		}
	}
	return found, nil
}

// pages calls an operation of EventBridge until its last page.
func (c *Client) pages(ctx context.Context, operation string, in map[string]any, read func(page object) error) error {
	for {
		var page object
		if err := awscall.JSON(ctx, c.cfg, awscall.EventBridge, operation, in, &page); err != nil {
			return err
		}
		if err := read(page); err != nil {
			return err
		}
		token := page.text("NextToken")
		if token == "" {
			return nil
		}
		in["NextToken"] = token
	}
}

func (c *Client) rules(ctx context.Context, clusters []string) (names []Name, err error) {
	var buses []string
	err = c.pages(ctx, "ListEventBuses", map[string]any{}, func(page object) error {
		var list []struct{ Name string }
		err := json.Unmarshal(page.get("EventBuses"), &list)
		for _, bus := range list {
			buses = append(buses, bus.Name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, bus := range buses {
		for _, cluster := range clusters {
			in := map[string]any{"TargetArn": cluster, "EventBusName": bus}
			err := c.pages(ctx, "ListRuleNamesByTarget", in, func(page object) error {
				var list []string
				err := json.Unmarshal(page.get("RuleNames"), &list)
				for _, rule := range list {
					names = append(names, Name{Rule: rule, Bus: bus})
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

func (c *Client) schedules(ctx context.Context, clusters []string) (names []Name, err error) {
	query := url.Values{"MaxResults": {"100"}}
	for {
		var page struct {
			NextToken string
			Schedules []struct {
				Name, GroupName string
				Target          struct{ Arn string } //nolint:revive // as the API writes it
			}
		}
		if err := awscall.REST(ctx, c.cfg, awscall.Scheduler, "ListSchedules", http.MethodGet, "/schedules", query, nil, &page); err != nil {
			return nil, err
		}
		for _, s := range page.Schedules {
			// What calls RunTask by itself does not show its cluster here.
			if slices.Contains(clusters, s.Target.Arn) || strings.HasSuffix(s.Target.Arn, runTask) {
				names = append(names, Name{Schedule: s.Name, Group: s.GroupName})
			}
		}
		if page.NextToken == "" {
			return names, nil
		}
		query.Set("NextToken", page.NextToken)
	}
}
