// Package scheduler is the sandbox's EventBridge Scheduler: groups, and schedules that start ECS tasks at their time. Other targets are
// kept as they were put.
//
// Sources: EventBridge Scheduler API reference and user guide ("Schedule types"), botocore's model of the service, and messages that
// users published. A start that UpdateSchedule repeats is refused like a new one once it is five minutes old: unconfirmed. Runs come at
// the time itself: a flexible window is kept, and not used.
package scheduler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/awscron"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// World is what the service needs of what is around it.
type World interface {
	At(at time.Time, run func())                                                  // does something at a point in virtual time
	Start(by, cluster string, parameters json.RawMessage, overrides string) error // starts ECS tasks, as EcsParameters say
	Call(by string, request json.RawMessage) error                                // RunTask, with a request of the ECS API
}

// Service holds the schedules of one account and region. The world's lock guards it.
type Service struct {
	Account, Region string
	World           World

	groups []*group
}

type group struct {
	name      string
	made      time.Time
	tags      []tag
	schedules []*schedule
}

type tag struct{ Key, Value string }

// settings are what CreateSchedule and UpdateSchedule take. UpdateSchedule replaces all of them.
type settings struct {
	ActionAfterCompletion      string          `json:",omitempty"`
	Description                string          `json:",omitempty"`
	EndDate                    wire.Time       `json:",omitzero"`
	FlexibleTimeWindow         json.RawMessage `json:",omitempty"`
	GroupName                  string
	KmsKeyArn                  string `json:",omitempty"`
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	StartDate                  wire.Time `json:",omitzero"`
	State                      string
	Target                     json.RawMessage
}

type schedule struct {
	settings
	Name                 string
	Arn                  string //nolint:revive // as the API writes it
	CreationDate         wire.Time
	LastModificationDate wire.Time
	plan                 int // of the runs that are planned; others are void
	location             *time.Location
}

// New makes a service with the group that every account has.
func New(account, region string, world World, now time.Time) *Service {
	return &Service{Account: account, Region: region, World: world, groups: []*group{{name: "default", made: now}}}
}

// API is the service's table of operations.
func (s *Service) API() *wire.RESTService {
	return &wire.RESTService{Name: "scheduler", Routes: []wire.Route{
		{Method: "POST", Path: "/schedules/{Name}", Action: "CreateSchedule", Do: s.createSchedule},
		{Method: "GET", Path: "/schedules/{Name}", Action: "GetSchedule", Do: s.getSchedule},
		{Method: "PUT", Path: "/schedules/{Name}", Action: "UpdateSchedule", Do: s.updateSchedule},
		{Method: "DELETE", Path: "/schedules/{Name}", Action: "DeleteSchedule", Do: s.deleteSchedule},
		{Method: "GET", Path: "/schedules", Action: "ListSchedules", Do: s.listSchedules},
		{Method: "POST", Path: "/schedule-groups/{Name}", Action: "CreateScheduleGroup", Do: s.createGroup},
		{Method: "GET", Path: "/schedule-groups/{Name}", Action: "GetScheduleGroup", Do: s.getGroup},
		{Method: "DELETE", Path: "/schedule-groups/{Name}", Action: "DeleteScheduleGroup", Do: s.deleteGroup},
		{Method: "GET", Path: "/schedule-groups", Action: "ListScheduleGroups", Do: s.listGroups},
		{Method: "GET", Path: "/tags/{ResourceArn}", Action: "ListTagsForResource", Do: s.listTags},
		{Method: "POST", Path: "/tags/{ResourceArn}", Action: "TagResource", Do: s.tagResource},
	}}
}

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:scheduler:%s:%s:%s", s.Region, s.Account, resource)
}

func (s *Service) scheduleARN(groupName, name string) string {
	return s.arn("schedule/" + groupName + "/" + name)
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationException", format, args...)
}

func notFound(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceNotFoundException", format, args...).WithStatus(404)
}

func (s *Service) group(name string) *group {
	for _, g := range s.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// find returns the schedule that a request names, after asking for a permission on it.
func (s *Service) find(r *wire.Request, action, groupName string) (*group, *schedule, error) {
	groupName, name := cmp.Or(groupName, "default"), r.Parameters.Get("Name")
	if err := r.Authorize("scheduler:"+action, s.scheduleARN(groupName, name)); err != nil {
		return nil, nil, err
	}
	g := s.group(groupName)
	if g == nil {
		return nil, nil, notFound("Schedule group %s does not exist.", groupName)
	}
	for _, found := range g.schedules {
		if found.Name == name {
			return g, found, nil
		}
	}
	return g, nil, nil
}

func missing(r *wire.Request) error {
	return notFound("Schedule %s does not exist.", r.Parameters.Get("Name"))
}

// check reads the settings of a request, asks whether their role may be handed on, and refuses what Scheduler would.
func (s *Service) check(r *wire.Request) (in settings, zone *time.Location, err error) {
	if err := r.Decode(&in); err != nil {
		return in, nil, invalid("%v", err)
	}
	in.GroupName, in.State = cmp.Or(in.GroupName, "default"), cmp.Or(in.State, "ENABLED")
	in.ScheduleExpressionTimezone = cmp.Or(in.ScheduleExpressionTimezone, "UTC")
	in.ActionAfterCompletion = cmp.Or(in.ActionAfterCompletion, "NONE")
	var target struct{ Arn, RoleArn string } //nolint:revive // as the API writes it
	var window struct{ Mode string }
	switch {
	case json.Unmarshal(in.Target, &target) != nil || target.Arn == "" || target.RoleArn == "":
		return in, nil, invalid("1 validation error detected: Value at 'target' failed to satisfy constraint: Member must not be null")
	case json.Unmarshal(in.FlexibleTimeWindow, &window) != nil || window.Mode == "":
		return in, nil, invalid("1 validation error detected: Value at 'flexibleTimeWindow' failed to satisfy constraint: " +
			"Member must not be null")
	case !time.Time(in.StartDate).IsZero() && time.Time(in.StartDate).Before(r.Now.Add(-5*time.Minute)):
		return in, nil, invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
	case !time.Time(in.EndDate).IsZero() && time.Time(in.EndDate).Before(r.Now):
		return in, nil, invalid("The EndDate you specify cannot be earlier than now.") // wording unconfirmed
	}
	if zone, err = time.LoadLocation(in.ScheduleExpressionTimezone); err != nil {
		return in, nil, invalid("Invalid Schedule Expression Timezone %s.", in.ScheduleExpressionTimezone)
	}
	if _, err := awscron.Parse(in.ScheduleExpression, zone); err != nil {
		return in, nil, invalid("Invalid Schedule Expression %s.", in.ScheduleExpression)
	}
	if strings.Contains(target.Arn, ":cluster/") {
		var ecs struct {
			EcsParameters struct{ TaskDefinitionArn string }
		}
		if json.Unmarshal(in.Target, &ecs) != nil || ecs.EcsParameters.TaskDefinitionArn == "" {
			return in, nil, invalid("Invalid RequestJson provided. Reason TaskDefinitionArn must not be null.") // wording unconfirmed
		}
	}
	return in, zone, r.Authorize("iam:PassRole", target.RoleArn, "iam:PassedToService=scheduler.amazonaws.com")
}

func (s *Service) createSchedule(r *wire.Request) (any, error) {
	in, zone, err := s.check(r)
	if err != nil && zone == nil {
		return nil, err
	}
	g, found, refusal := s.find(r, "CreateSchedule", in.GroupName)
	switch {
	case refusal != nil:
		return nil, refusal
	case err != nil:
		return nil, err
	case found != nil:
		return nil, wire.Errorf("ConflictException", "Schedule %s already exists.", found.Name).WithStatus(409)
	}
	name := r.Parameters.Get("Name")
	made := &schedule{settings: in, Name: name, Arn: s.scheduleARN(g.name, name), CreationDate: wire.Time(r.Now),
		LastModificationDate: wire.Time(r.Now), location: zone}
	g.schedules = append(g.schedules, made)
	s.plan(g, made, r.Now)
	return map[string]string{"ScheduleArn": made.Arn}, nil
}

// Add makes a schedule of the group that every account has, as it was before anybody called. Nobody is asked for a permission.
func (s *Service) Add(name, expression, timezone string, target json.RawMessage, at time.Time) error {
	zone, err := time.LoadLocation(timezone)
	if err != nil {
		return err
	}
	if _, err := awscron.Parse(expression, zone); err != nil {
		return err
	}
	g := s.groups[0]
	made := &schedule{Name: name, Arn: s.scheduleARN(g.name, name), CreationDate: wire.Time(at), LastModificationDate: wire.Time(at),
		location: zone, settings: settings{
			ActionAfterCompletion: "NONE", FlexibleTimeWindow: json.RawMessage(`{"Mode":"OFF"}`), GroupName: g.name,
			ScheduleExpression: expression, ScheduleExpressionTimezone: timezone, State: "ENABLED", Target: target,
		}}
	g.schedules = append(g.schedules, made)
	s.plan(g, made, at)
	return nil
}

func (s *Service) updateSchedule(r *wire.Request) (any, error) {
	in, zone, err := s.check(r)
	if err != nil && zone == nil {
		return nil, err
	}
	g, found, refusal := s.find(r, "UpdateSchedule", in.GroupName)
	switch {
	case refusal != nil:
		return nil, refusal
	case err != nil:
		return nil, err
	case found == nil:
		return nil, missing(r)
	}
	found.settings, found.location, found.LastModificationDate = in, zone, wire.Time(r.Now)
	s.plan(g, found, r.Now)
	return map[string]string{"ScheduleArn": found.Arn}, nil
}

// plan plans the next run of a schedule; those that were planned before are void.
func (s *Service) plan(g *group, of *schedule, after time.Time) {
	of.plan++
	this := of.plan
	if of.State == "DISABLED" {
		return
	}
	e, err := awscron.Parse(of.ScheduleExpression, of.location)
	if err != nil {
		return
	}
	start := time.Time(of.StartDate)
	if start.IsZero() && e.Period() > 0 {
		start = time.Time(of.CreationDate) // "starts invoking its target right away"
	}
	at, found := e.Next(after, start)
	if end := time.Time(of.EndDate); !found || !end.IsZero() && at.After(end) {
		return
	}
	s.World.At(at, func() {
		if of.plan != this {
			return
		}
		s.run(of)
		s.plan(g, of, at)
		if _, again := e.Next(at, start); !again && of.ActionAfterCompletion == "DELETE" {
			g.schedules = slices.DeleteFunc(g.schedules, func(other *schedule) bool { return other == of })
		}
	})
}

func (s *Service) run(of *schedule) {
	var t struct {
		Arn, Input    string //nolint:revive // as the API writes it
		EcsParameters json.RawMessage
	}
	by := "chronos-schedule/" + of.Name
	switch {
	case json.Unmarshal(of.Target, &t) != nil:
	case strings.HasSuffix(t.Arn, ":scheduler:::aws-sdk:ecs:runTask"):
		_ = s.World.Call(by, json.RawMessage(t.Input)) // what fails goes to a dead-letter queue, which is not modelled
	case t.EcsParameters != nil:
		_ = s.World.Start(by, t.Arn, t.EcsParameters, t.Input)
	}
}

func (s *Service) getSchedule(r *wire.Request) (any, error) {
	_, found, err := s.find(r, "GetSchedule", r.Parameters.Get("groupName"))
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, missing(r)
	}
	return found, nil
}

func (s *Service) deleteSchedule(r *wire.Request) (any, error) {
	g, found, err := s.find(r, "DeleteSchedule", r.Parameters.Get("groupName"))
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, missing(r)
	}
	found.plan++
	g.schedules = slices.DeleteFunc(g.schedules, func(other *schedule) bool { return other == found })
	return nil, nil
}

func page[T any](r *wire.Request, items []T, name string) (any, error) {
	size, err := strconv.Atoi(cmp.Or(r.Parameters.Get("MaxResults"), "100"))
	if err != nil || size < 1 || size > 100 {
		return nil, invalid("1 validation error detected: Value at 'maxResults' failed to satisfy constraint")
	}
	shown, next, ok := wire.Page(items, r.Parameters.Get("NextToken"), size)
	if !ok {
		return nil, invalid("Invalid NextToken.")
	}
	out := map[string]any{name: append([]T{}, shown...)}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func (s *Service) listSchedules(r *wire.Request) (any, error) {
	only := r.Parameters.Get("ScheduleGroup")
	if err := r.Authorize("scheduler:ListSchedules", "*"); err != nil {
		return nil, err
	}
	var views []map[string]any
	for _, g := range s.groups {
		for _, of := range g.schedules {
			prefix, state := r.Parameters.Get("NamePrefix"), r.Parameters.Get("State")
			if only != "" && only != g.name || !strings.HasPrefix(of.Name, prefix) || state != "" && state != of.State {
				continue
			}
			var t struct{ Arn string }        //nolint:revive // as the API writes it
			_ = json.Unmarshal(of.Target, &t) // it was read when it came
			views = append(views, map[string]any{"Arn": of.Arn, "Name": of.Name, "GroupName": g.name, "State": of.State,
				"CreationDate": of.CreationDate, "LastModificationDate": of.LastModificationDate, "Target": t})
		}
	}
	return page(r, views, "Schedules")
}

func (s *Service) groupView(g *group) map[string]any {
	return map[string]any{"Arn": s.arn("schedule-group/" + g.name), "Name": g.name, "State": "ACTIVE", "CreationDate": wire.Time(g.made),
		"LastModificationDate": wire.Time(g.made)}
}

// named returns the group that a request names, after asking for a permission on it.
func (s *Service) named(r *wire.Request) (*group, error) {
	name := r.Parameters.Get("Name")
	if err := r.Authorize("scheduler:"+r.Action, s.arn("schedule-group/"+name)); err != nil {
		return nil, err
	}
	if g := s.group(name); g != nil {
		return g, nil
	}
	return nil, notFound("Schedule group %s does not exist.", name)
}

func (s *Service) createGroup(r *wire.Request) (any, error) {
	var in struct{ Tags []tag }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	name := r.Parameters.Get("Name")
	if err := r.Authorize("scheduler:CreateScheduleGroup", s.arn("schedule-group/"+name)); err != nil {
		return nil, err
	}
	if s.group(name) != nil {
		return nil, wire.Errorf("ConflictException", "Schedule group %s already exists.", name).WithStatus(409)
	}
	s.groups = append(s.groups, &group{name: name, made: r.Now, tags: in.Tags})
	return map[string]string{"ScheduleGroupArn": s.arn("schedule-group/" + name)}, nil
}

func (s *Service) getGroup(r *wire.Request) (any, error) {
	g, err := s.named(r)
	if err != nil {
		return nil, err
	}
	return s.groupView(g), nil
}

func (s *Service) deleteGroup(r *wire.Request) (any, error) {
	g, err := s.named(r)
	if err != nil {
		return nil, err
	}
	if g.name == "default" {
		return nil, invalid("Default schedule group cannot be deleted.") // wording unconfirmed
	}
	for _, of := range g.schedules {
		of.plan++ // "deleting a group deletes its schedules"
	}
	s.groups = slices.DeleteFunc(s.groups, func(other *group) bool { return other == g })
	return nil, nil
}

func (s *Service) listGroups(r *wire.Request) (any, error) {
	if err := r.Authorize("scheduler:ListScheduleGroups", s.arn("schedule-group/*")); err != nil {
		return nil, err
	}
	var views []map[string]any
	for _, g := range s.groups {
		if strings.HasPrefix(g.name, r.Parameters.Get("NamePrefix")) {
			views = append(views, s.groupView(g))
		}
	}
	return page(r, views, "ScheduleGroups")
}

// tagged returns the group that an ARN names: schedules have no tags.
func (s *Service) tagged(r *wire.Request) (*group, error) {
	arn := r.Parameters.Get("ResourceArn")
	if err := r.Authorize("scheduler:"+r.Action, arn); err != nil {
		return nil, err
	}
	if g := s.group(strings.TrimPrefix(arn, s.arn("schedule-group/"))); g != nil {
		return g, nil
	}
	return nil, notFound("Resource %s does not exist.", arn)
}

func (s *Service) listTags(r *wire.Request) (any, error) {
	g, err := s.tagged(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": append([]tag{}, g.tags...)}, nil
}

func (s *Service) tagResource(r *wire.Request) (any, error) {
	var in struct{ Tags []tag }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	g, err := s.tagged(r)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		g.tags = append(slices.DeleteFunc(g.tags, func(other tag) bool { return other.Key == t.Key }), t)
	}
	return nil, nil
}
