package ecsview

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Snapshot is what was read of a service at one moment.
type Snapshot struct {
	Status         string // of the service: ACTIVE, DRAINING, INACTIVE
	TaskDefinition string // ARN; the target of the latest update, or what was rolled back to
	Desired        int
	Running        int // tasks of all deployments
	Pending        int
	Deployments    []Deployment   // PRIMARY first
	Events         []ServiceEvent // newest first
	Current        string         // ARN of the service deployment that runs now, where the API tells it
	Strategy       string         // ROLLING, BLUE_GREEN, LINEAR, CANARY; empty: ROLLING
	Bakes          time.Duration  // how long a deployment waits by its configuration: between steps of its traffic, and after them
	TargetGroups   []string       // ARNs of those that its tasks are registered in, the alternate ones too

	// Own is the service deployment that is followed; nil while it is not seen or where the API is not to be had.
	Own *ServiceDeployment
}

// Deployment is one entry of a service's deployments, known by its id (ecs-svc/…), which is also what starts its tasks.
type Deployment struct {
	ID             string
	Status         string // PRIMARY, ACTIVE; rarely INACTIVE or DRAINING
	TaskDefinition string // ARN
	State          string // rolloutState: IN_PROGRESS, COMPLETED, FAILED; empty behind a Classic Load Balancer
	Reason         string // rolloutStateReason
	Desired        int
	Running        int
	Pending        int
	Failed         int // consecutive failures; ECS resets it when a task runs
	Created        time.Time
	Updated        time.Time
}

// ServiceDeployment is one entry of the service-deployments API.
type ServiceDeployment struct {
	ARN            string
	Revision       string   // ARN of the service revision that it is to bring
	Sources        []string // ARNs of the service revisions that ran when it began; only DescribeServiceDeployment tells
	Status         types.ServiceDeploymentStatus
	Reason         string // statusReason
	RollbackReason string
	RolledBackTo   string // ARN of the service revision
	Stage          string // lifecycle stage of a blue/green, linear or canary deployment; empty for a rolling one
	Strategy       string // ROLLING, BLUE_GREEN, LINEAR, CANARY
	Failures       int    // failed tasks that the circuit breaker has counted
	Threshold      int    // at which it trips; 0 where there is no breaker
	Weight         float64
	Paused         []string // ids of hooks that wait for somebody to continue the deployment
	Created        time.Time
	Started        time.Time
	Finished       time.Time
}

// ServiceEvent is one line of the scheduler about a service.
type ServiceEvent struct {
	ID   string
	At   time.Time // by the clock of ECS
	Text string
}

// InProgress reports whether ECS is still putting the deployment in place; a nil one is not.
func (d *Deployment) InProgress() bool {
	return d != nil && d.State == string(types.DeploymentRolloutStateInProgress)
}

// TakesBack reports whether the deployment puts a previous revision back after a failed one. ECS says it in the reason
// alone: "ECS deployment circuit breaker: rolling back to deploymentId …".
func (d *Deployment) TakesBack() bool { return d != nil && strings.Contains(d.Reason, "rolling back") }

// Primary returns the deployment that the service is to be at, or nil.
func (s Snapshot) Primary() *Deployment {
	i := slices.IndexFunc(s.Deployments, func(d Deployment) bool { return d.Status == "PRIMARY" })
	if i < 0 {
		return nil
	}
	return &s.Deployments[i]
}

// Find returns the deployment of this id, or nil.
func (s Snapshot) Find(id string) *Deployment {
	i := slices.IndexFunc(s.Deployments, func(d Deployment) bool { return d.ID == id })
	if i < 0 || id == "" {
		return nil
	}
	return &s.Deployments[i]
}

// Settled reports whether the service has nothing under way: one deployment, completed, all of its tasks running.
func (s Snapshot) Settled() bool {
	primary := s.Primary()
	return primary != nil && len(s.Deployments) == 1 && primary.State == string(types.DeploymentRolloutStateCompleted) &&
		s.Running == s.Desired && s.Pending == 0
}

// SnapshotOf reads a service as DescribeServices and UpdateService return it.
func SnapshotOf(service types.Service) Snapshot {
	s := Snapshot{
		Status:         aws.ToString(service.Status),
		TaskDefinition: aws.ToString(service.TaskDefinition),
		Desired:        int(service.DesiredCount),
		Running:        int(service.RunningCount),
		Pending:        int(service.PendingCount),
		Current:        aws.ToString(service.CurrentServiceDeployment),
		Bakes:          bakes(service.DeploymentConfiguration),
	}
	if service.DeploymentConfiguration != nil {
		s.Strategy = string(service.DeploymentConfiguration.Strategy)
	}
	for _, d := range service.Deployments {
		s.Deployments = append(s.Deployments, Deployment{
			ID:             aws.ToString(d.Id),
			Status:         aws.ToString(d.Status),
			TaskDefinition: aws.ToString(d.TaskDefinition),
			State:          string(d.RolloutState),
			Reason:         aws.ToString(d.RolloutStateReason),
			Desired:        int(d.DesiredCount),
			Running:        int(d.RunningCount),
			Pending:        int(d.PendingCount),
			Failed:         int(d.FailedTasks),
			Created:        aws.ToTime(d.CreatedAt),
			Updated:        aws.ToTime(d.UpdatedAt),
		})
	}
	for _, lb := range service.LoadBalancers {
		groups := []string{aws.ToString(lb.TargetGroupArn)}
		if lb.AdvancedConfiguration != nil {
			groups = append(groups, aws.ToString(lb.AdvancedConfiguration.AlternateTargetGroupArn))
		}
		for _, group := range groups {
			if group != "" {
				s.TargetGroups = append(s.TargetGroups, group)
			}
		}
	}
	for _, e := range service.Events {
		s.Events = append(s.Events, ServiceEvent{ID: aws.ToString(e.Id), At: aws.ToTime(e.CreatedAt), Text: aws.ToString(e.Message)})
	}
	return s
}

func serviceDeploymentOf(d types.ServiceDeployment) *ServiceDeployment {
	own := &ServiceDeployment{
		ARN:      aws.ToString(d.ServiceDeploymentArn),
		Status:   d.Status,
		Reason:   aws.ToString(d.StatusReason),
		Stage:    string(d.LifecycleStage),
		Created:  aws.ToTime(d.CreatedAt),
		Started:  aws.ToTime(d.StartedAt),
		Finished: aws.ToTime(d.FinishedAt),
	}
	if d.Rollback != nil {
		own.RollbackReason = aws.ToString(d.Rollback.Reason)
		own.RolledBackTo = aws.ToString(d.Rollback.ServiceRevisionArn)
	}
	if d.DeploymentConfiguration != nil {
		own.Strategy = string(d.DeploymentConfiguration.Strategy)
	}
	if d.DeploymentCircuitBreaker != nil {
		own.Failures = int(d.DeploymentCircuitBreaker.FailureCount)
		own.Threshold = int(d.DeploymentCircuitBreaker.Threshold)
	}
	if d.TargetServiceRevision != nil {
		own.Revision = aws.ToString(d.TargetServiceRevision.Arn)
		own.Weight = aws.ToFloat64(d.TargetServiceRevision.RequestedProductionTrafficWeight)
	}
	for _, source := range d.SourceServiceRevisions {
		own.Sources = append(own.Sources, aws.ToString(source.Arn))
	}
	for _, hook := range d.LifecycleHookDetails {
		if hook.Status == "AWAITING_ACTION" {
			own.Paused = append(own.Paused, aws.ToString(hook.HookId))
		}
	}
	return own
}

// Worked returns the ARN of the task definition that serves for sure: that of the newest deployment which is complete. Where
// none is, it is the service's own.
func (s Snapshot) Worked() string {
	if arn := s.Complete(""); arn != "" {
		return arn
	}
	return s.TaskDefinition
}

// WentBackTo reports whether ECS has gone back to this deployment: it does so to one that was complete alone. Of a circuit breaker's
// rollback the deployment's own reason says so, of any the scheduler's line does.
func (s Snapshot) WentBackTo(d Deployment) bool {
	return strings.HasSuffix(d.Reason, "rolling back to deploymentId "+d.ID+".") ||
		slices.ContainsFunc(s.Events, func(e ServiceEvent) bool {
			return strings.HasSuffix(e.Text, "rolling back to deployment "+d.ID+".")
		})
}

// Complete returns the ARN of the task definition of the newest deployment that is complete, other than the given one; "" if none
// is. A deployment that ECS is rolling back to counts: it was complete before.
func (s Snapshot) Complete(except string) string {
	var found *Deployment
	for i, d := range s.Deployments {
		complete := d.State == string(types.DeploymentRolloutStateCompleted) || s.WentBackTo(d)
		if complete && d.TaskDefinition != except && (found == nil || d.Created.After(found.Created)) {
			found = &s.Deployments[i]
		}
	}
	if found == nil {
		return ""
	}
	return found.TaskDefinition
}
