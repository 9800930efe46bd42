package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Known is what was read, or why it was not.
type Known[T any] struct {
	Is  T
	Err error
}

// Network is what lies between the load balancer, the tasks and the stores, as it was read.
type Network struct {
	VPC       string
	Subnets   Known[map[string]netip.Prefix] // by id
	Groups    Known[map[string]Group]        // security groups, by id
	Tables    Known[[]RouteTable]
	NATs      Known[map[string]NAT]
	Endpoints Known[[]Endpoint]
	ACLs      Known[[]ACL]
}

// Group is a security group.
type Group struct{ In, Out []Rule }

// Rule lets something through a security group.
type Rule struct {
	Protocol    string // tcp, 6, or -1 for all
	From, To    int
	Ranges      []netip.Prefix
	Groups      []string
	PrefixLists []string
}

// takes says whether a rule is about TCP on a port.
func (r Rule) takes(port int) bool {
	return r.Protocol == "-1" || (r.Protocol == "tcp" || r.Protocol == "6") && r.From <= port && port <= r.To
}

// RouteTable is a route table.
type RouteTable struct {
	ID      string
	Main    bool
	Subnets []string
	Routes  []Route
}

// Route leads somewhere.
type Route struct {
	To     string // a range of addresses, or a prefix list
	Via    string // the id of what it leads to: igw-…, nat-…, vpce-…
	Active bool
}

// NAT is a NAT gateway.
type NAT struct {
	Subnet, State, Failure string
	Private                bool
}

// Endpoint is an endpoint of the VPC.
type Endpoint struct {
	ID, Service, State string // Service: what follows the region, such as ecr.api
	Gateway            bool
	PrivateDNS         bool
	Tables             []string
	Subnets, Groups    []string
}

// ACL is a network ACL.
type ACL struct {
	ID      string
	Subnets []string
	Entries []Entry // by number
}

// Entry is one rule of a network ACL.
type Entry struct {
	Number   int
	Egress   bool
	Protocol string // -1, 6, …
	Allow    bool
	Range    netip.Prefix
	From, To int
}

// ports are a range of them.
type ports struct{ from, to int }

// The ports from which connections come: those of Linux for tasks and instances, and what a load balancer or a NAT gateway uses.
var (
	ofLinux    = ports{32768, 60999}
	ofGateways = ports{1024, 65535}
)

// Party is one end of a way.
type Party struct {
	Name    string
	Groups  []string // its security groups
	Subnets []string
	// Somewhere says that it is in one of its subnets, and nobody knows in which; otherwise it is in each.
	Somewhere bool
	Sends     ports // from which its connections come
}

// everywhere is each address of IPv4.
var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// finding is what came of a look at one step of a way.
type finding struct {
	state    State
	evidence []string
	fix      []string
}

// worse joins two findings: what is wrong beats what is not known, and that beats what is right.
func (f finding) worse(other finding) finding {
	rank := map[State]int{"": 0, OK: 0, NotChecked: 1, Wrong: 2}
	out := finding{state: cmp.Or(f.state, OK)}
	if rank[other.state] > rank[f.state] {
		out.state = other.state
	}
	for _, each := range []finding{f, other} {
		if cmp.Or(each.state, OK) == out.state {
			out.evidence = append(out.evidence, each.evidence...)
			out.fix = append(out.fix, each.fix...)
		}
	}
	return out
}

func wrong(fix, format string, args ...any) finding {
	return finding{Wrong, []string{fmt.Sprintf(format, args...)}, []string{fix}}
}

func unknown(format string, args ...any) finding {
	return finding{state: NotChecked, evidence: []string{fmt.Sprintf(format, args...)}}
}

// way walks from one party to another on a port of TCP: out of the security groups of the one, into those of the other, and through
// the network ACLs of their subnets, there and back.
func (n Network) way(from, to Party, port int) finding {
	f := n.through(from, to, port, true).worse(n.through(to, from, port, false))
	return f.worse(n.acls(from, to, port))
}

// through looks at the security groups of one party: whether they let the other one through, out or in.
func (n Network) through(of, other Party, port int, out bool) finding {
	if n.Groups.Err != nil {
		return unknown("the security groups were not read: %v", n.Groups.Err)
	}
	direction, verb := "inbound", "from"
	if out {
		direction, verb = "outbound", "to"
	}
	var ranges []netip.Prefix
	lists := false
	for _, id := range of.Groups {
		g, ok := n.Groups.Is[id]
		if !ok {
			return unknown("%s of %s is in another network, or was not read", id, of.Name)
		}
		rules := g.In
		if out {
			rules = g.Out
		}
		for _, r := range rules {
			if !r.takes(port) {
				continue
			}
			if slices.ContainsFunc(r.Groups, func(id string) bool { return slices.Contains(other.Groups, id) }) {
				return finding{state: OK}
			}
			ranges = append(ranges, r.Ranges...)
			lists = lists || len(r.PrefixLists) > 0
		}
	}
	which := strings.Join(of.Groups, ", ")
	if len(of.Groups) == 0 {
		return unknown("the security groups of %s are not known", of.Name)
	}
	if slices.Contains(ranges, everywhere) {
		return finding{state: OK}
	}
	shut := wrong(fmt.Sprintf("add an %s rule to the security group of %s: TCP %d %s %s (Terraform has it in the module of %s)",
		direction, of.Name, port, verb, other.Name, of.Name), "%s (%s) has no %s rule for TCP %d %s %s (%s)",
		which, of.Name, direction, port, verb, other.Name, strings.Join(other.Groups, ", "))
	if len(ranges) == 0 {
		if lists {
			return unknown("a rule of %s names a prefix list, which is not read", which)
		}
		return shut
	}
	if n.Subnets.Err != nil {
		return unknown("the subnets were not read, so that the ranges in the rules of %s say nothing: %v", which, n.Subnets.Err)
	}
	if len(other.Subnets) == 0 {
		return unknown("the subnets of %s are not known", other.Name)
	}
	covered, partly := 0, false
	for _, id := range other.Subnets {
		block, ok := n.Subnets.Is[id]
		switch {
		case !ok:
			return unknown("%s of %s is in another network, or was not read", id, other.Name)
		case slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return contains(r, block) }):
			covered++
		default:
			partly = partly || slices.ContainsFunc(ranges, block.Overlaps)
		}
	}
	switch {
	case covered == len(other.Subnets):
		return finding{state: OK}
	case partly || covered > 0 && other.Somewhere || lists:
		return unknown("the %s rules of %s for TCP %d take a part of the addresses of %s", direction, which, port, other.Name)
	}
	return shut
}

// contains says whether one range holds another.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// acls looks at the network ACLs between two parties. Within one subnet there is none.
func (n Network) acls(from, to Party, port int) finding {
	if n.ACLs.Err != nil {
		return unknown("the network ACLs were not read: %v", n.ACLs.Err)
	}
	if n.Subnets.Err != nil {
		return unknown("the subnets were not read, so that network ACLs say nothing: %v", n.Subnets.Err)
	}
	on := ports{port, port}
	var shut []string
	open := map[string]bool{} // subnets of to that each subnet of from reaches
	for _, b := range to.Subnets {
		open[b] = true
		for _, a := range from.Subnets {
			if a == b {
				continue
			}
			for _, step := range []struct {
				at, other string
				egress    bool
				ports     ports
			}{{a, b, true, on}, {b, a, false, on}, {b, a, true, from.Sends}, {a, b, false, from.Sends}} {
				if line := n.denied(step.at, n.Subnets.Is[step.other], step.egress, step.ports); line != "" {
					open[b] = false
					if !slices.Contains(shut, line) {
						shut = append(shut, line)
					}
				}
			}
		}
	}
	if len(shut) == 0 {
		return finding{state: OK}
	}
	for _, reached := range open {
		if reached && to.Somewhere {
			return finding{state: NotChecked, evidence: append([]string{"in which subnet " + to.Name + " is, is not known"}, shut...)}
		}
	}
	return finding{Wrong, shut, []string{fmt.Sprintf("let TCP %d through the network ACL, and the answers on ports %d to %d: an ACL keeps no "+
		"connections in mind, both directions need a rule", port, from.Sends.from, from.Sends.to)}}
}

// denied returns the line that tells what of a subnet's network ACL keeps a range of ports from or to some addresses; "" where they
// all pass.
func (n Network) denied(subnet string, other netip.Prefix, egress bool, wanted ports) string {
	i := slices.IndexFunc(n.ACLs.Is, func(a ACL) bool { return slices.Contains(a.Subnets, subnet) })
	if i < 0 || !other.IsValid() {
		return "" // in another network: told by the security groups
	}
	acl := n.ACLs.Is[i]
	number := refuses(acl.Entries, other, egress, wanted)
	if number < 0 {
		return ""
	}
	direction, verb := "inbound", "from"
	if egress {
		direction, verb = "outbound", "to"
	}
	span := fmt.Sprint(wanted.from)
	if wanted.to != wanted.from {
		span += "-" + fmt.Sprint(wanted.to)
	}
	by := fmt.Sprintf("rule %d", number)
	if number == lastRule {
		by = "no rule allows it"
	}
	return fmt.Sprintf("%s of %s denies %s TCP %s %s %s (%s)", acl.ID, subnet, direction, span, verb, other, by)
}

// lastRule is the number that EC2 gives to the rule at the end, which denies all.
const lastRule = 32767

// few is the share of a range of ports that may be denied without being told: networks that deny 3389 and the like to everybody lose
// one port of the thousands from which connections come.
const few = 0.01

// refuses returns the number of the rule that denies some of the ports from or to some of the addresses, or -1 where they pass. The
// first rule that takes a packet decides.
func refuses(entries []Entry, other netip.Prefix, egress bool, wanted ports) int {
	left := []ports{wanted}
	denied, by := 0, -1
	for _, e := range slices.SortedStableFunc(slices.Values(entries), func(a, b Entry) int { return a.Number - b.Number }) {
		if e.Egress != egress || e.Protocol != "-1" && e.Protocol != "6" || !e.Range.Overlaps(other) ||
			e.Allow && !contains(e.Range, other) { // the others of the addresses go on to the next rule
			continue
		}
		of := ports{e.From, e.To}
		if e.Protocol == "-1" {
			of = ports{0, 65535}
		}
		var rest []ports
		for _, p := range left {
			low, high := max(p.from, of.from), min(p.to, of.to)
			if low > high {
				rest = append(rest, p)
				continue
			}
			if !e.Allow {
				denied += high - low + 1
				if by < 0 {
					by = e.Number
				}
			}
			if p.from < low {
				rest = append(rest, ports{p.from, low - 1})
			}
			if high < p.to {
				rest = append(rest, ports{high + 1, p.to})
			}
		}
		left = rest
	}
	for _, p := range left {
		denied += p.to - p.from + 1
		if by < 0 {
			by = lastRule
		}
	}
	if float64(denied) <= few*float64(wanted.to-wanted.from) {
		return -1
	}
	return by
}

// tableOf returns the route table of a subnet: its own, or the main one.
func (n Network) tableOf(subnet string) (RouteTable, bool) {
	i := slices.IndexFunc(n.Tables.Is, func(t RouteTable) bool { return slices.Contains(t.Subnets, subnet) })
	if i < 0 {
		i = slices.IndexFunc(n.Tables.Is, func(t RouteTable) bool { return t.Main })
	}
	if i < 0 {
		return RouteTable{}, false
	}
	return n.Tables.Is[i], true
}

// out returns the route to everywhere; ok is false where there is none.
func (t RouteTable) out() (Route, bool) {
	i := slices.IndexFunc(t.Routes, func(r Route) bool { return r.To == everywhere.String() })
	if i < 0 {
		return Route{}, false
	}
	return t.Routes[i], true
}

// isPublic looks whether a subnet is open to the internet.
func (n Network) isPublic(subnet, what string) finding {
	if n.Tables.Err != nil {
		return unknown("the route tables were not read: %v", n.Tables.Err)
	}
	fix := "route 0.0.0.0/0 of that subnet to an internet gateway (Terraform's module networking does for public subnets)"
	table, ok := n.tableOf(subnet)
	if !ok {
		return unknown("%s of %s is in another network, or was not read", subnet, what)
	}
	route, ok := table.out()
	switch {
	case !ok:
		return wrong(fix, "%s, the route table of %s (%s), has no route to 0.0.0.0/0", table.ID, subnet, what)
	case !route.Active:
		return wrong(fix, "the route to 0.0.0.0/0 of %s (%s, %s) leads to %s, which is gone", table.ID, subnet, what, route.Via)
	case !strings.HasPrefix(route.Via, "igw-"):
		return wrong(fix, "the route to 0.0.0.0/0 of %s (%s, %s) leads to %s, which is not an internet gateway", table.ID, subnet, what,
			route.Via)
	}
	return finding{state: OK}
}

// wayOut walks from a subnet of the tasks to the APIs of AWS: by NAT or an internet gateway; byEndpoints says that there is no such way,
// and that endpoints have to do.
func (n Network) wayOut(from Party, subnet string, publicIP bool) (f finding, byEndpoints bool) {
	if n.Tables.Err != nil {
		return unknown("the route tables were not read: %v", n.Tables.Err), false
	}
	table, ok := n.tableOf(subnet)
	if !ok {
		return unknown("the route table of %s was not read", subnet), false
	}
	route, ok := table.out()
	mend := "give " + subnet + " a route of 0.0.0.0/0 to a NAT gateway that works (nat in the environment's tfvars), or endpoints " +
		"for what tasks need"
	switch {
	case !ok:
		return finding{state: OK}, true
	case !route.Active:
		return wrong(mend, "the route to 0.0.0.0/0 of %s (%s) leads to %s, which is gone", table.ID, subnet, route.Via), false
	case strings.HasPrefix(route.Via, "igw-") && !publicIP:
		return wrong("give the tasks public addresses (assignPublicIp), or put them into subnets with a NAT gateway",
			"%s leads to the internet gateway %s, and tasks have no public address", subnet, route.Via), false
	case strings.HasPrefix(route.Via, "igw-"):
		return n.leaves(from, subnet), false
	case !strings.HasPrefix(route.Via, "nat-"):
		return unknown("0.0.0.0/0 of %s leads to %s, which is not followed", subnet, route.Via), false
	case n.NATs.Err != nil:
		return unknown("the NAT gateways were not read: %v", n.NATs.Err), false
	}
	nat, ok := n.NATs.Is[route.Via]
	switch {
	case !ok:
		return wrong(mend, "the route to 0.0.0.0/0 of %s (%s) leads to %s, which is not there", table.ID, subnet, route.Via), false
	case nat.State != "available":
		return wrong(mend, "the NAT gateway %s of %s is %s", route.Via, subnet, strings.TrimSpace(nat.State+" "+nat.Failure)), false
	case nat.Private:
		return unknown("%s leads to the private NAT gateway %s, which is not followed", subnet, route.Via), false
	}
	return n.isPublic(nat.Subnet, "the NAT gateway "+route.Via).worse(n.leaves(from, subnet)), false
}

// leaves looks whether a party's groups and a subnet's ACL let HTTPS out to everywhere, and the answers in.
func (n Network) leaves(from Party, subnet string) finding {
	f := finding{state: OK}
	if n.Groups.Err != nil {
		f = unknown("the security groups were not read: %v", n.Groups.Err)
	} else {
		open, some := n.anywhere(from.Groups, https, true)
		switch {
		case !open && some:
			f = unknown("%s lets TCP %d out to some addresses alone", strings.Join(from.Groups, ", "), https)
		case !open:
			f = wrong(fmt.Sprintf("add an outbound rule to the security group of %s: TCP %d to 0.0.0.0/0", from.Name, https),
				"%s (%s) has no outbound rule for TCP %d to 0.0.0.0/0: images, secrets and logs are behind it",
				strings.Join(from.Groups, ", "), from.Name, https)
		}
	}
	if n.ACLs.Err != nil {
		return f.worse(unknown("the network ACLs were not read: %v", n.ACLs.Err))
	}
	for _, step := range []struct {
		egress bool
		ports  ports
	}{{true, ports{https, https}}, {false, from.Sends}} {
		line := n.denied(subnet, everywhere, step.egress, step.ports)
		switch {
		case line == "":
		case n.allowed(subnet, step.egress, step.ports):
			f = f.worse(unknown("%s: some addresses may pass", line))
		default:
			f = f.worse(wrong(fmt.Sprintf("let TCP %d out through the network ACL, and the answers on ports %d to %d in", https,
				from.Sends.from, from.Sends.to), "%s", line))
		}
	}
	return f
}

// allowed says whether some rule of a subnet's network ACL lets some of the ports through.
func (n Network) allowed(subnet string, egress bool, wanted ports) bool {
	return slices.ContainsFunc(n.ACLs.Is, func(a ACL) bool {
		return slices.Contains(a.Subnets, subnet) && slices.ContainsFunc(a.Entries, func(e Entry) bool {
			return e.Allow && e.Egress == egress && (e.Protocol == "-1" || e.Protocol == "6" && e.From <= wanted.to && wanted.from <= e.To) &&
				!shadowed(a.Entries, e, wanted)
		})
	})
}

// shadowed says whether a rule before one of a network ACL denies all that it lets through.
func shadowed(entries []Entry, of Entry, wanted ports) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool {
		return !e.Allow && e.Egress == of.Egress && e.Number < of.Number && contains(e.Range, of.Range) &&
			(e.Protocol == "-1" || e.Protocol == "6" && e.From <= wanted.from && wanted.to <= e.To)
	})
}

// https is the port of AWS's APIs.
const https = 443

// anywhere says whether groups let a port through from or to each address, and whether some.
func (n Network) anywhere(groups []string, port int, out bool) (all, some bool) {
	for _, id := range groups {
		rules := n.Groups.Is[id].In
		if out {
			rules = n.Groups.Is[id].Out
		}
		for _, r := range rules {
			if r.takes(port) {
				all = all || slices.Contains(r.Ranges, everywhere)
				some = some || len(r.Ranges)+len(r.Groups)+len(r.PrefixLists) > 0
			}
		}
	}
	return all, some
}

// endpoint looks for the endpoint of a service that the tasks need, and walks to it.
func (n Network) endpoint(from Party, service string) finding {
	if n.Endpoints.Err != nil {
		return unknown("the endpoints were not read: %v", n.Endpoints.Err)
	}
	var found *Endpoint
	for _, e := range n.Endpoints.Is {
		if e.Service == service && (found == nil || !e.Gateway) {
			found = &e
		}
	}
	switch {
	case found == nil:
		return wrong("add the endpoint com.amazonaws.REGION."+service+" (interface_endpoints of Terraform's module networking), or a NAT gateway",
			"there is neither a NAT gateway nor an endpoint for %s", service)
	case !strings.EqualFold(found.State, "available"):
		return wrong("recreate the endpoint (terraform apply -replace)", "the endpoint %s for %s is %s", found.ID, service, found.State)
	case found.Gateway:
		for _, subnet := range from.Subnets {
			if table, ok := n.tableOf(subnet); ok && !slices.Contains(found.Tables, table.ID) {
				return wrong("add the route table to the gateway endpoint", "%s, the route table of %s, does not lead to the endpoint %s for %s",
					table.ID, subnet, found.ID, service)
			}
		}
		return finding{state: OK}
	case !found.PrivateDNS:
		return wrong("set private_dns_enabled of the endpoint", "the endpoint %s for %s has no private DNS: the service's name does not "+
			"lead to it", found.ID, service)
	}
	return n.way(from, Party{Name: "the endpoint for " + service, Groups: found.Groups, Subnets: found.Subnets, Somewhere: true}, https)
}
