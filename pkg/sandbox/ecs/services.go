package ecs

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) createService(r *wire.Request) (any, error) {
	var in struct {
		engine.ServiceChange
		Cluster     string `json:"cluster"`
		ServiceName string `json:"serviceName"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.engine.Cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	arn := s.engine.ARN("ecs", "service/"+c.Name+"/"+in.ServiceName)
	if err := r.Authorize("ecs:CreateService", arn, onCluster(c)); err != nil {
		return nil, err
	}
	if err := mayTag(r, arn, in.Tags); err != nil {
		return nil, err
	}
	if err := s.passRolesOf(r, in.TaskDefinition); err != nil {
		return nil, err
	}
	service, err := s.engine.CreateService(c, in.ServiceName, in.ServiceChange, r.Caller.ARN)
	if err != nil {
		return nil, err
	}
	return object{"service": serviceView(service, []string{"TAGS"})}, nil
}

// passRolesOf asks for the permission to pass the roles of a task definition, if there is such a one.
func (s *Service) passRolesOf(r *wire.Request, name string) error {
	if name == "" {
		return nil
	}
	if td, err := s.engine.TaskDefinition(name); err == nil { // else the operation itself refuses it
		return passRoles(r, td.Definition.TaskRole, td.Definition.ExecutionRole)
	}
	return nil
}

func (s *Service) updateService(r *wire.Request) (any, error) {
	var in struct {
		engine.ServiceChange
		Cluster string `json:"cluster"`
		Service string `json:"service"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	service, err := s.service(r, "ecs:UpdateService", in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if err := s.passRolesOf(r, in.TaskDefinition); err != nil {
		return nil, err
	}
	if err := s.engine.UpdateService(service, in.ServiceChange); err != nil {
		return nil, err
	}
	return object{"service": serviceView(service, nil)}, nil
}

// service finds a service after asking for a permission on it. A service that is not there has an error without a
// message (published output of UpdateService).
func (s *Service) service(r *wire.Request, action, cluster, name string) (*engine.Service, error) {
	c, err := s.engine.Cluster(clusterOf(cluster, name))
	if err != nil {
		return nil, err
	}
	if err := r.Authorize(action, s.engine.ARN("ecs", "service/"+c.Name+"/"+arn.Last(name)), onCluster(c)); err != nil {
		return nil, err
	}
	service := c.Service(name)
	if service == nil {
		return nil, &wire.Error{Code: "ServiceNotFoundException"}
	}
	return service, nil
}

// clusterOf is the cluster that a call names, or else the one in a service's or task's own ARN.
func clusterOf(cluster, arn string) string {
	if parts := strings.Split(arn, "/"); cluster == "" && strings.HasPrefix(arn, "arn:") && len(parts) == 3 {
		return parts[1]
	}
	return cluster
}

func (s *Service) deleteService(r *wire.Request) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
		Service string `json:"service"`
		Force   bool   `json:"force"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	service, err := s.service(r, "ecs:DeleteService", in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if err := s.engine.DeleteService(service, in.Force); err != nil {
		return nil, err
	}
	return object{"service": serviceView(service, nil)}, nil
}

func (s *Service) describeServices(r *wire.Request) (any, error) {
	var in struct {
		Cluster  string   `json:"cluster"`
		Services []string `json:"services"`
		Include  []string `json:"include"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Services) == 0 {
		return nil, invalid("Services cannot be empty.")
	}
	if len(in.Services) > 10 {
		return nil, invalid("Services cannot have more than 10 elements.") // unconfirmed
	}
	c, err := s.engine.Cluster(clusterOf(in.Cluster, in.Services[0]))
	if err != nil {
		return nil, err
	}
	found, failures := []object{}, []engine.Failure{}
	for _, name := range in.Services {
		arn := s.engine.ARN("ecs", "service/"+c.Name+"/"+arn.Last(name))
		if err := r.Authorize("ecs:DescribeServices", arn, onCluster(c)); err != nil {
			return nil, err
		}
		service := c.Service(name)
		if service == nil {
			failures = append(failures, failure(arn, "MISSING"))
			continue
		}
		found = append(found, s.seen(service, in.Include))
	}
	return object{"services": found, "failures": failures}, nil
}

func (s *Service) listServices(r *wire.Request) (any, error) {
	var in struct {
		paging
		Cluster            string `json:"cluster"`
		LaunchType         string `json:"launchType"`
		SchedulingStrategy string `json:"schedulingStrategy"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.engine.Cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:ListServices", "*", onCluster(c)); err != nil {
		return nil, err
	}
	var arns []string
	for _, service := range c.Services {
		if service.Status == engine.Inactive || in.LaunchType != "" && in.LaunchType != service.Spec.LaunchType ||
			in.SchedulingStrategy == "DAEMON" {
			continue
		}
		arns = append(arns, service.ARN)
	}
	return page(in.paging, "serviceArns", arns, 10, 100)
}

func serviceView(s *engine.Service, include []string) object {
	counts := s.Counts()
	out := object{
		"serviceArn": s.ARN, "serviceName": s.Name, "clusterArn": s.Cluster.ARN, "status": s.Status,
		"desiredCount": s.Desired, "runningCount": counts.Running, "pendingCount": counts.Pending,
		"taskDefinition": s.Spec.Definition.ARN, "schedulingStrategy": "REPLICA", "createdAt": wire.Time(s.CreatedAt),
		"platformVersion": s.Spec.PlatformVersion, "platformFamily": "Linux",
		"deploymentController": object{"type": "ECS"}, "deploymentConfiguration": s.Config.Document,
		"deployments": deploymentsView(s), "events": eventsView(s), "serviceRegistries": []object{}, "loadBalancers": []object{},
		"currentServiceRevisions": currentRevisions(s),
	}.set("createdBy", s.CreatedBy).setAll(s.Kept)
	capacity(out, s.Spec)
	for _, name := range []string{"networkConfiguration", "loadBalancers", "serviceRegistries"} {
		out.set(name, s.Spec.Kept[name])
	}
	if s.Grace > 0 || len(s.Spec.LoadBalancers) > 0 {
		out["healthCheckGracePeriodSeconds"] = s.Grace
	}
	for _, d := range s.History {
		if d.Visible() && !d.Over() {
			out["currentServiceDeployment"] = d.ARN // the newest that goes on; none where none does
		}
	}
	if slices.Contains(include, "TAGS") {
		out["tags"] = list(s.Tags)
	}
	return out
}

func reversed[T any](items []T) []T {
	out := slices.Clone(items)
	slices.Reverse(out)
	return out
}

// capacity shows a launch type or a strategy, never both.
func capacity(out object, spec engine.Spec) {
	if len(spec.Strategy) > 0 {
		out["capacityProviderStrategy"] = spec.Strategy
	} else {
		out.set("launchType", spec.LaunchType)
	}
}

func eventsView(s *engine.Service) []object {
	out := []object{}
	for _, e := range s.Events {
		out = append(out, object{"id": e.ID, "createdAt": wire.Time(e.At), "message": e.Message})
	}
	return out
}

func deploymentsView(s *engine.Service) []object {
	out := []object{}
	for _, d := range s.Deployments {
		counts := s.DeploymentCounts(d)
		view := object{
			"id": d.ID, "status": d.Status, "taskDefinition": d.Revision.Spec.Definition.ARN, "desiredCount": d.Desired,
			"pendingCount": counts.Pending, "runningCount": counts.Running, "failedTasks": d.FailedTasks,
			"createdAt": wire.Time(d.CreatedAt), "updatedAt": wire.Time(d.UpdatedAt), "platformVersion": "1.4.0",
			"platformFamily": "Linux", "rolloutState": d.State, "rolloutStateReason": d.Reason,
		}
		capacity(view, d.Revision.Spec)
		out = append(out, view.setAll(without(d.Revision.Spec.Kept, "loadBalancers", "serviceRegistries")))
	}
	return out
}

func without(members map[string]json.RawMessage, names ...string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, member := range members {
		if !slices.Contains(names, name) {
			out[name] = member
		}
	}
	return out
}

// currentRevisions are those of the listed deployments; that one is left when the service is idle is unconfirmed.
func currentRevisions(s *engine.Service) []object {
	out := []object{}
	for _, d := range s.Deployments {
		out = append(out, revisionSummary(s, d.Revision))
	}
	return out
}

func revisionSummary(s *engine.Service, revision *engine.Revision) object {
	requested, counts := s.RevisionCounts(revision)
	return object{
		"arn": revision.ARN, "requestedTaskCount": requested, "runningTaskCount": counts.Running, "pendingTaskCount": counts.Pending,
	}
}
