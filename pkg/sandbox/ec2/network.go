package ec2

import (
	"slices"
	"strconv"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Network is what lies around the subnets of the tasks. No packet flows in it: it is there to be looked at.
type Network struct {
	Subnets   []*Subnet // beside those of the tasks
	Groups    []*SecurityGroup
	Tables    []*RouteTable
	NATs      []*NAT
	Endpoints []*Endpoint
	ACLs      []*ACL
}

// Subnet is one beside those of the tasks.
type Subnet struct{ ID, Block, Zone string }

// SecurityGroup is a security group with its rules.
type SecurityGroup struct {
	ID, Name string
	In, Out  []Rule
}

// Rule lets TCP through, on ports From to To, or everything where Protocol is -1. The other end is a range of addresses or a group.
type Rule struct {
	Protocol    string
	From, To    int
	CIDR, Group string
	PrefixList  string
}

// RouteTable is a table with its subnets.
type RouteTable struct {
	ID      string
	Main    bool
	Subnets []string
	Routes  []Route
}

// Route leads to one of: an internet gateway, a NAT gateway, a gateway endpoint.
type Route struct {
	CIDR, PrefixList string
	Gateway, NAT     string
	Blackhole        bool
}

// NAT is a NAT gateway.
type NAT struct{ ID, Subnet, State, Failure string }

// Endpoint is an endpoint of the VPC.
type Endpoint struct {
	ID, Service, Type, State string // Gateway or Interface; available, pending, failed, …
	Tables, Subnets, Groups  []string
	PrivateDNS               bool
}

// ACL is a network ACL with its subnets.
type ACL struct {
	ID      string
	Default bool
	Subnets []string
	Entries []Entry
}

// Entry is one numbered rule of a network ACL.
type Entry struct {
	Number   int
	Egress   bool
	Protocol string // -1: all
	Allow    bool
	CIDR     string
	From, To int
}

// Group finds a security group; nil where there is none.
func (n *Network) Group(id string) *SecurityGroup {
	if i := slices.IndexFunc(n.Groups, func(g *SecurityGroup) bool { return g.ID == id }); i >= 0 {
		return n.Groups[i]
	}
	return nil
}

// looked is a request that looks at things of the VPC, by their ids and by filters.
type looked struct {
	ids    []string
	filter []filter
}

type filter struct {
	Name  string
	Value []string
}

// look reads such a request: ids stand under a name of their own for each kind of thing.
func (s *Service) look(r *wire.Request, ids []string, filters []filter) (looked, error) {
	for _, f := range filters {
		if f.Name != "vpc-id" {
			return looked{}, wire.NotModelled("the filter %s of ec2:%s", f.Name, r.Action)
		}
	}
	return looked{ids, filters}, r.Authorize("ec2:"+r.Action, "*")
}

func (l looked) wants(id, vpc string) bool {
	return (len(l.ids) == 0 || slices.Contains(l.ids, id)) &&
		!slices.ContainsFunc(l.filter, func(f filter) bool { return !slices.Contains(f.Value, vpc) })
}

// missing is the refusal of an id that nothing has.
func (l looked) missing(code, what string, has func(id string) bool) error {
	for _, id := range l.ids {
		if !has(id) {
			return wire.Errorf(code, "The %s '%s' does not exist", what, id)
		}
	}
	return nil
}

type groupPair struct {
	Owner string `xml:"userId"`
	ID    string `xml:"groupId"`
}

type ipRange struct {
	CIDR string `xml:"cidrIp"`
}

type prefixList struct {
	ID string `xml:"prefixListId"`
}

type permission struct {
	Protocol    string       `xml:"ipProtocol"`
	From        *int         `xml:"fromPort"`
	To          *int         `xml:"toPort"`
	Groups      []groupPair  `xml:"groups>item"`
	Ranges      []ipRange    `xml:"ipRanges>item"`
	PrefixLists []prefixList `xml:"prefixListIds>item"`
}

func (s *Service) permissions(rules []Rule) (all []permission) {
	for _, rule := range rules {
		p := permission{Protocol: rule.Protocol}
		if rule.Protocol != "-1" {
			p.From, p.To = &rule.From, &rule.To
		}
		switch {
		case rule.Group != "":
			p.Groups = []groupPair{{s.Account, rule.Group}}
		case rule.PrefixList != "":
			p.PrefixLists = []prefixList{{rule.PrefixList}}
		default:
			p.Ranges = []ipRange{{rule.CIDR}}
		}
		all = append(all, p)
	}
	return all
}

type securityGroup struct {
	Owner       string       `xml:"ownerId"`
	ID          string       `xml:"groupId"`
	Name        string       `xml:"groupName"`
	Description string       `xml:"groupDescription"`
	VPC         string       `xml:"vpcId"`
	In          []permission `xml:"ipPermissions>item"`
	Out         []permission `xml:"ipPermissionsEgress>item"`
}

func (s *Service) describeSecurityGroups(r *wire.Request) (any, error) {
	var in struct {
		GroupId []string
		Filter  []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.GroupId, in.Filter)
	if err != nil {
		return nil, err
	}
	if err := l.missing("InvalidGroup.NotFound", "security group", func(id string) bool { return s.Network.Group(id) != nil }); err != nil {
		return nil, err
	}
	var out struct {
		Groups []securityGroup `xml:"securityGroupInfo>item"`
	}
	for _, g := range s.Network.Groups {
		if l.wants(g.ID, s.VPC) {
			out.Groups = append(out.Groups, securityGroup{s.Account, g.ID, g.Name, g.Name, s.VPC, s.permissions(g.In), s.permissions(g.Out)})
		}
	}
	return out, nil
}

type route struct {
	CIDR       string `xml:"destinationCidrBlock,omitempty"`
	PrefixList string `xml:"destinationPrefixListId,omitempty"`
	Gateway    string `xml:"gatewayId,omitempty"`
	NAT        string `xml:"natGatewayId,omitempty"`
	State      string `xml:"state"`
	Origin     string `xml:"origin"`
}

type association struct {
	ID     string `xml:"routeTableAssociationId"`
	Table  string `xml:"routeTableId"`
	Subnet string `xml:"subnetId,omitempty"`
	Main   bool   `xml:"main"`
	State  string `xml:"associationState>state"`
}

type routeTable struct {
	ID           string        `xml:"routeTableId"`
	VPC          string        `xml:"vpcId"`
	Owner        string        `xml:"ownerId"`
	Routes       []route       `xml:"routeSet>item"`
	Associations []association `xml:"associationSet>item"`
}

func (s *Service) describeRouteTables(r *wire.Request) (any, error) {
	var in struct {
		RouteTableId []string
		Filter       []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.RouteTableId, in.Filter)
	if err != nil {
		return nil, err
	}
	if err := l.missing("InvalidRouteTableID.NotFound", "routeTable ID", func(id string) bool {
		return slices.ContainsFunc(s.Network.Tables, func(t *RouteTable) bool { return t.ID == id })
	}); err != nil {
		return nil, err
	}
	var out struct {
		Tables []routeTable `xml:"routeTableSet>item"`
	}
	for _, t := range s.Network.Tables {
		if !l.wants(t.ID, s.VPC) {
			continue
		}
		v := routeTable{ID: t.ID, VPC: s.VPC, Owner: s.Account,
			Routes: []route{{CIDR: Block, Gateway: "local", State: "active", Origin: "CreateRouteTable"}}}
		for _, to := range t.Routes {
			state := "active"
			if to.Blackhole {
				state = "blackhole"
			}
			v.Routes = append(v.Routes, route{to.CIDR, to.PrefixList, to.Gateway, to.NAT, state, "CreateRoute"})
		}
		if t.Main {
			v.Associations = append(v.Associations, association{ID: "rtbassoc-main", Table: t.ID, Main: true, State: "associated"})
		}
		for _, subnet := range t.Subnets {
			v.Associations = append(v.Associations,
				association{ID: "rtbassoc-" + subnet[len("subnet-"):], Table: t.ID, Subnet: subnet, State: "associated"})
		}
		out.Tables = append(out.Tables, v)
	}
	return out, nil
}

type natGateway struct {
	ID      string `xml:"natGatewayId"`
	Subnet  string `xml:"subnetId"`
	VPC     string `xml:"vpcId"`
	State   string `xml:"state"`
	Failure string `xml:"failureMessage,omitempty"`
	Kind    string `xml:"connectivityType"`
}

func (s *Service) describeNATs(r *wire.Request) (any, error) {
	var in struct {
		NatGatewayId []string
		Filter       []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.NatGatewayId, in.Filter)
	if err != nil {
		return nil, err
	}
	var out struct {
		NATs []natGateway `xml:"natGatewaySet>item"`
	}
	for _, n := range s.Network.NATs {
		if l.wants(n.ID, s.VPC) {
			out.NATs = append(out.NATs, natGateway{n.ID, n.Subnet, s.VPC, n.State, n.Failure, "public"})
		}
	}
	return out, nil
}

type vpcEndpoint struct {
	ID         string   `xml:"vpcEndpointId"`
	Type       string   `xml:"vpcEndpointType"`
	VPC        string   `xml:"vpcId"`
	Service    string   `xml:"serviceName"`
	State      string   `xml:"state"`
	Tables     []string `xml:"routeTableIdSet>item"`
	Subnets    []string `xml:"subnetIdSet>item"`
	Groups     []group  `xml:"groupSet>item"`
	PrivateDNS bool     `xml:"privateDnsEnabled"`
	Owner      string   `xml:"ownerId"`
}

func (s *Service) describeEndpoints(r *wire.Request) (any, error) {
	var in struct {
		VpcEndpointId []string
		Filter        []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.VpcEndpointId, in.Filter)
	if err != nil {
		return nil, err
	}
	var out struct {
		Endpoints []vpcEndpoint `xml:"vpcEndpointSet>item"`
	}
	for _, e := range s.Network.Endpoints {
		if !l.wants(e.ID, s.VPC) {
			continue
		}
		v := vpcEndpoint{e.ID, e.Type, s.VPC, "com.amazonaws." + s.Region + "." + e.Service, e.State, e.Tables, e.Subnets, nil, e.PrivateDNS,
			s.Account}
		for _, id := range e.Groups {
			v.Groups = append(v.Groups, group{id})
		}
		out.Endpoints = append(out.Endpoints, v)
	}
	return out, nil
}

type portRange struct {
	From int `xml:"from"`
	To   int `xml:"to"`
}

type entry struct {
	Number   int        `xml:"ruleNumber"`
	Protocol string     `xml:"protocol"`
	Action   string     `xml:"ruleAction"`
	Egress   bool       `xml:"egress"`
	CIDR     string     `xml:"cidrBlock"`
	Ports    *portRange `xml:"portRange"`
}

type aclAssociation struct {
	ID     string `xml:"networkAclAssociationId"`
	ACL    string `xml:"networkAclId"`
	Subnet string `xml:"subnetId"`
}

type networkACL struct {
	ID           string           `xml:"networkAclId"`
	VPC          string           `xml:"vpcId"`
	Default      bool             `xml:"default"`
	Entries      []entry          `xml:"entrySet>item"`
	Associations []aclAssociation `xml:"associationSet>item"`
	Owner        string           `xml:"ownerId"`
}

// lastRule is the number of the rule that ends every network ACL: it denies what no other one takes.
const lastRule = 32767

func (s *Service) describeACLs(r *wire.Request) (any, error) {
	var in struct {
		NetworkAclId []string
		Filter       []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.NetworkAclId, in.Filter)
	if err != nil {
		return nil, err
	}
	var out struct {
		ACLs []networkACL `xml:"networkAclSet>item"`
	}
	for n, a := range s.Network.ACLs {
		if !l.wants(a.ID, s.VPC) {
			continue
		}
		v := networkACL{ID: a.ID, VPC: s.VPC, Default: a.Default, Owner: s.Account}
		last := []Entry{{Number: lastRule, Egress: true, Protocol: "-1", CIDR: "0.0.0.0/0"},
			{Number: lastRule, Protocol: "-1", CIDR: "0.0.0.0/0"}}
		for _, e := range append(slices.Clone(a.Entries), last...) {
			line := entry{Number: e.Number, Protocol: e.Protocol, Action: "deny", Egress: e.Egress, CIDR: e.CIDR}
			if e.Allow {
				line.Action = "allow"
			}
			if e.Protocol != "-1" {
				line.Ports = &portRange{e.From, e.To}
			}
			v.Entries = append(v.Entries, line)
		}
		for i, subnet := range a.Subnets {
			v.Associations = append(v.Associations, aclAssociation{"aclassoc-" + strconv.Itoa(n) + strconv.Itoa(i), a.ID, subnet})
		}
		out.ACLs = append(out.ACLs, v)
	}
	return out, nil
}
