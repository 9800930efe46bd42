package runtask

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Plan is what was checked and can be run.
type Plan struct {
	in        Inputs
	clients   oneoff.Clients
	revision  *taskdef.Revision
	container string
	command   []string
	settings  oneoff.Settings
}

// Prepare reads what is to be run and checks it. It changes nothing. All problems are returned at once.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Plan, error) {
	client := ecs.NewFromConfig(awsconn.Patient(conn.Config, in.Timeout))
	env.Conceal(slices.Collect(maps.Values(in.Environment))...)
	p := &Plan{in: in, clients: oneoff.Clients{ECS: client, Logs: cloudwatchlogs.NewFromConfig(conn.Config)}}
	var problems []error
	if in.Command != "" {
		words, err := taskdef.SplitCommand(in.Command)
		if err != nil {
			problems = append(problems, fmt.Errorf("command: %w", err))
		}
		p.command = words
	}
	what := in.TaskDefinition
	if in.Service != "" {
		service, err := ecsview.Find(ctx, client, in.Cluster, in.Service)
		if err != nil {
			return nil, awsconn.Refuse(ctx, refused, append(problems, err)...)
		}
		p.settings = oneoff.SettingsOf(service)
		if what == "" {
			what = aws.ToString(service.TaskDefinition)
		}
	}
	settings, err := in.settings(p.settings)
	if err != nil {
		problems = append(problems, err)
	}
	p.settings = settings
	if p.revision, err = taskdef.Describe(ctx, client, what); errors.Is(err, taskdef.ErrNotFound) {
		err = fmt.Errorf("task-definition: there is no %q in %s of account %s", what, conn.Region, conn.AccountID)
	} else if err != nil {
		err = awserr.Explain(err)
	}
	if err != nil {
		return nil, awsconn.Refuse(ctx, refused, append(problems, err)...)
	}
	problems = append(problems, p.check()...)
	return p, awsconn.Refuse(ctx, refused, problems...)
}

// refused is the title of several problems.
const refused = "No task was started"

// check returns what keeps the revision from running with these settings.
func (p *Plan) check() (problems []error) {
	container, err := p.revision.Document.Container(p.in.Container)
	if err != nil {
		problems = append(problems, fmt.Errorf("container: %w", err))
	}
	p.container = container
	if !p.revision.Active {
		problems = append(problems, fmt.Errorf("task-definition: %s is INACTIVE and cannot be run", p.revision.Name()))
	}
	var mode string
	p.revision.Document.Field("networkMode", &mode)
	network := p.settings.Network
	if mode == "awsvpc" && (network == nil || network.AwsvpcConfiguration == nil || len(network.AwsvpcConfiguration.Subnets) == 0) {
		problems = append(problems, fmt.Errorf("subnets: %s has the network mode awsvpc, which needs subnets: give them, or a service",
			p.revision.Name()))
	}
	return append(problems, p.checkVolumes()...)
}

// checkVolumes holds what is configured to the volumes that the revision leaves to the launch. RunTask refuses both: one that is
// configured and not such a volume, and one that is left and not configured.
func (p *Plan) checkVolumes() (problems []error) {
	var volumes []struct {
		Name     string
		AtLaunch bool `json:"configuredAtLaunch"`
	}
	p.revision.Document.Field("volumes", &volumes)
	configured := map[string]bool{}
	p.settings.Volumes = slices.DeleteFunc(slices.Clone(p.settings.Volumes), func(v types.TaskVolumeConfiguration) bool {
		name := aws.ToString(v.Name)
		problem := p.revision.Document.CheckVolume(name)
		if problem != "" && name == p.in.VolumeName {
			problems = append(problems, fmt.Errorf("managed-ebs-volume-name: %s: %s", p.revision.Name(), problem))
		}
		configured[name] = problem == ""
		return problem != "" // the service's volume is not one of another family
	})
	for _, v := range volumes {
		if v.AtLaunch && !configured[v.Name] {
			problems = append(problems, fmt.Errorf("managed-ebs-volume-name: the volume %s of %s is configured at launch: say how with "+
				"managed-ebs-volume-name and managed-ebs-volume, or name a service that does", v.Name, p.revision.Name()))
		}
	}
	return problems
}

// settings returns a service's settings with what is given beside in their place. Without a service they are the zero value.
func (in Inputs) settings(s oneoff.Settings) (oneoff.Settings, error) {
	strategy, err := capacity(in.Capacity)
	if err != nil {
		return s, err
	}
	switch {
	case len(strategy) > 0:
		s.Capacity, s.LaunchType = strategy, ""
	case in.LaunchType != "":
		s.Capacity, s.LaunchType = nil, types.LaunchType(in.LaunchType)
	}
	if !s.Fargate() {
		s.PlatformVersion = ""
	}
	if in.Platform != "" {
		s.PlatformVersion = in.Platform
	}
	if len(in.Subnets) > 0 || len(in.SecurityGroups) > 0 || in.PublicIP != "" {
		network := types.AwsVpcConfiguration{}
		if s.Network != nil && s.Network.AwsvpcConfiguration != nil {
			network = *s.Network.AwsvpcConfiguration
		}
		if len(in.Subnets) > 0 {
			network.Subnets = in.Subnets
		}
		if len(in.SecurityGroups) > 0 {
			network.SecurityGroups = in.SecurityGroups
		}
		if in.PublicIP != "" {
			network.AssignPublicIp = types.AssignPublicIp(in.PublicIP)
		}
		s.Network = &types.NetworkConfiguration{AwsvpcConfiguration: &network}
	}
	if in.Propagate != "" {
		s.Propagate = types.PropagateTags(in.Propagate)
	}
	s.ManagedTags = s.ManagedTags || in.ManagedTags
	if in.Volume != "" {
		v, err := volume(in.VolumeName, in.Volume)
		if err != nil {
			return s, err
		}
		s.Volumes = append(slices.DeleteFunc(slices.Clone(s.Volumes), func(other types.TaskVolumeConfiguration) bool {
			return aws.ToString(other.Name) == in.VolumeName
		}), v)
	}
	return s, nil
}

// capacity reads NAME, NAME=WEIGHT and NAME=WEIGHT:BASE. A name alone has the weight 1.
func capacity(lines []string) (all []types.CapacityProviderStrategyItem, err error) {
	for _, line := range lines {
		name, numbers, given := strings.Cut(line, "=")
		item := types.CapacityProviderStrategyItem{CapacityProvider: aws.String(name), Weight: 1}
		weight, base, based := strings.Cut(numbers, ":")
		wrong := name == ""
		if given {
			n, err := strconv.ParseInt(weight, 10, 32)
			wrong, item.Weight = wrong || err != nil || n < 0 || n > 1000, int32(n)
		}
		if based {
			n, err := strconv.ParseInt(base, 10, 32)
			wrong, item.Base = wrong || err != nil || n < 0 || n > 100000, int32(n)
		}
		if wrong {
			return nil, fmt.Errorf("capacity-providers: %q: want NAME, NAME=WEIGHT (0 to 1000) or NAME=WEIGHT:BASE (0 to 100000)", line)
		}
		all = append(all, item)
	}
	return all, nil
}

// volume reads an EBS volume as AWS's deploy action takes it. It goes with the task.
func volume(name, text string) (types.TaskVolumeConfiguration, error) {
	var ebs types.TaskManagedEBSVolumeConfiguration
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&ebs)
	switch {
	case err != nil:
		err = fmt.Errorf("managed-ebs-volume: %w", err)
	case aws.ToString(ebs.RoleArn) == "":
		err = errors.New("managed-ebs-volume: roleArn is missing: ECS makes the volume with it")
	case ebs.SizeInGiB == nil && ebs.SnapshotId == nil:
		err = errors.New("managed-ebs-volume: one of sizeInGiB and snapshotId is needed")
	}
	if ebs.TerminationPolicy == nil {
		ebs.TerminationPolicy = &types.TaskManagedEBSVolumeTerminationPolicy{DeleteOnTermination: aws.Bool(true)}
	}
	return types.TaskVolumeConfiguration{Name: aws.String(name), ManagedEBSVolume: &ebs}, err
}
