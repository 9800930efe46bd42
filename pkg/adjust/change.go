package adjust

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
)

// Scale is `connect2 scale`.
var Scale = action.Define(action.Meta{
	Name:        "scale",
	Description: "Set a service's number of tasks, and wait until they run",
	Doc: "It is refused where a scalable target of Application Auto Scaling owns the number, which would undo it within minutes: the line " +
		"that changes the target's limits is printed.",
	Examples: []action.Example{{Title: "Four tasks", Args: "4 --environment dev"}, {Title: "None", Args: "0 --environment dev"}},
}, runScale)

// ScaleInputs are what scale can be told.
type ScaleInputs struct {
	operate.Inputs
	Tasks   int           `input:"tasks" required:"true" arg:"N" min:"0" max:"5000" doc:"How many tasks the service is to have."`
	Wait    bool          `input:"wait" default:"true" doc:"Wait until that many run."`
	Timeout time.Duration `input:"timeout" default:"10m" min:"10s" max:"24h" doc:"How long to wait."`
}

// ScaleOutputs are what came of it.
type ScaleOutputs struct {
	action.Outputs
	Before  int `output:"before" doc:"How many tasks it should have had before."`
	Running int `output:"running" doc:"How many ran when this ended."`
}

func runScale(ctx context.Context, env *action.Env, in ScaleInputs) (ScaleOutputs, error) {
	s, err := find(ctx, env, in.Inputs, true)
	if err != nil {
		return ScaleOutputs{}, err
	}
	out := ScaleOutputs{Before: s.now.Desired, Running: s.now.Running}
	limits, err := operate.LimitsOf(ctx, operate.ScalingOf(s.conn.Config), aws.ToString(s.service.ServiceArn))
	if err := scalable(s, in.Tasks, limits, err); err != nil {
		return out, err
	}
	if s.now.Desired == in.Tasks && s.now.Running == in.Tasks {
		out.Outcome = action.NoChange
		env.Events.Notef("%s has %s already", s.name(), operate.Count(in.Tasks, "task"))
		return out, nil
	}
	if _, err := s.client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &in.Cluster, Service: &in.Service,
		DesiredCount: aws.Int32(int32(in.Tasks))}); err != nil {
		return out, failed("The service could not be scaled", fmt.Errorf("giving %s %d tasks: %w", s.name(), in.Tasks, err))
	}
	env.Events.Notef("%s is to have %s, and had %d", s.name(), operate.Count(in.Tasks, "task"), out.Before)
	if !in.Wait {
		return out, nil
	}
	out.Running, err = s.await(ctx, in)
	return out, err
}

// scalable says why another number of tasks would not stay, or is not known to.
func scalable(s *site, tasks int, limits *operate.Limits, err error) error {
	resource := "service/" + strings.TrimPrefix(arn.Last(aws.ToString(s.service.ClusterArn))+"/"+s.name(), "/")
	switch {
	case err != nil:
		return refuse("It is not known what scales this service", "whether a scalable target owns the number of tasks of %s: %w",
			s.name(), awserr.Explain(err))
	case limits != nil:
		return refuse("A scalable target owns the number of tasks", "%s", limits.Owned(s.name(), resource, tasks))
	}
	return nil
}

// look is the time between two looks at a service that scales.
const look = 2 * time.Second

// await waits until as many tasks run as were asked for.
func (s *site) await(ctx context.Context, in ScaleInputs) (running int, err error) {
	c := s.env.Clock()
	begun := c.Now()
	running = s.now.Running
	for {
		now, err := ecsview.Read(ctx, s.client, in.Cluster, in.Service)
		switch {
		case err != nil && !awserr.IsThrottled(err):
			return running, &action.Error{Outcome: action.OutcomeAfterChange(err), Title: "It is not known how many tasks run",
				Err: awserr.Explain(err)}
		case err == nil:
			running = now.Running
			s.env.Events.Progressf("%s", now.Tasks())
			if running == in.Tasks && now.Pending == 0 && now.Desired == in.Tasks {
				return running, nil
			}
			if now.Desired != in.Tasks {
				return running, &action.Error{Outcome: action.Superseded, Title: "Somebody else has scaled the service",
					Err: fmt.Errorf("%s is to have %d tasks now, not %d", s.name(), now.Desired, in.Tasks)}
			}
		}
		if c.Now().Sub(begun) >= in.Timeout {
			return running, &action.Error{Outcome: action.TimedOut, Title: "Not all tasks run",
				Err:    fmt.Errorf("%d tasks of %s run after %s, and %d are wanted", running, s.name(), in.Timeout, in.Tasks),
				Advice: "ECS goes on trying. connect2 status says why tasks fail."}
		}
		if err := c.Sleep(ctx, look); err != nil {
			return running, fmt.Errorf("waiting for the tasks of %s: %w", s.name(), context.Cause(ctx))
		}
	}
}

// Hold is `connect2 hold`.
var Hold = action.Define(action.Meta{
	Name:        "hold",
	Description: "Hold back every release of a service until the hold is released",
	Doc: "Releases, migrations and deployments of the service are refused from now on, by every workflow and terminal, with what is written " +
		"here. A rollback is not. release-hold ends it.",
	Examples: []action.Example{{Title: "During an incident", Args: "--environment prod --reason 'incident 42: database at its limit'"}},
}, runHold)

// HoldInputs are what hold can be told.
type HoldInputs struct {
	operate.Inputs
	Reason string `input:"reason" required:"true" doc:"Why; shown to whoever is refused."`
}

// HoldOutputs are what came of it.
type HoldOutputs struct {
	action.Outputs
	Hold string `output:"hold" doc:"What is on hold: all, digests of images, or nothing."`
}

func runHold(ctx context.Context, env *action.Env, in HoldInputs) (HoldOutputs, error) {
	s, err := find(ctx, env, in.Inputs, true)
	if err != nil {
		return HoldOutputs{}, err
	}
	serviceARN, h := aws.ToString(s.service.ServiceArn), hold.Of(s.service)
	if why := hold.Possible(serviceARN); why != "" {
		return HoldOutputs{}, refuse("The service cannot be held", "service: %s: %s", s.name(), why)
	}
	why := in.Reason
	if by := who(env); by != "" {
		why += " (" + by + ", " + env.Clock().Now().UTC().Format("2006-01-02 15:04 MST") + ")"
	}
	if err := h.Place(ctx, s.client, serviceARN, why); err != nil {
		return HoldOutputs{Hold: h.String()}, failed("The hold was not set", err)
	}
	h.All = true
	env.Events.Notef("every release of %s is on hold: %s", s.name(), why)
	return HoldOutputs{Hold: h.String()}, nil
}

// ReleaseHold is `connect2 release-hold`.
var ReleaseHold = action.Define(action.Meta{
	Name:        "release-hold",
	Description: "End the hold of a service: it can be released to again",
	Doc:         "What a rollback holds back, an image that was bad, is released too.",
	Examples:    []action.Example{{Title: "The incident is over", Args: "--environment prod"}},
}, runReleaseHold)

func runReleaseHold(ctx context.Context, env *action.Env, in operate.Inputs) (HoldOutputs, error) {
	s, err := find(ctx, env, in, true)
	if err != nil {
		return HoldOutputs{}, err
	}
	h := hold.Of(s.service)
	was := h.String()
	if was == "" {
		env.Events.Notef("nothing of %s is on hold", s.name())
		return HoldOutputs{Outputs: action.Outputs{Outcome: action.NoChange}}, nil
	}
	h.All, h.Digests = false, nil
	if err := h.Lift(ctx, s.client, aws.ToString(s.service.ServiceArn)); err != nil {
		return HoldOutputs{Hold: was}, failed("The hold was not released", err)
	}
	env.Events.Notef("%s can be released again; on hold was: %s", s.name(), was)
	return HoldOutputs{}, nil
}
