// Package oneoff runs a task of its own beside a service: it starts it with the service's settings, follows its log to the
// last line, and returns the exit code of its container.
package oneoff

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/record"
)

// ECS is the part of the ECS API that a one-off task needs.
type ECS interface {
	RunTask(context.Context, *ecs.RunTaskInput, ...func(*ecs.Options)) (*ecs.RunTaskOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	StopTask(context.Context, *ecs.StopTaskInput, ...func(*ecs.Options)) (*ecs.StopTaskOutput, error)
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
}

// Clients are the APIs that Run calls. Logs may be nil: then no log is read.
type Clients struct {
	ECS  ECS
	Logs diagnose.Logs
}

// Spec says what to run.
type Spec struct {
	Cluster        string // name or ARN
	TaskDefinition string // ARN of the revision
	Settings       Settings
	Container      string            // whose command is replaced, and whose exit code counts
	Command        []string          // nil keeps the definition's own
	Environment    map[string]string // added to the container's
	Timeout        time.Duration     // from the start of the task to its end; must be positive
	StartedBy      string            // at most 36 characters: shown by ECS as the task's origin

	// Token makes starting idempotent: the same token and the same spec start one task, however often they are sent. At most
	// 58 characters, since attempts are counted behind it.
	Token string
	Tags  map[string]string

	// Exclusive refuses to run beside another task of the same family in the cluster.
	Exclusive bool
}

// Options say how a task is watched. The zero value watches in silence, by the wall clock.
type Options struct {
	// Events is told what happens, one event at a time: a note each time the task's status changes or something is tried again, a
	// step for each status that is over, and each line of the log, redacted, as output whose source is the container. Nil discards.
	Events record.Sink
	// Clock is what waits and timeouts go by; nil is the wall clock.
	Clock clock.Clock
}

// Settings are where and how a task runs, as a service has them.
type Settings struct {
	Network         *types.NetworkConfiguration
	PlatformVersion string // Fargate only
	LaunchType      types.LaunchType
	Capacity        []types.CapacityProviderStrategyItem // instead of a launch type
}

// SettingsOf copies the settings of a service.
func SettingsOf(s types.Service) Settings {
	out := Settings{Network: s.NetworkConfiguration, LaunchType: s.LaunchType, Capacity: s.CapacityProviderStrategy}
	if len(out.Capacity) > 0 {
		out.LaunchType = "" // the API refuses both together
	}
	if out.Fargate() {
		out.PlatformVersion = aws.ToString(s.PlatformVersion)
	}
	return out
}

// Fargate reports whether the task will run on Fargate.
func (s Settings) Fargate() bool {
	return s.LaunchType == types.LaunchTypeFargate || slices.ContainsFunc(s.Capacity,
		func(c types.CapacityProviderStrategyItem) bool {
			return strings.HasPrefix(aws.ToString(c.CapacityProvider), "FARGATE")
		})
}

// OnDemand returns the settings without Fargate Spot, and whether that changed them. AWS may take a Spot task back after a
// warning of two minutes, which a migration must not risk. The launch type FARGATE is on-demand capacity, and needs no
// capacity provider of the cluster.
func (s Settings) OnDemand() (Settings, bool) {
	spot := slices.ContainsFunc(s.Capacity, func(c types.CapacityProviderStrategyItem) bool {
		return aws.ToString(c.CapacityProvider) == "FARGATE_SPOT"
	})
	if spot {
		s.Capacity, s.LaunchType = nil, types.LaunchTypeFargate
	}
	return s, spot
}

// input makes the request of one attempt.
func (s Spec) input(attempt int) *ecs.RunTaskInput {
	container := types.ContainerOverride{Name: aws.String(s.Container), Command: s.Command}
	for _, name := range sortedKeys(s.Environment) {
		container.Environment = append(container.Environment, types.KeyValuePair{Name: aws.String(name),
			Value: aws.String(s.Environment[name])})
	}
	in := &ecs.RunTaskInput{
		Cluster: aws.String(s.Cluster), TaskDefinition: aws.String(s.TaskDefinition), Count: aws.Int32(1),
		NetworkConfiguration: s.Settings.Network, LaunchType: s.Settings.LaunchType, CapacityProviderStrategy: s.Settings.Capacity,
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{container}},
	}
	if s.Settings.PlatformVersion != "" {
		in.PlatformVersion = aws.String(s.Settings.PlatformVersion)
	}
	if s.StartedBy != "" {
		in.StartedBy = aws.String(s.StartedBy)
	}
	if s.Token != "" {
		in.ClientToken = aws.String(fmt.Sprintf("%s-%d", s.Token, attempt))
	}
	for _, key := range sortedKeys(s.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
	return in
}

// family returns the family of the task definition.
func (s Spec) family() string { return arn.Family(s.TaskDefinition) }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
