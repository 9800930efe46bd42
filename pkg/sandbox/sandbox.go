// Package sandbox is a stand-in for AWS: STS, ECS, ECR with its registry, CloudWatch Logs, Elastic Load Balancing, Secrets
// Manager, Parameter Store and Application Auto Scaling behind one HTTP handler that speaks their real protocols, with
// state, virtual time and faults on demand.
//
// Nothing happens in the background. Each request first runs every transition that is due by then, in order, so one seed
// gives one history, and a sandbox that nobody asks costs nothing. Signatures are not verified and secrets are not kept:
// the sandbox protects nothing, and must be reachable by nobody but its user.
package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/acm"
	"github.com/org/connect2/v2/pkg/sandbox/autoscaling"
	"github.com/org/connect2/v2/pkg/sandbox/cloudwatch"
	"github.com/org/connect2/v2/pkg/sandbox/ec2"
	"github.com/org/connect2/v2/pkg/sandbox/ecr"
	"github.com/org/connect2/v2/pkg/sandbox/ecs"
	"github.com/org/connect2/v2/pkg/sandbox/elasticache"
	"github.com/org/connect2/v2/pkg/sandbox/elbv2"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/events"
	"github.com/org/connect2/v2/pkg/sandbox/iam"
	"github.com/org/connect2/v2/pkg/sandbox/logs"
	"github.com/org/connect2/v2/pkg/sandbox/rds"
	"github.com/org/connect2/v2/pkg/sandbox/route53"
	"github.com/org/connect2/v2/pkg/sandbox/s3"
	"github.com/org/connect2/v2/pkg/sandbox/scheduler"
	"github.com/org/connect2/v2/pkg/sandbox/secretsmanager"
	"github.com/org/connect2/v2/pkg/sandbox/sessions"
	"github.com/org/connect2/v2/pkg/sandbox/ssm"
	"github.com/org/connect2/v2/pkg/sandbox/sts"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// The access key of the user "operator", who may do everything. Any secret key does, this one too.
const (
	AccessKeyID     = "AKIASANDBOX000000001"
	SecretAccessKey = "sandbox-secret-access-key"
)

// SpeedHeader is the header of answers that tells how many times faster than the wall clock virtual time runs, where it does. Clients
// that follow what happens look that much more often.
const SpeedHeader = "X-Connect2-Sandbox-Speed"

// DefaultHost is the host and port that image references of the first task definitions name.
const DefaultHost = "127.0.0.1:4566"

// Options of a sandbox. The zero value is the seed world in real time.
type Options struct {
	Now       func() time.Time // the real clock; nil: time.Now
	Speed     float64          // virtual time runs so many times faster; 0: the scenario's, else 1
	Seed      uint64           // 0: the scenario's, else 1
	Scenario  *Scenario        // nil: the seed world as it is
	Host      string           // host and port by which the sandbox is reached; "" means DefaultHost
	AccountID string           // "": the scenario's, else 123456789012
	Region    string           // "": the scenario's, else us-west-2
	BlobDir   string           // folder for image layers; "" keeps them in memory
	Runner    engine.Runner    // really runs the containers of one-off tasks; nil: they do what the scenario says
	Sessions  *Sessions        // really runs the commands of sessions, and connects to ports; nil: sessions are not modelled
}

// Sandbox is one AWS account in one region. It is an http.Handler and safe for concurrent use.
type Sandbox struct {
	host     string
	scenario Scenario
	clock    *clock
	faults   *injector
	server   *wire.Server
	world

	requests, names *ids

	page    http.Handler // that shows the service; nil: there is none
	changed func()       // is told that somebody has changed the world by a control
}

// world is everything that has state; the server's World lock guards it.
type world struct {
	engine    *engine.Engine
	services  *ecs.Service
	directory *iam.Directory
	registry  *ecr.Service
	logs      *logs.Service
	balancing *elbv2.Service
	secrets   *secretsmanager.Service
	params    *ssm.Service
	scaling   *autoscaling.Service
	storage   *s3.Service
	metrics   *cloudwatch.Service
	compute   *ec2.Service
	events    *events.Service
	scheduler *scheduler.Service
	databases *rds.Service
	caches    *elasticache.Service
	keys      *acm.Service
	zones     *route53.Service
	sessions  *sessions.Service // nil: not modelled; it has a lock of its own
}

// New makes a sandbox and panics on options that describe no possible world; Open returns the error instead.
func New(o Options) *Sandbox {
	s, err := Open(o)
	if err != nil {
		panic(err)
	}
	return s
}

// Open makes a sandbox. A scenario's service has run its releases by the time that this returns.
func Open(o Options) (*Sandbox, error) {
	var scenario Scenario
	if o.Scenario != nil {
		scenario = *o.Scenario
	}
	override(&scenario.Speed, o.Speed)
	override(&scenario.Seed, o.Seed)
	override(&scenario.Account, o.AccountID)
	override(&scenario.Region, o.Region)
	scenario = scenario.filled()
	if err := scenario.check(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	or(&o.Host, DefaultHost)
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sandbox{
		host: o.Host, scenario: scenario, clock: newClock(o.Now, scenario.Speed),
		names: newIDs(scenario.Seed, worldIDs), requests: newIDs(scenario.Seed, requestIDs),
		faults: &injector{dice: newIDs(scenario.Seed, faultDice)},
	}
	if scenario.Limits == DocumentedLimits {
		s.faults.buckets = documentedBuckets(scenario.LimitsUsed)
	}
	s.build(o)
	if err := s.populate(); err != nil {
		return nil, fmt.Errorf("sandbox: building the world of the scenario: %w", err)
	}
	s.faults.add(scenario.Faults...)
	return s, nil
}

func override[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// build makes the services and joins them to each other.
func (s *Sandbox) build(o Options) {
	account, region := s.scenario.Account, s.scenario.Region
	s.server = &wire.Server{
		Account: account, Region: region, Now: s.clock.Now, NewID: s.requests.UUID,
		Advance: func(now time.Time) { s.engine.Advance(now) }, Intercept: s.faults.intercept,
		Unsigned:       map[string]bool{"sts:AssumeRoleWithWebIdentity": true},
		GlobalServices: map[string]bool{"sts": true, "iam": true, "route53": true},
	}
	s.directory = iam.NewDirectory(account, s.names.UUID)
	s.server.Identify = s.directory.Identify
	s.registry = ecr.New(ecr.Options{
		Account: account, Region: region, Server: s.server, NewID: s.names.UUID, BlobDir: o.BlobDir,
		BlobMounting: s.scenario.Repository.BlobMounting, ScanTime: time.Duration(s.scenario.Repository.ScanTime),
		Findings: s.findings(),
	})
	s.logs = logs.New(logs.Options{Account: account, Region: region, Lag: time.Duration(*s.scenario.Lag.Logs)})
	s.balancing = elbv2.New(elbv2.Options{Account: account, Region: region})
	s.secrets = secretsmanager.New(secretsmanager.Options{Account: account, Region: region, NewID: s.names.UUID, Suffix: s.names.Suffix})
	s.compute = &ec2.Service{Account: account, Region: region, VPC: vpc, Subnets: s.scenario.Service.Subnets,
		Size: *s.scenario.Service.Addresses, Taken: func(subnet string) int { return taken(s.engine, subnet) }}
	s.databases = &rds.Service{Account: account, Region: region}
	s.caches = &elasticache.Service{Account: account, Region: region}
	s.keys, s.zones = &acm.Service{}, &route53.Service{}
	parameters := ssm.Options{Account: account, Region: region, Instances: instances{s.compute}}
	if o.Sessions != nil {
		s.sessions = sessions.New(s.names.UUID)
		parameters.Sessions = manager{s.sessions, *o.Sessions}
	}
	s.params = ssm.New(parameters)
	var seen func()
	if *s.scenario.Lag.Services > 0 {
		seen = func() { s.services.Keep() }
	}
	s.engine = engine.New(engine.Options{
		Account: account, Region: region, Seed: s.scenario.Seed, Start: s.beginning(),
		Images: images{s.registry, s.scenario.Images}, Logs: s.logs, Secrets: secrets{s.secrets, s.params},
		Targets: targets{s.balancing}, Runner: o.Runner,
		Behaviours: s.scenario.Images, Lag: s.engineLag(), Seen: seen,
	})
	s.services = ecs.New(s.engine, time.Duration(*s.scenario.Lag.Services))
	if o.Sessions != nil {
		s.services.Sessions = manager{s.sessions, *o.Sessions}
	}
	s.scaling = &autoscaling.Service{Account: account, Region: region, Services: services{s.engine}, NewID: s.names.UUID}
	s.storage = s3.New(s.clock.Now)
	s.storage.Owner(account)
	token := &sts.Service{Directory: s.directory}
	s.metrics = &cloudwatch.Service{Account: account, Region: region, Alarms: maps.Clone(s.scenario.Alarms),
		Lag: time.Duration(s.scenario.Traffic.Lag), Changed: map[string]time.Time{}, Began: s.beginning(),
		Served: func(group string, minute time.Time) cloudwatch.Traffic { return s.served(group, minute) },
		Free:   func(instance string) (int64, bool) { return s.freeStorage(instance) }}
	s.events = events.New(account, region, starter{s.engine}, s.beginning())
	s.scheduler = scheduler.New(account, region, starter{s.engine}, s.beginning())
	s.server.REST = []*wire.RESTService{s.scheduler.API(), s.zones.API()}
	s.server.JSON = []*wire.JSONService{
		s.metrics.JSON(), s.events.API(), s.keys.API(),
		s.services.API(), s.registry.API(), s.logs.API(), s.secrets.API(), s.params.API(), s.scaling.API(),
	}
	s.server.Query = []*wire.QueryService{token.API(), s.balancing.API(), s.directory.API(), s.compute.API(), s.metrics.API(),
		s.databases.API(), s.caches.API()}
}

// engineLag gives the engine the scenario's lags; it takes a negative one for none.
func (s *Sandbox) engineLag() engine.Lag {
	none := func(d engine.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return time.Duration(d)
	}
	return engine.Lag{ServiceDeployments: none(*s.scenario.Lag.ServiceDeployments), Tasks: none(*s.scenario.Lag.Tasks)}
}

// ControlPath is where the sandbox's own controls are, and PagePath where its page is, if it has one.
const (
	ControlPath = "/_sandbox"
	PagePath    = ControlPath + "/page/"
)

// ShowPage has the sandbox serve a page about its service under PagePath. changed is called whenever a control has changed the world.
// Call it before the sandbox is served.
func (s *Sandbox) ShowPage(page http.Handler, changed func()) { s.page, s.changed = page, changed }

// ServeHTTP answers every protocol on one port: the registry under /v2/, the sandbox's own controls under /_sandbox/, and
// the AWS APIs everywhere else.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if speed := s.scenario.Speed; speed != 1 {
		w.Header().Set(SpeedHeader, strconv.FormatFloat(speed, 'g', -1, 64))
	}
	wire.Hold(http.HandlerFunc(s.serve), w, r)
}

func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, ecr.DownloadPath):
		s.registry.ServeLayer(w, r)
	case strings.HasPrefix(r.URL.Path, sessions.Path) && s.sessions != nil:
		s.sessions.ServeHTTP(w, r)
	case s.page != nil && strings.HasPrefix(r.URL.Path, PagePath):
		http.StripPrefix(strings.TrimSuffix(PagePath, "/"), s.page).ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, ControlPath):
		s.control(w, r)
	case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
		s.registry.ServeHTTP(w, r)
	case s3.Is(r):
		s.storage.ServeHTTP(w, r)
	default:
		s.server.ServeHTTP(w, r)
	}
}

// Journal returns every call so far, in order.
func (s *Sandbox) Journal() []wire.Entry { return s.server.Journal.Entries() }

// LastCall returns the call that arrived last.
func (s *Sandbox) LastCall() wire.Entry { return s.server.Journal.Last() }

// ResetJournal forgets the calls so far.
func (s *Sandbox) ResetJournal() { s.server.Journal.Reset() }

// Now is the virtual time.
func (s *Sandbox) Now() time.Time { return s.clock.Now() }

// Forward moves virtual time ahead, and the world with it.
func (s *Sandbox) Forward(d time.Duration) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.clock.Forward(d)
	s.engine.Advance(s.clock.Now())
}

// Inject adds faults to those in force.
func (s *Sandbox) Inject(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.faults.add(faults...)
	return nil
}

// ClearFaults ends all faults.
func (s *Sandbox) ClearFaults() {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.faults.faults = nil
}

// SetBehaviour says what images do from now on: image is a whole reference, "repository:tag", a tag, a digest, or "*".
func (s *Sandbox) SetBehaviour(image string, b engine.Behaviour) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.engine.SetBehaviour(image, b)
}

// SetAlarm puts a CloudWatch alarm into a state: OK, ALARM or INSUFFICIENT_DATA. Deployments that watch it fail.
func (s *Sandbox) SetAlarm(name, state string) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	if s.metrics.Alarms == nil {
		s.metrics.Alarms = map[string]string{}
	}
	s.metrics.Alarms[name], s.metrics.Changed[name] = state, s.clock.Now()
	if state == "ALARM" {
		s.engine.Advance(s.clock.Now())
		s.engine.TriggerAlarm(name)
	}
}

// SetPolicy changes what a role or user (by name) may do; p nil allows everything.
func (s *Sandbox) SetPolicy(name string, p *Policy) error {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	if p == nil {
		p = &Policy{}
	}
	if !s.directory.SetPolicy(name, p.Policy) {
		return fmt.Errorf("the sandbox has neither role nor user %q", name)
	}
	return nil
}

// ExpireCredentials ends all credentials known so far after a stretch of virtual time.
func (s *Sandbox) ExpireCredentials(after time.Duration) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.directory.Expire(s.clock.Now().Add(after))
}

// DropSessions cuts the connections of all sessions, as a network does. Their clients may resume them.
func (s *Sandbox) DropSessions() {
	if s.sessions != nil {
		s.sessions.Drop()
	}
}

// EndSessions ends all sessions, as somebody does who terminates them. New ones can be started.
func (s *Sandbox) EndSessions() {
	if s.sessions != nil {
		s.sessions.End("terminated")
	}
}

// Close ends the sessions and what runs in them. Nothing else of a sandbox needs an end.
func (s *Sandbox) Close() {
	if s.sessions != nil {
		s.sessions.Close()
	}
}

// Inspect runs f with the ECS engine at the present virtual time, while nothing else can change it.
func (s *Sandbox) Inspect(f func(*engine.Engine)) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	s.engine.Advance(s.clock.Now())
	f(s.engine)
}

// Environ is the environment that points AWS's tools at the sandbox, as the user "operator".
func (s *Sandbox) Environ() map[string]string {
	environ := map[string]string{
		"AWS_ENDPOINT_URL":      "http://" + s.host,
		"AWS_REGION":            s.scenario.Region,
		"AWS_DEFAULT_REGION":    s.scenario.Region,
		"AWS_ACCESS_KEY_ID":     AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": SecretAccessKey,
	}
	return environ
}

// S3 is the sandbox's object store. Its calls are neither journalled nor checked against policies.
func (s *Sandbox) S3() *s3.Service { return s.storage }

// Scenario is the scenario in force, with all defaults filled in.
func (s *Sandbox) Scenario() Scenario { return s.scenario }
