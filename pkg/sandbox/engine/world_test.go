package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const targetGroup = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/api/0123456789abcdef"

// world is an engine with one cluster, and what its ports were told.
type world struct {
	*Engine
	t       testing.TB
	cluster *Cluster
	ports   *ports
	names   map[string]string // of ids, in the order of their appearance
}

// ports records what the engine does to its surroundings.
type ports struct {
	images   map[string]Image // by tag; nil: every image exists
	groups   map[string]bool  // log groups; nil: every group exists
	lines    []string
	secrets  map[string]error
	settings TargetSettings
	targets  map[string]Health // by address
	others   map[string]bool   // further target groups
}

func (p *ports) Resolve(ref string) (Image, error) {
	if p.images == nil {
		return anyImage{}.Resolve(ref)
	}
	for tag, image := range p.images {
		if strings.HasSuffix(ref, ":"+tag) || strings.HasSuffix(ref, "@"+image.Digest) {
			return image, nil
		}
	}
	return Image{}, fmt.Errorf("%s: %w", ref, ErrImageNotFound)
}

func (p *ports) GroupExists(group string) bool { return p.groups == nil || p.groups[group] }
func (p *ports) Append(group, stream string, at time.Time, message string) {
	p.lines = append(p.lines, fmt.Sprintf("%s %s %s", group, stream[:strings.LastIndexByte(stream, '/')], message))
}
func (p *ports) Read(valueFrom string) (string, error) {
	return "value of " + valueFrom, p.secrets[valueFrom]
}
func (p *ports) Exists(arn string) bool         { return arn == targetGroup || p.others[arn] }
func (p *ports) Settings(string) TargetSettings { return p.settings }
func (p *ports) Register(_, ip string, port int, _ time.Time) {
	p.targets[fmt.Sprintf("%s:%d", ip, port)] = Health{}
}
func (p *ports) SetHealth(_, ip string, port int, h Health) {
	p.targets[fmt.Sprintf("%s:%d", ip, port)] = h
}
func (p *ports) Deregister(_, ip string, port int, _ time.Time) {
	delete(p.targets, fmt.Sprintf("%s:%d", ip, port))
}

func newWorld(t testing.TB, change func(*Options, *ports)) *world {
	p := &ports{targets: map[string]Health{}, settings: TargetSettings{DeregistrationDelay: 30 * time.Second}}
	o := Options{Start: t0, Seed: 7, Images: p, Logs: p, Secrets: p, Targets: p}
	if change != nil {
		change(&o, p)
	}
	w := &world{Engine: New(o), t: t, ports: p, names: map[string]string{}}
	w.cluster = w.CreateCluster("prod")
	w.cluster.CapacityProviders = []string{"FARGATE", "FARGATE_SPOT"}
	return w
}

// define registers a revision of the family "api" that runs the image with a tag. extra are further members of its container.
func (w *world) define(tag, extra string) string {
	w.t.Helper()
	td, err := w.RegisterTaskDefinition([]byte(fmt.Sprintf(`{"family": "api", "cpu": "256", "memory": "512",
		"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "executionRoleArn": "arn:aws:iam::123456789012:role/exec",
		"containerDefinitions": [{"name": "app", "image": "123456789012.dkr.ecr.us-west-2.amazonaws.com/api:%s",
		"portMappings": [{"containerPort": 8000}]%s}]}`, tag, extra)), "arn:aws:iam::123456789012:role/deployer")
	if err != nil {
		w.t.Fatal(err)
	}
	return td.ARN
}

type settings struct {
	desired    int
	min, max   int // 0, 0: the defaults
	breaker    string
	targets    bool
	grace      int
	definition string
}

func (w *world) service(s settings) *Service {
	w.t.Helper()
	if s.definition == "" {
		s.definition = w.define("v1", "")
	}
	change := ServiceChange{
		DesiredCount: &s.desired, TaskDefinition: s.definition, LaunchType: "FARGATE", HealthCheckGracePeriodSeconds: &s.grace,
		NetworkConfiguration:    json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0a", "subnet-0b"]}}`),
		DeploymentConfiguration: map[string]json.RawMessage{},
	}
	if s.targets {
		change.LoadBalancers = json.RawMessage(`[{"targetGroupArn": "` + targetGroup + `", "containerName": "app", "containerPort": 8000}]`)
	}
	if s.max > 0 {
		change.DeploymentConfiguration["minimumHealthyPercent"] = json.RawMessage(fmt.Sprint(s.min))
		change.DeploymentConfiguration["maximumPercent"] = json.RawMessage(fmt.Sprint(s.max))
	}
	if s.breaker != "" {
		change.DeploymentConfiguration["deploymentCircuitBreaker"] = json.RawMessage(s.breaker)
	}
	svc, err := w.CreateService(w.cluster, "api", change, "arn:aws:iam::123456789012:role/deployer")
	if err != nil {
		w.t.Fatal(err)
	}
	return svc
}

func (w *world) update(s *Service, change ServiceChange) {
	w.t.Helper()
	if err := w.UpdateService(s, change); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) { w.Advance(w.Now().Add(d)) }

// names ids by the order of their appearance, so that scenarios can be read.
var idForm = regexp.MustCompile(`\(task ([0-9a-f]{32})\)|(ecs-svc/\d{19})|\(target-group [^)]*\)`)

func (w *world) readable(text string) string {
	return idForm.ReplaceAllStringFunc(text, func(id string) string {
		switch {
		case strings.HasPrefix(id, "(target-group"):
			return "TG"
		case w.names[id] != "":
			return w.names[id]
		case strings.HasPrefix(id, "(task"):
			n := 0
			for key := range w.names {
				if strings.HasPrefix(key, "(task") {
					n++
				}
			}
			w.names[id] = string(rune('a' + n))
		default:
			n := 0
			for key := range w.names {
				if strings.HasPrefix(key, "ecs-svc") {
					n++
				}
			}
			w.names[id] = fmt.Sprintf("D%d", n+1)
		}
		return w.names[id]
	})
}

// said is the service's events since a time, oldest first, each with the seconds since then.
func (w *world) said(s *Service, since time.Time) []string {
	var out []string
	for i := len(s.Events) - 1; i >= 0; i-- {
		e := s.Events[i]
		if e.At.Before(since) {
			continue
		}
		text := strings.ReplaceAll(w.readable(e.Message), "(service api", "(")
		text = strings.TrimPrefix(strings.Replace(text, "(, taskSet ", "(", 1), "() ")
		if len(text) > 130 {
			text = text[:130] + "…"
		}
		out = append(out, fmt.Sprintf("%d %s", int(e.At.Sub(since).Seconds()), text))
	}
	return out
}

func (w *world) knows(s *Service) {
	for _, d := range s.Deployments {
		w.readable(d.ID)
	}
}
