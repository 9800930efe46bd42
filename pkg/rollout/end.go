package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// intervene looks at failed tasks, gives a deployment up that cannot succeed, and keeps the time.
func (f *follower) intervene(ctx context.Context, s ecsview.Snapshot, v Verdict) error {
	underWay := v.State == Waiting || v.State == Rolling || v.State == Settling
	f.watch(ctx, s)
	if underWay && !f.stopping && f.hopeless(s) {
		f.result.Ended = ByCause
		f.tell(KindWarning, "stopping the deployment: "+f.result.Cause.Cause)
		return f.stop(ctx)
	}
	if time.Now().Before(f.deadline) {
		return nil
	}
	if underWay && !f.stopping {
		f.result.Ended = ByTimeout
		f.tell(KindWarning, fmt.Sprintf("the deployment is not done after %s: stopping it with a rollback", action.Took(f.options.Timeout)))
		return f.stop(ctx)
	}
	if f.stopping || v.State == RollingBack || v.State == Failing {
		return f.overdue()
	}
	return nil
}

// overdue gives up watching the way back. A rollback that ECS began by itself gets the time of one as well: the first call
// only prolongs the deadline.
func (f *follower) overdue() error {
	if !f.stopping {
		f.stopping, f.deadline = true, time.Now().Add(f.options.Speed.Wall(f.options.RollbackTimeout))
		return nil
	}
	outcome := action.Stuck
	if f.result.Ended == ByTimeout {
		outcome = action.TimedOut
	}
	return &action.Error{
		Outcome: outcome,
		Title:   "The rollback is not done yet",
		Advice:  fmt.Sprintf("Look at service %s: ECS goes on with the rollback by itself, but it takes longer than it should.", f.target.Service),
		Err: fmt.Errorf("the deployment of %s failed, and its rollback is not done after %s: %s",
			arn.Revision(f.target.TaskDefinition), action.Took(f.options.RollbackTimeout), f.result.Verdict.Reason),
	}
}

// watch looks for failed tasks and has new ones judged. It looks at each change, and every five seconds besides while tasks
// are missing, since ECS tells a task that exits at once by nothing but its being gone.
func (f *follower) watch(ctx context.Context, s ecsview.Snapshot) {
	due := f.changed.After(f.watched) || time.Since(f.watched) >= 5*time.Second
	if f.target.ID == "" || f.options.Committed || !due {
		return
	}
	f.watched = time.Now()
	var failed []FailedTask
	if !f.watchOff {
		var err error
		if failed, err = look(ctx, f.tasks, f.target); awserr.Optional(f.options.Log.Sink(), "Why tasks failed", err) {
			f.watchOff = true
		} else if err != nil {
			return // the next look may work; the rollout itself is followed without
		}
	}
	for _, task := range failed {
		f.changed = time.Now()
		f.result.Failed = append(f.result.Failed, task)
		f.notify(Event{Kind: KindTask, At: f.changed, Text: task.String(), State: f.result.Verdict.State})
	}
	if f.options.Judge == nil || len(failed) == 0 && !f.trouble(s) {
		return
	}
	before := f.result.Cause
	f.result.Cause = f.options.Judge(ctx, s, f.result.Failed)
	if f.result.Cause.Cause != "" && f.result.Cause.Cause != before.Cause {
		f.tell(KindCause, f.result.Cause.Cause)
		f.certain = time.Now()
	}
}

// trouble reports whether the scheduler's last word is of a failure that no task was found for: it cannot start any, or they
// may not be listed.
func (f *follower) trouble(s ecsview.Snapshot) bool {
	if len(f.result.Failed) > 0 || f.result.Cause.Cause != "" || len(f.result.Events) == 0 {
		return false
	}
	last := f.result.Events[len(f.result.Events)-1].Text
	for _, sign := range []string{"unable to", "failed to", "could not", "misconfigured"} {
		if own := s.Find(f.target.ID); own != nil && own.Running == 0 && strings.Contains(last, sign) {
			return true
		}
	}
	return f.watchOff && strings.Contains(last, "unhealthy")
}

// hopeless reports whether the failures so far leave no doubt that this release cannot run.
func (f *follower) hopeless(s ecsview.Snapshot) bool {
	if !f.result.Cause.Certain {
		return false
	}
	if len(f.result.Failed) > 0 {
		return f.result.Cause.Streak >= enough(s.Desired)
	}
	own := s.Find(f.target.ID)
	return own != nil && own.Running == 0 && own.Pending == 0 && time.Since(f.certain) >= placementPatience
}

// stop has the deployment rolled back and goes on following, or follows the update that puts the previous version back.
func (f *follower) stop(ctx context.Context) error {
	err := f.requestRollback(ctx)
	if err == nil {
		f.stopping, f.changed = true, time.Now()
		f.deadline = time.Now().Add(f.options.Speed.Wall(f.options.RollbackTimeout))
		return nil
	}
	if ctx.Err() != nil {
		return f.interrupted(ctx)
	}
	if !errors.Is(err, errNotStoppable) {
		f.options.Log.Debugf("stopping the deployment: %v", err)
	}
	return f.putBack(ctx, Verdict{State: Failed, Reason: f.result.Cause.Cause})
}

// errNotStoppable says that StopServiceDeployment cannot be used here.
var errNotStoppable = errors.New("the service deployment is not known, so it cannot be stopped")

// requestRollback asks ECS to stop the deployment with a rollback. That works without a circuit breaker too, and does no harm
// to a rollback that goes on already. A deployment that is over answers a conflict; following it tells how it ended.
func (f *follower) requestRollback(ctx context.Context) error {
	if f.target.ServiceDeployment == "" {
		return errNotStoppable
	}
	err := Stop(ctx, f.client, f.target.ServiceDeployment)
	var conflict *types.ConflictException
	if errors.As(err, &conflict) {
		return nil
	}
	awserr.Optional(f.options.Log.Sink(), "Stopping the deployment with a rollback (the service is updated to the version before instead)", err)
	return err
}

// Stop asks ECS to stop a service deployment and to put the previous version back.
func Stop(ctx context.Context, client Client, serviceDeployment string) error {
	_, err := client.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: aws.String(serviceDeployment),
		StopType:             types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		return fmt.Errorf("stopping service deployment %s with a rollback: %w", serviceDeployment, err)
	}
	return nil
}

// end turns the last verdict into the outcome.
func (f *follower) end(ctx context.Context, v Verdict) error {
	switch v.State {
	case Succeeded:
		f.result.Serving = f.target.TaskDefinition
		if f.stopping {
			f.result.Ended = ByECS // it arrived before the stop did
		}
		return nil
	case Superseded:
		return &action.Error{
			Outcome: action.Superseded,
			Title:   "A newer deployment took over",
			Advice:  "Nothing to do here: the newer deployment has the service now. Give deployments of one service a common concurrency group to avoid this.",
			Err: fmt.Errorf("while %s was being deployed to %s, a deployment of %s began",
				arn.Revision(f.target.TaskDefinition), f.target.Service, arn.Revision(f.result.Serving)),
		}
	case Deleted:
		return &action.Error{
			Outcome: action.Stuck,
			Title:   "The service was deleted during the deployment",
			Advice:  "Nothing serves and nothing can be put back: find out who deleted it (CloudTrail, DeleteService), create it again, and deploy again.",
			Err: fmt.Errorf("while %s was being deployed, service %s in cluster %s was deleted: %s",
				arn.Revision(f.target.TaskDefinition), f.target.Service, f.target.Cluster, v.Reason),
		}
	case RolledBack:
		return f.rolledBack(f.result.Serving, v.Reason)
	default:
		return f.putBack(ctx, v)
	}
}

// rolledBack is the error of a deployment whose predecessor is in force again.
func (f *follower) rolledBack(serving, reason string) error {
	f.result.Serving = serving
	outcome, title := action.RolledBack, "The deployment failed and was rolled back"
	if f.result.Ended == ByTimeout {
		outcome, title = action.TimedOut, fmt.Sprintf("The deployment was not done after %s and was rolled back", action.Took(f.options.Timeout))
	}
	return &action.Error{
		Outcome: outcome,
		Title:   title,
		Err: fmt.Errorf("the deployment of %s did not succeed; %s serves again: %s",
			arn.Revision(f.target.TaskDefinition), arn.Revision(serving), reasonOr(reason, f.result)),
	}
}

// putBack updates the service to the version that worked before, where ECS has not rolled back and will not, and follows
// that deployment to its end.
func (f *follower) putBack(ctx context.Context, v Verdict) error {
	if f.target.Previous == "" {
		return f.stuck(v, ErrNoWayBack)
	}
	f.tell(KindWarning, fmt.Sprintf("ECS does not roll back by itself here: putting %s back", arn.Revision(f.target.Previous)))
	f.retreat(ctx)
	before := f.result.Last
	target, err := Start(ctx, f.client, f.target.Cluster, f.target.Service, before, f.target.Previous)
	if err != nil && ctx.Err() != nil {
		return f.interrupted(ctx)
	}
	if err != nil {
		return f.stuck(v, awserr.Explain(err))
	}
	target.Previous = "" // there is no way back from the way back
	f.openStep(RollingBack)
	back, err := Follow(ctx, f.client, target, Options{
		Timeout:         f.options.RollbackTimeout,
		RollbackTimeout: f.options.RollbackTimeout,
		LostAfter:       f.options.LostAfter,
		Log:             f.options.Log,
		Speed:           f.options.Speed,
		Committed:       true,
	}, f.notify)
	f.result.Last, f.result.Events = back.Last, append(f.result.Events, back.Events...)
	f.result.Verdict = Verdict{State: RolledBack, Reason: v.Reason}
	switch back.Outcome {
	case action.Succeeded:
		return f.rolledBack(f.target.Previous, v.Reason)
	case action.Superseded, action.Unknown, action.Cancelled:
		f.result.Verdict.State, f.result.Serving = back.Verdict.State, back.Serving
		return err
	default:
		f.result.Verdict.State = RollbackFailed
		return f.stuck(v, err)
	}
}

func (f *follower) stuck(v Verdict, err error) error {
	return &action.Error{
		Outcome: action.Stuck,
		Title:   "The deployment failed and could not be put back",
		Advice: fmt.Sprintf("Act now: look at service %s, and deploy a version that is known to work (ecs-rollback with `to`).",
			f.target.Service),
		Err: fmt.Errorf("the deployment of %s failed (%s), and the service could not be put back: %w",
			arn.Revision(f.target.TaskDefinition), reasonOr(v.Reason, f.result), err),
	}
}

// interruptLimit is how long each of the last two calls of a cancelled run may take, the one under way and the one that asks for
// the rollback: GitHub's runner sends a second signal 7.5 s after the first, and kills 2.5 s later.
const interruptLimit = 3 * time.Second

// interrupted ends a run whose context is over. A deployment that nobody watches must not stay half done, so it is stopped
// with a rollback, in one call. A way back that is going on is left to ECS.
func (f *follower) interrupted(ctx context.Context) error {
	cause := context.Cause(ctx)
	outcome := action.Cancelled
	if errors.Is(cause, context.DeadlineExceeded) {
		outcome = action.TimedOut
	}
	f.result.Ended = ByInterrupt
	fate := "it goes on without this run"
	if f.stopping || f.seen.RollingBack {
		fate = "its rollback goes on"
	} else if !f.options.LeaveOnInterrupt {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptLimit)
		defer cancel()
		fate = f.abandon(limited)
	}
	f.tell(KindWarning, "interrupted: "+fate)
	return &action.Error{
		Outcome: outcome,
		Title:   "Interrupted during the deployment",
		Advice:  fmt.Sprintf("Look at service %s: nobody waits for how that ends.", f.target.Service),
		Err: fmt.Errorf("the run was interrupted while %s was being deployed; %s: %w",
			arn.Revision(f.target.TaskDefinition), fate, cause),
	}
}

// abandon asks for the rollback of a deployment that nobody will watch, and says what becomes of it.
func (f *follower) abandon(ctx context.Context) string {
	f.retreat(ctx)
	if f.target.ServiceDeployment == "" && !f.ownOff {
		f.target.ServiceDeployment, _ = f.finder.find(ctx, f.target) // cancelled before it was seen
	}
	err := f.requestRollback(ctx)
	if err == nil {
		return "ECS was asked to stop the deployment and to roll back"
	}
	if f.target.Previous != "" {
		if _, err = Start(ctx, f.client, f.target.Cluster, f.target.Service, f.result.Last, f.target.Previous); err == nil {
			return "the service was told to run " + arn.Revision(f.target.Previous) + " again"
		}
	}
	return fmt.Sprintf("the deployment goes on without this run, since it could not be stopped (%v)", err)
}

func reasonOr(reason string, r Result) string {
	switch {
	case r.Cause.Cause != "":
		return r.Cause.Cause
	case reason != "":
		return strings.TrimSuffix(reason, ".")
	case len(r.Failed) > 0:
		return r.Failed[len(r.Failed)-1].String()
	default:
		return "ECS gave no reason"
	}
}
