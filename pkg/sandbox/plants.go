package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/ec2"
	"github.com/org/connect2/v2/pkg/sandbox/elasticache"
	"github.com/org/connect2/v2/pkg/sandbox/rds"
	"github.com/org/connect2/v2/pkg/sandbox/route53"
)

// plant is something wrong around the service, for whoever is to find it.
type plant struct {
	doc    string
	domain bool // it needs a domain
	do     func(*Sandbox)
}

// Plants lists what a scenario's broken may name.
func Plants() []string { return slices.Sorted(maps.Keys(plants)) }

// without takes the rules for a port out of a list.
func without(rules []ec2.Rule, port int) []ec2.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r ec2.Rule) bool { return r.From <= port && port <= r.To })
}

// unnamed takes the rules away that name a group.
func unnamed(rules []ec2.Rule, group string) []ec2.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r ec2.Rule) bool { return r.Group == group })
}

func (s *Sandbox) tasksGroups(change func(*ec2.SecurityGroup)) {
	for _, id := range s.scenario.Service.SecurityGroups {
		change(s.compute.Network.Group(id))
	}
}

func (s *Sandbox) database(change func(*rds.Instance)) {
	for _, i := range s.databases.Instances {
		change(i)
	}
}

func (s *Sandbox) cache(change func(*elasticache.Group)) {
	for _, g := range s.caches.Groups {
		change(g)
	}
}

// tasksTable is the route table of the tasks' subnets.
func (s *Sandbox) tasksTable() *ec2.RouteTable { return s.compute.Network.Tables[2] }

// noNAT takes the tasks' way to the internet away, with endpoints in its place.
func (s *Sandbox) noNAT(services ...string) {
	n := &s.compute.Network
	s.tasksTable().Routes = s.tasksTable().Routes[1:]
	n.NATs = nil
	for i, name := range services {
		n.Endpoints = append(n.Endpoints, &ec2.Endpoint{ID: fmt.Sprintf("vpce-0a1b2c3d4e5f600%d", 10+i), Service: name, Type: "Interface",
			State: "available", Subnets: s.scenario.Service.Subnets, Groups: []string{endpointGroup}, PrivateDNS: true})
	}
}

// endpoints are what tasks need where there is no NAT gateway.
var endpoints = []string{"ecr.api", "ecr.dkr", "logs", "secretsmanager"}

// deny puts a rule before all others of a new network ACL for some subnets.
func (s *Sandbox) deny(subnets []string, e ec2.Entry) {
	n := &s.compute.Network
	all := n.ACLs[0]
	all.Subnets = slices.DeleteFunc(slices.Clone(all.Subnets), func(id string) bool { return slices.Contains(subnets, id) })
	e.Number = 90
	n.ACLs = append(n.ACLs, &ec2.ACL{ID: fmt.Sprintf("acl-0a1b2c3d4e5f6000%d", len(n.ACLs)+1), Subnets: subnets,
		Entries: append([]ec2.Entry{e}, all.Entries...)})
}

// plants are named by what is wrong.
var plants = map[string]plant{
	"load-balancer-shut": {doc: "the load balancer's security group lets nobody in", do: func(s *Sandbox) {
		s.compute.Network.Group(balancerGroup).In = nil
	}},
	"load-balancer-cannot-send": {doc: "its security group lets nothing out to the tasks", do: func(s *Sandbox) {
		s.compute.Network.Group(balancerGroup).Out = nil
	}},
	"load-balancer-inside": {doc: "its subnets have no route to the internet", do: func(s *Sandbox) {
		s.compute.Network.Tables[1].Routes = nil
	}},
	"listener-gone": {doc: "no listener sends requests to the target group", do: func(s *Sandbox) { s.balancing.Shut() }},
	"listener-weight-zero": {doc: "the listener gives the target group no share of the requests", do: func(s *Sandbox) {
		s.balancing.Weigh(0)
	}},
	"tasks-shut": {doc: "the tasks' security group does not let the load balancer in", do: func(s *Sandbox) {
		s.tasksGroups(func(g *ec2.SecurityGroup) { g.In = nil })
	}},
	"tasks-other-port": {doc: "it does so on another port than the container's", do: func(s *Sandbox) {
		s.tasksGroups(func(g *ec2.SecurityGroup) { g.In[0].From, g.In[0].To = 9000, 9000 })
	}},
	"tasks-cannot-leave": {doc: "the tasks' security group lets no HTTPS out", do: func(s *Sandbox) {
		s.tasksGroups(func(g *ec2.SecurityGroup) { g.Out = without(g.Out, 443) })
	}},
	"tasks-cannot-reach-database": {doc: "the tasks' security group lets nothing out to the database", do: func(s *Sandbox) {
		s.tasksGroups(func(g *ec2.SecurityGroup) { g.Out = without(g.Out, databasePort) })
	}},
	"tasks-cannot-reach-redis": {doc: "the tasks' security group lets nothing out to Redis", do: func(s *Sandbox) {
		s.tasksGroups(func(g *ec2.SecurityGroup) { g.Out = without(g.Out, cachePort) })
	}},
	"nat-failed": {doc: "the NAT gateway has failed", do: func(s *Sandbox) {
		nat := s.compute.Network.NATs[0]
		nat.State, nat.Failure = "failed", "Elastic IP address eipalloc-0a1b2c3d is already associated"
	}},
	"nat-gone": {doc: "the NAT gateway was deleted, and the route leads nowhere", do: func(s *Sandbox) {
		s.compute.Network.NATs = nil
		s.tasksTable().Routes[0].Blackhole = true
	}},
	"nat-inside": {doc: "the NAT gateway's own subnet has no route to the internet", do: func(s *Sandbox) {
		s.compute.Network.NATs[0].Subnet = dataSubnets[0]
	}},
	"route-gone": {doc: "the tasks have neither a route to the internet nor endpoints", do: func(s *Sandbox) { s.noNAT() }},
	"endpoint-missing": {doc: "there are endpoints in place of a NAT gateway, and none for logs", do: func(s *Sandbox) {
		s.noNAT(slices.DeleteFunc(slices.Clone(endpoints), func(name string) bool { return name == "logs" })...)
	}},
	"endpoints-shut": {doc: "there are endpoints, and their security group lets nobody in", do: func(s *Sandbox) {
		s.noNAT(endpoints...)
		s.compute.Network.Group(endpointGroup).In = nil
	}},
	"endpoint-without-dns": {doc: "there are endpoints, and the names of one do not lead to it", do: func(s *Sandbox) {
		s.noNAT(endpoints...)
		s.compute.Network.Endpoints[1].PrivateDNS = false
	}},
	"acl-database": {doc: "a network ACL keeps the tasks from the database", do: func(s *Sandbox) {
		s.deny(dataSubnets, ec2.Entry{Protocol: "6", CIDR: everywhere, From: databasePort, To: databasePort})
	}},
	"acl-answers": {doc: "a network ACL keeps the database's and Redis's answers from the tasks", do: func(s *Sandbox) {
		s.deny(dataSubnets, ec2.Entry{Egress: true, Protocol: "6", CIDR: ec2.Block, From: 32768, To: 65535})
	}},
	"acl-tasks": {doc: "a network ACL keeps the load balancer from the tasks", do: func(s *Sandbox) {
		s.deny(s.scenario.Service.Subnets, ec2.Entry{Protocol: "6", CIDR: "10.0.241.0/24", From: 1, To: 65535})
	}},
	"database-shut": {doc: "the database's security group does not let the tasks in", do: func(s *Sandbox) {
		s.shut(databaseGroup, s.scenario.Service.SecurityGroups...)
	}},
	"database-shut-to-bastion": {doc: "the database's security group does not let the bastion in", do: func(s *Sandbox) {
		s.shut(databaseGroup, bastionGroup)
	}},
	"database-stopped": {doc: "the database is stopped", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) { i.Status = "stopped" })
	}},
	"database-full": {doc: "the database has no storage left", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) { i.Status, i.Free, i.MaxStorage = "storage-full", 0, 0 })
	}},
	"database-nearly-full": {doc: "less than a tenth of the database's storage is free, and it cannot grow", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) { i.Free, i.MaxStorage = 1<<30, 0 })
	}},
	"database-pending-reboot": {doc: "parameters of the database wait for a reboot", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) { i.Parameters = "pending-reboot" })
	}},
	"database-forced-maintenance": {doc: "AWS will restart the database in two days", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) {
			i.Maintenance = []rds.Maintenance{{Action: "system-update", Description: "New Operating System update is available",
				Forced: s.clock.Now().Add(48 * time.Hour)}}
		})
	}},
	"database-gone": {doc: "the database was deleted", do: func(s *Sandbox) { s.databases.Instances = nil }},
	"database-secret-elsewhere": {doc: "the secret's url names another database", do: func(s *Sandbox) {
		s.database(func(i *rds.Instance) { i.Address = "restored." + i.Address })
	}},
	"redis-shut": {doc: "Redis's security group does not let the tasks in", do: func(s *Sandbox) {
		s.shut(cacheGroup, s.scenario.Service.SecurityGroups...)
	}},
	"redis-shut-to-bastion": {doc: "Redis's security group does not let the bastion in", do: func(s *Sandbox) {
		s.shut(cacheGroup, bastionGroup)
	}},
	"redis-failed": {doc: "a node of Redis is being replaced", do: func(s *Sandbox) {
		s.cache(func(g *elasticache.Group) { g.NodeStatus = "incompatible-network" })
	}},
	"redis-gone": {doc: "Redis was deleted", do: func(s *Sandbox) { s.caches.Groups = nil }},
	"redis-secret": {doc: "Redis wants TLS, and the secret's url is without", do: func(s *Sandbox) {
		s.cache(func(g *elasticache.Group) { g.TLS = true })
	}},
	"certificate-expiring": {doc: "the certificate ends in five days, and its renewal has failed", domain: true, do: func(s *Sandbox) {
		s.keys.Certificates[0].Expires, s.keys.Certificates[0].Renewal = s.clock.Now().AddDate(0, 0, 5), "FAILED"
	}},
	"certificate-expired": {doc: "the certificate has ended", domain: true, do: func(s *Sandbox) {
		s.keys.Certificates[0].Status, s.keys.Certificates[0].Expires = "EXPIRED", s.clock.Now().AddDate(0, 0, -1)
	}},
	"dns-missing": {doc: "the name has no record", domain: true, do: func(s *Sandbox) {
		s.zones.Zones[0].Records = s.zones.Zones[0].Records[:1]
	}},
	"dns-elsewhere": {doc: "the name's record leads to a load balancer that is gone", domain: true, do: func(s *Sandbox) {
		s.zones.Zones[0].Records = append(s.zones.Zones[0].Records[:1:1], route53.Record{Name: s.scenario.Domain.Host + ".", Type: "A",
			Alias: "old-alb-1.us-west-2.elb.amazonaws.com.", AliasZone: "Z1H1FL5HABSF5"})
	}},
}

// shut takes the rules out of a security group that let others in.
func (s *Sandbox) shut(group string, others ...string) {
	g := s.compute.Network.Group(group)
	for _, id := range others {
		g.In = unnamed(g.In, id)
	}
}
