package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Values of a task's lastStatus, in their order (developer guide, task-lifecycle-explanation); a desiredStatus is Running or Stopped
// alone (API model).
const (
	Provisioning   = "PROVISIONING"
	Pending        = "PENDING"
	Activating     = "ACTIVATING"
	Running        = "RUNNING"
	Deactivating   = "DEACTIVATING"
	Stopping       = "STOPPING"
	Deprovisioning = "DEPROVISIONING"
	Stopped        = "STOPPED"
)

// Stop codes (API model, TaskStopCode).
const (
	TaskFailedToStart         = "TaskFailedToStart"
	EssentialContainerExited  = "EssentialContainerExited"
	UserInitiated             = "UserInitiated"
	ServiceSchedulerInitiated = "ServiceSchedulerInitiated"
	SpotInterruption          = "SpotInterruption"
)

// Health statuses of containers and tasks.
const (
	HealthHealthy   = "HEALTHY"
	HealthUnhealthy = "UNHEALTHY"
	HealthUnknown   = "UNKNOWN"
)

// Task is a task of a service or of RunTask.
type Task struct {
	ID               string
	ARN              string
	Cluster          *Cluster
	Service          *Service    // nil for tasks of RunTask
	Deployment       *Deployment // nil for tasks of RunTask
	Definition       *TaskDefinition
	Group            string
	StartedBy        string
	LaunchType       string
	CapacityProvider string
	PlatformVersion  string
	AvailabilityZone string
	LastStatus       string
	DesiredStatus    string
	StopCode         string
	StoppedReason    string
	Connectivity     string
	Version          int
	Overrides        Overrides
	OverridesRaw     json.RawMessage
	Exec             bool // enableExecuteCommand
	Tags             []Tag
	Containers       []*Container
	Interface        Interface

	CreatedAt, ConnectivityAt, PullStartedAt, PullStoppedAt, StartedAt, StoppingAt, ExecutionStoppedAt, StoppedAt time.Time

	engine        *Engine
	epoch         int // rises when the task's course changes: what was planned before is void
	targets       []target
	deregisterAt  time.Time // of the deregistration that is planned
	replaced      bool      // a replacement for this unhealthy task was started
	unhealthyStop bool      // stopped for its health
	visibleAt     time.Time // when DescribeTasks begins to know it
	stage         stage     // of a task that is really run
	afterwards    func()    // what follows the end of the last container that is really run
}

// Interface is the task's elastic network interface.
type Interface struct {
	AttachmentID, ID, MAC, Subnet, IP, Status string
}

// Container is a container of a task.
type Container struct {
	Name         string
	ARN          string
	Image        string
	ImageDigest  string
	RuntimeID    string
	LastStatus   string // PENDING, RUNNING, STOPPED
	ExitCode     *int   // nil if it never ran
	Reason       string
	HealthStatus string
	StartedAt    time.Time

	definition ContainerDefinition
	behaviour  Behaviour
	resolved   Image
	failure    error   // of the resolution, kept for the pull
	process    Process // nil unless it is really run
	starts     int     // how often it was started again
}

// Overrides are RunTask's overrides as far as the engine acts on them.
type Overrides struct {
	CPU           string `json:"cpu"`
	Memory        string `json:"memory"`
	TaskRole      string `json:"taskRoleArn"`
	ExecutionRole string `json:"executionRoleArn"`
	Containers    []struct {
		Name        string     `json:"name"`
		Command     []string   `json:"command"`
		Environment []Variable `json:"environment"`
		Memory      *int       `json:"memory"`
	} `json:"containerOverrides"`
}

// target is a registration in a target group.
type target struct {
	group      string
	port       int
	registered bool
	health     Health
}

// Answers says whether the task was behind a target group (its ARN) at a moment of the past, and how it answers.
func (t *Task) Answers(group string, at time.Time) (how Serves, serves bool) {
	if t.StartedAt.IsZero() || at.Before(t.StartedAt) || !t.StoppingAt.IsZero() && !at.Before(t.StoppingAt) {
		return how, false
	}
	for _, target := range t.targets {
		serves = serves || target.group == group
	}
	for _, c := range t.Containers {
		how.Errors, how.Latency = how.Errors+c.behaviour.Serves.Errors, how.Latency+c.behaviour.Serves.Latency
	}
	return how, serves
}

// Visible says whether DescribeTasks and ListTasks know the task yet: they are eventually consistent (API model, RunTask).
func (t *Task) Visible() bool { return !t.engine.now.Before(t.visibleAt) }

// HealthStatus is the task's: UNHEALTHY if an essential container is, else UNKNOWN if one is, else HEALTHY (API model,
// Task.healthStatus).
func (t *Task) HealthStatus() string {
	status := HealthHealthy
	for _, c := range t.Containers {
		switch {
		case !c.definition.essential():
		case c.HealthStatus == HealthUnhealthy:
			return HealthUnhealthy
		case c.HealthStatus == HealthUnknown:
			status = HealthUnknown
		}
	}
	return status
}

// Command is what a container runs: its override, or what its definition says; empty if the image decides.
func (t *Task) Command(container string) []string {
	for _, o := range t.Overrides.Containers {
		if o.Name == container && len(o.Command) > 0 {
			return o.Command
		}
	}
	c, _ := t.Definition.Definition.container(container)
	return append(append([]string{}, c.EntryPoint...), c.Command...)
}

// ExecAgent is the state of the container's agent of ECS Exec: it cannot start where it can write nothing (developer guide, ecs-exec).
func (c *Container) ExecAgent() string {
	if c.definition.ReadOnlyRoot && c.LastStatus == Running {
		return Stopped
	}
	return c.LastStatus
}

// LogStream returns the awslogs group and stream of a container, PREFIX/CONTAINER/TASK (developer guide, using_awslogs); ok is false if
// it logs elsewhere.
func (t *Task) LogStream(c *Container) (group, stream string, ok bool) {
	if !c.definition.awslogs() {
		return "", "", false
	}
	options := c.definition.Log.Options
	stream = c.RuntimeID
	if prefix := options["awslogs-stream-prefix"]; prefix != "" {
		stream = prefix + "/" + c.Name + "/" + t.ID
	}
	return options["awslogs-group"], stream, true
}

// newTask makes a task of a definition that is not yet launched.
func (e *Engine) newTask(c *Cluster, td *TaskDefinition) *Task {
	id := e.ids.task()
	t := &Task{
		ID: id, ARN: e.ARN("ecs", "task/"+c.Name+"/"+id), Cluster: c, Definition: td, engine: e, CreatedAt: e.now,
		LastStatus: Provisioning, DesiredStatus: Running, Version: 1, PlatformVersion: "1.4.0", Connectivity: "",
	}
	for _, d := range td.Definition.Containers {
		t.Containers = append(t.Containers, &Container{
			Name: d.Name, Image: d.Image, LastStatus: Pending, HealthStatus: HealthUnknown, definition: d,
			ARN:       e.ARN("ecs", fmt.Sprintf("container/%s/%s/%s", c.Name, id, e.ids.uuid())),
			RuntimeID: id + "-" + e.ids.digits(10),
		})
	}
	return t
}

// spec gives the task the network and capacity of a service; n spreads tasks over subnets, zones and providers.
func (t *Task) spec(s Spec, n int) {
	e := t.engine
	e.addresses++
	subnet := "subnet-" + fmt.Sprintf("%017x", 1)
	if subnets := s.Network.VPC.Subnets; len(subnets) > 0 {
		subnet = subnets[n%len(subnets)]
	}
	t.AvailabilityZone = e.options.Region + string("abc"[n%max(1, min(3, len(s.Network.VPC.Subnets)))])
	t.Interface = Interface{
		AttachmentID: e.ids.uuid(), ID: "eni-" + e.ids.hex(17), Subnet: subnet, Status: "PRECREATED",
		MAC: "0a:" + e.ids.hex(2) + ":" + e.ids.hex(2) + ":" + e.ids.hex(2) + ":" + e.ids.hex(2) + ":" + e.ids.hex(2),
		IP:  fmt.Sprintf("10.0.%d.%d", (e.addresses/250)%250+1, e.addresses%250+4),
	}
	t.LaunchType, t.CapacityProvider = "FARGATE", provider(s.Strategy, n)
	if s.PlatformVersion != "" && s.PlatformVersion != "LATEST" {
		t.PlatformVersion = s.PlatformVersion
	}
	for _, lb := range s.LoadBalancers {
		t.targets = append(t.targets, target{group: lb.TargetGroup, port: lb.ContainerPort})
	}
}

// aim points the task at the alternate target groups, if its deployment serves from there.
func (t *Task) aim(d *Deployment) {
	for i, lb := range d.Revision.Spec.LoadBalancers {
		if d.alternate && lb.Advanced != nil && lb.Advanced.AlternateTargetGroup != "" {
			t.targets[i].group = lb.Advanced.AlternateTargetGroup
		}
	}
}

// provider spreads tasks over a strategy: the base first, then by weight (API model, CapacityProviderStrategyItem).
func provider(strategy []StrategyItem, n int) string {
	weights := 0
	for _, item := range strategy {
		if n < item.Base {
			return item.CapacityProvider
		}
		n -= item.Base
		weights += item.Weight
	}
	for _, item := range strategy {
		if weights == 0 {
			return item.CapacityProvider
		}
		if n%weights < item.Weight {
			return item.CapacityProvider
		}
		n -= item.Weight
	}
	return ""
}

// Task finds a task that is not yet forgotten, by id or ARN; nil if there is none.
func (c *Cluster) Task(idOrARN string) *Task {
	for _, t := range c.Tasks {
		if t.ARN == idOrARN || t.ID == idOrARN {
			return t
		}
	}
	return nil
}

// RunRequest is what RunTask takes besides the task definition.
type RunRequest struct {
	TaskDefinition           string          `json:"taskDefinition"`
	Count                    *int            `json:"count"`
	Group                    string          `json:"group"`
	StartedBy                string          `json:"startedBy"`
	LaunchType               string          `json:"launchType"`
	CapacityProviderStrategy []StrategyItem  `json:"capacityProviderStrategy"`
	PlatformVersion          string          `json:"platformVersion"`
	NetworkConfiguration     json.RawMessage `json:"networkConfiguration"`
	Overrides                json.RawMessage `json:"overrides"`
	EnableExecuteCommand     bool            `json:"enableExecuteCommand"`
	PropagateTags            string          `json:"propagateTags"`
	Tags                     []Tag           `json:"tags"`
	ClientToken              string          `json:"clientToken"`
	VolumeConfigurations     []struct {
		Name string `json:"name"`
	} `json:"volumeConfigurations"`
}

// Failure is an entry of failures[].
type Failure struct {
	ARN    string `json:"arn,omitempty"`
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// RunTask launches one-off tasks. What Fargate has no capacity for comes back as failures (developer guide, api_failures_messages).
// A repeated client token gets the tasks that the first request with it has started; with other parameters it is refused.
func (e *Engine) RunTask(c *Cluster, r RunRequest) ([]*Task, []Failure, error) {
	if before, known, err := c.repeated(r); known || err != nil {
		return before, nil, err
	}
	td, err := e.usable(r.TaskDefinition, "InvalidParameterException")
	if err != nil {
		return nil, nil, err
	}
	n := 1
	if r.Count != nil {
		n = *r.Count
	}
	if n < 1 || n > 10 {
		return nil, nil, invalid("count should be between 1 and 10.") // unconfirmed
	}
	spec, overrides, err := e.runSpec(c, r, td)
	if err != nil {
		return nil, nil, err
	}
	var tasks []*Task
	var failures []Failure
	for range n {
		if e.noCapacity(&Revision{Spec: spec}) {
			failures = append(failures, Failure{Reason: capacityReason})
			continue
		}
		t := e.newTask(c, td)
		t.spec(spec, len(c.Tasks))
		t.Overrides, t.OverridesRaw, t.Exec, t.StartedBy, t.Tags = overrides, r.Overrides, r.EnableExecuteCommand, r.StartedBy, r.Tags
		if t.Group = r.Group; t.Group == "" {
			t.Group = "family:" + td.Family
		}
		if r.PropagateTags == "TASK_DEFINITION" {
			t.Tags = SetTags(td.Tags, r.Tags)
		}
		if lag := e.options.Lag.Tasks; lag > 0 {
			t.visibleAt = e.now.Add(lag)
		}
		c.Tasks = append(c.Tasks, t)
		t.launch()
		tasks = append(tasks, t)
	}
	c.remember(r, tasks)
	return tasks, failures, nil
}

// ran is a request of RunTask and what it started.
type ran struct {
	request string // as JSON
	tasks   []*Task
}

// repeated finds what an earlier request with the same client token has started. How long AWS remembers a token is not
// documented; here it is for good.
func (c *Cluster) repeated(r RunRequest) (tasks []*Task, known bool, err error) {
	before, known := c.ran[r.ClientToken]
	if !known || r.ClientToken == "" {
		return nil, false, nil
	}
	if text, _ := json.Marshal(r); string(text) != before.request {
		return nil, true, refuse("ConflictException", "The client token was used before with other parameters.") // wording unconfirmed
	}
	return before.tasks, true, nil
}

func (c *Cluster) remember(r RunRequest, tasks []*Task) {
	if r.ClientToken == "" || len(tasks) == 0 {
		return
	}
	if c.ran == nil {
		c.ran = map[string]ran{}
	}
	text, _ := json.Marshal(r)
	c.ran[r.ClientToken] = ran{string(text), tasks}
}

func (e *Engine) runSpec(c *Cluster, r RunRequest, td *TaskDefinition) (Spec, Overrides, error) {
	spec := Spec{Definition: td, PlatformVersion: r.PlatformVersion, LaunchType: r.LaunchType, Strategy: r.CapacityProviderStrategy}
	var overrides Overrides
	if spec.LaunchType != "" && len(spec.Strategy) > 0 {
		return spec, overrides,
			invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if spec.LaunchType == "" && len(spec.Strategy) == 0 {
		if spec.Strategy = c.DefaultStrategy; len(spec.Strategy) == 0 {
			spec.LaunchType = "EC2"
		}
	}
	if spec.LaunchType != "" && spec.LaunchType != "FARGATE" {
		return spec, overrides, notModelled("the launch type " + spec.LaunchType)
	}
	if err := c.checkStrategy(spec.Strategy); err != nil {
		return spec, overrides, err
	}
	members := map[string]json.RawMessage{"networkConfiguration": r.NetworkConfiguration, "overrides": r.Overrides}
	if err := decodeMember(members, "networkConfiguration", &spec.Network); err != nil {
		return spec, overrides, err
	}
	if err := decodeMember(members, "overrides", &overrides); err != nil {
		return spec, overrides, err
	}
	if !strings.Contains(strings.Join(td.Compatible, " "), "FARGATE") {
		return spec, overrides, invalid("Task definition does not support launch_type FARGATE.")
	}
	if len(spec.Network.VPC.Subnets) == 0 {
		return spec, overrides, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	if err := r.checkVolumes(td); err != nil {
		return spec, overrides, err
	}
	for _, o := range overrides.Containers {
		if _, ok := td.Definition.container(o.Name); !ok {
			return spec, overrides, invalid(fmt.Sprintf("Override for container named %s is not a container in the TaskDefinition.", o.Name))
		}
	}
	return spec, overrides, nil
}

// checkVolumes holds what a request configures to the volumes that are configured at launch (developer guide, "Specify Amazon EBS
// volume configuration at Amazon ECS deployment": one for each task). The wordings are unconfirmed. The volumes themselves are not
// modelled.
func (r RunRequest) checkVolumes(td *TaskDefinition) error {
	given := map[string]bool{}
	for _, v := range r.VolumeConfigurations {
		given[v.Name] = true
	}
	if len(r.VolumeConfigurations) > 1 {
		return invalid("Only one volume can be configured at launch.")
	}
	for _, v := range td.Definition.Volumes {
		if v.AtLaunch && !given[v.Name] {
			return invalid(fmt.Sprintf("The volume %s is configured at launch, and volumeConfigurations does not have it.", v.Name))
		}
		if v.AtLaunch {
			delete(given, v.Name)
		}
	}
	for name := range given {
		return invalid(fmt.Sprintf("The volume %s is not a volume of the task definition that is configured at launch.", name))
	}
	return nil
}

// StopTask stops a task on a user's request.
func (e *Engine) StopTask(t *Task, reason string) {
	if reason == "" {
		reason = "Task stopped by user"
	}
	t.Tags = nil // tags vanish on StopTask (API model)
	t.stop(UserInitiated, reason)
}

// InterruptSpot takes back the capacity of a task on FARGATE_SPOT, with two minutes' warning (developer guide,
// fargate-capacity-providers).
func (e *Engine) InterruptSpot(t *Task) { t.stop(SpotInterruption, "Your Spot Task was interrupted.") }
