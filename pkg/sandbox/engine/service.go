package engine

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Service is a REPLICA service on Fargate with the ECS deployment controller.
type Service struct {
	Name        string
	ARN         string
	Cluster     *Cluster
	Status      string // ACTIVE, DRAINING, INACTIVE
	CreatedAt   time.Time
	CreatedBy   string
	Desired     int
	Grace       int // healthCheckGracePeriodSeconds
	Spec        Spec
	Config      DeploymentConfiguration
	Kept        map[string]json.RawMessage // members that are stored and shown, and change nothing
	Tags        []Tag
	Deployments []*Deployment        // PRIMARY first
	Events      []Event              // newest first, at most 100 (API model)
	History     []*ServiceDeployment // oldest first
	Revisions   []*Revision          // oldest first

	engine    *Engine
	completed *Deployment // the newest that completed: where a rollback goes
	serving   *Deployment // the one that all production traffic goes to; nil before the first that completed
	steady    bool
	steadyAt  time.Time            // of the latest "steady state" event
	problems  map[string]time.Time // event texts of unsolved problems, and when they were last told
	ticks     map[time.Time]bool   // scheduler runs that are planned
	token     string
}

// Event is a service event.
type Event struct {
	ID      string
	At      time.Time
	Message string
}

// Spec is what a service revision fixes.
type Spec struct {
	Definition      *TaskDefinition
	LaunchType      string // empty when a strategy is used
	Strategy        []StrategyItem
	PlatformVersion string
	LoadBalancers   []LoadBalancer
	Network         Network
	Kept            map[string]json.RawMessage // networkConfiguration, loadBalancers, … as they came
}

// LoadBalancer is one target group of a service.
type LoadBalancer struct {
	TargetGroup   string `json:"targetGroupArn"`
	Name          string `json:"loadBalancerName"`
	ContainerName string `json:"containerName"`
	ContainerPort int    `json:"containerPort"`
	Advanced      *struct {
		AlternateTargetGroup string `json:"alternateTargetGroupArn"`
	} `json:"advancedConfiguration"`
}

// Network is an awsvpc configuration.
type Network struct {
	VPC struct {
		Subnets        []string `json:"subnets"`
		SecurityGroups []string `json:"securityGroups"`
		AssignPublicIP string   `json:"assignPublicIp"`
	} `json:"awsvpcConfiguration"`
}

// ServiceChange is what CreateService and UpdateService take, by the API's own member names.
type ServiceChange struct {
	DesiredCount                  *int                       `json:"desiredCount"`
	TaskDefinition                string                     `json:"taskDefinition"`
	LaunchType                    string                     `json:"launchType"`
	CapacityProviderStrategy      []StrategyItem             `json:"capacityProviderStrategy"`
	PlatformVersion               string                     `json:"platformVersion"`
	DeploymentConfiguration       map[string]json.RawMessage `json:"deploymentConfiguration"`
	HealthCheckGracePeriodSeconds *int                       `json:"healthCheckGracePeriodSeconds"`
	ForceNewDeployment            bool                       `json:"forceNewDeployment"`
	SchedulingStrategy            string                     `json:"schedulingStrategy"`
	DeploymentController          *struct {
		Type string `json:"type"`
	} `json:"deploymentController"`
	ClientToken string `json:"clientToken"`
	Tags        []Tag  `json:"tags"`

	NetworkConfiguration        json.RawMessage `json:"networkConfiguration"`
	LoadBalancers               json.RawMessage `json:"loadBalancers"`
	ServiceRegistries           json.RawMessage `json:"serviceRegistries"`
	ServiceConnectConfiguration json.RawMessage `json:"serviceConnectConfiguration"`
	VolumeConfigurations        json.RawMessage `json:"volumeConfigurations"`
	VPCLatticeConfigurations    json.RawMessage `json:"vpcLatticeConfigurations"`

	EnableExecuteCommand        json.RawMessage `json:"enableExecuteCommand"`
	EnableECSManagedTags        json.RawMessage `json:"enableECSManagedTags"`
	PropagateTags               json.RawMessage `json:"propagateTags"`
	AvailabilityZoneRebalancing json.RawMessage `json:"availabilityZoneRebalancing"`
	PlacementConstraints        json.RawMessage `json:"placementConstraints"`
	PlacementStrategy           json.RawMessage `json:"placementStrategy"`
}

// deploying are the members whose change in UpdateService starts a deployment (API model).
func (c *ServiceChange) deploying() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"networkConfiguration": c.NetworkConfiguration, "loadBalancers": c.LoadBalancers,
		"serviceRegistries": c.ServiceRegistries, "serviceConnectConfiguration": c.ServiceConnectConfiguration,
		"volumeConfigurations": c.VolumeConfigurations, "vpcLatticeConfigurations": c.VPCLatticeConfigurations,
	}
}

func (c *ServiceChange) kept() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"enableExecuteCommand": c.EnableExecuteCommand, "enableECSManagedTags": c.EnableECSManagedTags,
		"propagateTags": c.PropagateTags, "availabilityZoneRebalancing": c.AvailabilityZoneRebalancing,
		"placementConstraints": c.PlacementConstraints, "placementStrategy": c.PlacementStrategy,
	}
}

// Service finds a service by name or ARN, INACTIVE ones too; nil if there is none.
func (c *Cluster) Service(nameOrARN string) *Service {
	var found *Service
	for _, s := range c.Services {
		if s.ARN == nameOrARN || s.Name == nameOrARN {
			found = s // the newest of that name
		}
	}
	return found
}

// CreateService makes a service and its first deployment. by is the caller's ARN.
func (e *Engine) CreateService(c *Cluster, name string, change ServiceChange, by string) (*Service, error) {
	if c.Status != Active {
		return nil, refuse("ClusterNotFoundException", "Cluster not found.")
	}
	if name == "" || len(name) > 255 || strings.Trim(name, nameLetters) != "" {
		return nil, refuse("InvalidParameterException", "Service name is invalid.") // unconfirmed
	}
	if existing := c.Service(name); existing != nil && existing.Status != Inactive {
		if change.ClientToken != "" && change.ClientToken == existing.token {
			return existing, nil
		}
		return nil, refuse("InvalidParameterException", "Creation of service was not idempotent.")
	}
	if change.TaskDefinition == "" {
		return nil, refuse("InvalidParameterException", "TaskDefinition cannot be blank.") // unconfirmed
	}
	switch {
	case change.SchedulingStrategy != "" && change.SchedulingStrategy != "REPLICA":
		return nil, notModelled("services with the scheduling strategy " + change.SchedulingStrategy)
	case change.DeploymentController != nil && change.DeploymentController.Type != "ECS":
		return nil, notModelled("services with the deployment controller " + change.DeploymentController.Type)
	}
	s := &Service{
		Name: name, ARN: e.ARN("ecs", "service/"+c.Name+"/"+name), Cluster: c, Status: Active, CreatedAt: e.now,
		CreatedBy: by, Tags: change.Tags, Kept: map[string]json.RawMessage{}, Config: defaultConfiguration(),
		Spec: Spec{PlatformVersion: "LATEST", Kept: map[string]json.RawMessage{}}, engine: e, token: change.ClientToken,
		problems: map[string]time.Time{}, ticks: map[time.Time]bool{},
	}
	if change.LaunchType == "" && len(change.CapacityProviderStrategy) == 0 {
		if change.CapacityProviderStrategy = c.DefaultStrategy; len(c.DefaultStrategy) == 0 {
			change.LaunchType = "EC2"
		}
	}
	s.Kept["enableExecuteCommand"] = json.RawMessage("false")
	s.Kept["enableECSManagedTags"] = json.RawMessage("false")
	s.Kept["propagateTags"] = json.RawMessage(`"NONE"`)
	s.Kept["availabilityZoneRebalancing"] = json.RawMessage(`"ENABLED"`)
	s.Kept["placementConstraints"], s.Kept["placementStrategy"] = json.RawMessage("[]"), json.RawMessage("[]")
	if err := s.apply(change, "ClientException"); err != nil {
		return nil, err
	}
	c.Services = append(c.Services, s)
	s.deploy()
	return s, nil
}

// UpdateService changes a service and starts a deployment if one of the deploying members changes, or if it is forced (API model). The
// desired count, the deployment configuration and the grace period start none.
func (e *Engine) UpdateService(s *Service, change ServiceChange) error {
	if s.Status != Active {
		return refuse("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	before := s.Spec
	if err := s.apply(change, "ClientException"); err != nil {
		return err
	}
	if change.ForceNewDeployment || s.Spec.differs(before) {
		s.deploy()
		return nil
	}
	if primary := s.primary(); primary != nil {
		primary.Desired, primary.UpdatedAt = s.Desired, e.now
	}
	s.wake(e.options.Timing.React)
	return nil
}

// differs says whether a deploying member changed. Giving one its present value starts nothing: that needs
// forceNewDeployment, "to start a new deployment with no service definition changes" (API model). A change of the
// capacity provider strategy alone starts nothing either.
func (s Spec) differs(before Spec) bool {
	if s.Definition != before.Definition || s.PlatformVersion != before.PlatformVersion || len(s.Kept) != len(before.Kept) {
		return true
	}
	for name, member := range s.Kept {
		if !sameJSON(member, before.Kept[name]) {
			return true
		}
	}
	return false
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// apply validates a change as a whole and only then writes it.
func (s *Service) apply(change ServiceChange, code string) error {
	e, next := s.engine, *s
	next.Spec.Kept, next.Kept = clone(s.Spec.Kept), clone(s.Kept)
	if change.DesiredCount != nil {
		if *change.DesiredCount < 0 {
			return invalid("desiredCount cannot be negative.") // unconfirmed
		}
		next.Desired = *change.DesiredCount
	}
	if change.HealthCheckGracePeriodSeconds != nil {
		next.Grace = *change.HealthCheckGracePeriodSeconds
	}
	if change.TaskDefinition != "" {
		td, err := e.usable(change.TaskDefinition, code)
		if err != nil {
			return err
		}
		next.Spec.Definition = td
	}
	if change.PlatformVersion != "" {
		if !slices.Contains([]string{"LATEST", "1.4.0", "1.3.0"}, change.PlatformVersion) {
			return refuse("PlatformUnknownException", "The specified platform version does not exist.")
		}
		next.Spec.PlatformVersion = change.PlatformVersion
	}
	if err := next.setCapacity(change); err != nil {
		return err
	}
	for name, member := range change.deploying() {
		if !isNull(member) {
			next.Spec.Kept[name] = member
		}
	}
	for name, member := range change.kept() {
		if !isNull(member) {
			next.Kept[name] = member
		}
	}
	config, err := s.Config.with(change.DeploymentConfiguration)
	if err != nil {
		return err
	}
	next.Config = config
	if err := next.checkNetwork(); err != nil {
		return err
	}
	*s = next
	return nil
}

// setCapacity takes a launch type or a capacity provider strategy; the one excludes the other.
func (s *Service) setCapacity(change ServiceChange) error {
	if change.LaunchType != "" && len(change.CapacityProviderStrategy) > 0 {
		return invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if change.LaunchType != "" {
		if change.LaunchType != "FARGATE" {
			return notModelled("the launch type " + change.LaunchType)
		}
		s.Spec.LaunchType, s.Spec.Strategy = change.LaunchType, nil
	}
	if len(change.CapacityProviderStrategy) > 0 {
		if err := s.Cluster.checkStrategy(change.CapacityProviderStrategy); err != nil {
			return err
		}
		s.Spec.LaunchType, s.Spec.Strategy = "", change.CapacityProviderStrategy
	}
	return nil
}

func (c *Cluster) checkStrategy(strategy []StrategyItem) error {
	for _, item := range strategy {
		if !slices.Contains(c.CapacityProviders, item.CapacityProvider) {
			return invalid("The specified capacity provider strategy cannot contain a capacity provider that is not " +
				"associated with the cluster. Associate the capacity provider with the cluster and try again.")
		}
		if item.CapacityProvider != "FARGATE" && item.CapacityProvider != "FARGATE_SPOT" {
			return notModelled("the capacity provider " + item.CapacityProvider)
		}
	}
	return nil
}

// checkNetwork validates what the deploying members say together.
func (s *Service) checkNetwork() error {
	if err := decodeMember(s.Spec.Kept, "networkConfiguration", &s.Spec.Network); err != nil {
		return err
	}
	s.Spec.LoadBalancers = nil
	if err := decodeMember(s.Spec.Kept, "loadBalancers", &s.Spec.LoadBalancers); err != nil {
		return err
	}
	d := s.Spec.Definition.Definition
	if !slices.Contains(s.Spec.Definition.Compatible, "FARGATE") {
		return invalid("Task definition does not support launch_type FARGATE.")
	}
	if len(s.Spec.Network.VPC.Subnets) == 0 {
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	for _, lb := range s.Spec.LoadBalancers {
		if lb.TargetGroup == "" {
			return notModelled("services behind a Classic Load Balancer")
		}
		groups := []string{lb.TargetGroup}
		if !s.Config.Strategy.rolling() {
			if lb.Advanced == nil || lb.Advanced.AlternateTargetGroup == "" {
				return invalid(missingAdvanced)
			}
			groups = append(groups, lb.Advanced.AlternateTargetGroup)
		}
		for _, group := range groups {
			if !s.engine.options.Targets.Exists(group) {
				return invalid(fmt.Sprintf("The target group with targetGroupArn %s does not have an associated load balancer.", group))
			}
		}
		c, ok := d.container(lb.ContainerName)
		if !ok {
			return invalid(fmt.Sprintf("The container %s does not exist in the task definition.", lb.ContainerName))
		}
		if !slices.ContainsFunc(c.PortMappings, func(p struct {
			ContainerPort int `json:"containerPort"`
		}) bool {
			return p.ContainerPort == lb.ContainerPort
		}) {
			return invalid(fmt.Sprintf("The container %s did not have a container port %d defined.", lb.ContainerName, lb.ContainerPort))
		}
	}
	return nil
}

func invalid(message string) error { return refuse("InvalidParameterException", message) }

// CodeNotModelled marks refusals that are the sandbox's own; no AWS service answers so.
const CodeNotModelled = "SandboxNotModelled"

func notModelled(what string) error { return refuse(CodeNotModelled, what) }

func clone(m map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// DeleteService begins the end of a service: its tasks are stopped, then it is INACTIVE, and can be described for a while still (API
// model, DeleteService).
func (e *Engine) DeleteService(s *Service, force bool) error {
	if s.Status != Active {
		return refuse("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	if s.Desired > 0 && !force {
		return invalid("The service cannot be stopped while it is scaled above 0.") // unconfirmed
	}
	s.Status, s.Desired = "DRAINING", 0
	for _, d := range s.Deployments {
		d.Desired = 0
	}
	s.wake(e.options.Timing.React)
	return nil
}

// Tasks returns the service's tasks that are not yet forgotten, oldest first.
func (s *Service) Tasks() []*Task {
	var out []*Task
	for _, t := range s.Cluster.Tasks {
		if t.Service == s {
			out = append(out, t)
		}
	}
	return out
}

// uses says whether the service's present or a deployment of it has the task definition.
func (s *Service) uses(td *TaskDefinition) bool {
	return s.Spec.Definition == td || slices.ContainsFunc(s.Deployments, func(d *Deployment) bool {
		return d.Revision.Spec.Definition == td
	})
}

// Counts are the running and pending tasks of a service, deployment or revision.
type Counts struct{ Running, Pending int }

func count(tasks []*Task, match func(*Task) bool) Counts {
	var c Counts
	for _, t := range tasks {
		if !match(t) {
			continue
		}
		switch t.LastStatus {
		case Running:
			c.Running++
		case Provisioning, Pending, Activating:
			c.Pending++
		}
	}
	return c
}

// Counts counts the tasks of all deployments.
func (s *Service) Counts() Counts { return count(s.Tasks(), func(*Task) bool { return true }) }

// tell adds an event, at least a millisecond after the one before it: readers order them by time.
func (s *Service) tell(format string, args ...any) {
	at := s.engine.now
	if len(s.Events) > 0 && !at.After(s.Events[0].At) {
		at = s.Events[0].At.Add(time.Millisecond)
	}
	event := Event{ID: s.engine.ids.uuid(), At: at, Message: fmt.Sprintf(format, args...)}
	s.Events = slices.Insert(s.Events, 0, event)
	s.Events = s.Events[:min(len(s.Events), 100)]
}

// complain tells of a problem, unless the very same was told within 6 h and is not solved (developer guide,
// service-event-messages).
func (s *Service) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if told, ok := s.problems[text]; ok && s.engine.now.Sub(told) < 6*time.Hour {
		return
	}
	s.problems[text] = s.engine.now
	s.tell("%s", text)
}
