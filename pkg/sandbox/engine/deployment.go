package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rollout states of a deployment.
const (
	InProgress = "IN_PROGRESS"
	Completed  = "COMPLETED"
	Failed     = "FAILED"
)

// Deployment is an entry of services[].deployments: the PRIMARY one is the newest, those that are being replaced are ACTIVE while they
// have tasks (API model, Deployment.status).
type Deployment struct {
	ID          string // "ecs-svc/" and digits
	Status      string // PRIMARY, ACTIVE
	Revision    *Revision
	Desired     int
	FailedTasks int
	CreatedAt   time.Time
	UpdatedAt   time.Time
	State       string // rolloutState
	Reason      string // rolloutStateReason
	Rollout     *ServiceDeployment

	failures  int       // the breaker's count
	notBefore time.Time // no task is started earlier
	badStarts int       // starts in a row that never reached RUNNING: the back-off's exponent
	bakedAt   time.Time // when the bake time is over; zero: it has not begun
	tripping  bool      // the breaker is about to trip
	worked    bool      // completed at least once
	alternate bool      // its tasks are in the alternate target groups
	leaving   bool      // it is taken away before the deployment in stages that has superseded it begins
}

// Revision is a service revision: what a deployment deploys, with the digests that its images resolved to (developer guide,
// service-revision).
type Revision struct {
	ARN       string
	CreatedAt time.Time
	Spec      Spec
	Images    []ContainerImage // one per container, in the order of the task definition
}

// ContainerImage is an image of a revision. Digest is empty until the first task resolved it.
type ContainerImage struct {
	Container string
	Image     string
	Digest    string
}

// Service deployment states (developer guide, service-deployment).
const (
	RolloutPending             = "PENDING"
	RolloutInProgress          = "IN_PROGRESS"
	RolloutStopRequested       = "STOP_REQUESTED"
	RolloutRollbackRequested   = "ROLLBACK_REQUESTED"
	RolloutRollbackInProgress  = "ROLLBACK_IN_PROGRESS"
	RolloutSuccessful          = "SUCCESSFUL"
	RolloutStopped             = "STOPPED"
	RolloutRollbackSuccessful  = "ROLLBACK_SUCCESSFUL"
	RolloutRollbackFailed      = "ROLLBACK_FAILED"
	monitoring, monitored      = "MONITORING", "MONITORING_COMPLETE"
	monitorOff, monitorTripped = "DISABLED", "TRIGGERED"
)

// ServiceDeployment is the account of one rollout, kept for 90 days. A rollback belongs to the rollout that it undoes (developer guide,
// service-deployment).
type ServiceDeployment struct {
	ARN          string
	Service      *Service
	CreatedAt    time.Time
	StartedAt    time.Time
	FinishedAt   time.Time
	StoppedAt    time.Time
	UpdatedAt    time.Time
	Status       string
	StatusReason string
	Sources      []*Revision
	Target       *Revision
	Config       DeploymentConfiguration
	Rollback     *Rollback

	BreakerStatus   string
	FailureCount    int
	Threshold       int
	AlarmStatus     string
	TriggeredAlarms []string

	Stage              string  // lifecycle stage; empty for ROLLING
	Hooks              []*Hook // pause hooks that were reached
	Weight, TestWeight float64 // per cent of the traffic that the new revision gets

	stageUntil time.Time   // the stage lasts at least until then
	step       int         // of the shift of production traffic
	deployment *Deployment // what it rolled out
	back       *Deployment // what it rolls back to
}

// Rollback is the undoing of a service deployment.
type Rollback struct {
	Reason    string
	StartedAt time.Time
	Revision  *Revision
}

// Over says whether the service deployment has reached an end state.
func (d *ServiceDeployment) Over() bool {
	return slices.Contains([]string{RolloutSuccessful, RolloutStopped, RolloutRollbackSuccessful, RolloutRollbackFailed}, d.Status)
}

// Visible says whether reads of the API show it already: right after an update they show the one before (measured).
func (d *ServiceDeployment) Visible() bool {
	e := d.Service.engine
	return !e.now.Before(d.CreatedAt.Add(e.options.Lag.ServiceDeployments)) && e.now.Sub(d.CreatedAt) < 90*24*time.Hour
}

// RevisionCounts are the tasks of a revision, and how many are asked for.
func (s *Service) RevisionCounts(r *Revision) (requested int, c Counts) {
	for _, d := range s.Deployments {
		if d.Revision == r {
			requested += d.Desired
		}
	}
	return requested, count(s.Tasks(), func(t *Task) bool { return t.Deployment != nil && t.Deployment.Revision == r })
}

// DeploymentCounts are the tasks of a deployment.
func (s *Service) DeploymentCounts(d *Deployment) Counts {
	return count(s.Tasks(), func(t *Task) bool { return t.Deployment == d })
}

func (s *Service) primary() *Deployment {
	if len(s.Deployments) == 0 {
		return nil
	}
	return s.Deployments[0]
}

// deploy begins a rollout of the service's present settings: its deployment is PRIMARY at once, already in the answer (measured); its
// service deployment is PENDING, and starts 1.6 s later (example of the AWS CLI's describe-service-deployments).
func (s *Service) deploy() {
	e, previous := s.engine, s.primary()
	revision := &Revision{
		ARN:       e.ARN("ecs", fmt.Sprintf("service-revision/%s/%s/%s", s.Cluster.Name, s.Name, e.ids.digits(19))),
		CreatedAt: e.now, Spec: s.Spec,
	}
	for _, c := range s.Spec.Definition.Definition.Containers {
		revision.Images = append(revision.Images, ContainerImage{Container: c.Name, Image: c.Image})
	}
	d := &Deployment{
		ID: e.ids.deployment(), Status: "PRIMARY", Revision: revision, Desired: s.Desired, CreatedAt: e.now,
		UpdatedAt: e.now, State: InProgress, notBefore: e.now.Add(e.options.Timing.Accept),
	}
	d.Reason = fmt.Sprintf("ECS deployment %s in progress.", d.ID)
	d.Rollout = &ServiceDeployment{
		ARN: e.ARN("ecs", fmt.Sprintf("service-deployment/%s/%s/%s", s.Cluster.Name, s.Name, e.ids.serviceDeployment())), Service: s,
		CreatedAt: e.now, UpdatedAt: e.now, Status: RolloutPending, Target: revision, Config: s.Config, deployment: d,
		BreakerStatus: monitorOff, AlarmStatus: monitorOff,
	}
	if s.Config.Breaker.Enable {
		d.Rollout.BreakerStatus = monitoring
	}
	if s.Config.Alarms.Enable {
		d.Rollout.AlarmStatus = monitoring
	}
	for _, old := range s.Deployments {
		d.Rollout.Sources = append(d.Rollout.Sources, old.Revision)
	}
	if previous != nil {
		source := s.source()
		s.supersede(previous)
		d.alternate = source.alternate != !s.Config.Strategy.rolling()
		for _, old := range s.Deployments {
			old.leaving = !s.Config.Strategy.rolling() && old != source
		}
	}
	s.Revisions = append(s.Revisions, revision)
	s.History = append(s.History, d.Rollout)
	s.Deployments = slices.Insert(s.Deployments, 0, d)
	s.problems = map[string]time.Time{}
	s.steady = false
	rollout := d.Rollout
	e.after(e.options.Timing.Begin, func() {
		if rollout.Status == RolloutPending {
			rollout.Status, rollout.StartedAt, rollout.UpdatedAt = RolloutInProgress, e.now, e.now
		}
	})
	s.wake(e.options.Timing.Accept)
}

// supersede makes way for a newer deployment. The service deployment of the older one is asked to stop, and is stopped a
// moment later (developer guide, service-deployment).
func (s *Service) supersede(previous *Deployment) {
	e := s.engine
	previous.Status = "ACTIVE"
	for _, rollout := range s.History {
		if rollout.Over() {
			continue
		}
		if rollout.Status == RolloutRollbackInProgress {
			rollout.end(RolloutRollbackFailed, "Service deployment superseded by a newer service deployment.") // unconfirmed
			continue
		}
		rollout.Status, rollout.UpdatedAt = RolloutStopRequested, e.now
		e.after(3*time.Second, func() {
			if rollout.Status == RolloutStopRequested {
				rollout.end(RolloutStopped, "Service deployment superseded by a newer service deployment.") // unconfirmed
			}
		})
	}
}

func (d *ServiceDeployment) end(status, reason string) {
	now := d.Service.engine.now
	d.Status, d.UpdatedAt, d.FinishedAt = status, now, now
	if reason != "" {
		d.StatusReason = reason
	}
	if status == RolloutStopped {
		d.StoppedAt = now
	}
	if d.BreakerStatus == monitoring {
		d.BreakerStatus = monitored
	}
	if d.AlarmStatus == monitoring {
		d.AlarmStatus = monitored
	}
}

// finish is the good end of the primary deployment, whether it was new or is what a rollback went back to: nothing else is listed any
// more, and its event precedes that of the steady state (measured).
func (s *Service) finish(d *Deployment) {
	e := s.engine
	d.State, d.Reason, d.UpdatedAt, d.worked = Completed, fmt.Sprintf("ECS deployment %s completed.", d.ID), e.now, true
	s.completed, s.serving = d, d
	s.Deployments = []*Deployment{d}
	s.tell("(service %s) (deployment %s) deployment completed.", s.Name, d.ID)
	for _, rollout := range s.History {
		switch {
		case rollout.Over():
		case rollout.back == d:
			rollout.end(RolloutRollbackSuccessful, rollout.Rollback.Reason)
		case rollout.deployment == d:
			rollout.end(RolloutSuccessful, "")
		}
	}
}

// failure is why a deployment is given up.
type failure struct {
	event    string // after "(deployment D) deployment failed: "; empty: no such event
	state    string // rolloutStateReason
	reason   string // of the service deployment
	rollback bool
}

const (
	breakerState  = "ECS deployment circuit breaker: tasks failed to start."
	breakerReason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
	noCandidate   = "No rollback candidate was found to run the rollback."
)

// fail gives up the primary deployment and, where asked, goes back to the deployment that completed last. Without that it stays PRIMARY
// and FAILED and starts no more tasks; where none has completed, also since the last one is being gone back to, neither does it start any
// nor is anything put back (developer guide, deployment-circuit-breaker).
func (s *Service) fail(why failure) {
	e, d := s.engine, s.primary()
	d.State, d.Reason, d.UpdatedAt = Failed, why.state, e.now
	s.stopPending(d)
	if why.event != "" {
		s.tell("(service %s) (deployment %s) deployment failed: %s", s.Name, d.ID, why.event)
	}
	rollout := d.Rollout
	if !why.rollback {
		if !rollout.Over() {
			rollout.Status, rollout.UpdatedAt, rollout.StatusReason = RolloutStopRequested, e.now, why.reason
			e.after(3*time.Second, func() {
				if rollout.Status == RolloutStopRequested {
					rollout.end(RolloutStopped, why.reason)
				}
			})
		}
		return
	}
	back := s.completed
	if back == nil || back.State != Completed || back == d {
		rollout.Rollback = &Rollback{Reason: why.reason, StartedAt: e.now}
		rollout.end(RolloutRollbackFailed, noCandidate)
		return
	}
	s.rollBack(rollout, back, why.reason)
}

// rollBack makes an older deployment primary again, under its old id, with a new createdAt, and IN_PROGRESS (measured; developer guide,
// deployment-circuit-breaker).
func (s *Service) rollBack(rollout *ServiceDeployment, back *Deployment, reason string) {
	e, bad := s.engine, rollout.deployment
	rollout.Status, rollout.UpdatedAt, rollout.StatusReason = RolloutRollbackInProgress, e.now, reason
	rollout.Rollback = &Rollback{Reason: reason, StartedAt: e.now, Revision: back.Revision}
	rollout.back = back
	bad.Status, bad.Desired, rollout.Weight, rollout.TestWeight = "ACTIVE", 0, 0, 0
	back.Status, back.Desired, back.State = "PRIMARY", s.Desired, InProgress
	back.Reason = fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", back.ID)
	if reason != breakerReason {
		back.Reason = fmt.Sprintf("ECS deployment %s in progress.", back.ID) // unconfirmed
	}
	back.CreatedAt, back.UpdatedAt, back.FailedTasks, back.failures, back.badStarts = e.now, e.now, 0, 0, 0
	s.serving, back.leaving = back, false
	back.notBefore, back.bakedAt = e.now.Add(18*time.Second), time.Time{} // first start 18 s after the trip, measured
	s.Deployments = slices.DeleteFunc(s.Deployments, func(d *Deployment) bool { return d == back })
	s.Deployments = slices.Insert(s.Deployments, 0, back)
	s.Spec = back.Revision.Spec
	s.tell("(service %s) rolling back to deployment %s.", s.Name, back.ID)
	s.wake(18 * time.Second)
}

// ServiceDeployment finds a service deployment by ARN, visible or not.
func (e *Engine) ServiceDeployment(arn string) *ServiceDeployment {
	for _, c := range e.clusters {
		for _, s := range c.Services {
			for _, d := range s.History {
				if d.ARN == arn && s.Status != Inactive {
					return d
				}
			}
		}
	}
	return nil
}

// Revision finds a service revision by ARN, with its service.
func (e *Engine) Revision(arn string) (*Revision, *Service) {
	for _, c := range e.clusters {
		for _, s := range c.Services {
			for _, r := range s.Revisions {
				if r.ARN == arn && s.Status != Inactive {
					return r, s
				}
			}
		}
	}
	return nil, nil
}

// StopServiceDeployment stops a rollout: "ROLLBACK" goes back to the deployment that completed last, "ABORT" leaves
// everything as it stands (the API's documentation does not say what ABORT does: unconfirmed). It works without a circuit breaker, and
// leaves one alone that is being stopped or rolled back (developer guide, stop-service-deployment).
func (e *Engine) StopServiceDeployment(d *ServiceDeployment, how string) error {
	s := d.Service
	switch how {
	case "", "ROLLBACK":
		how = "ROLLBACK"
	case "ABORT":
	default:
		return invalid("Invalid stopType. Valid values are: ABORT, ROLLBACK") // unconfirmed
	}
	if d.Over() {
		// unconfirmed
		return refuse("ConflictException", "Stopping a service deployment is not allowed for service deployment in terminal states.")
	}
	if d.Status != RolloutPending && d.Status != RolloutInProgress {
		return nil // it is being stopped already, and goes on
	}
	if how == "ABORT" {
		s.fail(failure{state: "ECS deployment stopped.", reason: "Service deployment stopped by user."}) // unconfirmed
		return nil
	}
	d.Status, d.UpdatedAt = RolloutRollbackRequested, e.now
	e.after(2*time.Second, func() {
		switch primary := s.primary(); {
		case d.Status != RolloutRollbackRequested:
		case primary != d.deployment || primary.State != InProgress:
			d.end(RolloutStopped, "")
		default:
			s.fail(failure{ // all three texts unconfirmed
				state: "ECS deployment stopped: rollback requested.", rollback: true,
				reason: "Service deployment rolled back because of a user request.",
			})
		}
	})
	return nil
}

// TriggerAlarm puts a CloudWatch alarm into ALARM: running deployments that watch it fail. Whether they are rolled back is said by the
// alarms' own setting, not by the circuit breaker's (developer guide, deployment-alarm-failure).
func (e *Engine) TriggerAlarm(name string) {
	for _, c := range e.clusters {
		for _, s := range c.Services {
			d := s.primary()
			if d == nil || d.State != InProgress || d.Rollout.Over() || d.Rollout.back != nil || !s.Config.Alarms.watches(name) {
				continue
			}
			d.Rollout.AlarmStatus, d.Rollout.TriggeredAlarms = monitorTripped, []string{name}
			s.fail(failure{
				event: "alarm detected.", state: "ECS deployment failed: alarm detected.", // state unconfirmed
				reason:   "Service deployment rolled back because of an alarm.", // unconfirmed
				rollback: s.Config.Alarms.Rollback,
			})
		}
	}
}

// failed notes that a task of a deployment ended as no task should; it counts for failedTasks and for the breaker.
// Before the first RUNNING task every failed start counts; after it only failed health checks do (developer guide,
// deployment-circuit-breaker). That an instant exit counts is measured.
func (s *Service) failed(t *Task) {
	d, e := t.Deployment, s.engine
	d.FailedTasks++
	running := s.DeploymentCounts(d).Running
	if d.State != InProgress || running > 0 && !t.unhealthyStop {
		return
	}
	d.failures++
	rollout := d.Rollout
	if rollout.deployment != d || rollout.Over() {
		return
	}
	rollout.FailureCount, rollout.UpdatedAt = d.failures, e.now
	if s.Config.Breaker.Enable && d.failures >= s.Config.Breaker.ThresholdFor(s.Desired) && !d.tripping {
		d.tripping = true
		e.after(e.options.Timing.Trip, func() { s.trip(d) })
	}
}

// trip is the circuit breaker's verdict on a deployment that is still the primary one: the threshold goes by the desired count of that
// moment (developer guide, deployment-circuit-breaker).
func (s *Service) trip(d *Deployment) {
	d.tripping = false
	if s.primary() != d || d.State != InProgress || d.Rollout.deployment != d || d.Rollout.back != nil ||
		d.failures < s.Config.Breaker.ThresholdFor(s.Desired) {
		return
	}
	d.Rollout.BreakerStatus = monitorTripped
	reason := breakerReason
	if !s.Config.Breaker.Rollback {
		reason = "Service deployment stopped because the circuit breaker threshold was exceeded." // unconfirmed
	}
	s.fail(failure{event: "tasks failed to start.", state: breakerState, reason: reason, rollback: s.Config.Breaker.Rollback})
}

// digestOf returns the digest that a revision pinned a container's image to.
func (r *Revision) digestOf(container string) string {
	for _, image := range r.Images {
		if image.Container == container {
			return image.Digest
		}
	}
	return ""
}

// pin keeps the digest that the first task of a revision resolved: later ones use it (developer guide, deployment-type-ecs).
func (r *Revision) pin(container, digest string) {
	for i := range r.Images {
		if r.Images[i].Container == container && r.Images[i].Digest == "" {
			r.Images[i].Digest = digest
		}
	}
}

// pinned is the reference to a digest in the repository of another reference.
func pinned(ref, digest string) string {
	name, _, _ := strings.Cut(ref, "@")
	if slash, colon := strings.LastIndexByte(name, '/'), strings.LastIndexByte(name, ':'); colon > slash {
		name = name[:colon]
	}
	return name + "@" + digest
}
