package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
)

// Family is the line of revisions of a task definition. Its name and its numbering survive the revisions' deletion.
type Family struct {
	Name      string
	Revisions []*TaskDefinition // in the order of registration; the deleted ones are gone
	last      int
}

// States of a task definition.
const (
	Active           = "ACTIVE"
	Inactive         = "INACTIVE"
	DeleteInProgress = "DELETE_IN_PROGRESS"
)

// TaskDefinition is one revision. The document is kept as it was registered: members that no model knows survive.
type TaskDefinition struct {
	Family         string
	Revision       int
	ARN            string
	Status         string
	Tags           []Tag
	RegisteredAt   time.Time
	RegisteredBy   string
	DeregisteredAt time.Time
	DeleteAt       time.Time // when the deletion was asked for
	Compatible     []string
	Document       map[string]json.RawMessage // without tags and read-only members
	Definition     Definition                 // what the engine reads of it
}

// Definition is the part of a task definition that the engine acts on.
type Definition struct {
	Family        string                `json:"family"`
	CPU           string                `json:"cpu"`
	Memory        string                `json:"memory"`
	NetworkMode   string                `json:"networkMode"`
	TaskRole      string                `json:"taskRoleArn"`
	ExecutionRole string                `json:"executionRoleArn"`
	Requires      []string              `json:"requiresCompatibilities"`
	Containers    []ContainerDefinition `json:"containerDefinitions"`
	Volumes       []struct {
		Name     string `json:"name"`
		AtLaunch bool   `json:"configuredAtLaunch"`
	} `json:"volumes"`
	Platform struct {
		CPUArchitecture       string `json:"cpuArchitecture"`
		OperatingSystemFamily string `json:"operatingSystemFamily"`
	} `json:"runtimePlatform"`
}

// ContainerDefinition is the part of a container definition that the engine acts on.
type ContainerDefinition struct {
	Name        string   `json:"name"`
	Image       string   `json:"image"`
	Essential   *bool    `json:"essential"`
	CPU         int      `json:"cpu"`
	Memory      *int     `json:"memory"`
	EntryPoint  []string `json:"entryPoint"`
	Command     []string `json:"command"`
	StopTimeout *int     `json:"stopTimeout"`
	Restart     *struct {
		Enabled bool  `json:"enabled"`
		Ignored []int `json:"ignoredExitCodes"`
		Period  *int  `json:"restartAttemptPeriod"`
	} `json:"restartPolicy"`
	Consistency  string `json:"versionConsistency"`
	PortMappings []struct {
		ContainerPort int `json:"containerPort"`
	} `json:"portMappings"`
	Environment []Variable `json:"environment"`
	Secrets     []struct {
		Name      string `json:"name"`
		ValueFrom string `json:"valueFrom"`
	} `json:"secrets"`
	User             string `json:"user"`
	WorkingDirectory string `json:"workingDirectory"`
	ReadOnlyRoot     bool   `json:"readonlyRootFilesystem"`
	Privileged       bool   `json:"privileged"`
	MountPoints      []any  `json:"mountPoints"`
	Linux            struct {
		Init         bool `json:"initProcessEnabled"`
		Capabilities struct {
			Add  []string `json:"add"`
			Drop []string `json:"drop"`
		} `json:"capabilities"`
		Tmpfs []struct {
			ContainerPath string   `json:"containerPath"`
			Size          int      `json:"size"` // MiB
			MountOptions  []string `json:"mountOptions"`
		} `json:"tmpfs"`
	} `json:"linuxParameters"`
	HealthCheck *struct {
		Command     []string `json:"command"`
		Interval    *int     `json:"interval"`
		Timeout     *int     `json:"timeout"`
		Retries     *int     `json:"retries"`
		StartPeriod *int     `json:"startPeriod"`
	} `json:"healthCheck"`
	Log *struct {
		Driver  string            `json:"logDriver"`
		Options map[string]string `json:"options"`
		Secrets []struct {
			ValueFrom string `json:"valueFrom"`
		} `json:"secretOptions"`
	} `json:"logConfiguration"`
}

// Variable is one of a container's environment.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c ContainerDefinition) essential() bool { return c.Essential == nil || *c.Essential }

// awslogs says whether the container writes to CloudWatch Logs itself.
func (c ContainerDefinition) awslogs() bool { return c.Log != nil && c.Log.Driver == "awslogs" }

// stopTimeout is the time between SIGTERM and SIGKILL: 30 s unless the definition says otherwise (API model).
func (c ContainerDefinition) stopTimeout() time.Duration { return seconds(c.StopTimeout, 30) }

// restarts says whether a container that has ended by itself after some time is started again in its task (developer guide, "Restart
// individual containers in Amazon ECS tasks with container restart policies"): it has a policy that is enabled, its exit code is not
// one of those that are ignored, and it ran for the attempt period, 300 s unless the definition says otherwise. One that ends earlier
// stays ended, as one without a policy does.
func (c ContainerDefinition) restarts(code int, ran time.Duration) bool {
	p := c.Restart
	return p != nil && p.Enabled && !slices.Contains(p.Ignored, code) && ran >= seconds(p.Period, 300)
}

func seconds(v *int, otherwise int) time.Duration {
	if v != nil {
		otherwise = *v
	}
	return time.Duration(otherwise) * time.Second
}

// container finds a container definition by name.
func (d Definition) container(name string) (ContainerDefinition, bool) {
	for _, c := range d.Containers {
		if c.Name == name {
			return c, true
		}
	}
	return ContainerDefinition{}, false
}

// RegisterTaskDefinition keeps a document (the request's body) as the next revision of its family. by is the caller's
// ARN. Errors are ClientExceptions.
func (e *Engine) RegisterTaskDefinition(document []byte, by string) (*TaskDefinition, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(document, &raw); err != nil {
		return nil, refuse("SerializationException", "the task definition is not a JSON object: "+err.Error())
	}
	var tags []Tag
	if err := decodeMember(raw, "tags", &tags); err != nil {
		return nil, err
	}
	for _, readOnly := range []string{"tags", "taskDefinitionArn", "revision", "status", "requiresAttributes",
		"compatibilities", "registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"} {
		delete(raw, readOnly) // AWS drops members that its model of the request does not have
	}
	for name, value := range raw {
		if isNull(value) {
			delete(raw, name)
		}
	}
	d, err := readDefinition(raw)
	if err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := complete(raw, d); err != nil {
		return nil, err
	}
	family := e.family(d.Family)
	if family == nil {
		family = &Family{Name: d.Family}
		e.families = append(e.families, family)
	}
	family.last++
	td := &TaskDefinition{
		Family: family.Name, Revision: family.last, Status: Active, Tags: tags, RegisteredAt: e.now, RegisteredBy: by,
		ARN:        e.ARN("ecs", fmt.Sprintf("task-definition/%s:%d", family.Name, family.last)),
		Compatible: d.compatibilities(), Document: raw, Definition: d,
	}
	family.Revisions = append(family.Revisions, td)
	return td, nil
}

func readDefinition(raw map[string]json.RawMessage) (Definition, error) {
	joined, err := json.Marshal(raw)
	if err != nil {
		return Definition{}, refuse("SerializationException", err.Error())
	}
	var d Definition
	if err := json.Unmarshal(joined, &d); err != nil {
		return Definition{}, refuse("SerializationException", "the task definition cannot be read: "+err.Error())
	}
	return d, nil
}

func decodeMember(raw map[string]json.RawMessage, name string, v any) error {
	if isNull(raw[name]) {
		return nil
	}
	if err := json.Unmarshal(raw[name], v); err != nil {
		return refuse("SerializationException", fmt.Sprintf("%s cannot be read: %v", name, err))
	}
	return nil
}

func isNull(m json.RawMessage) bool { return len(m) == 0 || string(m) == "null" }

// check refuses what RegisterTaskDefinition refuses. The wordings without a source in the developer guide's list of
// task definition errors are unconfirmed.
func (d Definition) check() error {
	client := func(format string, args ...any) error { return refuse("ClientException", fmt.Sprintf(format, args...)) }
	if d.Family == "" {
		return client("TaskDefinition.family should not be null or empty.")
	}
	if len(d.Family) > 255 || strings.Trim(d.Family, nameLetters) != "" {
		return client("Family contains invalid characters.")
	}
	if len(d.Containers) == 0 {
		return client("Container list cannot be empty.")
	}
	names, essential := map[string]bool{}, false
	for _, c := range d.Containers {
		switch {
		case c.Name == "":
			return client("Container.name should not be null or empty.")
		case strings.Trim(c.Name, nameLetters) != "" || len(c.Name) > 255:
			return client("Container name contains invalid characters.")
		case c.Image == "":
			return client("Container.image should not be null or empty.")
		case names[c.Name]:
			return client("Container.name contains duplicate values.")
		}
		if p := c.Restart; p != nil { // API reference, ContainerRestartPolicy; its texts are unconfirmed
			if period := seconds(p.Period, 300); period < time.Minute || period > 30*time.Minute {
				return client("Container.restartPolicy.restartAttemptPeriod must be between 60 and 1800 seconds.")
			}
			if len(p.Ignored) > 50 {
				return client("Container.restartPolicy.ignoredExitCodes can have at most 50 exit codes.")
			}
		}
		names[c.Name] = true
		essential = essential || c.essential()
	}
	if !essential {
		return client("TaskDefinition contains no essential container.")
	}
	if slices.Contains(d.Requires, "FARGATE") {
		return d.checkFargate()
	}
	return nil
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func (d Definition) checkFargate() error {
	client := func(text string) error { return refuse("ClientException", text) }
	if d.CPU == "" {
		return client("Fargate requires that 'cpu' be defined at the task level.")
	}
	if d.Memory == "" {
		return client("Fargate requires that 'memory' be defined at the task level.")
	}
	cpu, okCPU := units(d.CPU, "vcpu", 1024)
	memory, okMemory := units(d.Memory, "gb", 1024)
	if !okCPU {
		return client("Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the " +
			"Amazon ECS Developer Guide.")
	}
	if !okMemory || !fargateSize(cpu, memory) {
		return client("No Fargate configuration exists for given values.")
	}
	if d.NetworkMode != "awsvpc" {
		return client("Fargate only supports network mode ‘awsvpc’.")
	}
	for _, c := range d.Containers {
		if d.ExecutionRole != "" {
			break
		}
		switch {
		case strings.Contains(c.Image, ".dkr.ecr."):
			return client("Fargate requires task definition to have execution role ARN to support ECR images.")
		case c.awslogs():
			return client("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
		case len(c.Secrets) > 0:
			return client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
		}
	}
	return nil
}

// units reads "1024" or, with a unit, "1 vCPU" and "2GB".
func units(text, unit string, factor float64) (int, bool) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if number, ok := strings.CutSuffix(lower, unit); ok {
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		return int(f * factor), err == nil
	}
	n, err := strconv.Atoi(lower)
	return n, err == nil
}

// fargateSize says whether Fargate offers the CPU units with the MiB of memory (developer guide, "Task CPU and memory").
func fargateSize(cpu, memory int) bool {
	sizes := map[int]struct{ least, most, step int }{
		256: {512, 2048, 0}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
		4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
	}
	size, ok := sizes[cpu]
	if !ok || memory < size.least || memory > size.most {
		return false
	}
	if size.step == 0 {
		return memory == 512 || memory == 1024 || memory == 2048
	}
	return memory%size.step == 0
}

func (d Definition) compatibilities() []string {
	if slices.Contains(d.Requires, "FARGATE") || d.NetworkMode == "awsvpc" && d.CPU != "" && d.Memory != "" {
		return []string{"EC2", "FARGATE"}
	}
	return []string{"EC2"}
}

// complete adds the members that ECS adds to every document: empty lists, a container's cpu and essential, a port
// mapping's hostPort and protocol. What is there is not touched.
func complete(raw map[string]json.RawMessage, d Definition) error {
	defaults(raw, map[string]string{"volumes": "[]", "placementConstraints": "[]"})
	for name, unit := range map[string]string{"cpu": "vcpu", "memory": "gb"} {
		var text string
		if json.Unmarshal(raw[name], &text) == nil && text != "" {
			if n, ok := units(text, unit, 1024); ok {
				raw[name] = json.RawMessage(strconv.Quote(strconv.Itoa(n)))
			}
		}
	}
	var containers []map[string]json.RawMessage
	if err := json.Unmarshal(raw["containerDefinitions"], &containers); err != nil {
		return refuse("SerializationException", "containerDefinitions cannot be read: "+err.Error())
	}
	for _, c := range containers {
		defaults(c, map[string]string{
			"cpu": "0", "essential": "true", "portMappings": "[]", "environment": "[]", "mountPoints": "[]",
			"volumesFrom": "[]", "systemControls": "[]",
		})
		var ports []map[string]json.RawMessage
		if json.Unmarshal(c["portMappings"], &ports) == nil && len(ports) > 0 {
			for _, p := range ports {
				if p == nil {
					return refuse("SerializationException", "portMappings has a null entry")
				}
				added := map[string]string{"protocol": `"tcp"`}
				if d.NetworkMode == "awsvpc" && !isNull(p["containerPort"]) {
					added["hostPort"] = string(p["containerPort"])
				}
				defaults(p, added)
			}
			c["portMappings"] = mustMarshal(ports)
		}
	}
	raw["containerDefinitions"] = mustMarshal(containers)
	return nil
}

func defaults(object map[string]json.RawMessage, values map[string]string) {
	for name, value := range values {
		if isNull(object[name]) {
			object[name] = json.RawMessage(value)
		}
	}
}

// mustMarshal encodes maps and slices of raw JSON, which cannot fail.
func mustMarshal(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func (e *Engine) family(name string) *Family {
	for _, f := range e.families {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Families returns every family that ever had a revision, in the order of their first registration.
func (e *Engine) Families() []*Family { return e.families }

// TaskDefinition finds a revision by "family" (the newest ACTIVE one), "family:revision" or ARN. The error is a
// ClientException.
func (e *Engine) TaskDefinition(name string) (*TaskDefinition, error) {
	missing := refuse("ClientException", "Unable to describe task definition.")
	family, number, numbered := strings.Cut(arn.Last(name), ":")
	f := e.family(family)
	if strings.HasPrefix(name, "arn:") && !numbered || f == nil {
		return nil, missing
	}
	for i := len(f.Revisions) - 1; i >= 0; i-- {
		td := f.Revisions[i]
		if numbered && (td.ARN == name || !strings.HasPrefix(name, "arn:") && strconv.Itoa(td.Revision) == number) ||
			!numbered && td.Status == Active {
			return td, nil
		}
	}
	return nil, missing
}

// usable finds a revision that new tasks can use: an INACTIVE one cannot be (API model, DeregisterTaskDefinition; the texts are
// measured).
func (e *Engine) usable(name, code string) (*TaskDefinition, error) {
	td, err := e.TaskDefinition(name)
	if err != nil {
		return nil, refuse("ClientException", "TaskDefinition not found.") // unconfirmed
	}
	if td.Status != Active {
		return nil, refuse(code, "TaskDefinition is inactive")
	}
	return td, nil
}

// DeregisterTaskDefinition makes a revision INACTIVE. Running tasks and services go on with it (API model).
func (e *Engine) DeregisterTaskDefinition(td *TaskDefinition) {
	if td.Status == Active {
		td.Status, td.DeregisteredAt = Inactive, e.now
	}
}

// DeleteTaskDefinition begins the deletion of an INACTIVE revision: it goes when no task and no service uses it (API model).
func (e *Engine) DeleteTaskDefinition(td *TaskDefinition) error {
	if td.Status == Active {
		return refuse("ClientException", "The specified task definition is still in ACTIVE status. Please deregister the target and try again.")
	}
	if td.Status == Inactive {
		td.Status, td.DeleteAt = DeleteInProgress, e.now
		e.after(time.Minute, func() { e.tryDelete(td) })
	}
	return nil
}

func (e *Engine) tryDelete(td *TaskDefinition) {
	for _, c := range e.clusters {
		for _, t := range c.Tasks {
			if t.Definition == td && t.LastStatus != Stopped {
				e.after(time.Minute, func() { e.tryDelete(td) })
				return
			}
		}
		for _, s := range c.Services {
			if s.Status != Inactive && s.uses(td) {
				e.after(time.Minute, func() { e.tryDelete(td) })
				return
			}
		}
	}
	f := e.family(td.Family)
	f.Revisions = slices.DeleteFunc(f.Revisions, func(other *TaskDefinition) bool { return other == td })
}

// RequiresAttributes are the capabilities that ECS derives from a definition, by the names that it uses for them.
func (td *TaskDefinition) RequiresAttributes() []string {
	d, out := td.Definition, []string{"com.amazonaws.ecs.capability.docker-remote-api.1.18"}
	add := func(name string, when bool) {
		if when && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	add("com.amazonaws.ecs.capability.task-iam-role", d.TaskRole != "")
	add("ecs.capability.task-eni", d.NetworkMode == "awsvpc")
	for _, c := range d.Containers {
		ecr := strings.Contains(c.Image, ".dkr.ecr.")
		add("com.amazonaws.ecs.capability.ecr-auth", ecr)
		add("ecs.capability.execution-role-ecr-pull", ecr && d.ExecutionRole != "")
		add("com.amazonaws.ecs.capability.logging-driver.awslogs", c.awslogs())
		add("ecs.capability.execution-role-awslogs", c.awslogs() && d.ExecutionRole != "")
		add("ecs.capability.container-health-check", c.HealthCheck != nil)
		for _, s := range c.Secrets {
			asm := strings.Contains(s.ValueFrom, ":secretsmanager:")
			add("ecs.capability.secrets.asm.environment-variables", asm)
			add("ecs.capability.secrets.ssm.environment-variables", !asm)
		}
	}
	return out
}
