// Package elbv2 is the sandbox's Elastic Load Balancing: application load balancers, listeners, rules and target groups
// with the health of their targets. No traffic flows; the health of a container is what its behaviour says.
//
// Sources: Elastic Load Balancing API reference 2015-12-01 and the user guide for application load balancers ("Health
// checks for target groups", "Target health status").
package elbv2

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Options of the service; Account and Region are required.
type Options struct{ Account, Region string }

// Service holds the load balancers and target groups. The world's lock guards it.
type Service struct {
	options   Options
	balancers []*LoadBalancer
	groups    []*TargetGroup
}

// LoadBalancer is an application load balancer.
type LoadBalancer struct {
	Name, Scheme, VPC       string
	Subnets, SecurityGroups []string
	CreatedAt               time.Time
	Listeners               []*Listener

	ARN, DNSName string // filled by AddLoadBalancer
}

// Listener of a load balancer.
type Listener struct {
	Port           int
	Protocol       string
	CertificateARN string
	Default        []Weighted // target groups of the default rule
	Redirect       bool       // to HTTPS, in place of the default rule
	Rules          []*Rule    // beside the default rule

	ARN string // filled by AddLoadBalancer
}

// Rule forwards what matches a path pattern or header.
type Rule struct {
	Priority int
	Paths    []string
	Forward  []Weighted

	ARN string // filled by AddLoadBalancer
}

// Weighted is a target group with its share of the traffic, 0 to 999.
type Weighted struct {
	TargetGroup string // ARN
	Weight      int
}

// TargetGroup is a group of IP targets. Zero settings take the defaults of the API.
type TargetGroup struct {
	Name, VPC, Path, Matcher string
	Protocol                 string
	Port                     int
	Interval, Timeout        time.Duration
	Healthy, Unhealthy       int            // thresholds
	DeregistrationDelay      *time.Duration // nil: 300 s

	ARN     string // filled by AddTargetGroup
	targets []*target
}

type target struct {
	ip           string
	port         int
	registeredAt time.Time
	health       Health
	gone         time.Time // end of draining; zero while registered
}

// Health is the state of a target, in the words of DescribeTargetHealth.
type Health struct{ State, Reason, Description string }

// New makes a service without load balancers.
func New(options Options) *Service { return &Service{options: options} }

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{
		Name: "elasticloadbalancing", Version: "2015-12-01", Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Operations: map[string]wire.Operation{
			"DescribeTargetHealth":          s.describeTargetHealth,
			"DescribeTargetGroups":          s.describeTargetGroups,
			"DescribeTargetGroupAttributes": s.describeTargetGroupAttributes,
			"ModifyTargetGroupAttributes":   s.modifyTargetGroupAttributes,
			"RegisterTargets":               s.registerTargets,
			"DeregisterTargets":             s.deregisterTargets,
			"DescribeLoadBalancers":         s.describeLoadBalancers,
			"DescribeListeners":             s.describeListeners,
			"DescribeRules":                 s.describeRules,
		},
	}
}

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:%s", s.options.Region, s.options.Account, resource)
}

// id is the 16 digits that end an ARN, the same for the same name each time.
func id(name string) string {
	h := fnv.New64a()
	h.Write([]byte(name))
	return fmt.Sprintf("%016x", h.Sum64())
}

// AddTargetGroup adds a target group and gives it its ARN.
func (s *Service) AddTargetGroup(g TargetGroup) *TargetGroup {
	g.ARN = s.arn("targetgroup/" + g.Name + "/" + id(g.Name))
	g.Protocol, g.Port = cmp.Or(g.Protocol, "HTTP"), cmp.Or(g.Port, 80)
	g.Path, g.Matcher = cmp.Or(g.Path, "/"), cmp.Or(g.Matcher, "200")
	g.Interval, g.Timeout = cmp.Or(g.Interval, 30*time.Second), cmp.Or(g.Timeout, 5*time.Second)
	g.Healthy, g.Unhealthy = cmp.Or(g.Healthy, 5), cmp.Or(g.Unhealthy, 2)
	s.groups = append(s.groups, &g)
	return &g
}

// AddLoadBalancer adds a load balancer with its listeners and rules and gives them their ARNs.
func (s *Service) AddLoadBalancer(b LoadBalancer) *LoadBalancer {
	b.Scheme = cmp.Or(b.Scheme, "internet-facing")
	path := "app/" + b.Name + "/" + id(b.Name)
	b.ARN = s.arn("loadbalancer/" + path)
	b.DNSName = fmt.Sprintf("%s-%d.%s.elb.amazonaws.com", b.Name, 1_000_000_000+len(s.balancers), s.options.Region)
	for _, l := range b.Listeners {
		listener := path + "/" + id(fmt.Sprint(b.Name, l.Port))
		l.ARN = s.arn("listener/" + listener)
		for _, rule := range l.Rules {
			rule.ARN = s.arn("listener-rule/" + listener + "/" + id(fmt.Sprint(b.Name, l.Port, rule.Priority)))
		}
	}
	s.balancers = append(s.balancers, &b)
	return &b
}

// Group finds a target group by its ARN or name; nil where there is none.
func (s *Service) Group(arnOrName string) *TargetGroup {
	for _, g := range s.groups {
		if g.ARN == arnOrName || g.Name == arnOrName {
			return g
		}
	}
	return nil
}

// Groups lists the ARNs of all target groups.
func (s *Service) Groups() (arns []string) {
	for _, g := range s.groups {
		arns = append(arns, g.ARN)
	}
	return arns
}

// Attached says whether a target group exists and a load balancer sends traffic to it.
func (s *Service) Attached(group string) bool {
	return s.Group(group) != nil && len(s.balancersOf(group)) > 0
}

// Delay is the deregistration delay in force.
func (g *TargetGroup) Delay() time.Duration {
	if g.DeregistrationDelay == nil {
		return 300 * time.Second
	}
	return *g.DeregistrationDelay
}

// Register adds a target in the state "initial". A target that is draining comes back.
func (g *TargetGroup) Register(ip string, port int, at time.Time) {
	if t := g.find(ip, port); t != nil && t.gone.IsZero() {
		return
	}
	g.targets = slices.DeleteFunc(g.targets, func(t *target) bool { return t.ip == ip && t.port == port })
	g.targets = append(g.targets, &target{ip: ip, port: port, registeredAt: at, health: Health{State: "initial"}})
}

// SetHealth changes the health of a registered target.
func (g *TargetGroup) SetHealth(ip string, port int, h Health) {
	if t := g.find(ip, port); t != nil && t.gone.IsZero() {
		t.health = h
	}
}

// Deregister begins the draining of a target, which is gone after the deregistration delay.
func (g *TargetGroup) Deregister(ip string, port int, at time.Time) {
	if t := g.find(ip, port); t != nil && t.gone.IsZero() {
		t.gone = at.Add(g.Delay())
	}
}

func (g *TargetGroup) find(ip string, port int) *target {
	for _, t := range g.targets {
		if t.ip == ip && t.port == port {
			return t
		}
	}
	return nil
}

// registrationTime is how long a new target is said to be registering before its first health check; the real time is
// some seconds (unconfirmed).
const registrationTime = 3 * time.Second

// healthAt is what DescribeTargetHealth says of a target; ok is false once it has gone.
func (g *TargetGroup) healthAt(t *target, now time.Time) (h Health, ok bool) {
	switch {
	case !t.gone.IsZero() && !now.Before(t.gone):
		return Health{}, false
	case !t.gone.IsZero():
		return Health{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}, true
	case t.health.State != "initial":
		return t.health, true
	case now.Sub(t.registeredAt) < registrationTime:
		return Health{"initial", "Elb.RegistrationInProgress", "Target registration is in progress"}, true
	default:
		return Health{"initial", "Elb.InitialHealthChecking", "Initial health checks in progress"}, true
	}
}

// balancersOf lists the ARNs of the load balancers that send traffic to a group.
func (s *Service) balancersOf(group string) []string {
	var arns []string
	for _, b := range s.balancers {
		uses := func(w Weighted) bool { return w.TargetGroup == group }
		if slices.ContainsFunc(b.Listeners, func(l *Listener) bool {
			return slices.ContainsFunc(l.Default, uses) ||
				slices.ContainsFunc(l.Rules, func(r *Rule) bool { return slices.ContainsFunc(r.Forward, uses) })
		}) {
			arns = append(arns, b.ARN)
		}
	}
	return arns
}

func (s *Service) groupNotFound() *wire.Error {
	return wire.Errorf("TargetGroupNotFound", "One or more target groups not found") // text unconfirmed
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// zone of an address, by its third part: the sandbox's subnets alternate between two zones.
func (s *Service) zone(ip string) string {
	parts := strings.Split(ip, ".")
	if len(parts) == 4 && len(parts[2]) > 0 && (parts[2][len(parts[2])-1]-'0')%2 == 1 {
		return s.options.Region + "b"
	}
	return s.options.Region + "a"
}

// Shut takes all listeners away.
func (s *Service) Shut() {
	for _, b := range s.balancers {
		b.Listeners = nil
	}
}

// Weigh gives each target group of each listener another weight.
func (s *Service) Weigh(weight int) {
	for _, b := range s.balancers {
		for _, l := range b.Listeners {
			for i := range l.Default {
				l.Default[i].Weight = weight
			}
			for _, r := range l.Rules {
				for i := range r.Forward {
					r.Forward[i].Weight = weight
				}
			}
		}
	}
}
