// Package oneoff runs a task of its own beside a service: it starts it with the service's settings, follows its log to the
// last line, and returns the exit code of its container.
package oneoff

import (
	"context"
	"fmt"
	"maps"
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
	CPU, Memory    string            // of the whole task, in place of the definition's; "" keeps them
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
	Volumes         []types.TaskVolumeConfiguration      // of the volumes that are configured at launch
	Tags            map[string]string                    // what a service gives its own tasks
	Propagate       types.PropagateTags                  // TASK_DEFINITION, or empty: RunTask knows no other
	ManagedTags     bool                                 // ECS adds aws:ecs:clusterName
}

// SettingsOf copies the settings of a service.
func SettingsOf(s types.Service) Settings {
	out := Settings{Network: s.NetworkConfiguration, LaunchType: s.LaunchType, Capacity: s.CapacityProviderStrategy,
		ManagedTags: s.EnableECSManagedTags, Volumes: volumesOf(s)}
	switch s.PropagateTags {
	case types.PropagateTagsTaskDefinition:
		out.Propagate = s.PropagateTags
	case types.PropagateTagsService: // RunTask has no service to take them from
		out.Tags = handedOn(s.Tags)
	}
	if len(out.Capacity) > 0 {
		out.LaunchType = "" // the API refuses both together
	}
	if out.Fargate() {
		out.PlatformVersion = aws.ToString(s.PlatformVersion)
	}
	return out
}

// handedOn returns the tags of a service that its tasks get: those of people, not those of AWS or of this toolkit.
func handedOn(tags []types.Tag) map[string]string {
	own := map[string]string{}
	for _, tag := range tags {
		if key := aws.ToString(tag.Key); !strings.HasPrefix(key, "aws:") && !strings.HasPrefix(key, "connect2:") {
			own[key] = aws.ToString(tag.Value)
		}
	}
	return own
}

// volumesOf returns the volumes that the service's newest deployment configures at launch. A task that runs once leaves none
// behind.
func volumesOf(s types.Service) []types.TaskVolumeConfiguration {
	if len(s.Deployments) == 0 {
		return nil
	}
	var all []types.TaskVolumeConfiguration
	for _, v := range s.Deployments[0].VolumeConfigurations {
		task := types.TaskVolumeConfiguration{Name: v.Name}
		if ebs := v.ManagedEBSVolume; ebs != nil {
			task.ManagedEBSVolume = &types.TaskManagedEBSVolumeConfiguration{
				RoleArn: ebs.RoleArn, Encrypted: ebs.Encrypted, FilesystemType: ebs.FilesystemType, Iops: ebs.Iops, KmsKeyId: ebs.KmsKeyId,
				SizeInGiB: ebs.SizeInGiB, SnapshotId: ebs.SnapshotId, TagSpecifications: ebs.TagSpecifications,
				Throughput: ebs.Throughput, VolumeInitializationRate: ebs.VolumeInitializationRate, VolumeType: ebs.VolumeType,
				TerminationPolicy: &types.TaskManagedEBSVolumeTerminationPolicy{DeleteOnTermination: aws.Bool(true)},
			}
		}
		all = append(all, task)
	}
	return all
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

// input makes the request of one attempt, without any tags if the caller may not tag.
func (s Spec) input(attempt int, untagged bool) *ecs.RunTaskInput {
	container := types.ContainerOverride{Name: aws.String(s.Container), Command: s.Command}
	for _, name := range sortedKeys(s.Environment) {
		container.Environment = append(container.Environment, types.KeyValuePair{Name: aws.String(name),
			Value: aws.String(s.Environment[name])})
	}
	in := &ecs.RunTaskInput{
		Cluster: aws.String(s.Cluster), TaskDefinition: aws.String(s.TaskDefinition), Count: aws.Int32(1),
		NetworkConfiguration: s.Settings.Network, LaunchType: s.Settings.LaunchType, CapacityProviderStrategy: s.Settings.Capacity,
		Overrides:            &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{container}},
		VolumeConfigurations: s.Settings.Volumes,
	}
	if s.CPU != "" {
		in.Overrides.Cpu = aws.String(s.CPU)
	}
	if s.Memory != "" {
		in.Overrides.Memory = aws.String(s.Memory)
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
	if untagged {
		return in
	}
	in.PropagateTags, in.EnableECSManagedTags = s.Settings.Propagate, s.Settings.ManagedTags
	tags := maps.Clone(s.Settings.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, s.Tags)
	for _, key := range sortedKeys(tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
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
