// Package autoscaling is the sandbox's Application Auto Scaling for ECS services: scalable targets and their policies as
// they were put. No metric is measured, so no policy ever acts.
//
// Sources: Application Auto Scaling API reference (RegisterScalableTarget) and messages published by users.
package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Services is what scaling needs of ECS.
type Services interface {
	DesiredCount(cluster, service string) (count int, exists bool)
	SetDesiredCount(cluster, service string, count int) error
}

// Service holds the scalable targets. The world's lock guards it.
type Service struct {
	Account, Region string
	Services        Services
	NewID           func() string

	targets  []*target
	policies []policy
}

type target struct {
	ServiceNamespace, ResourceId, ScalableDimension, RoleARN string
	MinCapacity, MaxCapacity                                 int
	CreationTime                                             wire.Time
	SuspendedState                                           suspended
	ScalableTargetARN                                        string
}

type suspended struct {
	DynamicScalingInSuspended, DynamicScalingOutSuspended, ScheduledScalingSuspended bool
}

type policy struct {
	PolicyARN, PolicyName, PolicyType, ServiceNamespace, ResourceId, ScalableDimension string
	TargetTrackingScalingPolicyConfiguration                                           any `json:",omitempty"`
	StepScalingPolicyConfiguration                                                     any `json:",omitempty"`
	CreationTime                                                                       wire.Time
	Alarms                                                                             []any
}

const (
	namespace = "ecs"
	dimension = "ecs:service:DesiredCount"
)

// API is the service's table of operations. Its errors carry "Message", with a capital.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "application-autoscaling", TargetPrefix: "AnyScaleFrontendService", MessageKey: "Message",
		Operations: map[string]wire.Operation{
			"RegisterScalableTarget":   s.registerScalableTarget,
			"DeregisterScalableTarget": s.deregisterScalableTarget,
			"DescribeScalableTargets":  s.describeScalableTargets,
			"PutScalingPolicy":         s.putScalingPolicy,
			"DescribeScalingPolicies":  s.describeScalingPolicies,
		}}
}

type input struct {
	ServiceNamespace, ResourceID, ScalableDimension string
	MinCapacity, MaxCapacity                        *int
	SuspendedState                                  *suspended

	PolicyName, PolicyType                   string
	TargetTrackingScalingPolicyConfiguration any
	StepScalingPolicyConfiguration           any

	ResourceIDs, PolicyNames []string
	NextToken                string
	MaxResults               *int
}

// resource splits "service/CLUSTER/SERVICE".
func (in input) resource() (cluster, service string, err error) {
	parts := strings.Split(in.ResourceID, "/")
	if in.ServiceNamespace != namespace || in.ScalableDimension != dimension {
		return "", "", wire.NotModelled("scaling of %s %s: ECS services alone", in.ServiceNamespace, in.ScalableDimension)
	}
	if len(parts) != 3 || parts[0] != "service" {
		return "", "", wire.Errorf("ValidationException", "Unsupported service namespace, resource type or scalable dimension")
	}
	return parts[1], parts[2], nil
}

func (s *Service) find(id string) *target {
	for _, t := range s.targets {
		if t.ResourceId == id {
			return t
		}
	}
	return nil
}

func (s *Service) targetARN(t *target) string {
	if t == nil {
		return fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/*", s.Region, s.Account)
	}
	return t.ScalableTargetARN
}

func notFound(id string) *wire.Error {
	return wire.Errorf("ObjectNotFoundException",
		"No scalable target found for service namespace: %s, resource ID: %s, scalable dimension: %s", namespace, id, dimension)
}

// Register makes or changes a target without asking for permissions, and moves the desired count into its bounds.
func (s *Service) Register(cluster, service string, least, most int, now time.Time) error {
	id := "service/" + cluster + "/" + service
	count, exists := s.Services.DesiredCount(cluster, service)
	if !exists {
		return wire.Errorf("ValidationException", "ECS service doesn't exist: %s", id)
	}
	t := s.find(id)
	if t == nil {
		t = &target{
			ServiceNamespace: namespace, ResourceId: id, ScalableDimension: dimension, CreationTime: wire.Time(now),
			RoleARN: fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"+
				"AWSServiceRoleForApplicationAutoScaling_ECSService", s.Account),
			ScalableTargetARN: fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/%s", s.Region, s.Account,
				strings.ReplaceAll(s.NewID(), "-", "")),
		}
		s.targets = append(s.targets, t)
	}
	t.MinCapacity, t.MaxCapacity = least, most
	if inside := min(max(count, least), most); inside != count {
		return s.Services.SetDesiredCount(cluster, service, inside)
	}
	return nil
}

func (s *Service) registerScalableTarget(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	cluster, service, err := in.resource()
	if err != nil {
		return nil, err
	}
	t := s.find(in.ResourceID)
	if err := r.Authorize("application-autoscaling:RegisterScalableTarget", s.targetARN(t)); err != nil {
		return nil, err
	}
	least, most := 0, 0
	switch {
	case t != nil:
		least, most = t.MinCapacity, t.MaxCapacity
	case in.MinCapacity == nil || in.MaxCapacity == nil:
		// wording unconfirmed
		return nil, wire.Errorf("ValidationException",
			"Both the minimum and maximum capacity are required when registering a new scalable target")
	}
	if in.MinCapacity != nil {
		least = *in.MinCapacity
	}
	if in.MaxCapacity != nil {
		most = *in.MaxCapacity
	}
	if least < 0 || least > most {
		return nil, wire.Errorf("ValidationException", "Maximum capacity cannot be less than minimum capacity")
	}
	if err := s.Register(cluster, service, least, most, r.Now); err != nil {
		return nil, err
	}
	t = s.find(in.ResourceID)
	if in.SuspendedState != nil {
		t.SuspendedState = *in.SuspendedState
	}
	return map[string]any{"ScalableTargetARN": t.ScalableTargetARN}, nil
}

func (s *Service) deregisterScalableTarget(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t := s.find(in.ResourceID)
	if err := r.Authorize("application-autoscaling:DeregisterScalableTarget", s.targetARN(t)); err != nil {
		return nil, err
	}
	if t == nil {
		return nil, notFound(in.ResourceID)
	}
	s.targets = slices.DeleteFunc(s.targets, func(other *target) bool { return other == t })
	s.policies = slices.DeleteFunc(s.policies, func(p policy) bool { return p.ResourceId == t.ResourceId })
	return nil, nil
}

func (s *Service) describeScalableTargets(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("application-autoscaling:DescribeScalableTargets", "*"); err != nil {
		return nil, err
	}
	targets := slices.DeleteFunc(slices.Clone(s.targets), func(t *target) bool {
		return t.ServiceNamespace != in.ServiceNamespace || len(in.ResourceIDs) > 0 && !slices.Contains(in.ResourceIDs, t.ResourceId)
	})
	page, next, err := paged(targets, in)
	if err != nil {
		return nil, err
	}
	return withToken(map[string]any{"ScalableTargets": append([]*target{}, page...)}, next), nil
}

func (s *Service) putScalingPolicy(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	t := s.find(in.ResourceID)
	if err := r.Authorize("application-autoscaling:PutScalingPolicy", s.targetARN(t)); err != nil {
		return nil, err
	}
	if t == nil {
		return nil, notFound(in.ResourceID)
	}
	p := policy{
		PolicyName: in.PolicyName, PolicyType: in.PolicyType, ServiceNamespace: namespace, ResourceId: t.ResourceId, ScalableDimension: dimension,
		TargetTrackingScalingPolicyConfiguration: in.TargetTrackingScalingPolicyConfiguration,
		StepScalingPolicyConfiguration:           in.StepScalingPolicyConfiguration,
		CreationTime:                             wire.Time(r.Now), Alarms: []any{},
		PolicyARN: fmt.Sprintf("arn:aws:autoscaling:%s:%s:scalingPolicy:%s:resource/ecs/%s:policyName/%s", s.Region, s.Account, s.NewID(),
			t.ResourceId, in.PolicyName),
	}
	same := func(other policy) bool { return other.ResourceId == p.ResourceId && other.PolicyName == p.PolicyName }
	if i := slices.IndexFunc(s.policies, same); i >= 0 {
		p.PolicyARN, p.CreationTime = s.policies[i].PolicyARN, s.policies[i].CreationTime
		s.policies[i] = p
	} else {
		s.policies = append(s.policies, p)
	}
	return map[string]any{"PolicyARN": p.PolicyARN, "Alarms": p.Alarms}, nil
}

func (s *Service) describeScalingPolicies(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("application-autoscaling:DescribeScalingPolicies", "*"); err != nil {
		return nil, err
	}
	policies := slices.DeleteFunc(slices.Clone(s.policies), func(p policy) bool {
		return p.ServiceNamespace != in.ServiceNamespace || in.ResourceID != "" && p.ResourceId != in.ResourceID ||
			len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, p.PolicyName)
	})
	page, next, err := paged(policies, in)
	if err != nil {
		return nil, err
	}
	return withToken(map[string]any{"ScalingPolicies": append([]policy{}, page...)}, next), nil
}

func paged[T any](items []T, in input) ([]T, string, error) {
	size := 50
	if in.MaxResults != nil {
		size = min(max(*in.MaxResults, 1), 50)
	}
	page, next, ok := wire.Page(items, in.NextToken, size)
	if !ok {
		return nil, "", wire.Errorf("InvalidNextTokenException", "The next token is invalid") // wording unconfirmed
	}
	return page, next, nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}
