package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func block(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// around are surroundings in which nothing is wrong.
func around() Surroundings {
	to := func(port int, ranges ...netip.Prefix) Rule {
		return Rule{Protocol: "tcp", From: port, To: port, Ranges: ranges}
	}
	from := func(port int, groups ...string) Rule {
		return Rule{Protocol: "tcp", From: port, To: port, Groups: groups}
	}
	vpc := block("10.0.0.0/16")
	all := func(egress bool) Entry { return Entry{100, egress, "-1", true, everywhere, 0, 0} }
	last := func(egress bool) Entry { return Entry{lastRule, egress, "-1", false, everywhere, 0, 0} }
	n := Network{VPC: "vpc-1"}
	n.Subnets.Is = map[string]netip.Prefix{"a": block("10.0.1.0/24"), "b": block("10.0.2.0/24"), "p": block("10.0.11.0/24"),
		"d": block("10.0.21.0/24"), "e": block("10.0.22.0/24")}
	n.Groups.Is = map[string]Group{
		"alb":     {In: []Rule{to(443, everywhere)}, Out: []Rule{to(8000, vpc)}},
		"tasks":   {In: []Rule{from(8000, "alb")}, Out: []Rule{to(443, everywhere), to(5432, vpc), to(6379, vpc)}},
		"rds":     {In: []Rule{from(5432, "tasks", "bastion")}},
		"redis":   {In: []Rule{from(6379, "tasks", "bastion")}},
		"bastion": {Out: []Rule{to(5432, vpc), to(6379, vpc)}},
		"vpce":    {In: []Rule{to(443, vpc)}},
	}
	n.Tables.Is = []RouteTable{
		{ID: "main", Main: true},
		{ID: "public", Subnets: []string{"p"}, Routes: []Route{{"0.0.0.0/0", "igw-1", true}}},
		{ID: "private", Subnets: []string{"a", "b"}, Routes: []Route{{"0.0.0.0/0", "nat-1", true}}},
	}
	n.NATs.Is = map[string]NAT{"nat-1": {Subnet: "p", State: "available"}}
	n.ACLs.Is = []ACL{{ID: "acl", Subnets: []string{"a", "b", "p", "d", "e"},
		Entries: []Entry{all(true), all(false), last(true), last(false)}}}
	store := func(name, group string, port int) Store {
		return Store{Name: name, Status: "available", Address: name + ".internal", Port: port, VPC: "vpc-1", Allocated: 20, Free: 15 << 30,
			Party: Party{Name: name, Groups: []string{group}, Subnets: []string{"d", "e"}, Somewhere: true, Sends: ofLinux}}
	}
	s := Surroundings{Now: now, Network: n, Ports: []int{8000}, Groups: []string{group}, Needs: []string{"ecr.api", "s3"}, Compared: true,
		Tasks:   Party{Name: "the tasks", Groups: []string{"tasks"}, Subnets: []string{"a", "b"}, Sends: ofLinux},
		Names:   []Name{{Host: "api.example.com", Zone: "example.com", To: []string{"dualstack.ALB.elb.amazonaws.com."}}},
		Secrets: []Secret{{Name: "rds", Of: "database"}, {Name: "redis", Of: "redis"}}}
	s.Balancer.Is = &Balancer{Name: "alb", DNS: "alb.elb.amazonaws.com", State: "active", Public: true,
		Party: Party{Name: "the load balancer", Groups: []string{"alb"}, Subnets: []string{"p"}, Sends: ofGateways},
		Listeners: []Listener{{Port: 443, Protocol: "HTTPS", Shares: map[string]int{group: 1}, Certificates: []Certificate{
			{ARN: "arn", Names: []string{"api.example.com"}, Status: "ISSUED", Expires: now.AddDate(0, 3, 0), Amazon: true}}}}}
	s.Databases.Is, s.Caches.Is = []Store{store("database", "rds", 5432)}, []Store{store("redis", "redis", 6379)}
	s.Bastion.Is = &Party{Name: "the bastion", Groups: []string{"bastion"}, Subnets: []string{"a"}, Sends: ofLinux}
	return s
}

// TestSurroundings changes one thing at a time: the checks that it concerns notice, and no other.
func TestSurroundings(t *testing.T) {
	denied := errors.New("denied")
	group := func(id string, change func(*Group)) func(*Surroundings) {
		return func(s *Surroundings) { g := s.Network.Groups.Is[id]; change(&g); s.Network.Groups.Is[id] = g }
	}
	database := func(change func(*Store)) func(*Surroundings) {
		return func(s *Surroundings) { change(&s.Databases.Is[0]) }
	}
	redis := func(change func(*Store)) func(*Surroundings) {
		return func(s *Surroundings) { change(&s.Caches.Is[0]) }
	}
	certificate := func(change func(*Certificate)) func(*Surroundings) {
		return func(s *Surroundings) { change(&s.Balancer.Is.Listeners[0].Certificates[0]) }
	}
	acl := func(e ...Entry) func(*Surroundings) {
		return func(s *Surroundings) { s.Network.ACLs.Is[0].Entries = append(e, s.Network.ACLs.Is[0].Entries...) }
	}
	noNAT := func(endpoints ...Endpoint) func(*Surroundings) {
		return func(s *Surroundings) { s.Network.Tables.Is[2].Routes, s.Network.Endpoints.Is = nil, endpoints }
	}
	api := Endpoint{ID: "vpce-1", Service: "ecr.api", State: "available", PrivateDNS: true, Subnets: []string{"a", "b"},
		Groups: []string{"vpce"}}
	s3 := Endpoint{ID: "vpce-2", Service: "s3", State: "available", Gateway: true, Tables: []string{"private"}}
	with := func(e Endpoint, change func(*Endpoint)) Endpoint { change(&e); return e }
	const allWays = "bastion to database, bastion to redis, way to database, way to redis, way to tasks"
	for _, test := range []struct {
		name   string
		change func(*Surroundings)
		checks string
		state  State
	}{
		{"nothing", func(*Surroundings) {}, "", OK},
		{"no load balancer, and none wanted", func(s *Surroundings) { s.Balancer.Is, s.Groups = nil, nil }, "", OK},
		{"no load balancer", func(s *Surroundings) { s.Balancer.Is = nil }, "load balancer", Wrong},
		{"the load balancer is not read", func(s *Surroundings) { s.Balancer.Err = denied }, "load balancer", NotChecked},
		{"the load balancer is made", func(s *Surroundings) { s.Balancer.Is.State = "provisioning" }, "load balancer", Wrong},
		{"an inside load balancer needs no way in", func(s *Surroundings) {
			s.Balancer.Is.Public, s.Balancer.Is.Party.Subnets = false, []string{"d"}
		}, "", OK},
		{"a public one does", func(s *Surroundings) { s.Balancer.Is.Party.Subnets = []string{"d"} }, "entry", Wrong},
		{"its route leads to a NAT gateway", func(s *Surroundings) { s.Balancer.Is.Party.Subnets = []string{"a"} }, "entry", Wrong},
		{"no listener", func(s *Surroundings) { s.Balancer.Is.Listeners = nil }, "listener", Wrong},
		{"no share", func(s *Surroundings) { s.Balancer.Is.Listeners[0].Shares = nil }, "listener", Wrong},
		{"clients come from some places", group("alb", func(g *Group) { g.In[0].Ranges[0] = block("192.0.2.0/24") }), "", OK},
		{"clients are shut out", group("alb", func(g *Group) { g.In = nil }), "entry", Wrong},
		{"another health check port", func(s *Surroundings) { s.Checks = []int{9000} }, "way to tasks", Wrong},

		{"UDP is not TCP", group("tasks", func(g *Group) { g.In[0].Protocol = "udp" }), "way to tasks", Wrong},
		{"6 is TCP", group("tasks", func(g *Group) { g.In[0].Protocol = "6" }), "", OK},
		{"-1 is all ports", group("tasks", func(g *Group) { g.In[0].Protocol, g.In[0].From, g.In[0].To = "-1", 0, 0 }), "", OK},
		{"a range of ports", group("tasks", func(g *Group) { g.In[0].From, g.In[0].To = 8000, 8999 }), "", OK},
		{"a range that ends before", group("tasks", func(g *Group) { g.In[0].From, g.In[0].To = 7000, 7999 }), "way to tasks", Wrong},
		{"another group", group("tasks", func(g *Group) { g.In[0].Groups = []string{"other"} }), "way to tasks", Wrong},
		{"by addresses", group("tasks", func(g *Group) {
			g.In[0] = Rule{"tcp", 8000, 8000, []netip.Prefix{block("10.0.11.0/24")}, nil, nil}
		}), "", OK},
		{"by a part of them", group("tasks", func(g *Group) {
			g.In[0] = Rule{"tcp", 8000, 8000, []netip.Prefix{block("10.0.11.0/25")}, nil, nil}
		}), "way to tasks", NotChecked},
		{"by others", group("tasks", func(g *Group) { g.In[0] = Rule{"tcp", 8000, 8000, []netip.Prefix{block("10.9.0.0/16")}, nil, nil} }),
			"way to tasks", Wrong},
		{"by a prefix list", group("tasks", func(g *Group) { g.In[0] = Rule{"tcp", 8000, 8000, nil, nil, []string{"pl-1"}} }), "way to tasks",
			NotChecked},
		{"a group that was not read", func(s *Surroundings) { s.Databases.Is[0].Party.Groups = []string{"far"} },
			"bastion to database, way to database", NotChecked},
		{"one of two subnets of the tasks", group("rds", func(g *Group) {
			g.In[0] = Rule{"tcp", 5432, 5432, []netip.Prefix{block("10.0.1.0/24")}, nil, nil}
		}), "way to database", Wrong},
		{"one of two subnets of the database", group("tasks", func(g *Group) { g.Out[1].Ranges = []netip.Prefix{block("10.0.21.0/24")} }),
			"way to database", NotChecked},
		{"two rules for two subnets", group("tasks", func(g *Group) {
			g.Out[1].Ranges = []netip.Prefix{block("10.0.21.0/24"), block("10.0.22.0/24")}
		}), "", OK},
		{"nothing out to Redis", group("tasks", func(g *Group) { g.Out = g.Out[:2] }), "way to redis", Wrong},
		{"the bastion is shut out", group("rds", func(g *Group) { g.In[0].Groups = []string{"tasks"} }), "bastion to database", Wrong},
		{"the groups are not read", func(s *Surroundings) { s.Network.Groups.Err = denied }, allWays + ", entry, way out", NotChecked},
		{"the subnets are not read", func(s *Surroundings) { s.Network.Subnets.Err = denied }, allWays, NotChecked},
		{"the ACLs are not read", func(s *Surroundings) { s.Network.ACLs.Err = denied }, allWays + ", way out", NotChecked},
		{"the tables are not read", func(s *Surroundings) { s.Network.Tables.Err = denied }, "entry, way out", NotChecked},
		{"the NATs are not read", func(s *Surroundings) { s.Network.NATs.Err = denied }, "way out", NotChecked},

		{"an ACL denies the port", acl(Entry{90, false, "6", false, block("10.0.2.0/24"), 5432, 5432}), "way to database", Wrong},
		{"after it was allowed", acl(Entry{110, false, "6", false, block("10.0.1.0/24"), 5432, 5432}), "", OK},
		{"an ACL denies others", acl(Entry{90, false, "6", false, block("10.9.0.0/16"), 5432, 5432}), "", OK},
		{"an ACL denies UDP", acl(Entry{90, false, "17", false, everywhere, 0, 65535}), "", OK},
		{"an ACL denies a few of the answers", acl(Entry{90, true, "6", false, block("10.0.2.0/24"), 40000, 40281}), "", OK},
		{"an ACL denies a share of the answers", acl(Entry{90, true, "6", false, block("10.0.2.0/24"), 40000, 40282}),
			"way to database, way to redis", Wrong},
		{"an ACL allows in pieces", func(s *Surroundings) {
			s.Network.ACLs.Is[0].Entries = []Entry{{1, true, "6", true, everywhere, 0, 40000}, {2, true, "6", true, everywhere, 40001, 65535},
				{3, false, "6", true, everywhere, 0, 65535}}
		}, "", OK},
		{"an ACL with a gap", func(s *Surroundings) {
			s.Network.ACLs.Is[0].Entries = []Entry{{1, true, "6", true, everywhere, 0, 40000}, {2, true, "6", true, everywhere, 42000, 65535},
				{3, false, "6", true, everywhere, 0, 65535}}
		}, allWays, Wrong},
		{"an ACL of one of the database's subnets", func(s *Surroundings) {
			s.Network.ACLs.Is[0].Subnets = []string{"a", "b", "p", "d"}
			s.Network.ACLs.Is = append(s.Network.ACLs.Is, ACL{ID: "shut", Subnets: []string{"e"}})
		}, "bastion to database, bastion to redis, way to database, way to redis", NotChecked},
		{"an ACL lets nothing out", func(s *Surroundings) {
			s.Network.ACLs.Is[0].Subnets = []string{"p", "d", "e"}
			s.Network.ACLs.Is = append(s.Network.ACLs.Is, ACL{ID: "shut", Subnets: []string{"a", "b"}, Entries: []Entry{
				{1, true, "6", true, block("10.0.0.0/16"), 0, 65535}, {2, false, "6", true, everywhere, 0, 65535},
				{3, true, "6", false, everywhere, 443, 443}}})
		}, "way out", NotChecked},
		{"an ACL lets nothing out at all", func(s *Surroundings) {
			s.Network.ACLs.Is[0].Subnets = []string{"p", "d", "e"}
			s.Network.ACLs.Is = append(s.Network.ACLs.Is, ACL{ID: "shut", Subnets: []string{"a", "b"}, Entries: []Entry{
				{1, true, "6", true, block("10.0.0.0/16"), 1024, 65535}, {2, false, "6", true, everywhere, 0, 65535}}})
		}, "way out", Wrong},

		{"the NAT gateway is gone", func(s *Surroundings) { s.Network.NATs.Is = nil }, "way out", Wrong},
		{"it has failed", func(s *Surroundings) { s.Network.NATs.Is["nat-1"] = NAT{Subnet: "p", State: "failed"} }, "way out", Wrong},
		{"it is private", func(s *Surroundings) {
			s.Network.NATs.Is["nat-1"] = NAT{Subnet: "p", State: "available", Private: true}
		},
			"way out", NotChecked},
		{"it has no way out itself", func(s *Surroundings) { s.Network.NATs.Is["nat-1"] = NAT{Subnet: "d", State: "available"} },
			"way out", Wrong},
		{"the route leads nowhere", func(s *Surroundings) { s.Network.Tables.Is[2].Routes[0].Active = false }, "way out", Wrong},
		{"the route leads to a transit gateway", func(s *Surroundings) { s.Network.Tables.Is[2].Routes[0].Via = "tgw-1" }, "way out", NotChecked},
		{"private tasks at an internet gateway", func(s *Surroundings) { s.Network.Tables.Is[2].Routes[0].Via = "igw-1" }, "way out", Wrong},
		{"public tasks at an internet gateway", func(s *Surroundings) {
			s.PublicIP, s.Network.Tables.Is[2].Routes[0].Via = true, "igw-1"
		}, "", OK},
		{"nothing out on 443", group("tasks", func(g *Group) { g.Out = g.Out[1:] }), "way out", Wrong},
		{"443 to some addresses", group("tasks", func(g *Group) {
			g.Out[0].Ranges = []netip.Prefix{block("52.0.0.0/8")}
		}), "way out", NotChecked},
		{"no subnets", func(s *Surroundings) { s.Tasks.Subnets = nil }, "way out, way to tasks", NotChecked},

		{"neither NAT nor endpoints", noNAT(), "way out", Wrong},
		{"endpoints in its place", noNAT(api, s3), "", OK},
		{"one of them is missing", noNAT(api), "way out", Wrong},
		{"one of them is pending", noNAT(with(api, func(e *Endpoint) { e.State = "pending" }), s3), "way out", Wrong},
		{"one of them has no DNS", noNAT(with(api, func(e *Endpoint) { e.PrivateDNS = false }), s3), "way out", Wrong},
		{"one of them is shut", noNAT(with(api, func(e *Endpoint) { e.Groups = []string{"rds"} }), s3), "way out", Wrong},
		{"the gateway's is not in the table", noNAT(api, with(s3, func(e *Endpoint) { e.Tables = nil })), "way out", Wrong},
		{"the endpoints are not read", func(s *Surroundings) { noNAT()(s); s.Network.Endpoints.Err = denied }, "way out", NotChecked},
		{"beside a NAT gateway", func(s *Surroundings) { s.Network.Endpoints.Is = []Endpoint{api} }, "", OK},
		{"a shut one beside a NAT gateway", func(s *Surroundings) {
			s.Network.Endpoints.Is = []Endpoint{with(api, func(e *Endpoint) { e.Groups = []string{"rds"} })}
		}, "endpoints", Wrong},
		{"a shut one that nobody needs", func(s *Surroundings) {
			s.Network.Endpoints.Is = []Endpoint{with(api, func(e *Endpoint) { e.Service, e.Groups = "sqs", []string{"rds"} })}
		}, "", OK},

		{"the certificate is not read", certificate(func(c *Certificate) { c.Err = denied }), "certificate", NotChecked},
		{"it is not issued", certificate(func(c *Certificate) { c.Status = "PENDING_VALIDATION" }), "certificate", Wrong},
		{"it has ended", certificate(func(c *Certificate) { c.Expires = now }), "certificate", Wrong},
		{"it ends soon", certificate(func(c *Certificate) { c.Expires = now.Add(soon - time.Second) }), "certificate", Wrong},
		{"it ends in a month", certificate(func(c *Certificate) { c.Expires = now.Add(soon) }), "", OK},
		{"its end is not told", certificate(func(c *Certificate) { c.Expires = time.Time{} }), "certificate", NotChecked},

		{"no name", func(s *Surroundings) { s.Names = nil }, "dns", NotChecked},
		{"the zones are not read", func(s *Surroundings) { s.NamesErr = denied }, "dns", NotChecked},
		{"the records are not read", func(s *Surroundings) { s.Names[0].Err = denied }, "dns", NotChecked},
		{"the zone is elsewhere", func(s *Surroundings) { s.Names[0].Zone = "" }, "dns", NotChecked},
		{"no record", func(s *Surroundings) { s.Names[0].To = nil }, "dns", Wrong},
		{"another load balancer", func(s *Surroundings) { s.Names[0].To = []string{"old.elb.amazonaws.com"} }, "dns", Wrong},
		{"a CDN", func(s *Surroundings) { s.Names[0].To = []string{"d1.cloudfront.net."} }, "dns", NotChecked},

		{"no database, and no use of one", func(s *Surroundings) { s.Databases.Is = nil }, "database", NotChecked},
		{"no database", func(s *Surroundings) { s.Databases.Is, s.Uses.Database = nil, "DATABASE_URL" }, "database", Wrong},
		{"no Redis", func(s *Surroundings) { s.Caches.Is, s.Uses.Redis = nil, "REDIS_URL" }, "redis", Wrong},
		{"the database is not read", func(s *Surroundings) { s.Databases.Err = denied }, "database", NotChecked},
		{"the database is backed up", database(func(st *Store) { st.Status = "backing-up" }), "", OK},
		{"the database reboots", database(func(st *Store) { st.Status = "rebooting" }), "database", Wrong},
		{"the database has no address", database(func(st *Store) { st.Address = "" }), "database", Wrong},
		{"a node of Redis has failed", redis(func(st *Store) { st.Other = []string{"the node is gone"} }), "redis", Wrong},
		{"a tenth is free", database(func(st *Store) { st.Free = 2 << 30 }), "", OK},
		{"less than a tenth is free", database(func(st *Store) { st.Free = 2<<30 - 1 }), "storage", Wrong},
		{"less, and it grows", database(func(st *Store) { st.Free, st.Most = 1<<30, 21 }), "", OK},
		{"less, and it has grown", database(func(st *Store) { st.Free, st.Most = 1<<30, 20 }), "storage", Wrong},
		{"what is free is not read", database(func(st *Store) { st.FreeErr = denied }), "storage", NotChecked},
		{"a reboot is due", database(func(st *Store) { st.Reboot = []string{"pg16"} }), "maintenance", Wrong},
		{"a change waits for the window", database(func(st *Store) { st.Pending = []string{"DBInstanceClass"} }), "", OK},
		{"an update may be applied", database(func(st *Store) { st.Maintenance = []Maintenance{{What: "os"}} }), "", OK},
		{"an update is applied soon", database(func(st *Store) {
			st.Maintenance = []Maintenance{{"os", now.Add(week - time.Second)}}
		}), "maintenance", Wrong},
		{"an update is applied later", database(func(st *Store) { st.Maintenance = []Maintenance{{"os", now.Add(week)}} }), "", OK},
		{"what is planned is not read", database(func(st *Store) { st.MaintenanceErr = denied }), "maintenance", NotChecked},
		{"another network", database(func(st *Store) { st.VPC = "vpc-2" }), "bastion to database, way to database", NotChecked},
		{"no bastion", func(s *Surroundings) { s.Bastion.Is = nil }, "", OK},
		{"the bastion is not read", func(s *Surroundings) { s.Bastion.Err = denied }, "bastion to database, bastion to redis", NotChecked},

		{"the secrets were not compared", func(s *Surroundings) { s.Compared = false }, "database secret, redis secret", NotChecked},
		{"a secret is not read", func(s *Surroundings) { s.Secrets[0].Err = denied }, "database secret", NotChecked},
		{"a secret differs", func(s *Surroundings) { s.Secrets[1].Differences = []string{"x"} }, "redis secret", Wrong},
		{"there is no secret", func(s *Surroundings) { s.Secrets = s.Secrets[:1] }, "redis secret", NotChecked},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := healthy()
			test.change(&f.Around)
			var noticed []string
			for _, c := range Examine(f) {
				if c.What == "" || c.State == Wrong && len(c.Fix) == 0 {
					t.Errorf("%+v says too little", c)
				}
				if c.State == OK {
					continue
				}
				noticed = append(noticed, c.Name)
				if c.State != test.state {
					t.Errorf("%+v, want %s", c, test.state)
				}
			}
			want := strings.Split(test.checks, ", ")
			if test.checks == "" {
				want = nil
			}
			slices.Sort(noticed)
			slices.Sort(want)
			if !slices.Equal(noticed, want) {
				t.Errorf("noticed by %q, want %q", noticed, want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	stores := []Store{{Name: "db", Address: "db.internal", Port: 5432}, {Name: "old", Address: "old.internal", Port: 5433},
		{Name: "cache", Address: "cache.internal", Port: 6379}, {Name: "safe", Address: "safe.internal", Port: 6379, TLS: true}}
	for text, want := range map[string]string{
		"postgresql://u:p@db.internal:5432/x":      "",
		"postgresql+asyncpg://u:p@DB.internal/x":   "",
		"postgresql://u:p@old.internal:5433/x":     "",
		"postgresql://u:p@db.internal:5433/x":      "its url names another port than that of db, 5432",
		"postgresql://u:p@gone.internal:5432/x":    "its url names another host than db",
		"redis://cache.internal:6379/0":            "",
		"rediss://:token@safe.internal:6379":       "",
		"redis://safe.internal:6379/0":             "safe takes TLS alone, and its url begins with redis://",
		"rediss://cache.internal:6379/0":           "cache has no TLS, and its url begins with rediss://",
		"redis://cache.internal":                   "",
		"not an address":                           "error",
		"postgresql://u:bad%zz@db.internal:5432/x": "error",
	} {
		got, err := compare(text, stores)
		said := strings.Join(got, "; ")
		if err != nil {
			said = "error"
			if strings.Contains(err.Error(), "bad") {
				t.Errorf("%s: the error tells the password: %v", text, err)
			}
		}
		if said != want && (want == "" || !strings.HasPrefix(said, want)) {
			t.Errorf("%s: %q, want %q", text, said, want)
		}
	}
}

func TestZoneOf(t *testing.T) {
	zones := []hostedZone{{ID: "1", Name: "example.com."}, {ID: "2", Name: "api.example.com."},
		{ID: "3", Name: "dev.api.example.com.", Private: true}}
	for host, want := range map[string]string{"api.example.com": "2", "dev.api.example.com": "2", "www.example.com": "1", "myexample.com": "",
		"example.com": "1"} {
		got, ok := zoneOf(zones, host)
		if got.ID != want || ok != (want != "") {
			t.Errorf("%s: %v, %v, want %s", host, got, ok, fmt.Sprint(want))
		}
	}
}
