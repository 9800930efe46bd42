package sandbox

import (
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/acm"
	"github.com/org/connect2/v2/pkg/sandbox/ec2"
	"github.com/org/connect2/v2/pkg/sandbox/elasticache"
	"github.com/org/connect2/v2/pkg/sandbox/elbv2"
	"github.com/org/connect2/v2/pkg/sandbox/rds"
	"github.com/org/connect2/v2/pkg/sandbox/route53"
)

// Security groups around the tasks' own.
const (
	balancerGroup = "sg-0a1b2c3d4e5f60002"
	databaseGroup = "sg-0a1b2c3d4e5f60003"
	cacheGroup    = "sg-0a1b2c3d4e5f60004"
	endpointGroup = "sg-0a1b2c3d4e5f60005"
	bastionGroup  = "sg-0a1b2c3d4e5f60009"
)

// Things of the network that have one name.
const (
	natGateway      = "nat-0a1b2c3d4e5f60001"
	internetGateway = "igw-0a1b2c3d4e5f60001"
	everywhere      = "0.0.0.0/0"
	prefixesOfS3    = "pl-68a54001"
)

// Ports of the stores.
const (
	databasePort = 5432
	cachePort    = 6379
)

var (
	publicSubnets = []string{"subnet-0a1b2c3d4e5f60011", "subnet-0a1b2c3d4e5f60012"}
	dataSubnets   = []string{"subnet-0a1b2c3d4e5f60021", "subnet-0a1b2c3d4e5f60022"}
)

// storeHost is the address of the database and of Redis.
func (s *Sandbox) storeHost() string {
	return s.scenario.Project + "-" + s.scenario.Environment + ".sandbox.internal"
}

// addNetwork lays out what lies around the tasks, as Terraform's modules do.
func (s *Sandbox) addNetwork() {
	v := s.scenario.Service
	n := &s.compute.Network
	zone := func(i int) string { return s.scenario.Region + string("ab"[i%2]) }
	for i, id := range publicSubnets {
		n.Subnets = append(n.Subnets, &ec2.Subnet{ID: id, Block: []string{"10.0.241.0/24", "10.0.242.0/24"}[i], Zone: zone(i)})
	}
	for i, id := range dataSubnets {
		n.Subnets = append(n.Subnets, &ec2.Subnet{ID: id, Block: []string{"10.0.245.0/24", "10.0.246.0/24"}[i], Zone: zone(i)})
	}
	tcp := func(port int, cidr, group string) ec2.Rule {
		return ec2.Rule{Protocol: "tcp", From: port, To: port, CIDR: cidr, Group: group}
	}
	entry := []ec2.Rule{tcp(80, everywhere, "")}
	if s.scenario.Domain.Host != "" {
		entry = append(entry, tcp(443, everywhere, ""))
	}
	out := []ec2.Rule{tcp(443, everywhere, ""), tcp(databasePort, ec2.Block, ""), tcp(cachePort, ec2.Block, "")}
	clients := func(port int) (rules []ec2.Rule) {
		for _, id := range append(slices.Clone(v.SecurityGroups), bastionGroup) {
			rules = append(rules, tcp(port, "", id))
		}
		return rules
	}
	for _, id := range v.SecurityGroups {
		n.Groups = append(n.Groups, &ec2.SecurityGroup{ID: id, Name: v.Name, In: []ec2.Rule{tcp(v.Port, "", balancerGroup)},
			Out: slices.Clone(out)})
	}
	n.Groups = append(n.Groups,
		&ec2.SecurityGroup{ID: balancerGroup, Name: v.LoadBalancer, In: entry, Out: []ec2.Rule{tcp(v.Port, ec2.Block, "")}},
		&ec2.SecurityGroup{ID: databaseGroup, Name: v.Family + "-database", In: clients(databasePort)},
		&ec2.SecurityGroup{ID: cacheGroup, Name: v.Family + "-redis", In: clients(cachePort)},
		&ec2.SecurityGroup{ID: endpointGroup, Name: v.Family + "-endpoints", In: []ec2.Rule{tcp(443, ec2.Block, "")}},
		&ec2.SecurityGroup{ID: bastionGroup, Name: s.scenario.Bastion.Name, Out: out})
	toS3 := ec2.Route{PrefixList: prefixesOfS3, Gateway: "vpce-0a1b2c3d4e5f60001"}
	n.Tables = []*ec2.RouteTable{
		{ID: "rtb-0a1b2c3d4e5f60001", Main: true},
		{ID: "rtb-0a1b2c3d4e5f60002", Subnets: publicSubnets, Routes: []ec2.Route{{CIDR: everywhere, Gateway: internetGateway}}},
		{ID: "rtb-0a1b2c3d4e5f60003", Subnets: v.Subnets, Routes: []ec2.Route{{CIDR: everywhere, NAT: natGateway}, toS3}},
		{ID: "rtb-0a1b2c3d4e5f60004", Subnets: dataSubnets},
	}
	n.NATs = []*ec2.NAT{{ID: natGateway, Subnet: publicSubnets[0], State: "available"}}
	n.Endpoints = []*ec2.Endpoint{{ID: "vpce-0a1b2c3d4e5f60001", Service: "s3", Type: "Gateway", State: "available",
		Tables: []string{"rtb-0a1b2c3d4e5f60003"}}}
	open := []ec2.Entry{{Number: 100, Protocol: "-1", Allow: true, CIDR: everywhere}, {Number: 100, Egress: true, Protocol: "-1", Allow: true,
		CIDR: everywhere}}
	n.ACLs = []*ec2.ACL{{ID: "acl-0a1b2c3d4e5f60001", Default: true, Entries: open,
		Subnets: slices.Concat(publicSubnets, v.Subnets, dataSubnets)}}
}

// addStores makes the database and Redis.
func (s *Sandbox) addStores() {
	name := s.scenario.Project + "-" + s.scenario.Environment
	s.databases.Instances = []*rds.Instance{{ID: name, Status: "available", Class: "db.t4g.micro", Engine: "postgres", Version: "16.9",
		User: "postgres", Database: "connect2", Address: s.storeHost(), Port: databasePort, Storage: 20, MaxStorage: 100, Free: 16 << 30,
		VPC: vpc, Subnets: dataSubnets, Groups: []string{databaseGroup}, ParameterGroup: name + "-pg16", Parameters: "in-sync"}}
	s.caches.Groups = []*elasticache.Group{{ID: name, Status: "available", NodeType: "cache.t4g.micro", Version: "7.1", Nodes: 1,
		Address: s.storeHost(), Port: cachePort, VPC: vpc, Subnets: dataSubnets, SecurityGroups: []string{cacheGroup}}}
}

// freeStorage is what CloudWatch tells of a database.
func (s *Sandbox) freeStorage(database string) (bytes int64, ok bool) {
	for _, i := range s.databases.Instances {
		if i.ID == database {
			return i.Free, true
		}
	}
	return 0, false
}

// certificate is the ARN of the domain's.
func (s *Sandbox) certificate() string {
	return "arn:aws:acm:" + s.scenario.Region + ":" + s.scenario.Account + ":certificate/0a1b2c3d-4e5f-4001-8001-0a1b2c3d4e5f"
}

// addDomain makes the zone, the record and the certificate of the scenario's domain.
func (s *Sandbox) addDomain(balancer *elbv2.LoadBalancer, at time.Time) {
	d := s.scenario.Domain
	if d.Host == "" {
		return
	}
	s.keys.Certificates = []*acm.Certificate{{ARN: s.certificate(), Status: "ISSUED", Domain: d.Host, Begins: at,
		Expires: s.clock.Now().AddDate(0, 10, 0), Users: []string{balancer.ARN}}}
	const zoneOfBalancers = "Z1H1FL5HABSF5"
	s.zones.Zones = []*route53.Zone{{ID: "Z0A1B2C3D4E5F6G7H8I9J", Name: d.Zone + ".", Records: []route53.Record{
		{Name: d.Zone + ".", Type: "NS", Values: []string{"ns-1.awsdns-00.com.", "ns-2.awsdns-00.net."}},
		{Name: d.Host + ".", Type: "A", Alias: balancer.DNSName + ".", AliasZone: zoneOfBalancers},
		{Name: d.Host + ".", Type: "AAAA", Alias: balancer.DNSName + ".", AliasZone: zoneOfBalancers},
	}}}
}
