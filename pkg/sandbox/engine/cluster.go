package engine

import "encoding/json"

// Cluster is a namespace of services and tasks.
type Cluster struct {
	Name              string
	ARN               string
	Status            string // ACTIVE, INACTIVE
	Tags              []Tag
	CapacityProviders []string
	DefaultStrategy   []StrategyItem
	Kept              map[string]json.RawMessage // settings, configuration, serviceConnectDefaults: kept as they came
	Services          []*Service                 // in the order of creation
	Tasks             []*Task                    // oldest first; stopped ones leave after Timing.Keep

	ran map[string]ran // by client token of RunTask
}

// StrategyItem is an entry of a capacity provider strategy.
type StrategyItem struct {
	CapacityProvider string `json:"capacityProvider"`
	Weight           int    `json:"weight"`
	Base             int    `json:"base"`
}

// Clusters returns every cluster in the order of creation, INACTIVE ones too.
func (e *Engine) Clusters() []*Cluster { return e.clusters }

// Cluster finds a cluster by its name or ARN; "" is "default". The error is a ClusterNotFoundException.
func (e *Engine) Cluster(nameOrARN string) (*Cluster, error) {
	if nameOrARN == "" {
		nameOrARN = "default"
	}
	for _, c := range e.clusters {
		if c.Name == nameOrARN || c.ARN == nameOrARN {
			return c, nil
		}
	}
	return nil, refuse("ClusterNotFoundException", "Cluster not found.")
}

// CreateCluster makes a cluster, or returns the ACTIVE one of that name, as the API does. "" is "default" (API model).
func (e *Engine) CreateCluster(name string) *Cluster {
	if name == "" {
		name = "default"
	}
	if c, err := e.Cluster(name); err == nil {
		c.Status = "ACTIVE"
		return c
	}
	c := &Cluster{Name: name, ARN: e.ARN("ecs", "cluster/"+name), Status: "ACTIVE"}
	e.clusters = append(e.clusters, c)
	return c
}

// DeleteCluster makes an empty cluster INACTIVE.
func (e *Engine) DeleteCluster(c *Cluster) error {
	for _, s := range c.Services {
		if s.Status == "ACTIVE" {
			return refuse("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
		}
	}
	for _, t := range c.Tasks {
		if t.LastStatus != Stopped {
			return refuse("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
		}
	}
	c.Status = "INACTIVE"
	return nil
}
