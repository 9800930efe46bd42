// Package ecs is the API of Amazon ECS on the sandbox's engine: inputs, permissions, refusals in the service's own words,
// paging, and the shapes of the answers. What happens over time is the engine's.
//
// Sources: the API model of 2014-11-13, the developer guide, and outputs that users published. Wordings that nobody
// confirmed are marked where they stand.
package ecs

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service answers the calls of the API. The world's lock guards it and its engine.
type Service struct {
	Sessions Sessions // nil: ECS Exec is not modelled

	engine *engine.Engine
	lag    time.Duration // how old the state is that DescribeServices shows
	past   map[*engine.Service][]shot
}

// shot is what a service looked like from a moment on.
type shot struct {
	from time.Time
	view object
}

// New puts the API on an engine, which must have been advanced to a request's time before the request runs. With a lag,
// DescribeServices shows the state of so long ago, and the engine has to call Keep wherever the world may have changed.
func New(e *engine.Engine, lag time.Duration) *Service {
	return &Service{engine: e, lag: lag, past: map[*engine.Service][]shot{}}
}

// Keep keeps what the services look like now, for as long as a lagging read may show it.
func (s *Service) Keep() {
	now := s.engine.Now()
	for _, c := range s.engine.Clusters() {
		for _, service := range c.Services {
			shots := s.past[service]
			if n := len(shots); n > 0 && shots[n-1].from.Equal(now) {
				shots = shots[:n-1]
			}
			for len(shots) > 1 && !shots[1].from.After(now.Add(-s.lag)) {
				shots = shots[1:]
			}
			s.past[service] = append(shots, shot{now, serviceView(service, []string{"TAGS"})})
		}
	}
}

// seen is what DescribeServices shows of a service.
func (s *Service) seen(service *engine.Service, include []string) object {
	if s.lag <= 0 {
		return serviceView(service, include)
	}
	var view object
	for _, shot := range s.past[service] {
		if view == nil || !shot.from.After(s.engine.Now().Add(-s.lag)) {
			view = shot.view
		}
	}
	if view == nil {
		return serviceView(service, include)
	}
	view = maps.Clone(view)
	if !slices.Contains(include, "TAGS") {
		delete(view, "tags")
	}
	return view
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	operations := map[string]wire.Operation{
		"CreateCluster":               s.createCluster,
		"DeleteCluster":               s.deleteCluster,
		"DescribeClusters":            s.describeClusters,
		"ListClusters":                s.listClusters,
		"PutClusterCapacityProviders": s.putClusterCapacityProviders,
		"DescribeCapacityProviders":   s.describeCapacityProviders,

		"RegisterTaskDefinition":     s.registerTaskDefinition,
		"DescribeTaskDefinition":     s.describeTaskDefinition,
		"DeregisterTaskDefinition":   s.deregisterTaskDefinition,
		"DeleteTaskDefinitions":      s.deleteTaskDefinitions,
		"ListTaskDefinitions":        s.listTaskDefinitions,
		"ListTaskDefinitionFamilies": s.listTaskDefinitionFamilies,

		"CreateService":    s.createService,
		"UpdateService":    s.updateService,
		"DeleteService":    s.deleteService,
		"DescribeServices": s.describeServices,
		"ListServices":     s.listServices,

		"ListServiceDeployments":     s.listServiceDeployments,
		"DescribeServiceDeployments": s.describeServiceDeployments,
		"DescribeServiceRevisions":   s.describeServiceRevisions,
		"StopServiceDeployment":      s.stopServiceDeployment,
		"ContinueServiceDeployment":  s.continueServiceDeployment,

		"RunTask":        s.runTask,
		"StopTask":       s.stopTask,
		"DescribeTasks":  s.describeTasks,
		"ListTasks":      s.listTasks,
		"ExecuteCommand": s.executeCommand,

		"TagResource":         s.tagResource,
		"UntagResource":       s.untagResource,
		"ListTagsForResource": s.listTagsForResource,
	}
	for name, operation := range operations {
		operations[name] = inAWSTerms(operation)
	}
	return &wire.JSONService{Name: "ecs", TargetPrefix: "AmazonEC2ContainerServiceV20141113", Operations: operations}
}

// inAWSTerms turns the engine's refusals into answers.
func inAWSTerms(operation wire.Operation) wire.Operation {
	return func(r *wire.Request) (any, error) {
		result, err := operation(r)
		refusal, ok := errors.AsType[*engine.Error](err)
		switch {
		case !ok:
			return result, err
		case refusal.Code == engine.CodeNotModelled:
			return nil, wire.NotModelled("%s", refusal.Message)
		default:
			return nil, &wire.Error{Code: refusal.Code, Message: refusal.Message}
		}
	}
}

// messageOf is the text of a refusal without its code.
func messageOf(err error) string {
	if refusal, ok := errors.AsType[*engine.Error](err); ok {
		return refusal.Message
	}
	return err.Error()
}

// object is an answer's JSON object.
type object map[string]any

// set adds a member unless it is empty, as the API leaves out what is not there.
func (o object) set(name string, value any) object {
	switch v := value.(type) {
	case string:
		if v == "" {
			return o
		}
	case wire.Time:
		if v.IsZero() {
			return o
		}
	case json.RawMessage:
		if len(v) == 0 {
			return o
		}
	}
	o[name] = value
	return o
}

func (o object) setAll(members map[string]json.RawMessage) object {
	for name, member := range members {
		o.set(name, member)
	}
	return o
}

func client(format string, args ...any) error { return wire.Errorf("ClientException", format, args...) }
func invalid(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

// list makes an empty list of nothing: clients expect [] and not null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// paging is what all List operations take.
type paging struct {
	NextToken  string `json:"nextToken"`
	MaxResults *int   `json:"maxResults"`
}

// page cuts a page out of items, under the name that the operation gives to its list.
func page[T any](p paging, name string, items []T, usual, most int) (object, error) {
	size := usual
	if p.MaxResults != nil {
		if size = *p.MaxResults; size < 1 || size > most {
			return nil, invalid("maxResults must be between 1 and %d.", most) // unconfirmed
		}
	}
	cut, next, ok := wire.Page(items, p.NextToken, size)
	if !ok {
		return nil, invalid("Invalid token.") // unconfirmed
	}
	return object{name: list(cut)}.set("nextToken", next), nil
}

// onCluster is the condition that narrows a permission to a cluster.
func onCluster(c *engine.Cluster) string { return "ecs:cluster=" + c.ARN }

// passRoles asks for the permission to hand roles to tasks. Each role is asked for once.
func passRoles(r *wire.Request, roles ...string) error {
	asked := map[string]bool{}
	for _, role := range roles {
		if role == "" || asked[role] {
			continue
		}
		asked[role] = true
		arn := role
		if !strings.HasPrefix(role, "arn:") {
			arn = "arn:aws:iam::" + r.Account + ":role/" + role
		}
		if err := r.Authorize("iam:PassRole", arn, "iam:PassedToService=ecs-tasks.amazonaws.com"); err != nil {
			return err
		}
	}
	return nil
}

// mayTag asks for the permission to tag what is being created.
func mayTag(r *wire.Request, resource string, tags []engine.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	return r.Authorize("ecs:TagResource", resource, "ecs:CreateAction="+r.Action)
}

func failure(arn, reason string) engine.Failure { return engine.Failure{ARN: arn, Reason: reason} }
