package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/awscron"
	"github.com/org/connect2/v2/pkg/sandbox/ec2"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

// Scenario describes the world that a sandbox begins with, and what goes wrong in it. Every field may be left out; the
// zero Scenario is one environment, "dev", whose service runs a release that succeeded. docs/SANDBOX.md lists the fields
// with their defaults.
type Scenario struct {
	Account     string  `yaml:"account"`     // 12 digits
	Region      string  `yaml:"region"`      // the only region that answers
	Seed        uint64  `yaml:"seed"`        // one seed gives one history
	Speed       float64 `yaml:"speed"`       // how many times faster than real time virtual time runs
	Project     string  `yaml:"project"`     // the names below are made of project and environment
	Environment string  `yaml:"environment"` //

	Service     ServiceScenario             `yaml:"service"`
	Services    map[string]MoreScenario     `yaml:"services"`   // further services of the cluster, by name: without a load balancer
	Schedules   map[string]ScheduleScenario `yaml:"schedules"`  // schedules of EventBridge Scheduler, by name
	Images      map[string]engine.Behaviour `yaml:"images"`     // what images do, by reference, repository:tag, tag, digest or "*"
	Repository  RepositoryScenario          `yaml:"repository"` // settings of the service's repository, and of the registry
	Secrets     map[string]Text             `yaml:"secrets"`    // Secrets Manager, by name, beside those of the seed
	Parameters  map[string]Text             `yaml:"parameters"` // Parameter Store, by name
	Users       map[string]UserScenario     `yaml:"users"`      // by name, beside "operator"
	Roles       map[string]RoleScenario     `yaml:"roles"`      // by name, beside or in place of those of the seed
	GitHub      GitHubScenario              `yaml:"github"`     // the workflow run whose identity tokens the sandbox hands out
	Faults      []Fault                     `yaml:"faults"`
	Credentials CredentialsScenario         `yaml:"credentials"`
	Lag         LagScenario                 `yaml:"lag"`
	Limits      string                      `yaml:"limits"`     // "documented": calls are throttled as AWS documents; empty: they are not
	LimitsUsed  float64                     `yaml:"limitsUsed"` // the share of the limits that other callers of the account use; 0 to below 1
	Scaling     *ScalingScenario            `yaml:"scaling"`    // registers the service as a scalable target
	Traffic     TrafficScenario             `yaml:"traffic"`    // what the service's target groups are asked
	Alarms      map[string]string           `yaml:"alarms"`     // CloudWatch alarms: their states by name
	Bastion     BastionScenario             `yaml:"bastion"`
	Domain      DomainScenario              `yaml:"domain"` // the name under which the service is reached; empty: plain HTTP at the load balancer's
	Broken      []string                    `yaml:"broken"` // what is wrong around the service: names of docs/SANDBOX.md
}

// DomainScenario is a name with its certificate and its record.
type DomainScenario struct {
	Zone string `yaml:"zone"` // example.com: a hosted zone of this account
	Host string `yaml:"host"` // api.example.com
}

// TrafficScenario is the traffic that CloudWatch counts.
type TrafficScenario struct {
	Rate    float64         `yaml:"rate"`    // requests a second, of all target groups together; 0: none
	Errors  float64         `yaml:"errors"`  // share of answers with HTTP 5xx, 0 to 1
	Latency engine.Duration `yaml:"latency"` // of an answer; 50ms
	Lag     engine.Duration `yaml:"lag"`     // from the end of a minute until CloudWatch has it
}

// States of the bastion.
const (
	BastionRunning = "running"
	BastionStopped = "stopped"
	BastionNone    = "none"
)

// BastionScenario is the instance that people reach the databases through.
type BastionScenario struct {
	Name     string `yaml:"name"`     // its tag Name; PROJECT-bastion-ENVIRONMENT
	State    string `yaml:"state"`    // running, stopped, none; running
	Agent    string `yaml:"agent"`    // what Systems Manager knows of its agent: online, lost, none; online
	PublicIP string `yaml:"publicIP"` // none
}

// ServiceScenario describes the one service that exists from the beginning.
type ServiceScenario struct {
	Cluster          string          `yaml:"cluster"`          // PROJECT-cluster-ENVIRONMENT
	Name             string          `yaml:"name"`             // PROJECT-service-ENVIRONMENT
	Family           string          `yaml:"family"`           // PROJECT-ENVIRONMENT
	Template         *bool           `yaml:"template"`         // whether the family FAMILY-template exists; true
	Repository       string          `yaml:"repository"`       // PROJECT-ENVIRONMENT
	Container        string          `yaml:"container"`        // PROJECT
	Port             int             `yaml:"port"`             // 8000
	LogGroup         string          `yaml:"logGroup"`         // /ecs/PROJECT-ENVIRONMENT
	TargetGroup      string          `yaml:"targetGroup"`      // PROJECT-tg-ENVIRONMENT
	LoadBalancer     string          `yaml:"loadBalancer"`     // PROJECT-alb-ENVIRONMENT
	ExecutionRole    string          `yaml:"executionRole"`    // ARN; …:role/PROJECT-ENVIRONMENT-execution
	TaskRole         string          `yaml:"taskRole"`         // ARN; …:role/PROJECT-ENVIRONMENT-task
	DesiredCount     *int            `yaml:"desiredCount"`     // 2
	CPU              int             `yaml:"cpu"`              // 256
	Memory           int             `yaml:"memory"`           // 512
	MinimumPercent   *int            `yaml:"minimumPercent"`   // 100
	MaximumPercent   *int            `yaml:"maximumPercent"`   // 200
	CircuitBreaker   *bool           `yaml:"circuitBreaker"`   // true: enabled, with rollback
	Rollback         *bool           `yaml:"rollback"`         // whether the circuit breaker rolls back; true
	GracePeriod      int             `yaml:"gracePeriod"`      // seconds; 60
	HealthInterval   engine.Duration `yaml:"healthInterval"`   // between the load balancer's health checks; 30s
	DeregisterAfter  engine.Duration `yaml:"deregisterAfter"`  // deregistration delay; 30s
	Releases         []string        `yaml:"releases"`         // tags that were deployed one after another before the beginning; [v1]
	Unreleased       bool            `yaml:"unreleased"`       // born as Terraform makes it: no image, no tasks, at FAMILY-template; instead of releases
	Subnets          []string        `yaml:"subnets"`          // two made-up ones
	Addresses        *int            `yaml:"addresses"`        // that a subnet has for tasks; 251
	SecurityGroups   []string        `yaml:"securityGroups"`   // a made-up one
	CapacityProvider string          `yaml:"capacityProvider"` // FARGATE or FARGATE_SPOT in place of the launch type FARGATE
	Execute          bool            `yaml:"execute"`          // whether ECS Exec is on: enableExecuteCommand; false
	ReadOnlyRoot     bool            `yaml:"readOnlyRoot"`     // readonlyRootFilesystem of the container; false
	Deployment       map[string]any  `yaml:"deployment"`       // members of deploymentConfiguration, as AWS names them, in force after the releases
}

// MoreScenario is a service beside the one above, of the same image: its family has the same template, with a command of its own. What
// is left out is as there.
type MoreScenario struct {
	Family       string   `yaml:"family"`       // the service's name
	Container    string   `yaml:"container"`    // the container's name
	Command      []string `yaml:"command"`      // of the container
	DesiredCount *int     `yaml:"desiredCount"` // 1
}

// ScheduleScenario is a schedule of EventBridge Scheduler that starts a task of what a service runs. It is made when the world begins.
type ScheduleScenario struct {
	Expression string   `yaml:"expression"` // cron(…), rate(…) or at(…)
	Timezone   string   `yaml:"timezone"`   // UTC
	Service    string   `yaml:"service"`    // one of services; the first one
	Command    []string `yaml:"command"`    // of the container; its own
}

// RepositoryScenario sets up the registry.
type RepositoryScenario struct {
	Mutability   string          `yaml:"mutability"`   // MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION
	Exclusions   []string        `yaml:"exclusions"`   // tag filters of the last two
	ScanOnPush   bool            `yaml:"scanOnPush"`   //
	BlobMounting bool            `yaml:"blobMounting"` // the account setting BLOB_MOUNTING
	ScanTime     engine.Duration `yaml:"scanTime"`     // how long an image scan takes; 5s
	Findings     []FindingText   `yaml:"findings"`     // what scans find
}

// FindingText is one finding of an image scan.
type FindingText struct {
	Repository  string `yaml:"repository"` // the service's where empty
	Image       string `yaml:"image"`      // tag or digest; empty: every image
	Name        string `yaml:"name"`
	Severity    string `yaml:"severity"`
	Description string `yaml:"description"`
	URI         string `yaml:"uri"`
}

// UserScenario is a caller with an access key. Any secret key does.
type UserScenario struct {
	AccessKey string  `yaml:"accessKey"`
	Policy    *Policy `yaml:"policy"` // left out: everything is allowed
}

// RoleScenario is a role.
type RoleScenario struct {
	Path       string          `yaml:"path"`       // /
	Policy     *Policy         `yaml:"policy"`     // left out: everything is allowed
	MaxSession engine.Duration `yaml:"maxSession"` // 1h
	Trust      struct {
		Services   []string `yaml:"services"`   // service principals
		Principals []string `yaml:"principals"` // patterns of caller ARNs
		Subjects   []string `yaml:"subjects"`   // patterns of the claim sub of GitHub's tokens
		Audience   []string `yaml:"audience"`   // [sts.amazonaws.com]
	} `yaml:"trust"`
}

// GitHubScenario is the workflow run that identity tokens speak of.
type GitHubScenario struct {
	Repository  string            `yaml:"repository"`  // org/PROJECT
	Ref         string            `yaml:"ref"`         // refs/heads/development
	Environment string            `yaml:"environment"` // empty: the run has none
	Subject     string            `yaml:"subject"`     // the claim sub, in place of the one made of the above
	Claims      map[string]string `yaml:"claims"`      // further claims
	Life        engine.Duration   `yaml:"life"`        // of a token; 5m
}

// CredentialsScenario ends credentials early.
type CredentialsScenario struct {
	ExpireAfter engine.Duration `yaml:"expireAfter"` // from the beginning, those of the users; 0: never
}

// LagScenario is how late things show. Zero takes the default, "none" is a negative number only in Go.
type LagScenario struct {
	Logs               *engine.Duration `yaml:"logs"`               // from writing a line to its being readable; 3s
	ServiceDeployments *engine.Duration `yaml:"serviceDeployments"` // until a service deployment is listed; 1.5s
	Tasks              *engine.Duration `yaml:"tasks"`              // until DescribeTasks knows a task that RunTask returned; 0s
	Services           *engine.Duration `yaml:"services"`           // how old the state is that DescribeServices shows; 0s
}

// ScalingScenario is a scalable target for the service.
type ScalingScenario struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Text is a string, or any YAML value that is stored as its JSON.
type Text string

// UnmarshalYAML takes a scalar as it is written and anything else as JSON.
func (t *Text) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*t = Text(node.Value)
		return nil
	}
	encoded, err := toJSON(node)
	*t = Text(encoded)
	return err
}

// Policy is an IAM policy document, written as YAML or JSON.
type Policy struct{ *policy.Policy }

// UnmarshalYAML reads the document and refuses what the evaluator does not model.
func (p *Policy) UnmarshalYAML(node *yaml.Node) error {
	encoded, err := toJSON(node)
	if err != nil {
		return err
	}
	if p.Policy, err = policy.Parse(encoded); err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	return nil
}

func toJSON(node *yaml.Node) ([]byte, error) {
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", node.Line, err)
	}
	return encoded, nil
}

// LoadScenario reads a scenario file.
func LoadScenario(path string) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	scenario, err := ParseScenario(text)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", path, err)
	}
	return scenario, nil
}

// ParseScenario reads a scenario. Unknown fields, values of the wrong type and impossible values are errors that name the
// line or the field: a typing error must not turn into a world without the fault that was meant.
func ParseScenario(text []byte) (*Scenario, error) {
	var s Scenario
	if err := decodeStrictly(text, &s); err != nil {
		return nil, err
	}
	return &s, s.check()
}

// decodeStrictly reads one YAML document and refuses members that the value does not have.
func decodeStrictly(text []byte, v any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(v)
	if errors.Is(err, io.EOF) { // an empty document asks for nothing special
		return nil
	}
	return err
}

func (s *Scenario) check() error {
	var problems []error
	for _, f := range s.Faults {
		problems = append(problems, f.check())
	}
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	problem(s.Account != "" && len(s.Account) != 12, "account: %q does not have 12 digits", s.Account)
	if _, err := s.Service.deployment(); err != nil {
		problems = append(problems, fmt.Errorf("service.deployment: %w", err))
	}
	problem(s.Service.Unreleased && (len(s.Service.Releases) > 0 || s.Service.Template != nil && !*s.Service.Template),
		"service.unreleased: it goes with neither releases nor template: false")
	for name, arn := range map[string]string{"executionRole": s.Service.ExecutionRole, "taskRole": s.Service.TaskRole} {
		problem(arn != "" && !strings.Contains(arn, ":role/"), "service.%s: %q is no ARN of a role", name, arn)
	}
	for name, r := range s.Roles {
		problem(r.Path != "" && !(strings.HasPrefix(r.Path, "/") && strings.HasSuffix(r.Path, "/")),
			"roles: the path %q of %s does not begin and end with a slash", r.Path, name)
	}
	problem(s.Limits != "" && s.Limits != DocumentedLimits, "limits: %q is neither empty nor %q", s.Limits, DocumentedLimits)
	problem(s.LimitsUsed < 0 || s.LimitsUsed >= 1, "limitsUsed: %v is not a share from 0 to below 1", s.LimitsUsed)
	problem(s.Speed < 0, "speed: %v is negative", s.Speed)
	problem(s.Scaling != nil && (s.Scaling.Min < 0 || s.Scaling.Max < s.Scaling.Min), "scaling: min and max must be 0 <= min <= max")
	problem(!slices.Contains([]string{"", BastionRunning, BastionStopped, BastionNone}, s.Bastion.State),
		"bastion.state: %q is neither running, stopped nor none", s.Bastion.State)
	problem(!slices.Contains([]string{"", ec2.AgentOnline, ec2.AgentLost, ec2.AgentNone}, s.Bastion.Agent),
		"bastion.agent: %q is neither online, lost nor none", s.Bastion.Agent)
	problem((s.Domain.Host == "") != (s.Domain.Zone == ""), "domain: zone and host go together")
	problem(s.Domain.Host != "" && s.Domain.Host != s.Domain.Zone && !strings.HasSuffix(s.Domain.Host, "."+s.Domain.Zone),
		"domain: the host %q is not in the zone %q", s.Domain.Host, s.Domain.Zone)
	for _, name := range s.Broken {
		problem(plants[name].do == nil, "broken: %q is not one of %s", name, strings.Join(Plants(), ", "))
		problem(plants[name].domain && s.Domain.Host == "", "broken: %s needs a domain", name)
	}
	for name, v := range s.Schedules {
		_, known := s.Services[v.Service]
		problem(v.Service != "" && !known, "schedules: %s: %q is not one of services", name, v.Service)
		zone, err := time.LoadLocation(v.Timezone)
		problem(err != nil, "schedules: %s: %q is not a time zone", name, v.Timezone)
		if err == nil {
			_, err = awscron.Parse(v.Expression, zone)
			problem(err != nil, "schedules: %s: %v", name, err)
		}
	}
	for name, u := range s.Users {
		problem(u.AccessKey == "", "users: %s has no accessKey", name)
	}
	return errors.Join(problems...)
}

// deployment returns the members of deploymentConfiguration as JSON.
func (v ServiceScenario) deployment() (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for name, value := range v.Deployment {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = text
	}
	return out, nil
}

// filled returns the scenario with the defaults in place of what is left out.
func (s Scenario) filled() Scenario {
	or(&s.Account, "123456789012")
	or(&s.Region, "us-west-2")
	or(&s.Seed, 1)
	or(&s.Speed, 1)
	or(&s.Project, "connect2-api")
	or(&s.Environment, "dev")
	p, e, v := s.Project, s.Environment, &s.Service
	or(&v.Cluster, p+"-cluster-"+e)
	or(&v.Name, p+"-service-"+e)
	or(&v.Family, p+"-"+e)
	or(&v.Repository, p+"-"+e)
	or(&v.Container, p)
	or(&v.Port, 8000)
	or(&s.Bastion.Name, p+"-bastion-"+e)
	or(&s.Bastion.State, BastionRunning)
	or(&s.Bastion.Agent, ec2.AgentOnline)
	or(&v.LogGroup, "/ecs/"+p+"-"+e)
	or(&v.TargetGroup, p+"-tg-"+e)
	or(&v.LoadBalancer, p+"-alb-"+e)
	or(&v.ExecutionRole, "arn:aws:iam::"+s.Account+":role/"+p+"-"+e+"-execution")
	or(&v.TaskRole, "arn:aws:iam::"+s.Account+":role/"+p+"-"+e+"-task")
	or(&v.CPU, 256)
	or(&v.Memory, 512)
	or(&v.GracePeriod, 60)
	or(&v.HealthInterval, engine.Duration(30*time.Second))
	or(&v.DeregisterAfter, engine.Duration(30*time.Second))
	orPointer(&v.Template, true)
	orPointer(&v.DesiredCount, 2)
	orPointer(&v.MinimumPercent, 100)
	orPointer(&v.MaximumPercent, 200)
	orPointer(&v.CircuitBreaker, true)
	orPointer(&v.Rollback, true)
	if v.Releases == nil && !v.Unreleased {
		v.Releases = []string{"v1"}
	}
	if v.Subnets == nil {
		v.Subnets = []string{"subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"}
	}
	orPointer(&v.Addresses, 251)
	if v.SecurityGroups == nil {
		v.SecurityGroups = []string{"sg-0a1b2c3d4e5f60001"}
	}
	or(&s.GitHub.Repository, "org/"+p)
	or(&s.GitHub.Ref, "refs/heads/development")
	or(&s.GitHub.Life, engine.Duration(5*time.Minute))
	or(&s.Traffic.Latency, engine.Duration(50*time.Millisecond))
	orPointer(&s.Lag.Logs, engine.Duration(3*time.Second))
	orPointer(&s.Lag.ServiceDeployments, engine.Duration(1500*time.Millisecond))
	orPointer(&s.Lag.Tasks, 0)
	orPointer(&s.Lag.Services, 0)
	return s
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func orPointer[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
