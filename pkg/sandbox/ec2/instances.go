package ec2

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// How long an instance takes from StartInstances to running, and from there until its agent is known to Systems Manager.
const (
	bootTime  = 15 * time.Second
	agentTime = 10 * time.Second
)

// Agents of Session Manager, by what Systems Manager knows of them.
const (
	AgentOnline = "online" // while the instance runs
	AgentLost   = "lost"   // it was there once
	AgentNone   = "none"   // it never was
)

// Instance is one instance.
type Instance struct {
	ID, Name, Image, Type, Subnet, VPC, Zone string
	PrivateIP, PublicIP                      string
	SecurityGroups                           []string
	Tags                                     map[string]string
	Agent                                    string
	Launched                                 time.Time

	stopped bool
	started time.Time // by StartInstances; zero: it has run since the beginning
}

// Stop stops an instance at once.
func (i *Instance) Stop() { i.stopped = true }

// State is what EC2 calls it.
func (i *Instance) State(now time.Time) string {
	switch {
	case i.stopped:
		return "stopped"
	case now.Before(i.started.Add(bootTime)):
		return "pending"
	default:
		return "running"
	}
}

// Ping is what Systems Manager says of the agent: Online, ConnectionLost, or nothing where it never was there.
func (i *Instance) Ping(now time.Time) string {
	switch {
	case i.Agent == AgentNone:
		return ""
	case i.Agent == AgentLost || i.stopped || now.Before(i.started.Add(bootTime+agentTime)):
		return "ConnectionLost"
	default:
		return "Online"
	}
}

// Instance finds one by its id; nil if there is none.
func (s *Service) Instance(id string) *Instance {
	if i := slices.IndexFunc(s.Instances, func(i *Instance) bool { return i.ID == id }); i >= 0 {
		return s.Instances[i]
	}
	return nil
}

// ARN of an instance.
func (s *Service) ARN(id string) string {
	return "arn:aws:ec2:" + s.Region + ":" + s.Account + ":instance/" + id
}

type tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type state struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

// stateOf gives a state its number.
func stateOf(name string) state {
	return state{map[string]int{"pending": 0, "running": 16, "stopping": 64, "stopped": 80}[name], name}
}

type group struct {
	ID string `xml:"groupId"`
}

type instanceView struct {
	ID        string    `xml:"instanceId"`
	Image     string    `xml:"imageId"`
	State     state     `xml:"instanceState"`
	Type      string    `xml:"instanceType"`
	Launched  wire.Time `xml:"launchTime"`
	Zone      string    `xml:"placement>availabilityZone"`
	Subnet    string    `xml:"subnetId"`
	VPC       string    `xml:"vpcId"`
	PrivateIP string    `xml:"privateIpAddress"`
	PublicIP  string    `xml:"ipAddress,omitempty"`
	Groups    []group   `xml:"groupSet>item"`
	Tags      []tag     `xml:"tagSet>item"`
}

type reservation struct {
	ID        string         `xml:"reservationId"`
	Owner     string         `xml:"ownerId"`
	Instances []instanceView `xml:"instancesSet>item"`
}

func (s *Service) describeInstances(r *wire.Request) (any, error) {
	var in struct {
		InstanceId []string
		Filter     []struct {
			Name  string
			Value []string
		}
		NextToken string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ec2:DescribeInstances", "*"); err != nil {
		return nil, err
	}
	for _, id := range in.InstanceId {
		if s.Instance(id) == nil {
			return nil, missing(id)
		}
	}
	out := struct {
		Reservations []reservation `xml:"reservationSet>item"`
	}{}
	for _, i := range s.Instances {
		wanted := len(in.InstanceId) == 0 || slices.Contains(in.InstanceId, i.ID)
		for _, f := range in.Filter {
			matches, known := i.matches(f.Name, f.Value, r.Now)
			if !known {
				return nil, wire.NotModelled("the filter %s of ec2:DescribeInstances", f.Name)
			}
			wanted = wanted && matches
		}
		if !wanted {
			continue
		}
		view := instanceView{ID: i.ID, Image: i.Image, State: stateOf(i.State(r.Now)), Type: i.Type, Launched: wire.Time(i.Launched),
			Zone:   i.Zone,
			Subnet: i.Subnet, VPC: i.VPC, PrivateIP: i.PrivateIP}
		if !i.stopped {
			view.PublicIP = i.PublicIP
		}
		for _, id := range i.SecurityGroups {
			view.Groups = append(view.Groups, group{id})
		}
		for _, key := range slices.Sorted(maps.Keys(i.Tags)) {
			view.Tags = append(view.Tags, tag{key, i.Tags[key]})
		}
		out.Reservations = append(out.Reservations, reservation{ID: "r-" + strings.TrimPrefix(i.ID, "i-"), Owner: s.Account,
			Instances: []instanceView{view}})
	}
	return out, nil
}

// matches says whether a filter takes the instance; wildcards are EC2's.
func (i *Instance) matches(name string, values []string, now time.Time) (matches, known bool) {
	var have string
	key, isTag := strings.CutPrefix(name, "tag:")
	switch {
	case isTag:
		var ok bool
		if have, ok = i.Tags[key]; !ok {
			return false, true
		}
	case name == "tag-key":
		return slices.ContainsFunc(values, func(v string) bool { _, ok := i.Tags[v]; return ok }), true
	case name == "instance-state-name":
		have = i.State(now)
	case name == "instance-id":
		have = i.ID
	default:
		return false, false
	}
	return slices.ContainsFunc(values, func(v string) bool { ok, _ := path.Match(v, have); return ok }), true
}

func missing(id string) error {
	return wire.Errorf("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

type change struct {
	ID       string `xml:"instanceId"`
	Current  state  `xml:"currentState"`
	Previous state  `xml:"previousState"`
}

// each does something to each of the instances that a request names, and answers what became of their states.
func (s *Service) each(r *wire.Request, do func(*Instance)) (any, error) {
	var in struct{ InstanceId []string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.InstanceId) == 0 {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter InstanceId")
	}
	for _, id := range in.InstanceId {
		if err := r.Authorize("ec2:"+r.Action, s.ARN(id)); err != nil {
			return nil, err
		}
		if s.Instance(id) == nil {
			return nil, missing(id)
		}
	}
	out := struct {
		Changes []change `xml:"instancesSet>item"`
	}{}
	for _, id := range in.InstanceId {
		i := s.Instance(id)
		before := i.State(r.Now)
		do(i)
		out.Changes = append(out.Changes, change{id, stateOf(i.State(r.Now)), stateOf(before)})
	}
	return out, nil
}

func (s *Service) startInstances(r *wire.Request) (any, error) {
	return s.each(r, func(i *Instance) {
		if i.stopped {
			i.stopped, i.started, i.Launched = false, r.Now, r.Now
		}
	})
}

func (s *Service) stopInstances(r *wire.Request) (any, error) { return s.each(r, (*Instance).Stop) }
