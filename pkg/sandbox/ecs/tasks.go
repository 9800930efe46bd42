package ecs

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func timeOf(t wire.Time) time.Time { return time.Time(t) }

func (s *Service) runTask(r *wire.Request) (any, error) {
	var in struct {
		engine.RunRequest
		Cluster string `json:"cluster"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.engine.Cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	arn := s.engine.ARN("ecs", "task-definition/"+arn.Last(in.TaskDefinition))
	if td, err := s.engine.TaskDefinition(in.TaskDefinition); err == nil {
		arn = td.ARN
	}
	if err := r.Authorize("ecs:RunTask", arn, onCluster(c)); err != nil {
		return nil, err
	}
	if err := mayTag(r, s.engine.ARN("ecs", "task/"+c.Name+"/*"), in.Tags); err != nil {
		return nil, err
	}
	if err := s.passRolesOf(r, in.TaskDefinition); err != nil {
		return nil, err
	}
	var overrides engine.Overrides // a wrong type in them is refused by the engine
	if json.Unmarshal(in.Overrides, &overrides) == nil {
		if err := passRoles(r, overrides.TaskRole, overrides.ExecutionRole); err != nil {
			return nil, err
		}
	}
	tasks, failures, err := s.engine.RunTask(c, in.RunRequest)
	if err != nil {
		return nil, err
	}
	return object{"tasks": tasksView(tasks, nil), "failures": list(failures)}, nil
}

// task finds a task after asking for a permission on it.
func (s *Service) task(r *wire.Request, action, cluster, id string) (*engine.Task, error) {
	c, err := s.engine.Cluster(clusterOf(cluster, id))
	if err != nil {
		return nil, err
	}
	if err := r.Authorize(action, s.engine.ARN("ecs", "task/"+c.Name+"/"+arn.Last(id)), onCluster(c)); err != nil {
		return nil, err
	}
	t := c.Task(id)
	if t == nil {
		return nil, invalid("The referenced task was not found.")
	}
	return t, nil
}

func (s *Service) stopTask(r *wire.Request) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
		Task    string `json:"task"`
		Reason  string `json:"reason"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t, err := s.task(r, "ecs:StopTask", in.Cluster, in.Task)
	if err != nil {
		return nil, err
	}
	s.engine.StopTask(t, in.Reason)
	return object{"task": taskView(t, nil)}, nil
}

func (s *Service) describeTasks(r *wire.Request) (any, error) {
	var in struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
		Include []string `json:"include"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Tasks) == 0 {
		return nil, invalid("Tasks cannot be empty.")
	}
	if len(in.Tasks) > 100 {
		return nil, invalid("Tasks cannot have more than 100 elements.") // unconfirmed
	}
	c, err := s.engine.Cluster(clusterOf(in.Cluster, in.Tasks[0]))
	if err != nil {
		return nil, err
	}
	var found []*engine.Task
	failures := []engine.Failure{}
	for _, id := range in.Tasks {
		arn := s.engine.ARN("ecs", "task/"+c.Name+"/"+arn.Last(id))
		if err := r.Authorize("ecs:DescribeTasks", arn, onCluster(c)); err != nil {
			return nil, err
		}
		if t := c.Task(id); t != nil && t.Visible() {
			found = append(found, t)
		} else {
			failures = append(failures, failure(arn, "MISSING"))
		}
	}
	return object{"tasks": tasksView(found, in.Include), "failures": failures}, nil
}

func (s *Service) listTasks(r *wire.Request) (any, error) {
	var in struct {
		paging
		Cluster       string `json:"cluster"`
		ServiceName   string `json:"serviceName"`
		Family        string `json:"family"`
		StartedBy     string `json:"startedBy"`
		DesiredStatus string `json:"desiredStatus"`
		LaunchType    string `json:"launchType"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.engine.Cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	// The permission is on container instances, also where there are none: so say the denials that users published.
	if err := r.Authorize("ecs:ListTasks", s.engine.ARN("ecs", "container-instance/"+c.Name+"/*"), onCluster(c)); err != nil {
		return nil, err
	}
	var service *engine.Service
	if in.ServiceName != "" {
		if service = c.Service(in.ServiceName); service == nil {
			return nil, wire.Errorf("ServiceNotFoundException", "Service not found.")
		}
	}
	switch in.DesiredStatus {
	case "":
		in.DesiredStatus = engine.Running
	case engine.Running, engine.Pending, engine.Stopped: // PENDING is accepted and finds nothing
	default:
		return nil, invalid("Invalid desiredStatus: %s", in.DesiredStatus) // unconfirmed
	}
	var arns []string
	for _, t := range c.Tasks {
		wanted := t.Visible() && t.DesiredStatus == in.DesiredStatus && (service == nil || t.Service == service) &&
			(in.Family == "" || t.Definition.Family == in.Family) && (in.StartedBy == "" || t.StartedBy == in.StartedBy) &&
			(in.LaunchType == "" || t.LaunchType == in.LaunchType)
		if wanted {
			arns = append(arns, t.ARN)
		}
	}
	slices.Sort(arns) // by their random ids: AWS promises no order, so the order tells nothing
	return page(in.paging, "taskArns", arns, 100, 100)
}

// executeCommand starts a session in a container. Sources of the refusals: the API reference; AWS's page on troubleshooting ECS Exec;
// for several containers the wording is unconfirmed.
func (s *Service) executeCommand(r *wire.Request) (any, error) {
	var in struct {
		Cluster     string `json:"cluster"`
		Task        string `json:"task"`
		Container   string `json:"container"`
		Command     string `json:"command"`
		Interactive bool   `json:"interactive"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t, err := s.task(r, "ecs:ExecuteCommand", in.Cluster, in.Task)
	if err != nil {
		return nil, err
	}
	switch {
	case !in.Interactive:
		return nil, invalid("Interactive is the only mode supported currently.")
	case in.Command == "":
		return nil, invalid("Command cannot be empty.")
	case in.Container == "" && len(t.Containers) > 1:
		return nil, invalid("Container name must be specified for a task with more than one container.")
	}
	i := slices.IndexFunc(t.Containers, func(c *engine.Container) bool { return in.Container == "" || c.Name == in.Container })
	if i < 0 {
		return nil, invalid("The container named %s was not found in the task.", in.Container)
	}
	c := t.Containers[i]
	if !t.Exec || t.LastStatus != engine.Running || c.ExecAgent() != engine.Running {
		return nil, invalid("The execute command failed because execute command was not enabled when the task was run or the " +
			"execute command agent isn’t running. Wait and try again or run a new task with execute command enabled and try again.")
	}
	if s.Sessions == nil {
		return nil, wire.NotModelled("sessions of ecs:ExecuteCommand, unless it is told to run their commands: --sessions process")
	}
	environment, reason := t.Environment(c)
	if reason != "" {
		return nil, wire.NotModelled("the environment of %s: %s", c.Name, reason)
	}
	return object{"clusterArn": t.Cluster.ARN, "taskArn": t.ARN, "containerArn": c.ARN, "containerName": c.Name, "interactive": true,
		"session": s.Sessions.Execute(r.Host, in.Command, environment)}, nil
}

// Sessions starts sessions in containers.
type Sessions interface {
	// Execute returns what the API calls a session: its id, the address to connect to, and the token.
	Execute(host, command string, environment map[string]string) any
}

func tasksView(tasks []*engine.Task, include []string) []object {
	out := []object{}
	for _, t := range tasks {
		out = append(out, taskView(t, include))
	}
	return out
}

func taskView(t *engine.Task, include []string) object {
	d := t.Definition.Definition
	cpu, memory := d.CPU, d.Memory
	if t.Overrides.CPU != "" {
		cpu = t.Overrides.CPU
	}
	if t.Overrides.Memory != "" {
		memory = t.Overrides.Memory
	}
	out := object{
		"taskArn": t.ARN, "clusterArn": t.Cluster.ARN, "taskDefinitionArn": t.Definition.ARN, "lastStatus": t.LastStatus,
		"desiredStatus": t.DesiredStatus, "cpu": cpu, "memory": memory, "createdAt": wire.Time(t.CreatedAt), "group": t.Group,
		"launchType": t.LaunchType, "platformVersion": t.PlatformVersion, "platformFamily": "Linux", "version": t.Version,
		"healthStatus": t.HealthStatus(), "enableExecuteCommand": t.Exec, "availabilityZone": t.AvailabilityZone,
		"attachments": attachments(t), "containers": containers(t), "tags": []engine.Tag{},
		"attributes":       []object{{"name": "ecs.cpu-architecture", "value": architecture(d)}},
		"ephemeralStorage": object{"sizeInGiB": 20}, "inferenceAccelerators": []object{},
		"overrides": object{"containerOverrides": []object{}, "inferenceAcceleratorOverrides": []object{}},
	}
	out.set("overrides", t.OverridesRaw)
	out.set("startedBy", t.StartedBy).set("capacityProviderName", t.CapacityProvider).set("connectivity", t.Connectivity)
	out.set("stopCode", t.StopCode).set("stoppedReason", t.StoppedReason)
	for name, at := range map[string]time.Time{
		"connectivityAt": t.ConnectivityAt, "pullStartedAt": t.PullStartedAt, "pullStoppedAt": t.PullStoppedAt,
		"startedAt": t.StartedAt, "stoppingAt": t.StoppingAt, "executionStoppedAt": t.ExecutionStoppedAt, "stoppedAt": t.StoppedAt,
	} {
		out.set(name, wire.Time(at))
	}
	if slices.Contains(include, "TAGS") {
		out["tags"] = list(t.Tags)
	}
	return out
}

func architecture(d engine.Definition) string {
	if d.Platform.CPUArchitecture == "ARM64" {
		return "arm64"
	}
	return "x86_64"
}

func attachments(t *engine.Task) []object {
	i := t.Interface
	details := []object{{"name": "subnetId", "value": i.Subnet}}
	if i.Status != "PRECREATED" {
		details = append(details, object{"name": "networkInterfaceId", "value": i.ID}, object{"name": "macAddress", "value": i.MAC},
			object{"name": "privateIPv4Address", "value": i.IP})
	}
	return []object{{"id": i.AttachmentID, "type": "ElasticNetworkInterface", "status": i.Status, "details": details}}
}

func containers(t *engine.Task) []object {
	out := []object{}
	for _, c := range t.Containers {
		interfaces := []object{}
		if t.Interface.Status != "PRECREATED" {
			interfaces = append(interfaces, object{"attachmentId": t.Interface.AttachmentID, "privateIpv4Address": t.Interface.IP})
		}
		view := object{
			"containerArn": c.ARN, "taskArn": t.ARN, "name": c.Name, "image": c.Image, "lastStatus": c.LastStatus,
			"healthStatus": c.HealthStatus, "networkBindings": []object{}, "networkInterfaces": interfaces, "cpu": "0",
		}.set("imageDigest", c.ImageDigest).set("reason", c.Reason)
		if !c.StartedAt.IsZero() {
			view["runtimeId"] = c.RuntimeID
		}
		if c.ExitCode != nil {
			view["exitCode"] = *c.ExitCode
		}
		if t.Exec {
			agent := object{"name": "ExecuteCommandAgent", "lastStatus": c.ExecAgent()}
			view["managedAgents"] = []object{agent.set("lastStartedAt", wire.Time(c.StartedAt))}
		}
		out = append(out, view)
	}
	return out
}
