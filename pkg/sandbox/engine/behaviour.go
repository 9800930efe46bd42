package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// BehaviourLabel is the image label that holds a Behaviour as JSON or YAML.
const BehaviourLabel = "connect2.sandbox"

// Kind is how a container behaves when it is started.
type Kind string

// The kinds of behaviour. Each is what an operator would name the trouble.
const (
	Healthy       Kind = "healthy"        // starts, answers its health checks, runs until it is stopped
	Slow          Kind = "slow"           // the same, with its first good answer after HealthyAfter (2 minutes unless given)
	Crash         Kind = "crash"          // exits with ExitCode after After
	OutOfMemory   Kind = "oom"            // is killed for memory after After
	Unhealthy     Kind = "unhealthy"      // runs and never passes a health check
	PullError     Kind = "pull-error"     // its image cannot be pulled, though the reference may exist
	WrongArch     Kind = "wrong-arch"     // its image is for another architecture
	MissingSecret Kind = "missing-secret" // a secret that it names cannot be read
	ExecError     Kind = "exec-error"     // its command does not exist in the image
	NoCapacity    Kind = "no-capacity"    // Fargate has no capacity: the task is not even created
	NoNetwork     Kind = "no-network"     // the subnet has no way to the registry
)

var kinds = []Kind{Healthy, Slow, Crash, OutOfMemory, Unhealthy, PullError, WrongArch, MissingSecret, ExecError,
	NoCapacity, NoNetwork}

// Behaviour says what the containers of one image do. Its zero value is a healthy service.
type Behaviour struct {
	Start          Kind           `yaml:"start" json:"start,omitempty"`
	After          Duration       `yaml:"after" json:"after,omitempty"`                   // from the process's start to its end
	ExitCode       *int           `yaml:"exitCode" json:"exitCode,omitempty"`             // of a crash; 1 unless given
	Logs           []string       `yaml:"logs" json:"logs,omitempty"`                     // lines written from the start on
	HealthyAfter   Duration       `yaml:"healthyAfter" json:"healthyAfter,omitempty"`     // from the start to the first good answer
	UnhealthyAfter Duration       `yaml:"unhealthyAfter" json:"unhealthyAfter,omitempty"` // from the start on no good answers any more; 0: never
	Check          string         `yaml:"check" json:"check,omitempty"`                   // which checks fail: container, elb; empty: both
	Status         int            `yaml:"status" json:"status,omitempty"`                 // HTTP status of failing target checks; 0: they time out
	StopAfter      Duration       `yaml:"stopAfter" json:"stopAfter,omitempty"`           // from SIGTERM to the exit; 1 s unless given
	PullTime       Duration       `yaml:"pullTime" json:"pullTime,omitempty"`             // 8 s unless given
	Reason         string         `yaml:"reason" json:"reason,omitempty"`                 // stopped reason of a task that cannot start, in place of the modelled one
	Serves         Serves         `yaml:"serves" json:"serves,omitzero"`                  // how it answers requests, beside the scenario's traffic
	Times          int            `yaml:"times" json:"times,omitempty"`                   // containers that behave so; later ones are healthy. 0: all
	Run            map[string]Run `yaml:"run" json:"run,omitempty"`                       // one-off tasks, by a part of the command, or "*"

	Commands map[string]Behaviour `yaml:"commands" json:"commands,omitempty"` // instead, of a service's container, by a part of its command
}

// Serves is how an image answers requests.
type Serves struct {
	Errors  float64  `yaml:"errors" json:"errors,omitempty"`   // share of answers with HTTP 5xx, 0 to 1, beside those of the scenario
	Latency Duration `yaml:"latency" json:"latency,omitempty"` // that an answer takes longer than the scenario's
}

// Run is what a one-off task does.
type Run struct {
	After    Duration `yaml:"after" json:"after,omitempty"` // from the start to the end; 5 s unless given
	ExitCode int      `yaml:"exitCode" json:"exitCode,omitempty"`
	Logs     []string `yaml:"logs" json:"logs,omitempty"` // spread evenly over the time
	Start    Kind     `yaml:"start" json:"start,omitempty"`
	Reason   string   `yaml:"reason" json:"reason,omitempty"`
}

// Duration is written as Go does ("1m30s"); a bare number is seconds.
type Duration time.Duration

// UnmarshalYAML reads "1m30s" or a number of seconds.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	var seconds float64
	if node.Decode(&seconds) == nil {
		*d = Duration(seconds * float64(time.Second))
	} else {
		parsed, err := time.ParseDuration(node.Value)
		if err != nil {
			return fmt.Errorf("line %d: %q is not a duration; write 3s, 1m30s or a number of seconds", node.Line, node.Value)
		}
		*d = Duration(parsed)
	}
	if *d < 0 {
		return fmt.Errorf("line %d: a duration cannot be negative: %s", node.Line, node.Value)
	}
	return nil
}

// MarshalText writes Go's form, "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// ParseBehaviour reads a behaviour from JSON or YAML. Unknown members, unknown kinds and values of the wrong type are
// errors that name them: a typing error must not turn into a healthy image.
func ParseBehaviour(text []byte) (Behaviour, error) {
	var b Behaviour
	if err := yaml.Unmarshal(text, &b); err != nil {
		return Behaviour{}, fmt.Errorf("behaviour: %w", err)
	}
	return b, nil
}

// UnmarshalYAML decodes and validates a behaviour, wherever in a document it stands.
func (b *Behaviour) UnmarshalYAML(node *yaml.Node) error {
	type plain Behaviour
	if err := known(node, "start", "after", "exitCode", "logs", "healthyAfter", "unhealthyAfter", "check", "status",
		"stopAfter", "pullTime", "reason", "serves", "times", "run", "commands"); err != nil {
		return err
	}
	if err := node.Decode((*plain)(b)); err != nil {
		return err
	}
	return b.Validate()
}

// UnmarshalYAML decodes the behaviour of a one-off task and refuses unknown members.
func (r *Run) UnmarshalYAML(node *yaml.Node) error {
	type plain Run
	if err := known(node, "after", "exitCode", "logs", "start", "reason"); err != nil {
		return err
	}
	return node.Decode((*plain)(r))
}

// known refuses members of a mapping that are not listed.
func known(node *yaml.Node, names ...string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a behaviour is a mapping such as {start: crash, after: 3s}", node.Line)
	}
	for i := 0; i < len(node.Content); i += 2 {
		if key := node.Content[i]; !slices.Contains(names, key.Value) {
			return fmt.Errorf("line %d: unknown member %q; known are %s", key.Line, key.Value, strings.Join(names, ", "))
		}
	}
	return nil
}

// of returns the behaviour of a container with this command.
func (b Behaviour) of(command []string) Behaviour {
	for _, part := range sortedKeys(b.Commands) {
		if len(command) > 0 && strings.Contains(strings.Join(command, " "), part) {
			return b.Commands[part]
		}
	}
	return b
}

// described says whether anything was said about the image.
func (b Behaviour) described() bool { return !reflect.ValueOf(b).IsZero() }

// Validate reports everything in b that no container could do.
func (b Behaviour) Validate() error {
	var problems []error
	check := func(where string, kind Kind) {
		if kind != "" && !slices.Contains(kinds, kind) {
			problems = append(problems, fmt.Errorf("%s: unknown kind %q; known are %v", where, kind, kinds))
		}
	}
	check("start", b.Start)
	if b.Check != "" && b.Check != "container" && b.Check != "elb" {
		problems = append(problems, fmt.Errorf("check: %q is neither container nor elb", b.Check))
	}
	if b.ExitCode != nil && (*b.ExitCode < 0 || *b.ExitCode > 255) {
		problems = append(problems, fmt.Errorf("exitCode: %d is outside 0 to 255", *b.ExitCode))
	}
	if b.Status != 0 && (b.Status < 100 || b.Status > 599) {
		problems = append(problems, fmt.Errorf("status: %d is no HTTP status", b.Status))
	}
	if b.Serves.Errors < 0 || b.Serves.Errors > 1 {
		problems = append(problems, fmt.Errorf("serves.errors: %g is outside 0 to 1", b.Serves.Errors))
	}
	for _, command := range sortedKeys(b.Run) {
		run := b.Run[command]
		check("run "+command, run.Start)
		if run.ExitCode < 0 || run.ExitCode > 255 {
			problems = append(problems, fmt.Errorf("run %s: exitCode %d is outside 0 to 255", command, run.ExitCode))
		}
	}
	return errors.Join(problems...)
}

// runFor picks the entry for a command: the longest key that the command contains, else "*".
func (b Behaviour) runFor(command string) (Run, bool) {
	best := ""
	for _, key := range sortedKeys(b.Run) {
		if key != "*" && strings.Contains(command, key) && len(key) > len(best) {
			best = key
		}
	}
	if best != "" {
		return b.Run[best], true
	}
	run, ok := b.Run["*"]
	return run, ok
}
