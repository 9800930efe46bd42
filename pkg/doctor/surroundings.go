package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Balancer is the load balancer in front of the service.
type Balancer struct {
	Name, DNS, State string
	Public           bool
	Party            Party
	Listeners        []Listener
}

// Listener is one of its listeners.
type Listener struct {
	Port         int
	Protocol     string
	Certificates []Certificate
	Shares       map[string]int // weights of target groups, over all its rules
	Redirects    bool
}

// Certificate is that of a listener.
type Certificate struct {
	ARN     string
	Names   []string
	Status  string
	Expires time.Time
	Renewal string // of its renewal: FAILED, PENDING_VALIDATION, …
	Amazon  bool   // issued by Amazon, which renews it
	Err     error
}

// Name is a name under which the service is called, and where it leads.
type Name struct {
	Host string
	Zone string   // the hosted zone of it in this account; "" where there is none
	To   []string // what its records lead to
	Err  error
}

// Store is the database or Redis.
type Store struct {
	Name, Status string
	Other        []string // what its nodes say that are not right
	Address      string
	Port         int
	VPC          string
	Party        Party
	TLS          bool

	Allocated, Most int     // storage in GiB, and what it may grow to; 0: it does not grow
	Free            float64 // bytes
	FreeErr         error

	Reboot         []string // parameter groups that wait for a reboot
	Pending        []string // changes that wait for the maintenance window
	Maintenance    []Maintenance
	MaintenanceErr error
}

// Maintenance is work that AWS will do.
type Maintenance struct {
	What   string
	Forced time.Time // zero: never
}

// Surroundings are what was read around a service.
type Surroundings struct {
	Now       time.Time
	Tasks     Party
	PublicIP  bool
	Ports     []int // of the containers, that the load balancer sends to
	Checks    []int // other ports, that its health checks ask
	Network   Network
	Groups    []string // target groups
	Balancer  Known[*Balancer]
	Names     []Name
	NamesErr  error
	Needs     []string // services that tasks ask before they run: ecr.api, s3, logs, …
	Databases Known[[]Store]
	Caches    Known[[]Store]
	Bastion   Known[*Party] // nil: there is none
	Uses      Uses
	Secrets   []Secret // as they were compared, where that was asked for
	Compared  bool
}

// Uses says by what the tasks' containers use a store; "" where nothing says that they do.
type Uses struct{ Database, Redis string }

// Secret is how a secret compares with what is there.
type Secret struct {
	Name, Of    string // Of: database or redis
	Differences []string
	Err         error
}

// check makes a check of a finding. right is what is said where all is well.
func (f finding) check(area, name, right string) Check {
	c := Check{Area: area, Name: name, State: cmp.Or(f.state, OK), What: right}
	if c.State == OK || len(f.evidence) == 0 {
		return c
	}
	c.What = f.evidence[0]
	for _, line := range f.evidence[1:] {
		if !slices.Contains(c.Evidence, line) && line != c.What {
			c.Evidence = append(c.Evidence, line)
		}
	}
	for _, line := range f.fix {
		if !slices.Contains(c.Fix, line) {
			c.Fix = append(c.Fix, line)
		}
	}
	return c
}

// Network judges the ways around the service.
func (s Surroundings) network() []Check {
	var checks []Check
	b, err := s.Balancer.Is, s.Balancer.Err
	switch {
	case err != nil:
		checks = append(checks, unknown("the load balancer was not read: %v", err).check("network", "load balancer", ""))
	case len(s.Groups) == 0:
		checks = append(checks, Check{Area: "network", Name: "load balancer", State: OK, What: "the service has none"})
	case b == nil:
		checks = append(checks, wrong("point a rule of the listener at the target group (Terraform's module alb does)",
			"no load balancer sends requests to the service's target group").check("network", "load balancer", ""))
	default:
		checks = append(checks, s.balancer(b)...)
	}
	return append(checks, s.out()...)
}

func (s Surroundings) balancer(b *Balancer) []Check {
	state := finding{state: OK}
	if b.State != "active" {
		state = wrong("look at the load balancer in the console, beside its target group: connect2 open targets", "%s is %s", b.Name, b.State)
	}
	checks := []Check{
		state.check("network", "load balancer", b.Name+" is active"),
		s.entry(b).check("network", "entry", "clients reach "+b.Name+" on "+portsOf(b.Listeners)),
		s.listener(b).check("network", "listener", "requests are sent to the service's target group"),
	}
	to := finding{state: OK}
	for _, port := range append(slices.Clone(s.Ports), s.Checks...) {
		to = to.worse(s.Network.way(b.Party, s.Tasks, port))
	}
	checks = append(checks, to.check("network", "way to tasks", "the load balancer reaches the tasks on "+numbers(s.Ports)))
	checks = append(checks, s.certificates(b)...)
	return append(checks, s.names(b)...)
}

// entry looks whether clients reach the listeners.
func (s Surroundings) entry(b *Balancer) finding {
	f := finding{state: OK}
	if s.Network.Groups.Err != nil {
		f = unknown("the security groups were not read: %v", s.Network.Groups.Err)
	} else {
		for _, l := range b.Listeners {
			if _, some := s.Network.anywhere(b.Party.Groups, l.Port, false); !some {
				f = f.worse(wrong(fmt.Sprintf("add an inbound rule to the security group of the load balancer: TCP %d from its clients", l.Port),
					"%s (the load balancer) has no inbound rule for TCP %d", strings.Join(b.Party.Groups, ", "), l.Port))
			}
		}
	}
	if b.Public {
		for _, subnet := range b.Party.Subnets {
			f = f.worse(s.Network.isPublic(subnet, "the load balancer"))
		}
	}
	return f
}

func (s Surroundings) listener(b *Balancer) finding {
	share := 0
	for _, l := range b.Listeners {
		for _, group := range s.Groups {
			share += l.Shares[group]
		}
	}
	switch {
	case len(b.Listeners) == 0:
		return wrong("apply Terraform: its module alb makes the listeners", "%s has no listener", b.Name)
	case share == 0:
		return wrong("give the rule of the listener a weight for the target group that the tasks are in: Terraform leaves the weights alone, "+
			"a deployment sets them", "no rule of %s sends a share of the requests to %s", b.Name, joinedNames(s.Groups))
	}
	return finding{state: OK}
}

// soon is how long a certificate has to be good for: Amazon renews its own 60 days before their end.
const soon = 30 * 24 * time.Hour

func (s Surroundings) certificates(b *Balancer) []Check {
	var checks []Check
	for _, l := range b.Listeners {
		for _, c := range l.Certificates {
			checks = append(checks, s.certificate(c).check("network", "certificate",
				fmt.Sprintf("that of %s is good until %s", strings.Join(c.Names, ", "), c.Expires.UTC().Format("2006-01-02"))))
		}
	}
	if len(checks) == 0 && len(b.Listeners) > 0 {
		checks = []Check{{Area: "network", Name: "certificate", State: OK, What: "none is needed: " + b.Name + " serves plain HTTP"}}
	}
	return checks
}

func (s Surroundings) certificate(c Certificate) finding {
	name := strings.Join(c.Names, ", ")
	left := c.Expires.Sub(s.Now)
	renew := "import a new one before"
	if c.Amazon {
		renew = "look at its renewal: its validation record has to stand in DNS (Terraform's module acm makes it)"
	}
	switch {
	case c.Err != nil:
		return unknown("%s: %v", c.ARN, c.Err)
	case c.Status != "ISSUED":
		return wrong("make a new one, and give it to the listener (Terraform's module acm)", "the certificate of %s is %s", name, c.Status)
	case c.Expires.IsZero():
		return unknown("when the certificate of %s ends is not told", name)
	case left <= 0:
		return wrong(renew, "the certificate of %s ended on %s", name, c.Expires.UTC().Format("2006-01-02"))
	case left < soon:
		f := wrong(renew, "the certificate of %s ends in %d days, on %s", name, int(left.Hours()/24), c.Expires.UTC().Format("2006-01-02"))
		if c.Renewal != "" {
			f.evidence = append(f.evidence, "its renewal is "+c.Renewal)
		}
		return f
	}
	return finding{state: OK}
}

func (s Surroundings) names(b *Balancer) []Check {
	if s.NamesErr != nil {
		return []Check{unknown("the hosted zones were not read: %v", s.NamesErr).check("network", "dns", "")}
	}
	var checks []Check
	for _, n := range s.Names {
		checks = append(checks, n.leads(b).check("network", "dns", n.Host+" leads to "+b.Name))
	}
	if len(checks) == 0 {
		checks = []Check{unknown("no name is known under which the service is called: there is no certificate, and --host was not given").
			check("network", "dns", "")}
	}
	return checks
}

// leads looks whether a name's records lead to the load balancer.
func (n Name) leads(b *Balancer) finding {
	plain := func(name string) string {
		return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(name), "."), "dualstack.")
	}
	fix := fmt.Sprintf("make an alias record of %s to %s (Terraform's module dns-record)", n.Host, b.DNS)
	elsewhere := slices.DeleteFunc(slices.Clone(n.To), func(to string) bool { return plain(to) == plain(b.DNS) })
	switch {
	case n.Err != nil:
		return unknown("%s: %v", n.Host, n.Err)
	case n.Zone == "":
		return unknown("%s: no hosted zone of this account has it", n.Host)
	case len(n.To) == 0:
		return wrong(fix, "%s has no record in the hosted zone %s", n.Host, n.Zone)
	case len(elsewhere) == 0:
		return finding{state: OK}
	}
	for _, to := range elsewhere {
		if strings.HasSuffix(plain(to), ".elb.amazonaws.com") {
			return wrong(fix, "%s leads to %s, and the load balancer is %s", n.Host, strings.TrimSuffix(to, "."), b.DNS)
		}
	}
	return unknown("%s leads to %s, which is not followed", n.Host, strings.Join(elsewhere, ", "))
}

// out judges the tasks' way to the APIs of AWS.
func (s Surroundings) out() []Check {
	if len(s.Tasks.Subnets) == 0 {
		return []Check{unknown("the service names no subnets").check("network", "way out", "")}
	}
	f, alone := finding{state: OK}, false
	for _, subnet := range s.Tasks.Subnets {
		way, byEndpoints := s.Network.wayOut(s.Tasks, subnet, s.PublicIP)
		f, alone = f.worse(way), alone || byEndpoints
	}
	if !alone {
		checks := []Check{f.check("network", "way out", "the tasks reach the APIs of AWS on 443")}
		if f := s.beside(); f.state != "" {
			checks = append(checks, f.check("network", "endpoints", "the tasks reach the endpoints of the VPC"))
		}
		return checks
	}
	for _, service := range s.Needs {
		f = f.worse(s.Network.endpoint(s.Tasks, service))
	}
	return []Check{f.check("network", "way out", "there is no NAT gateway, and endpoints for "+strings.Join(s.Needs, ", "))}
}

// beside looks at endpoints that take the place of a way that is there as well: their private names do.
func (s Surroundings) beside() (f finding) {
	for _, e := range s.Network.Endpoints.Is {
		if slices.Contains(s.Needs, e.Service) && !e.Gateway && e.PrivateDNS {
			f = f.worse(s.Network.endpoint(s.Tasks, e.Service))
		}
	}
	return f
}

// usable are the states of a database in which it answers.
var usable = strings.Fields(`available backing-up configuring-enhanced-monitoring configuring-iam-database-auth configuring-log-exports
	configuring-associations modifying moving-to-vpc renaming resetting-master-credentials storage-optimization storage-initialization
	storage-config-upgrade update-instance-db-certificates snapshotting`)

// stores judges the databases, or the groups of Redis.
func (s Surroundings) stores(area, title string, read Known[[]Store], uses string) []Check {
	if read.Err != nil {
		return []Check{unknown("%s was not read: %v", title, read.Err).check(area, area, "")}
	}
	if len(read.Is) == 0 {
		f := unknown("there is none in %s", cmp.Or(s.Network.VPC, "this network"))
		if uses != "" {
			f = wrong("restore it from its last snapshot (docs/DATABASE.md), or correct what the tasks are told",
				"there is none in %s, and tasks use one: %s", cmp.Or(s.Network.VPC, "this network"), uses)
		}
		return []Check{f.check(area, area, "")}
	}
	var checks []Check
	for _, store := range read.Is {
		checks = append(checks, store.state().check(area, area, fmt.Sprintf("%s is %s at %s", store.Name, store.Status, store.address())))
		if area == "database" {
			checks = append(checks, store.storage())
		}
		checks = append(checks, store.maintenance(s.Now, area)...)
		checks = append(checks, s.ways(area, store)...)
	}
	return append(checks, s.secrets(area)...)
}

func (st Store) address() string {
	return fmt.Sprintf("%s:%d", cmp.Or(st.Address, "(no address yet)"), st.Port)
}

func (st Store) state() finding {
	f := finding{state: OK}
	if !slices.Contains(usable, st.Status) {
		fix := "see in its events what it waits for: aws rds describe-events, or aws elasticache describe-events"
		switch st.Status {
		case "stopped":
			fix = "start it: aws rds start-db-instance --db-instance-identifier " + st.Name
		case "storage-full":
			fix = "give it more storage: storage.max_allocated in Terraform, or aws rds modify-db-instance --allocated-storage"
		}
		f = wrong(fix, "%s is %s", st.Name, st.Status)
	}
	if st.Address == "" {
		f = f.worse(wrong("wait until it has one: it is still being made", "%s has no address", st.Name))
	}
	for _, line := range st.Other {
		f = f.worse(wrong("look at the node in the console: ElastiCache replaces one that has failed by itself", "%s", line))
	}
	return f
}

// little is the share of a database's storage below which it is told.
const little = 0.1

func (st Store) storage() Check {
	const gib = 1 << 30
	share := 1.0
	if st.Allocated > 0 {
		share = st.Free / gib / float64(st.Allocated)
	}
	grows := st.Most > st.Allocated
	says := fmt.Sprintf("%.1f of %d GiB of %s are free", st.Free/gib, st.Allocated, st.Name)
	if grows {
		says += fmt.Sprintf(", and it may grow to %d GiB", st.Most)
	}
	f := finding{state: OK}
	switch {
	case st.FreeErr != nil:
		f = unknown("how much of %s is free was not read: %v", st.Name, st.FreeErr)
	case share < little && !grows:
		f = wrong("give it more storage: storage.max_allocated in Terraform lets it grow by itself", "%s, and it cannot grow", says)
	}
	return f.check("database", "storage", says)
}

// week is how long before work that AWS does anyway it is told.
const week = 7 * 24 * time.Hour

func (st Store) maintenance(now time.Time, area string) []Check {
	says := "nothing waits for a reboot of " + st.Name
	if len(st.Pending) > 0 {
		says = strings.Join(st.Pending, ", ") + " of " + st.Name + " wait for the maintenance window"
	}
	f := finding{state: OK}
	for _, group := range st.Reboot {
		f = f.worse(wrong("reboot it at a quiet hour: aws rds reboot-db-instance --db-instance-identifier "+st.Name+
			" (with a standby: --force-failover)", "parameters of %s are not in force: %s waits for a reboot", group, st.Name))
	}
	for _, m := range st.Maintenance {
		switch {
		case m.Forced.IsZero():
			says += "; " + m.What + " can be applied"
		case m.Forced.Sub(now) < week:
			f = f.worse(wrong("apply it at an hour of your own: aws rds apply-pending-maintenance-action, or let the window do it",
				"AWS does %s on %s by %s, whatever is running", m.What, st.Name, m.Forced.UTC().Format("2006-01-02 15:04 MST")))
		default:
			says += "; " + m.What + " is done by " + m.Forced.UTC().Format("2006-01-02")
		}
	}
	if st.MaintenanceErr != nil {
		f = f.worse(unknown("what AWS has planned for %s was not read: %v", st.Name, st.MaintenanceErr))
	}
	name := "maintenance"
	if area == "redis" {
		name = "redis maintenance"
	}
	return []Check{f.check(area, name, says)}
}

// ways walks to a store: from the tasks, and from the bastion.
func (s Surroundings) ways(area string, st Store) []Check {
	port := strconv.Itoa(st.Port)
	walk := func(from Party) finding {
		if st.VPC != s.Network.VPC {
			return unknown("%s is in %s, and the way from %s is not followed", st.Name, st.VPC, s.Network.VPC)
		}
		return s.Network.way(from, st.Party, st.Port)
	}
	checks := []Check{walk(s.Tasks).check(area, "way to "+area, "the tasks reach "+st.Name+" on "+port)}
	name := "bastion to " + area
	switch {
	case s.Bastion.Err != nil:
		return append(checks, unknown("the bastion was not found: %v", s.Bastion.Err).check(area, name, ""))
	case s.Bastion.Is == nil:
		return append(checks, Check{Area: area, Name: name, State: OK, What: "there is no bastion"})
	}
	return append(checks, walk(*s.Bastion.Is).check(area, name, "the bastion reaches "+st.Name+" on "+port))
}

// secrets judges what the tasks are told, where it was compared.
func (s Surroundings) secrets(area string) []Check {
	name := area + " secret"
	if !s.Compared {
		return []Check{unknown("what the tasks are told was not compared: --read-secrets does, at a terminal").check(area, name, "")}
	}
	var checks []Check
	for _, secret := range s.Secrets {
		if secret.Of != area {
			continue
		}
		f := finding{state: OK}
		if secret.Err != nil {
			f = unknown("%s: %v", secret.Name, secret.Err)
		}
		for _, line := range secret.Differences {
			f = f.worse(wrong("correct the secret (Terraform writes it), and restart the tasks: connect2 restart", "%s: %s", secret.Name, line))
		}
		checks = append(checks, f.check(area, name, secret.Name+" names what is there"))
	}
	if len(checks) == 0 {
		checks = []Check{unknown("the tasks are told of none by a secret").check(area, name, "")}
	}
	return checks
}

// compare says how the address in a secret differs from the stores that are there; nothing of the secret is in what it says. text is
// the whole value, or the one under the key.
func compare(text string, stores []Store) ([]string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" {
		return nil, errors.New("its value is not an address such as postgresql://…")
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "6379", false: "5432"}[strings.HasPrefix(u.Scheme, "redis")]
	}
	var names []string
	for _, st := range stores {
		names = append(names, st.Name+" ("+st.address()+")")
		if !strings.EqualFold(u.Hostname(), st.Address) {
			continue
		}
		var differences []string
		if port != strconv.Itoa(st.Port) {
			differences = append(differences, fmt.Sprintf("its url names another port than that of %s, %d", st.Name, st.Port))
		}
		if strings.HasPrefix(u.Scheme, "redis") && (u.Scheme == "rediss") != st.TLS {
			differences = append(differences, map[bool]string{true: st.Name + " takes TLS alone, and its url begins with redis://",
				false: st.Name + " has no TLS, and its url begins with rediss://"}[st.TLS])
		}
		return differences, nil
	}
	return []string{"its url names another host than " + strings.Join(names, ", ")}, nil
}

func portsOf(listeners []Listener) string {
	var all []int
	for _, l := range listeners {
		all = append(all, l.Port)
	}
	slices.Sort(all)
	return numbers(all)
}

func numbers(all []int) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, " and ")
}

func joinedNames(groups []string) string {
	var names []string
	for _, g := range groups {
		names = append(names, targetGroup(g))
	}
	return strings.Join(names, ", ")
}
