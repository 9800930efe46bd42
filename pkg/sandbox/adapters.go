package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/cloudwatch"
	"github.com/org/connect2/v2/pkg/sandbox/ecr"
	"github.com/org/connect2/v2/pkg/sandbox/elbv2"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/secretsmanager"
	"github.com/org/connect2/v2/pkg/sandbox/ssm"
)

// images lets the engine pull from the sandbox's registry, and what the scenario names beside it.
type images struct {
	registry *ecr.Service
	foreign  map[string]engine.Behaviour // whole references that the scenario gives a behaviour exist
}

func (i images) Resolve(ref string) (engine.Image, error) {
	found, missing := i.registry.Find(withoutHost(ref))
	switch {
	case missing == "":
		return engine.Image{
			Digest: found.Digest, Tags: found.Tags, Index: found.Index, Platforms: found.Platforms, Labels: found.Labels,
			Save: i.registry.Save(withoutHost(ref)),
		}, nil
	case isForeign(ref, i.foreign):
		sum := sha256.Sum256([]byte(ref))
		return engine.Image{Digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
	case missing == "repository":
		return engine.Image{}, engine.ErrRepositoryNotFound
	default:
		return engine.Image{}, engine.ErrImageNotFound
	}
}

func isForeign(ref string, named map[string]engine.Behaviour) bool {
	_, ok := named[ref]
	return ok && strings.Contains(ref, "/")
}

// withoutHost cuts the registry's host off a reference. The first part is a host if it has a dot or a port, or is
// "localhost": the rule of all registry clients.
func withoutHost(ref string) string {
	host, rest, found := strings.Cut(ref, "/")
	if found && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return rest
	}
	return ref
}

// secrets answers for both stores that a container's valueFrom can name: what is no Secrets Manager ARN is a parameter.
type secrets struct {
	manager    *secretsmanager.Service
	parameters *ssm.Service
}

func (s secrets) Read(valueFrom string) (string, error) {
	if strings.HasPrefix(valueFrom, "arn:") && strings.Contains(valueFrom, ":secretsmanager:") {
		return s.manager.Read(valueFrom)
	}
	return s.parameters.Read(valueFrom)
}

// targets lets the engine register its tasks at the load balancer.
type targets struct{ balancing *elbv2.Service }

func (t targets) Exists(group string) bool { return t.balancing.Attached(group) }

func (t targets) Settings(group string) engine.TargetSettings {
	g := t.balancing.Group(group)
	if g == nil {
		return engine.TargetSettings{}
	}
	return engine.TargetSettings{
		Interval: g.Interval, HealthyThreshold: g.Healthy, UnhealthyThreshold: g.Unhealthy,
		DeregistrationDelay: g.Delay(), NoDelay: g.Delay() == 0,
	}
}

func (t targets) Register(group, ip string, port int, at time.Time) {
	if g := t.balancing.Group(group); g != nil {
		g.Register(ip, port, at)
	}
}

func (t targets) SetHealth(group, ip string, port int, h engine.Health) {
	if g := t.balancing.Group(group); g != nil {
		g.SetHealth(ip, port, elbv2.Health{State: h.State, Reason: h.Reason, Description: h.Description})
	}
}

func (t targets) Deregister(group, ip string, port int, at time.Time) {
	if g := t.balancing.Group(group); g != nil {
		g.Deregister(ip, port, at)
	}
}

// services lets Application Auto Scaling see and change desired counts.
type services struct{ engine *engine.Engine }

func (s services) find(cluster, service string) *engine.Service {
	c, err := s.engine.Cluster(cluster)
	if err != nil {
		return nil
	}
	found := c.Service(service)
	if found == nil || found.Status != "ACTIVE" {
		return nil
	}
	return found
}

func (s services) DesiredCount(cluster, service string) (int, bool) {
	found := s.find(cluster, service)
	if found == nil {
		return 0, false
	}
	return found.Desired, true
}

func (s services) SetDesiredCount(cluster, service string, count int) error {
	return s.engine.UpdateService(s.find(cluster, service), engine.ServiceChange{DesiredCount: &count})
}

// starter lets schedules start tasks at their time. Nobody is asked for a permission: that of the target's role is not modelled.
type starter struct{ engine *engine.Engine }

func (s starter) At(at time.Time, run func()) { s.engine.At(at, run) }

// Start runs what the EcsParameters of a target say. Their members are those of RunTask with a capital, but for two.
func (s starter) Start(by, cluster string, parameters json.RawMessage, overrides string) error {
	var p struct {
		engine.RunRequest
		TaskDefinitionArn string
		TaskCount         *int
	}
	if err := json.Unmarshal(parameters, &p); err != nil {
		return err
	}
	p.RunRequest.TaskDefinition, p.Count = p.TaskDefinitionArn, p.TaskCount
	if overrides != "" {
		p.Overrides = json.RawMessage(overrides)
	}
	return s.run(by, cluster, p.RunRequest)
}

// Call runs a request of RunTask that is written out.
func (s starter) Call(by string, request json.RawMessage) error {
	var r struct {
		engine.RunRequest
		Cluster string
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return err
	}
	return s.run(by, r.Cluster, r.RunRequest)
}

func (s starter) run(by, cluster string, r engine.RunRequest) error {
	c, err := s.engine.Cluster(cluster)
	if err != nil {
		return err
	}
	if r.StartedBy == "" {
		r.StartedBy = by[:min(len(by), 36)]
	}
	_, _, err = s.engine.RunTask(c, r)
	return err
}

// taken counts the tasks that have an address of a subnet.
func taken(e *engine.Engine, subnet string) (n int) {
	for _, cluster := range e.Clusters() {
		for _, task := range cluster.Tasks {
			if task.Interface.Subnet == subnet && task.LastStatus != "STOPPED" {
				n++
			}
		}
	}
	return n
}

// served is the traffic that a target group had in one minute: the scenario's, spread evenly over the tasks that were behind any of the
// groups in the middle of that minute.
func (s *Sandbox) served(group string, minute time.Time) cloudwatch.Traffic {
	at := minute.Add(30 * time.Second)
	tasks, own, errors, latency := 0, 0, 0.0, 0.0
	for _, cluster := range s.engine.Clusters() {
		for _, task := range cluster.Tasks {
			for _, g := range s.balancing.Groups() {
				how, serves := task.Answers(g, at)
				if !serves {
					continue
				}
				tasks++
				if strings.HasSuffix(g, ":"+group) {
					own++
					errors, latency = errors+how.Errors, latency+time.Duration(how.Latency).Seconds()
				}
			}
		}
	}
	if own == 0 {
		return cloudwatch.Traffic{}
	}
	traffic := s.scenario.Traffic
	requests := traffic.Rate * 60 * float64(own) / float64(tasks)
	return cloudwatch.Traffic{Requests: int(requests), Errors: int(requests * min(1, traffic.Errors+errors/float64(own))),
		Latency: time.Duration(traffic.Latency) + time.Duration(latency/float64(own)*float64(time.Second))}
}
