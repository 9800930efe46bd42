package elbv2

import (
	"slices"
	"strconv"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

type targetID struct {
	Id               string
	Port             *int
	AvailabilityZone string `xml:",omitempty"`
}

type targetHealth struct {
	Target          targetID
	HealthCheckPort string `xml:",omitempty"`
	TargetHealth    struct {
		State               string
		Reason, Description string `xml:",omitempty"`
	}
}

// describeTargetHealth lists a group's targets. A target that was asked for by name and is not registered is "unused";
// without names, it is not in the list.
func (s *Service) describeTargetHealth(r *wire.Request) (any, error) {
	var in struct {
		TargetGroupArn string
		Targets        []targetID
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeTargetHealth", "*"); err != nil {
		return nil, err
	}
	g := s.Group(in.TargetGroupArn)
	if g == nil || in.TargetGroupArn != g.ARN {
		return nil, s.groupNotFound()
	}
	wanted := in.Targets
	if len(wanted) == 0 {
		for _, t := range g.targets {
			wanted = append(wanted, targetID{Id: t.ip, Port: &t.port})
		}
	}
	var out wire.List[targetHealth]
	for _, id := range wanted {
		port := g.Port
		if id.Port != nil {
			port = *id.Port
		}
		h, registered := Health{}, false
		if t := g.find(id.Id, port); t != nil {
			h, registered = g.healthAt(t, r.Now)
		}
		if !registered {
			if len(in.Targets) == 0 {
				continue
			}
			h = Health{"unused", "Target.NotRegistered", "Target is not registered to the target group"}
		}
		entry := targetHealth{Target: targetID{Id: id.Id, Port: &port, AvailabilityZone: s.zone(id.Id)}, HealthCheckPort: strconv.Itoa(port)}
		entry.TargetHealth.State, entry.TargetHealth.Reason, entry.TargetHealth.Description = h.State, h.Reason, h.Description
		out = append(out, entry)
	}
	return struct{ TargetHealthDescriptions wire.List[targetHealth] }{out}, nil
}

func (s *Service) registerTargets(r *wire.Request) (any, error) {
	return s.changeTargets(r, func(g *TargetGroup, ip string, port int) {
		g.Register(ip, port, r.Now)
		// Nothing answers behind an address that no task has.
		g.SetHealth(ip, port, Health{"unhealthy", "Target.Timeout", "Request timed out"})
	})
}

func (s *Service) deregisterTargets(r *wire.Request) (any, error) {
	return s.changeTargets(r, func(g *TargetGroup, ip string, port int) { g.Deregister(ip, port, r.Now) })
}

func (s *Service) changeTargets(r *wire.Request, change func(g *TargetGroup, ip string, port int)) (any, error) {
	var in struct {
		TargetGroupArn string
		Targets        []targetID
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:"+r.Action, in.TargetGroupArn); err != nil {
		return nil, err
	}
	g := s.Group(in.TargetGroupArn)
	if g == nil || in.TargetGroupArn != g.ARN {
		return nil, s.groupNotFound()
	}
	for _, id := range in.Targets {
		port := g.Port
		if id.Port != nil {
			port = *id.Port
		}
		change(g, id.Id, port)
	}
	return nil, nil
}

type targetGroup struct {
	TargetGroupArn, TargetGroupName, Protocol             string
	Port                                                  int
	VpcId                                                 string `xml:",omitempty"`
	HealthCheckProtocol, HealthCheckPort                  string
	HealthCheckEnabled                                    bool
	HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds int
	HealthyThresholdCount, UnhealthyThresholdCount        int
	HealthCheckPath                                       string
	Matcher                                               struct{ HttpCode string }
	LoadBalancerArns                                      wire.List[string]
	TargetType, ProtocolVersion, IpAddressType            string
}

func (s *Service) describeTargetGroups(r *wire.Request) (any, error) {
	var in struct {
		LoadBalancerArn        string
		TargetGroupArns, Names []string
		Marker                 string
		PageSize               *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeTargetGroups", "*"); err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(in.TargetGroupArns, in.Names) {
		if s.Group(name) == nil {
			return nil, s.groupNotFound()
		}
	}
	groups := slices.DeleteFunc(slices.Clone(s.groups), func(g *TargetGroup) bool {
		return len(in.TargetGroupArns) > 0 && !slices.Contains(in.TargetGroupArns, g.ARN) ||
			len(in.Names) > 0 && !slices.Contains(in.Names, g.Name) ||
			in.LoadBalancerArn != "" && !slices.Contains(s.balancersOf(g.ARN), in.LoadBalancerArn)
	})
	page, next, err := paged(groups, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	var out wire.List[targetGroup]
	for _, g := range page {
		out = append(out, targetGroup{
			TargetGroupArn: g.ARN, TargetGroupName: g.Name, Protocol: g.Protocol, Port: g.Port, VpcId: g.VPC,
			HealthCheckProtocol: g.Protocol, HealthCheckPort: "traffic-port", HealthCheckEnabled: true,
			HealthCheckIntervalSeconds: int(g.Interval / time.Second), HealthCheckTimeoutSeconds: int(g.Timeout / time.Second),
			HealthyThresholdCount: g.Healthy, UnhealthyThresholdCount: g.Unhealthy, HealthCheckPath: g.Path,
			Matcher: struct{ HttpCode string }{g.Matcher}, LoadBalancerArns: s.balancersOf(g.ARN),
			TargetType: "ip", ProtocolVersion: "HTTP1", IpAddressType: "ipv4",
		})
	}
	return struct {
		TargetGroups wire.List[targetGroup]
		NextMarker   string `xml:",omitempty"`
	}{out, next}, nil
}

func paged[T any](items []T, marker string, size *int) ([]T, string, error) {
	n := 400
	if size != nil {
		n = *size
	}
	if n < 1 || n > 400 {
		return nil, "", wire.Errorf("ValidationError", "1 validation error detected: Value '%d' at 'pageSize' failed to satisfy constraint: "+
			"Member must have value between 1 and 400", n)
	}
	page, next, ok := wire.Page(items, marker, n)
	if !ok {
		return nil, "", wire.Errorf("ValidationError", "The marker is not valid") // wording unconfirmed
	}
	return page, next, nil
}

type attribute struct{ Key, Value string }

func (g *TargetGroup) attributes() wire.List[attribute] {
	return wire.List[attribute]{
		{"deregistration_delay.timeout_seconds", seconds(g.Delay())},
		{"stickiness.enabled", "false"},
		{"stickiness.type", "lb_cookie"},
		{"slow_start.duration_seconds", "0"},
		{"load_balancing.algorithm.type", "round_robin"},
	}
}

func (s *Service) describeTargetGroupAttributes(r *wire.Request) (any, error) {
	var in struct{ TargetGroupArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeTargetGroupAttributes", "*"); err != nil {
		return nil, err
	}
	g := s.Group(in.TargetGroupArn)
	if g == nil {
		return nil, s.groupNotFound()
	}
	return struct{ Attributes wire.List[attribute] }{g.attributes()}, nil
}

// modifyTargetGroupAttributes changes the deregistration delay; other attributes have no effect here and are refused.
func (s *Service) modifyTargetGroupAttributes(r *wire.Request) (any, error) {
	var in struct {
		TargetGroupArn string
		Attributes     []attribute
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:ModifyTargetGroupAttributes", in.TargetGroupArn); err != nil {
		return nil, err
	}
	g := s.Group(in.TargetGroupArn)
	if g == nil {
		return nil, s.groupNotFound()
	}
	for _, a := range in.Attributes {
		n, err := strconv.Atoi(a.Value)
		if a.Key != "deregistration_delay.timeout_seconds" {
			return nil, wire.NotModelled("the target group attribute %s", a.Key)
		}
		if err != nil || n < 0 || n > 3600 {
			// wording unconfirmed
			return nil, wire.Errorf("InvalidConfigurationRequest",
				"Target group attribute key '%s' must have a value between '0' and '3600' inclusive", a.Key)
		}
		delay := time.Duration(n) * time.Second
		g.DeregistrationDelay = &delay
	}
	return struct{ Attributes wire.List[attribute] }{g.attributes()}, nil
}

type zone struct{ ZoneName, SubnetId string }

type loadBalancer struct {
	LoadBalancerArn, DNSName, CanonicalHostedZoneId string
	CreatedTime                                     wire.Time
	LoadBalancerName, Scheme                        string
	VpcId                                           string `xml:",omitempty"`
	State                                           struct{ Code string }
	Type                                            string
	AvailabilityZones                               wire.List[zone]
	SecurityGroups                                  wire.List[string]
	IpAddressType                                   string
}

func (s *Service) describeLoadBalancers(r *wire.Request) (any, error) {
	var in struct {
		LoadBalancerArns, Names []string
		Marker                  string
		PageSize                *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeLoadBalancers", "*"); err != nil {
		return nil, err
	}
	known := func(name string) bool {
		return slices.ContainsFunc(s.balancers, func(b *LoadBalancer) bool { return b.ARN == name || b.Name == name })
	}
	for _, name := range in.LoadBalancerArns {
		if !known(name) {
			return nil, wire.Errorf("LoadBalancerNotFound", "One or more load balancers not found")
		}
	}
	for _, name := range in.Names {
		if !known(name) {
			return nil, wire.Errorf("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
		}
	}
	balancers := slices.DeleteFunc(slices.Clone(s.balancers), func(b *LoadBalancer) bool {
		return len(in.LoadBalancerArns) > 0 && !slices.Contains(in.LoadBalancerArns, b.ARN) || len(in.Names) > 0 &&
			!slices.Contains(in.Names, b.Name)
	})
	page, next, err := paged(balancers, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	var out wire.List[loadBalancer]
	for _, b := range page {
		lb := loadBalancer{
			LoadBalancerArn: b.ARN, DNSName: b.DNSName, CanonicalHostedZoneId: "Z1H1FL5HABSF5", CreatedTime: wire.Time(b.CreatedAt),
			LoadBalancerName: b.Name, Scheme: b.Scheme, VpcId: b.VPC, State: struct{ Code string }{"active"}, Type: "application",
			SecurityGroups: b.SecurityGroups, IpAddressType: "ipv4",
		}
		for i, subnet := range b.Subnets {
			lb.AvailabilityZones = append(lb.AvailabilityZones, zone{s.options.Region + string(rune('a'+i%3)), subnet})
		}
		out = append(out, lb)
	}
	return struct {
		LoadBalancers wire.List[loadBalancer]
		NextMarker    string `xml:",omitempty"`
	}{out, next}, nil
}

type tuple struct {
	TargetGroupArn string
	Weight         int
}

type action struct {
	Type           string
	TargetGroupArn string          `xml:",omitempty"`
	ForwardConfig  *forwardConfig  `xml:",omitempty"`
	RedirectConfig *redirectConfig `xml:",omitempty"`
}

type forwardConfig struct {
	TargetGroups                wire.List[tuple]
	TargetGroupStickinessConfig struct{ Enabled bool }
}

type redirectConfig struct{ Protocol, Port, StatusCode string }

// defaults are the default actions of a listener.
func (l *Listener) defaults() wire.List[action] {
	if l.Redirect {
		return wire.List[action]{{Type: "redirect", RedirectConfig: &redirectConfig{"HTTPS", "443", "HTTP_301"}}}
	}
	return forward(l.Default)
}

// forward writes the one action that the sandbox's listeners and rules have. TargetGroupArn is there only if one group
// gets everything.
func forward(groups []Weighted) wire.List[action] {
	a := action{Type: "forward", ForwardConfig: &forwardConfig{}}
	for _, w := range groups {
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups, tuple{w.TargetGroup, w.Weight})
	}
	if len(groups) == 1 {
		a.TargetGroupArn = groups[0].TargetGroup
	}
	return wire.List[action]{a}
}

type listener struct {
	ListenerArn, LoadBalancerArn string
	Port                         int
	Protocol                     string
	Certificates                 wire.List[struct{ CertificateArn string }]
	DefaultActions               wire.List[action]
}

func (s *Service) describeListeners(r *wire.Request) (any, error) {
	var in struct {
		LoadBalancerArn string
		ListenerArns    []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeListeners", "*"); err != nil {
		return nil, err
	}
	var out wire.List[listener]
	balancerFound := false
	for _, b := range s.balancers {
		balancerFound = balancerFound || b.ARN == in.LoadBalancerArn
		for _, l := range b.Listeners {
			if b.ARN == in.LoadBalancerArn || slices.Contains(in.ListenerArns, l.ARN) {
				entry := listener{ListenerArn: l.ARN, LoadBalancerArn: b.ARN, Port: l.Port, Protocol: l.Protocol, DefaultActions: l.defaults()}
				if l.CertificateARN != "" {
					entry.Certificates = append(entry.Certificates, struct{ CertificateArn string }{l.CertificateARN})
				}
				out = append(out, entry)
			}
		}
	}
	switch {
	case in.LoadBalancerArn != "" && !balancerFound:
		return nil, wire.Errorf("LoadBalancerNotFound", "One or more load balancers not found")
	case len(out) < len(in.ListenerArns):
		return nil, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	}
	return struct{ Listeners wire.List[listener] }{out}, nil
}

type condition struct {
	Field             string
	Values            wire.List[string]
	PathPatternConfig struct{ Values wire.List[string] }
}

type rule struct {
	RuleArn, Priority string
	Conditions        wire.List[condition]
	Actions           wire.List[action]
	IsDefault         bool
}

func (s *Service) describeRules(r *wire.Request) (any, error) {
	var in struct {
		ListenerArn string
		RuleArns    []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticloadbalancing:DescribeRules", "*"); err != nil {
		return nil, err
	}
	var out wire.List[rule]
	listenerFound := false
	for _, b := range s.balancers {
		for _, l := range b.Listeners {
			listenerFound = listenerFound || l.ARN == in.ListenerArn
			for _, ru := range l.Rules {
				if l.ARN == in.ListenerArn || slices.Contains(in.RuleArns, ru.ARN) {
					c := condition{Field: "path-pattern", Values: ru.Paths}
					c.PathPatternConfig.Values = ru.Paths
					out = append(out, rule{RuleArn: ru.ARN, Priority: strconv.Itoa(ru.Priority), Conditions: wire.List[condition]{c},
						Actions: forward(ru.Forward)})
				}
			}
			if l.ARN == in.ListenerArn {
				out = append(out, rule{RuleArn: l.ARN + "/" + id(l.ARN), Priority: "default", Actions: l.defaults(), IsDefault: true})
			}
		}
	}
	switch {
	case in.ListenerArn != "" && !listenerFound:
		return nil, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	case len(out) < len(in.RuleArns):
		return nil, wire.Errorf("RuleNotFound", "One or more rules not found")
	}
	return struct{ Rules wire.List[rule] }{out}, nil
}
