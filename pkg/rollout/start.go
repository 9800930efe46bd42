package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Update is what a service is to be told.
type Update struct {
	Cluster        string // name or ARN, as the API takes it
	Service        string
	TaskDefinition string           // ARN
	Before         ecsview.Snapshot // the service as it was when this update was decided on

	// First is how many tasks the first release of a service without tasks starts; if it fails, the service is to be without tasks
	// again. 0: the desired count stays as it is.
	First int

	// Patience is how long the update is sent again while it is throttled; at least a minute. Clock is what that goes by; nil is the wall
	// clock.
	Patience time.Duration
	Clock    clock.Clock

	// Also sets further members of the update; nil sets none.
	Also func(*ecs.UpdateServiceInput)

	// Known are the ids of deployments that are known beside those of Before.
	Known []string

	// Again reads the service once more, right before the update, and may refuse it; nil is [ecsview.Read].
	Again func(context.Context) (ecsview.Snapshot, error)
}

// ErrNotSent is the error of an update that was not sent: nothing was changed by it.
var ErrNotSent = errors.New("the update was not sent")

// OvertakenError says that somebody began another deployment after an update was decided on. The update was not sent, since UpdateService
// knows no compare-and-swap and would have replaced that deployment.
type OvertakenError struct {
	Service        string
	TaskDefinition string // ARN of what was to be deployed
	By             ecsview.Deployment
}

func (e *OvertakenError) Error() string {
	return fmt.Sprintf("while the deployment of %s to %s was being prepared, a deployment of %s began",
		arn.Revision(e.TaskDefinition), e.Service, arn.Revision(e.By.TaskDefinition))
}

// Start tells the service to run a task definition, and returns the deployment that this began. It names nothing but the
// task definition, so that the desired count of an autoscaler and everything else stay as they are; a new deployment is
// forced only where the service is at this very task definition already.
//
// The service is read once more right before. Where somebody has begun to deploy something else since the update was decided on, the
// error is an *OvertakenError; where somebody has begun to deploy this very task definition, that deployment is returned. The same holds
// before the update is sent again, since it was throttled or its answer was lost.
func Start(ctx context.Context, client Client, u Update) (Target, error) {
	call, done := outlive.Answer(ctx, interruptGrace) // what was sent and not waited for may begin a deployment that nobody watches
	defer done()
	c := clock.Or(u.Clock)
	s := sending{u: u, begun: c.Now()}
	for {
		now, err := u.again(call, client)
		target, err := s.looked(now, err, context.Cause(ctx))
		if err != nil || target != nil {
			return orNone(target), err
		}
		again := u
		again.Before = now
		begun, err := update(call, client, again)
		if err == nil {
			return begun, nil
		}
		if !s.refused(err, c.Now()) {
			return Target{}, err
		}
		_ = c.Sleep(ctx, clock.Spread(c, resend.Wait(s.tries), resendSpread)) // of a run that ends, it is looked at once more
	}
}

func orNone(target *Target) Target {
	if target == nil {
		return Target{}
	}
	return *target
}

// sending is an update that is being sent, as often as it has to be.
type sending struct {
	u     Update
	begun time.Time
	tries int
	last  error // of the last try
	lost  bool  // a try got no answer: it may have begun the deployment
}

// resend are the waits between the tries of an update. The service is read before each.
var resend = backoff.Policy{First: time.Second, Most: 20 * time.Second, Steady: true}

const (
	resendSpread = 0.5
	lostPatience = time.Minute // how long an update is sent again that gets no answer
)

// looked says what follows from a look at the service before the update is sent: a target where there is nothing to send, an error
// where it must not be sent, and neither where it is to be. ended is why the run is to end, or nil.
func (s *sending) looked(now ecsview.Snapshot, err, ended error) (*Target, error) {
	switch {
	case err != nil && s.lost:
		return nil, s.last
	case err != nil:
		return nil, fmt.Errorf("%w: reading service %s once more before it: %w", ErrNotSent, s.u.Service, err)
	case s.lost:
		if target := s.u.heard(now); target != nil {
			return target, nil
		}
	}
	if by := newcomer(s.u.Before, now); by != nil {
		if target, ok := Attach(s.u.Cluster, s.u.Service, now, s.u.TaskDefinition); ok && by.State != rolloutFailed {
			return &target, nil
		}
		return nil, &OvertakenError{Service: s.u.Service, TaskDefinition: s.u.TaskDefinition, By: *by}
	}
	switch {
	case ended != nil && s.lost:
		return nil, fmt.Errorf("updating service %s: %w; its answer was lost: %w", s.u.Service, ended, s.last)
	case ended != nil:
		return nil, fmt.Errorf("%w: updating service %s: %w", ErrNotSent, s.u.Service, ended)
	}
	return nil, nil
}

// refused takes the error of a try, and reports whether the update is worth sending again.
func (s *sending) refused(err error, now time.Time) bool {
	s.tries++
	s.last = err
	switch awserr.KindOf(err) {
	case awserr.KindThrottled: // it has changed nothing
		return now.Sub(s.begun) < max(s.u.Patience, lostPatience)
	case awserr.KindLost:
		s.lost = true
		return now.Sub(s.begun) < lostPatience
	}
	return false
}

// heard returns the deployment that an update began though its answer was lost, or nil.
func (u Update) heard(now ecsview.Snapshot) *Target {
	target := u.target()
	if target.adopt(now); target.ID == "" {
		return nil
	}
	return &target
}

// target is the deployment of an update that is not known yet.
func (u Update) target() Target {
	target := Target{Cluster: u.Cluster, Service: u.Service, TaskDefinition: u.TaskDefinition, Previous: u.Before.Complete(u.TaskDefinition),
		Empty: u.First > 0}
	target.Again = target.Previous == "" && u.Before.TaskDefinition == u.TaskDefinition
	target.Known = slices.Clone(u.Known)
	for _, d := range u.Before.Deployments {
		target.Known = append(target.Known, d.ID)
		target.Read = append(target.Read, d.TaskDefinition)
	}
	return target
}

func (u Update) again(ctx context.Context, client Client) (ecsview.Snapshot, error) {
	if u.Again != nil {
		return u.Again(ctx)
	}
	return ecsview.Read(ctx, client, u.Cluster, u.Service)
}

// newcomer returns the deployment that somebody has begun since a service was read, or nil: the PRIMARY one, if it was not there and
// brings another task definition. One of the task definition that was there already (a forced one, or one for the sake of the network)
// brings nothing that an update takes away, and what ECS goes back to is not newer.
func newcomer(before, now ecsview.Snapshot) *ecsview.Deployment {
	primary, was := now.Primary(), before.Primary()
	switch {
	case primary == nil, primary.TaskDefinition == before.TaskDefinition, before.Find(primary.ID) != nil:
		return nil
	case was != nil && primary.Created.Before(was.Created): // the read is older
		return nil
	case primary.TakesBack(), now.WentBackTo(*primary):
		return nil
	}
	return primary
}

// update sends an update, and returns the deployment that it began.
func update(ctx context.Context, client Client, u Update) (Target, error) {
	input := &ecs.UpdateServiceInput{Cluster: aws.String(u.Cluster), Service: aws.String(u.Service),
		TaskDefinition: aws.String(u.TaskDefinition), ForceNewDeployment: u.Before.TaskDefinition == u.TaskDefinition}
	if u.First > 0 {
		input.DesiredCount = aws.Int32(int32(u.First))
	}
	if u.Also != nil {
		u.Also(input)
	}
	out, err := client.UpdateService(ctx, input, once)
	if err != nil {
		return Target{}, fmt.Errorf("updating service %s in cluster %s to %s: %w", u.Service, u.Cluster, u.TaskDefinition, err)
	}
	target := u.target()
	if out.Service == nil {
		return target, nil // the deployment is looked for by its task definition
	}
	answer := ecsview.SnapshotOf(*out.Service)
	target.adopt(answer)
	target.Replaced = replaced(target, u.Before.TaskDefinition, answer)
	return target, nil
}

// once has a call sent once: before it is sent again, the service is looked at.
func once(o *ecs.Options) { o.RetryMaxAttempts = 1 }

// replaced returns the task definitions of the deployments that an update took the place of though they had not been read. That goes by
// their ids: somebody may have begun to go back to what was read of an older one. Another deployment of what the service was at, or of what
// was asked for, brings nothing that the update takes away.
func replaced(t Target, was string, answer ecsview.Snapshot) (unread []string) {
	for _, d := range answer.Deployments {
		lost := d.TaskDefinition != "" && d.TaskDefinition != t.TaskDefinition && d.TaskDefinition != was
		if t.ID != "" && d.ID != t.ID && !slices.Contains(t.Known, d.ID) && lost {
			unread = append(unread, d.TaskDefinition)
		}
	}
	return unread
}

// Unread reports whether a task definition that the update replaced was not among those that had been read before.
func (t Target) Unread(taskDefinition string) bool {
	return taskDefinition != "" && taskDefinition != t.TaskDefinition && !slices.Contains(t.Read, taskDefinition)
}

// Attach returns the deployment of this task definition that is under way, so that a repeated run follows what an earlier
// one began. It reports false where the service is at another task definition.
func Attach(cluster, service string, s ecsview.Snapshot, taskDefinition string) (Target, bool) {
	primary := s.Primary()
	if primary == nil || primary.TaskDefinition != taskDefinition {
		return Target{}, false
	}
	target := Target{Cluster: cluster, Service: service, TaskDefinition: taskDefinition, Previous: s.Complete(taskDefinition), TakenUp: true}
	for _, d := range s.Deployments {
		if d.ID != primary.ID {
			target.Known = append(target.Known, d.ID)
		}
	}
	target.ID, target.Created = primary.ID, primary.Created
	target.Again = target.Previous == "" && s.Complete("") == taskDefinition && primary.InProgress()
	return target, true
}

// adopt takes id and time of the deployment that the update began from a snapshot: the PRIMARY one, if it was not there
// before and is for our task definition.
func (t *Target) adopt(s ecsview.Snapshot) {
	primary := s.Primary()
	if t.ID == "" && primary != nil && primary.TaskDefinition == t.TaskDefinition && !slices.Contains(t.Known, primary.ID) {
		t.ID, t.Created = primary.ID, primary.Created
	}
}
