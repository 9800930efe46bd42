// Package events is the sandbox's EventBridge: event buses, rules and their targets. Rules with a schedule start the tasks of their ECS
// targets; no event is delivered, and other targets are kept as they were put.
//
// Sources: EventBridge API reference (PutRule, PutTargets, ListTargetsByRule, ListRuleNamesByTarget, TagResource) and botocore's model of
// the service. That a schedule by rate begins with its rule is unconfirmed.
package events

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/awscron"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// World is what the service needs of what is around it.
type World interface {
	At(at time.Time, run func())                                                  // does something at a point in virtual time
	Start(by, cluster string, parameters json.RawMessage, overrides string) error // starts ECS tasks, as EcsParameters say
}

// Service holds the rules of one account and region. The world's lock guards it.
type Service struct {
	Account, Region string
	World           World

	buses []*bus
}

type bus struct {
	name  string
	made  time.Time
	rules []*rule
}

type rule struct {
	name, bus, pattern, expression, state, description, role string
	targets                                                  []target
	tags                                                     []tag
	made                                                     time.Time
	plan                                                     int // of the runs that are planned; others are void
}

// target is kept as it was put.
type target struct {
	id, arn  string
	document json.RawMessage
}

type tag struct{ Key, Value string }

// New makes a service with the bus that every account has.
func New(account, region string, world World, now time.Time) *Service {
	return &Service{Account: account, Region: region, World: world, buses: []*bus{{name: "default", made: now}}}
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "events", TargetPrefix: "AWSEvents", Operations: map[string]wire.Operation{
		"PutRule":               s.putRule,
		"DescribeRule":          s.describeRule,
		"ListRules":             s.listRules,
		"DeleteRule":            s.deleteRule,
		"EnableRule":            s.enableRule,
		"DisableRule":           s.disableRule,
		"PutTargets":            s.putTargets,
		"ListTargetsByRule":     s.listTargetsByRule,
		"RemoveTargets":         s.removeTargets,
		"ListRuleNamesByTarget": s.listRuleNamesByTarget,
		"CreateEventBus":        s.createEventBus,
		"DeleteEventBus":        s.deleteEventBus,
		"ListEventBuses":        s.listEventBuses,
		"TagResource":           s.tagResource,
		"UntagResource":         s.untagResource,
		"ListTagsForResource":   s.listTagsForResource,
	}}
}

type input struct {
	Name, Rule, EventBusName, EventPattern, ScheduleExpression, State, Description, RoleArn string
	NamePrefix, TargetArn, NextToken, ResourceARN                                           string
	Limit                                                                                   int
	Tags                                                                                    []tag
	TagKeys, Ids                                                                            []string
	Targets                                                                                 []json.RawMessage
	Force                                                                                   bool
}

func (s *Service) read(r *wire.Request) (in input, err error) {
	err = r.Decode(&in)
	in.Rule = cmp.Or(in.Rule, in.Name)
	in.EventBusName = cmp.Or(in.EventBusName, "default")
	if i := strings.Index(in.EventBusName, ":event-bus/"); i >= 0 { // its ARN does as well
		in.EventBusName = in.EventBusName[i+len(":event-bus/"):]
	}
	return in, err
}

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:events:%s:%s:%s", s.Region, s.Account, resource)
}

func (s *Service) ruleARN(busName, name string) string {
	if busName == "default" {
		return s.arn("rule/" + name)
	}
	return s.arn("rule/" + busName + "/" + name)
}

func notFound(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceNotFoundException", format, args...)
}

func (s *Service) bus(name string) (*bus, error) {
	for _, b := range s.buses {
		if b.name == name {
			return b, nil
		}
	}
	return nil, notFound("Event bus %s does not exist.", name)
}

// find returns the rule that a request names, after asking for a permission on it.
func (s *Service) find(r *wire.Request, in input) (*bus, *rule, error) {
	if err := r.Authorize("events:"+r.Action, s.ruleARN(in.EventBusName, in.Rule)); err != nil {
		return nil, nil, err
	}
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, nil, err
	}
	for _, rule := range b.rules {
		if rule.name == in.Rule {
			return b, rule, nil
		}
	}
	return b, nil, notFound("Rule %s does not exist on EventBus %s.", in.Rule, in.EventBusName)
}

// passRole asks whether the caller may hand a role to the service.
func passRole(r *wire.Request, role string) error {
	if role == "" {
		return nil
	}
	return r.Authorize("iam:PassRole", role, "iam:PassedToService=events.amazonaws.com")
}

func (s *Service) putRule(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	b, found, err := s.find(r, in)
	if b == nil {
		return nil, err
	}
	if err := passRole(r, in.RoleArn); err != nil {
		return nil, err
	}
	switch {
	case in.Rule == "":
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'name' failed to satisfy constraint: "+
			"Member must have length greater than or equal to 1")
	case in.ScheduleExpression == "" && in.EventPattern == "":
		return nil, wire.Errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.ScheduleExpression != "" && in.EventBusName != "default":
		return nil, wire.Errorf("ValidationException", "ScheduleExpression is supported only on the default event bus.")
	}
	if in.ScheduleExpression != "" {
		if _, err := awscron.Parse(in.ScheduleExpression, time.UTC); err != nil || strings.HasPrefix(in.ScheduleExpression, "at(") {
			return nil, wire.Errorf("ValidationException", "Parameter ScheduleExpression is not valid.")
		}
	}
	if found == nil {
		found = &rule{name: in.Rule, bus: b.name, made: r.Now, tags: in.Tags}
		b.rules = append(b.rules, found)
	}
	found.pattern, found.expression, found.state = in.EventPattern, in.ScheduleExpression, cmp.Or(in.State, "ENABLED")
	found.description, found.role = in.Description, in.RoleArn
	s.plan(found, r.Now)
	return map[string]any{"RuleArn": s.ruleARN(b.name, found.name)}, nil
}

// plan plans the next run of a rule; those that were planned before are void.
func (s *Service) plan(of *rule, after time.Time) {
	of.plan++
	this := of.plan
	if of.expression == "" || of.state == "DISABLED" {
		return
	}
	e, err := awscron.Parse(of.expression, time.UTC)
	if err != nil {
		return
	}
	at, found := e.Next(after, of.made.Add(e.Period()))
	if !found {
		return
	}
	s.World.At(at, func() {
		if of.plan != this {
			return
		}
		for _, t := range of.targets {
			var d struct {
				EcsParameters json.RawMessage
				Input         string
			}
			if json.Unmarshal(t.document, &d) == nil && d.EcsParameters != nil {
				_ = s.World.Start("events-rule/"+of.name, t.arn, d.EcsParameters, d.Input) // EventBridge tells nobody who does not look at its metrics
			}
		}
		s.plan(of, at)
	})
}

func (s *Service) view(of *rule) map[string]any {
	out := map[string]any{"Name": of.name, "Arn": s.ruleARN(of.bus, of.name), "State": of.state, "EventBusName": of.bus}
	for name, value := range map[string]string{"EventPattern": of.pattern, "ScheduleExpression": of.expression,
		"Description": of.description, "RoleArn": of.role} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func (s *Service) describeRule(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	_, found, err := s.find(r, in)
	if err != nil {
		return nil, err
	}
	out := s.view(found)
	out["CreatedBy"] = s.Account
	return out, nil
}

func page[T any](in input, items []T, out map[string]any, name string) (any, error) {
	shown, next, ok := wire.Page(items, in.NextToken, cmp.Or(in.Limit, 100))
	if !ok {
		return nil, wire.Errorf("ValidationException", "Invalid NextToken.")
	}
	if shown == nil {
		shown = []T{}
	}
	out[name] = shown
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func (s *Service) listRules(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("events:ListRules", s.ruleARN(in.EventBusName, "*")); err != nil {
		return nil, err
	}
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	var views []map[string]any
	for _, of := range b.rules {
		if strings.HasPrefix(of.name, in.NamePrefix) {
			views = append(views, s.view(of))
		}
	}
	return page(in, views, map[string]any{}, "Rules")
}

func (s *Service) deleteRule(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	b, found, err := s.find(r, in)
	switch {
	case b == nil:
		return nil, err
	case found == nil && b != nil && wireCode(err) == "ResourceNotFoundException":
		return nil, nil // "If you call delete rule multiple times for the same rule, all calls will succeed."
	case err != nil:
		return nil, err
	case len(found.targets) > 0:
		return nil, wire.Errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	found.plan++
	b.rules = slices.DeleteFunc(b.rules, func(of *rule) bool { return of == found })
	return nil, nil
}

func wireCode(err error) string {
	if e, ok := err.(*wire.Error); ok { //nolint:errorlint // it is made here
		return e.Code
	}
	return ""
}

func (s *Service) enableRule(r *wire.Request) (any, error)  { return s.setState(r, "ENABLED") }
func (s *Service) disableRule(r *wire.Request) (any, error) { return s.setState(r, "DISABLED") }

func (s *Service) setState(r *wire.Request, state string) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	_, found, err := s.find(r, in)
	if err != nil {
		return nil, err
	}
	found.state = state
	s.plan(found, r.Now)
	return nil, nil
}

func (s *Service) putTargets(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	_, found, err := s.find(r, in)
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, document := range in.Targets {
		var t struct{ Id, Arn, RoleArn string } //nolint:revive // as the API writes it
		if json.Unmarshal(document, &t) != nil || t.Id == "" || t.Arn == "" {
			return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'targets' failed to satisfy constraint")
		}
		if err := passRole(r, t.RoleArn); err != nil {
			return nil, err
		}
		if strings.Contains(t.Arn, ":ecs:") && t.RoleArn == "" {
			return nil, wire.Errorf("ValidationException", "RoleArn is required for target %s.", t.Arn)
		}
		targets = append(targets, target{t.Id, t.Arn, document})
	}
	for _, t := range targets {
		i := slices.IndexFunc(found.targets, func(other target) bool { return other.id == t.id })
		switch {
		case i >= 0:
			found.targets[i] = t // the whole of it is replaced
		case len(found.targets) == 5:
			return nil, wire.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		default:
			found.targets = append(found.targets, t)
		}
	}
	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

func (s *Service) listTargetsByRule(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	_, found, err := s.find(r, in)
	if err != nil {
		return nil, err
	}
	var documents []json.RawMessage
	for _, t := range found.targets {
		documents = append(documents, t.document)
	}
	return page(in, documents, map[string]any{}, "Targets")
}

func (s *Service) removeTargets(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	_, found, err := s.find(r, in)
	if err != nil {
		return nil, err
	}
	found.targets = slices.DeleteFunc(found.targets, func(t target) bool { return slices.Contains(in.Ids, t.id) })
	return map[string]any{"FailedEntryCount": 0, "FailedEntries": []any{}}, nil
}

func (s *Service) listRuleNamesByTarget(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("events:ListRuleNamesByTarget", "*"); err != nil {
		return nil, err
	}
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, of := range b.rules {
		if slices.ContainsFunc(of.targets, func(t target) bool { return t.arn == in.TargetArn }) {
			names = append(names, of.name)
		}
	}
	return page(in, names, map[string]any{}, "RuleNames")
}

func (s *Service) createEventBus(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("events:CreateEventBus", s.arn("event-bus/"+in.Name)); err != nil {
		return nil, err
	}
	if b, _ := s.bus(in.Name); b != nil {
		return nil, wire.Errorf("ResourceAlreadyExistsException", "Event bus %s already exists.", in.Name)
	}
	s.buses = append(s.buses, &bus{name: in.Name, made: r.Now})
	return map[string]any{"EventBusArn": s.arn("event-bus/" + in.Name)}, nil
}

func (s *Service) deleteEventBus(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("events:DeleteEventBus", s.arn("event-bus/"+in.Name)); err != nil {
		return nil, err
	}
	if b, _ := s.bus(in.Name); b != nil && len(b.rules) > 0 || in.Name == "default" {
		return nil, wire.Errorf("ValidationException", "Event bus %s cannot be deleted.", in.Name)
	}
	s.buses = slices.DeleteFunc(s.buses, func(b *bus) bool { return b.name == in.Name })
	return nil, nil
}

func (s *Service) listEventBuses(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("events:ListEventBuses", "*"); err != nil {
		return nil, err
	}
	var views []map[string]any
	for _, b := range s.buses {
		if strings.HasPrefix(b.name, in.NamePrefix) {
			views = append(views, map[string]any{"Name": b.name, "Arn": s.arn("event-bus/" + b.name), "CreationTime": wire.Time(b.made)})
		}
	}
	return page(in, views, map[string]any{}, "EventBuses")
}

// tagged returns the rule that an ARN names, after asking for a permission on it.
func (s *Service) tagged(r *wire.Request, arn string) (*rule, error) {
	if err := r.Authorize("events:"+r.Action, arn); err != nil {
		return nil, err
	}
	for _, b := range s.buses {
		for _, of := range b.rules {
			if s.ruleARN(b.name, of.name) == arn {
				return of, nil
			}
		}
	}
	return nil, notFound("Resource %s does not exist.", arn)
}

func (s *Service) tagResource(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	of, err := s.tagged(r, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		of.tags = append(slices.DeleteFunc(of.tags, func(other tag) bool { return other.Key == t.Key }), t)
	}
	return nil, nil
}

func (s *Service) untagResource(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	of, err := s.tagged(r, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	of.tags = slices.DeleteFunc(of.tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return nil, nil
}

func (s *Service) listTagsForResource(r *wire.Request) (any, error) {
	in, err := s.read(r)
	if err != nil {
		return nil, err
	}
	of, err := s.tagged(r, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": append([]tag{}, of.tags...)}, nil
}
