package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Follow follows a deployment to its end and tells on the way what happens. It returns nil as the error where the deployment
// arrived (EndSucceeded) alone; every other end has a *record.Failure, with the cause where that is known. The Result tells what is
// known in each case.
//
// A deployment is stopped with a rollback when its time is over, or when enough of its tasks have failed for one certain reason.
// Where ECS does not roll back, the service is updated to Target.Previous. When ctx is cancelled, one call asks ECS to roll
// back, since nobody watches the deployment any more: a runner leaves a few seconds, too few to see how that ends.
func Follow(ctx context.Context, client Client, target Target, options ...Option) (Result, error) {
	counted := swift{client, new(atomic.Int64)}
	client = counted
	l := &loop{options: collect(options), client: client, calls: counted.calls,
		tasks:     ecsview.NewTaskReader(client, target.Cluster, target.Service),
		revisions: map[string]ecsview.Revision{}}
	state, reads := begin(target, l.clock.Now(), l.settings)
	calls := ctx // of reading and of carrying out
	for !state.Done() {
		var o Observation
		if err := l.clock.Sleep(calls, l.pause(reads)); err == nil {
			o = l.read(calls, &state, reads)
		}
		for {
			if ctx.Err() != nil {
				o.Interrupted = context.Cause(ctx)
			}
			if ctx.Err() != nil && calls == ctx {
				limited, done := outlive.Cleanup(ctx, interruptLimit)
				defer done()
				calls, l.leaving = limited, true
			}
			o.Calls = int(l.calls.Swap(0))
			var effects []Effect
			state, effects, reads = Next(state, o, l.clock.Now())
			if o = (Observation{Answers: l.carryOut(calls, &state, effects)}); len(o.Answers) == 0 {
				break
			}
		}
	}
	return state.Result()
}

// GitHub's runner sends a second signal 7.5 s after the first, and kills 2.5 s later. So a cancelled run has interruptGrace for the
// answer of the change that is under way, and interruptLimit for all that it does after that. One change of these may take leavingChange:
// what is left serves to look what has become of one that got no answer.
const (
	interruptGrace = 2500 * time.Millisecond
	interruptLimit = 3500 * time.Millisecond
	leavingChange  = 2 * time.Second
)

// How long one call may take, by the wall clock. A call that is never answered must not keep the loop from the deadline, from another
// read that works, or from the rollback.
const (
	readLimit      = 10 * time.Second
	changeLimit    = 20 * time.Second
	diagnosisLimit = 45 * time.Second // of many calls, each of which the diagnosis bounds; and it waits for log lines
)

// noAnswer is the error of a call that was given up.
type noAnswer struct {
	limit time.Duration
	err   error
}

func (e *noAnswer) Error() string { return fmt.Sprintf("no answer within %s: %v", e.limit, e.err) }

// bounded makes a call that is given up after a while.
func bounded(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	limited, done := context.WithTimeout(ctx, limit)
	defer done()
	err := call(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return &noAnswer{limit, err}
	}
	return err
}

// change makes a call whose answer must be known, since what it changes stays.
func (l *loop) change(ctx context.Context, call func(context.Context) error) error {
	if l.leaving {
		return bounded(ctx, leavingChange, call)
	}
	answered, done := outlive.Answer(ctx, interruptGrace)
	defer done()
	return bounded(answered, changeLimit, call)
}

func collect(list []Option) options {
	o := options{settings: defaults, clock: clock.System}
	for _, option := range list {
		option(&o)
	}
	return o
}

// loop reads and carries out what Next asks for.
type loop struct {
	options
	client    Client
	calls     *atomic.Int64 // made since the last observation
	tasks     *ecsview.TaskReader
	ending    *ecsview.TaskReader         // of those that are being stopped
	revisions map[string]ecsview.Revision // by ARN; they never change
	leaving   bool                        // the run is interrupted: what is done now is bounded as a whole
}

// pause is how long to wait until what is asked for is read.
func (l *loop) pause(reads Reads) time.Duration {
	wait := clock.Spread(l.clock, reads.After, spread)
	if reads.Before.IsZero() {
		return wait
	}
	return min(wait, max(0, reads.Before.Sub(l.clock.Now())))
}

// read reads what is asked for. What cannot be read is trouble in the observation.
func (l *loop) read(ctx context.Context, s *State, reads Reads) Observation {
	o := Observation{Read: reads}
	t := s.followed()
	if reads.Within > 0 {
		limited, done := context.WithTimeout(ctx, reads.Within)
		defer done()
		ctx = limited
	}
	if reads.Service {
		err := bounded(ctx, readLimit, func(ctx context.Context) error {
			snapshot, err := ecsview.Read(ctx, l.client, t.Cluster, t.Service)
			o.Service = &snapshot
			return err
		})
		if err != nil {
			o.Service, o.ServiceTrouble = nil, l.trouble("", err)
			return o
		}
	}
	o.OwnTrouble = l.trouble("The state of the service deployment", bounded(ctx, readLimit, func(ctx context.Context) (err error) {
		if reads.Find && o.Service != nil && o.Service.Current != "" {
			o.Own, o.Found, err = l.current(ctx, *t, o.Service.Current)
		}
		if reads.Find && o.Own == nil && err == nil {
			o.Found, err = l.candidates(ctx, *t)
		}
		if o.OwnLeft = reads.Own != "" && o.Service != nil && !s.ownDue(*o.Service, l.clock.Now()); o.OwnLeft {
			return nil
		}
		if reads.Own != "" {
			o.Own, err = ecsview.DescribeServiceDeployment(ctx, l.client, reads.Own)
		}
		return err
	}))
	if reads.Tasks {
		o.TasksTrouble = l.trouble("Why tasks failed", bounded(ctx, s.sideLimit(l.clock.Now()), func(ctx context.Context) (err error) {
			o.Tasks, err = l.tasks.Stopped(ctx)
			return err
		}))
	}
	switch {
	case !reads.Draining:
	case o.TasksTrouble.Lost: // the same calls
		o.DrainTrouble = o.TasksTrouble
	default:
		o.DrainTrouble = l.trouble("How far old tasks have come (their end is waited for at a quicker pace)",
			bounded(ctx, s.sideLimit(l.clock.Now()), func(ctx context.Context) (err error) {
				o.Draining, err = l.draining(ctx, s)
				return err
			}))
	}
	if reads.Running { // for the record alone
		_ = bounded(ctx, readLimit, func(ctx context.Context) (err error) {
			o.Tasks, err = l.tasks.Running(ctx)
			return err
		})
	}
	if reads.Past {
		l.trouble("The service's history, for a version to go back to", bounded(ctx, readLimit, func(ctx context.Context) (err error) {
			o.Past, err = l.past(ctx, s.target)
			return err
		}))
	}
	if reads.Diagnosis {
		_ = bounded(ctx, diagnosisLimit, func(ctx context.Context) error {
			if found, known := l.diagnose(ctx, Case{Target: s.target, Service: s.last, Tasks: l.tasks, Last: reads.Last}); known {
				o.Diagnosis = &found
			}
			return ctx.Err()
		})
	}
	return o
}

// draining reports whether a task of an older deployment that is being stopped is still to be taken out of its target groups.
func (l *loop) draining(ctx context.Context, s *State) (bool, error) {
	if !s.draining {
		l.ending = ecsview.NewTaskReader(l.client, s.target.Cluster, s.target.Service)
	}
	tasks, err := l.ending.Ending(ctx)
	primary := s.last.Primary()
	return primary != nil && slices.ContainsFunc(tasks, func(t ecsview.Task) bool {
		return t.StartedBy != primary.ID && (t.LastStatus == "RUNNING" || t.LastStatus == "DEACTIVATING")
	}), err
}

// current reads the service deployment that the service says goes on. Where it is not the one that began when the target did, nothing is
// returned: the list has to show which one did.
func (l *loop) current(ctx context.Context, t Target, current string) (*ecsview.ServiceDeployment, []Candidate, error) {
	own, err := ecsview.DescribeServiceDeployment(ctx, l.client, current)
	if err != nil || own == nil || own.Created.Sub(t.Created).Abs() > createdSlack {
		return nil, nil, err
	}
	if err := l.readRevisions(ctx, append([]string{own.Revision}, own.Sources...)); err != nil {
		return nil, nil, err
	}
	found := Candidate{ARN: own.ARN, Created: own.Created, TaskDefinition: l.revisions[own.Revision].TaskDefinition, Sources: []string{}}
	for _, source := range own.Sources {
		found.Sources = append(found.Sources, l.revisions[source].TaskDefinition)
	}
	return own, []Candidate{found}, nil
}

// readRevisions reads the revisions that are not known yet.
func (l *loop) readRevisions(ctx context.Context, arns []string) error {
	var unknown []string
	for _, arn := range arns {
		if _, known := l.revisions[arn]; !known {
			unknown = append(unknown, arn)
		}
	}
	read, err := ecsview.DescribeRevisions(ctx, l.client, unknown)
	maps.Copy(l.revisions, read)
	return err
}

// candidates lists the service deployments that could be the target's. UpdateService does not name it, and a list that is read
// right after the update may not have it yet.
func (l *loop) candidates(ctx context.Context, t Target) ([]Candidate, error) {
	listed, err := ecsview.ListServiceDeployments(ctx, l.client, t.Cluster, t.Service, t.Created.Add(-createdSlack), 0)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, d := range listed {
		arns = append(arns, d.Revision)
	}
	if err := l.readRevisions(ctx, arns); err != nil {
		return nil, err
	}
	var found []Candidate
	for _, d := range listed {
		found = append(found, Candidate{ARN: d.ARN, Created: d.Created, TaskDefinition: l.revisions[d.Revision].TaskDefinition})
	}
	return found, nil
}

// past returns the task definition that the service's history says has worked last, other than the target's; "" where none is known.
func (l *loop) past(ctx context.Context, t Target) (string, error) {
	listed, err := ecsview.ListServiceDeployments(ctx, l.client, t.Cluster, t.Service, time.Time{}, 100)
	if err != nil {
		return "", err
	}
	var arns []string
	for _, d := range listed {
		arns = append(arns, d.Revision)
	}
	read, err := ecsview.DescribeRevisions(ctx, l.client, arns)
	if err != nil {
		return "", err
	}
	return lastThatWorked(listed, read, t.TaskDefinition), nil
}

// lastThatWorked returns the task definition of the newest deployment that succeeded, other than the given one. One that was still
// under way when the next took over counts where its task definition had succeeded before: somebody was going back to it.
func lastThatWorked(newestFirst []ecsview.ServiceDeployment, revisions map[string]ecsview.Revision, except string) string {
	succeeded := map[string]bool{}
	for _, d := range newestFirst {
		if d.Status == types.ServiceDeploymentStatusSuccessful {
			succeeded[revisions[d.Revision].TaskDefinition] = true
		}
	}
	for _, d := range newestFirst {
		definition := revisions[d.Revision].TaskDefinition
		wanted := d.Status == types.ServiceDeploymentStatusSuccessful || d.Status == types.ServiceDeploymentStatusStopped ||
			d.Status == types.ServiceDeploymentStatusStopRequested
		if wanted && definition != "" && definition != except && succeeded[definition] {
			return definition
		}
	}
	return ""
}

// carryOut tells what is to be told, and does what is to be done, one after the other. It returns an answer for each change.
func (l *loop) carryOut(ctx context.Context, s *State, effects []Effect) (answers []Answer) {
	for _, effect := range effects {
		answer := Answer{To: effect}
		var err error
		switch e := effect.(type) {
		case Tell:
			l.events.Emit(e.Event)
			continue
		case Stop:
			err = l.change(ctx, func(ctx context.Context) error { return requestRollback(ctx, l.client, e.ServiceDeployment) })
			if isOver(err) {
				answer.Over, err = true, nil // following it tells how it ended
			}
			answer.Trouble = l.trouble("Stopping the deployment with a rollback (the service is updated to the version before instead)", err)
		case PutBack:
			if l.noteBack != nil {
				l.noteBack(ctx, e)
			}
			err = l.change(ctx, func(ctx context.Context) (err error) {
				answer.Target, err = update(ctx, l.client, Update{Cluster: s.target.Cluster, Service: s.target.Service,
					TaskDefinition: e.TaskDefinition, Before: e.Before, Known: append(slices.Clone(s.target.Known), s.target.ID)})
				return err
			})
			answer.Trouble = l.trouble("", err)
		case Empty:
			answer.Trouble = l.trouble("", l.change(ctx, func(ctx context.Context) error { return empty(ctx, l.client, s.target) }))
		}
		answers = append(answers, answer)
	}
	return answers
}

// trouble sorts an error. What is refused is told once, if it has a name.
func (l *loop) trouble(what string, err error) Trouble {
	if err == nil {
		return Trouble{}
	}
	t := Trouble{Err: err}
	var silent *noAnswer
	if errors.As(err, &silent) {
		t.Lost = true
		return t
	}
	switch awserr.KindOf(err) {
	case awserr.KindExpired, awserr.KindCredentials:
		t.Credentials = true
	case awserr.KindUnsupported:
		t.Refused = true
	case awserr.KindDenied, awserr.KindKey:
		t.Refused = true
		if what != "" {
			awserr.Optional(l.events, what, err)
		}
	case awserr.KindThrottled:
		t.Throttled = true
	case awserr.KindLost:
		t.Lost = true
	}
	return t
}

// RequestRollback asks ECS to stop a service deployment and to put the previous version back. That works without a circuit breaker
// too, and does no harm to a rollback that goes on already. A deployment that is over answers a types.ConflictException.
func RequestRollback(ctx context.Context, client Client, serviceDeployment string) error {
	call, done := outlive.Answer(ctx, interruptGrace)
	defer done()
	return requestRollback(call, client, serviceDeployment)
}

func requestRollback(ctx context.Context, client Client, serviceDeployment string) error {
	_, err := client.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: aws.String(serviceDeployment),
		StopType:             types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		return fmt.Errorf("stopping service deployment %s with a rollback: %w", serviceDeployment, err)
	}
	return nil
}

// isOver reports whether a deployment could not be stopped since it has ended.
func isOver(err error) bool {
	var conflict *types.ConflictException
	return errors.As(err, &conflict)
}

// empty takes the tasks of a first release that failed away again. What ECS would roll back to has no image, and its tasks can only
// fail.
func empty(ctx context.Context, client Client, t Target) error {
	_, err := client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String(t.Cluster), Service: aws.String(t.Service),
		DesiredCount: aws.Int32(0)})
	if err != nil {
		return fmt.Errorf("setting the desired count of service %s to 0: %w", t.Service, err)
	}
	return nil
}
