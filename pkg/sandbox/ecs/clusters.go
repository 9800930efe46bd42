package ecs

import (
	"encoding/json"
	"slices"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) createCluster(r *wire.Request) (any, error) {
	var in struct {
		ClusterName                     string                `json:"clusterName"`
		Tags                            []engine.Tag          `json:"tags"`
		CapacityProviders               []string              `json:"capacityProviders"`
		DefaultCapacityProviderStrategy []engine.StrategyItem `json:"defaultCapacityProviderStrategy"`
		Settings                        json.RawMessage       `json:"settings"`
		Configuration                   json.RawMessage       `json:"configuration"`
		ServiceConnectDefaults          json.RawMessage       `json:"serviceConnectDefaults"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:CreateCluster", "*"); err != nil {
		return nil, err
	}
	if in.ClusterName == "" {
		in.ClusterName = "default"
	}
	if err := mayTag(r, s.engine.ARN("ecs", "cluster/"+in.ClusterName), in.Tags); err != nil {
		return nil, err
	}
	c := s.engine.CreateCluster(in.ClusterName)
	c.Tags = engine.SetTags(c.Tags, in.Tags)
	if len(in.CapacityProviders) > 0 {
		c.CapacityProviders, c.DefaultStrategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
	}
	c.Kept = map[string]json.RawMessage{
		"settings": in.Settings, "configuration": in.Configuration, "serviceConnectDefaults": in.ServiceConnectDefaults,
	}
	return object{"cluster": clusterView(c, []string{"TAGS", "SETTINGS", "CONFIGURATIONS"})}, nil
}

func (s *Service) deleteCluster(r *wire.Request) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.cluster(r, "ecs:DeleteCluster", in.Cluster)
	if err != nil {
		return nil, err
	}
	if err := s.engine.DeleteCluster(c); err != nil {
		return nil, err
	}
	return object{"cluster": clusterView(c, nil)}, nil
}

// cluster finds a cluster by name or ARN, after asking for a permission on it.
func (s *Service) cluster(r *wire.Request, action, name string) (*engine.Cluster, error) {
	c, err := s.engine.Cluster(name)
	arn := s.engine.ARN("ecs", "cluster/"+arn.Last(name))
	if err == nil {
		arn = c.ARN
	}
	if denied := r.Authorize(action, arn); denied != nil {
		return nil, denied
	}
	return c, err
}

func (s *Service) describeClusters(r *wire.Request) (any, error) {
	var in struct {
		Clusters []string `json:"clusters"`
		Include  []string `json:"include"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Clusters) == 0 {
		in.Clusters = []string{"default"}
	}
	if len(in.Clusters) > 100 {
		return nil, invalid("Clusters cannot have more than 100 elements.") // unconfirmed
	}
	found, failures := []object{}, []engine.Failure{}
	for _, name := range in.Clusters {
		c, err := s.engine.Cluster(name)
		arn := s.engine.ARN("ecs", "cluster/"+arn.Last(name))
		if err := r.Authorize("ecs:DescribeClusters", arn); err != nil {
			return nil, err
		}
		if err != nil {
			failures = append(failures, failure(arn, "MISSING"))
			continue
		}
		found = append(found, clusterView(c, in.Include))
	}
	return object{"clusters": found, "failures": failures}, nil
}

func clusterView(c *engine.Cluster, include []string) object {
	running, pending, active := 0, 0, 0
	for _, t := range c.Tasks {
		switch t.LastStatus {
		case engine.Running:
			running++
		case engine.Provisioning, engine.Pending, engine.Activating:
			pending++
		}
	}
	for _, service := range c.Services {
		if service.Status == engine.Active {
			active++
		}
	}
	out := object{
		"clusterArn": c.ARN, "clusterName": c.Name, "status": c.Status, "registeredContainerInstancesCount": 0,
		"runningTasksCount": running, "pendingTasksCount": pending, "activeServicesCount": active,
		"statistics": []object{}, "tags": []engine.Tag{}, "settings": []object{},
		"capacityProviders": list(c.CapacityProviders), "defaultCapacityProviderStrategy": list(c.DefaultStrategy),
	}
	if slices.Contains(include, "TAGS") {
		out["tags"] = list(c.Tags)
	}
	if slices.Contains(include, "SETTINGS") {
		out.set("settings", c.Kept["settings"])
	}
	if slices.Contains(include, "CONFIGURATIONS") {
		out.set("configuration", c.Kept["configuration"])
	}
	return out.set("serviceConnectDefaults", c.Kept["serviceConnectDefaults"])
}

func (s *Service) listClusters(r *wire.Request) (any, error) {
	var in paging
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:ListClusters", "*"); err != nil {
		return nil, err
	}
	var arns []string
	for _, c := range s.engine.Clusters() {
		if c.Status == engine.Active {
			arns = append(arns, c.ARN)
		}
	}
	return page(in, "clusterArns", arns, 100, 100)
}

func (s *Service) putClusterCapacityProviders(r *wire.Request) (any, error) {
	var in struct {
		Cluster                         string                `json:"cluster"`
		CapacityProviders               []string              `json:"capacityProviders"`
		DefaultCapacityProviderStrategy []engine.StrategyItem `json:"defaultCapacityProviderStrategy"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.cluster(r, "ecs:PutClusterCapacityProviders", in.Cluster)
	if err != nil {
		return nil, err
	}
	for _, name := range in.CapacityProviders {
		if !slices.Contains(fargateProviders, name) {
			return nil, wire.NotModelled("the capacity provider %s", name)
		}
	}
	for _, item := range in.DefaultCapacityProviderStrategy {
		if !slices.Contains(in.CapacityProviders, item.CapacityProvider) {
			return nil, invalid("The specified capacity provider strategy cannot contain a capacity provider that is not " +
				"associated with the cluster. Associate the capacity provider with the cluster and try again.")
		}
	}
	c.CapacityProviders, c.DefaultStrategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
	return object{"cluster": clusterView(c, nil)}, nil
}

var fargateProviders = []string{"FARGATE", "FARGATE_SPOT"}

func (s *Service) describeCapacityProviders(r *wire.Request) (any, error) {
	var in struct {
		paging
		CapacityProviders []string `json:"capacityProviders"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.CapacityProviders) == 0 {
		in.CapacityProviders = fargateProviders
	}
	found, failures := []object{}, []engine.Failure{}
	for _, name := range in.CapacityProviders {
		short := arn.Last(name)
		provider := s.engine.ARN("ecs", "capacity-provider/"+short)
		if err := r.Authorize("ecs:DescribeCapacityProviders", provider); err != nil {
			return nil, err
		}
		if !slices.Contains(fargateProviders, short) {
			failures = append(failures, failure(provider, "MISSING"))
			continue
		}
		found = append(found, object{"capacityProviderArn": provider, "name": short, "status": "ACTIVE", "tags": []engine.Tag{}})
	}
	return object{"capacityProviders": found, "failures": failures}, nil
}
