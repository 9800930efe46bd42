package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Follow follows a deployment to its end and tells on the way what happens. It returns nil as the error for Succeeded alone;
// every other end is an *action.Error with its Outcome:
//
//   - rolled-back: it failed, and the previous version serves again. ECS did that, or was asked to after enough tasks had
//     failed for one certain reason, or the service was updated to Target.Previous where ECS does not roll back;
//   - stuck: it failed, and nothing could be put back;
//   - superseded: a newer deployment took over;
//   - timed-out: the deployment was stopped with a rollback after Options.Timeout;
//   - unknown: reads failed for Options.LostAfter;
//   - cancelled: ctx was cancelled. One call then asks ECS to roll back, since nobody watches the deployment any more: a
//     runner leaves a few seconds, too few to see how that ends.
//
// The Result tells what is known in each case.
func Follow(ctx context.Context, client Client, target Target, options Options, notify func(Event)) (Result, error) {
	if notify == nil {
		notify = func(Event) {}
	}
	f := &follower{
		client:  client,
		target:  target,
		options: options.withDefaults(),
		notify:  notify,
		finder:  finder{client: client},
		tasks:   ecsview.NewTaskReader(client, target.Cluster, target.Service),
		told:    map[string]bool{},
		seen:    Seen{Listed: target.ID != ""},

		stopping: options.Committed,
	}
	now := time.Now()
	f.result.Started, f.changed, f.contact = now, now, now
	f.deadline = now.Add(f.options.Speed.Wall(f.options.Timeout))
	err := f.run(ctx)
	f.result.Target = f.target
	f.result.Took = time.Since(f.result.Started)
	f.closeStep(f.result.Verdict.State)
	if err == nil && f.result.Outcome == "" {
		f.result.Outcome = action.Succeeded
	} else if err != nil {
		f.result.Outcome = action.OutcomeOf(err)
	}
	return f.result, err
}

type follower struct {
	client  Client
	target  Target
	options Options
	notify  func(Event)
	finder  finder
	tasks   *ecsview.TaskReader
	result  Result

	seen      Seen
	told      map[string]bool // ids of service events
	failedAt  time.Time       // since when ECS calls the deployment FAILED while it is PRIMARY
	lastCount string
	paused    []string  // hooks that were told to wait
	deadline  time.Time // of what is done now: the deployment, or the way back
	changed   time.Time // when a read last differed from the one before
	contact   time.Time // when a read last worked
	throttled int       // throttled reads in a row

	ownOff    bool      // the service-deployments API is not to be had
	ownFailed int       // reads of it that failed in a row
	searched  time.Time // when the service deployment was last looked for
	watchOff  bool      // stopped tasks cannot be read
	watched   time.Time
	certain   time.Time // since when the cause is certain
	stopping  bool      // a rollback was asked for
	retreated bool      // Options.Retreat was called
}

func (f *follower) run(ctx context.Context) error {
	for {
		snapshot, err := f.read(ctx)
		if ctx.Err() != nil {
			return f.interrupted(ctx)
		}
		if err != nil {
			if err := f.lost(err); err != nil {
				return err
			}
			if !f.sleep(ctx, pace(time.Since(f.changed), true, f.throttled)) {
				return f.interrupted(ctx)
			}
			continue
		}
		verdict := f.take(snapshot)
		if verdict.State == RollingBack || verdict.State == Failing || verdict.State == Failed || verdict.State == RollbackFailed {
			f.retreat(ctx)
		}
		if verdict.State.Final() {
			if verdict.State != Succeeded && verdict.State != Superseded {
				f.watch(ctx, snapshot) // the last task may have failed since the last look
			}
			return f.end(ctx, verdict)
		}
		if err := f.intervene(ctx, snapshot, verdict); err != nil {
			return err
		}
		near := verdict.State != Rolling
		if !f.sleep(ctx, pace(time.Since(f.changed), near, 0)) {
			return f.interrupted(ctx)
		}
	}
}

// read fetches a snapshot, with the service deployment where it can be had.
func (f *follower) read(ctx context.Context) (ecsview.Snapshot, error) {
	snapshot, err := ecsview.Read(ctx, f.client, f.target.Cluster, f.target.Service)
	if err != nil {
		return ecsview.Snapshot{}, err
	}
	f.target.adopt(snapshot)
	if f.ownOff || f.target.ID == "" {
		return snapshot, nil
	}
	snapshot.Own, err = f.readOwn(ctx)
	switch {
	case err == nil:
		f.ownFailed = 0
	case awserr.IsUnsupported(err) || awserr.Optional(f.options.Log.Sink(), "The state of the service deployment", err):
		f.ownOff = true
	default:
		f.ownFailed++
		if ctx.Err() == nil && f.ownFailed > 5 && !awserr.IsThrottled(err) {
			f.ownOff = true
			f.tell(KindWarning, "the service-deployments API keeps failing, going on with DescribeServices alone: "+err.Error())
			return snapshot, nil
		}
		return ecsview.Snapshot{}, err
	}
	return snapshot, nil
}

func (f *follower) readOwn(ctx context.Context) (*ecsview.ServiceDeployment, error) {
	if f.target.ServiceDeployment == "" {
		// It appears a moment after the update. Later on it is looked for less often: the list of deployments serves meanwhile.
		if time.Since(f.searched) < min(time.Since(f.result.Started)/4, 10*time.Second) {
			return nil, nil
		}
		f.searched = time.Now()
		arn, err := f.finder.find(ctx, f.target)
		if err != nil || arn == "" {
			return nil, err
		}
		f.target.ServiceDeployment = arn
	}
	return ecsview.DescribeServiceDeployment(ctx, f.client, f.target.ServiceDeployment)
}

// tellPauses says how to let a deployment go on that waits for somebody, once for each hook.
func (f *follower) tellPauses(own *ecsview.ServiceDeployment) {
	if own == nil {
		return
	}
	for _, hook := range own.Paused {
		if !slices.Contains(f.paused, hook) {
			f.paused = append(f.paused, hook)
			f.tell(KindWarning, fmt.Sprintf("the deployment waits at stage %s for somebody to let it go on: "+
				"`aws ecs continue-service-deployment --service-deployment-arn %s --hook-id %s`", own.Stage, f.target.ServiceDeployment, hook))
		}
	}
}

// take judges a snapshot and tells what is new in it.
func (f *follower) take(s ecsview.Snapshot) Verdict {
	f.contact, f.throttled = time.Now(), 0
	f.noteFailedPrimary(s)
	verdict := Evaluate(f.target, s, f.seen)
	if s.Find(f.target.ID) != nil {
		f.seen.Listed = true
	}
	if verdict.State == RollingBack {
		f.seen.RollingBack = true
	}
	if verdict.State != f.result.Verdict.State {
		f.changed = time.Now()
		f.openStep(verdict.State)
		f.notify(Event{Kind: KindState, At: f.contact, Text: stateText(f.target, f.result.Verdict.State, verdict), State: verdict.State})
	}
	f.tellPauses(s.Own)
	since := f.target.Created
	if since.IsZero() {
		since = f.result.Started
	}
	for _, e := range news(f.told, since, s.Events) {
		f.changed = time.Now()
		f.result.Events = append(f.result.Events, SeenEvent{e, f.changed})
		f.notify(Event{Kind: KindService, At: e.At, Text: shorten(f.target.Service, e.Text), State: verdict.State})
	}
	if line := counts(f.target, s); line != "" && line != f.lastCount {
		f.changed, f.lastCount = time.Now(), line
		f.notify(Event{Kind: KindProgress, At: f.contact, Text: line, State: verdict.State})
	}
	f.result.Verdict, f.result.Last, f.result.Serving = verdict, s, s.TaskDefinition
	return verdict
}

// noteFailedPrimary measures how long the deployment has been FAILED without another taking its place.
func (f *follower) noteFailedPrimary(s ecsview.Snapshot) {
	own := s.Find(f.target.ID)
	if own == nil || own.Status != "PRIMARY" || own.State != string(types.DeploymentRolloutStateFailed) {
		f.failedAt = time.Time{}
	} else if f.failedAt.IsZero() {
		f.failedAt = time.Now()
	}
	f.seen.FailedFor = 0
	if !f.failedAt.IsZero() {
		f.seen.FailedFor = time.Since(f.failedAt)
	}
}

// lost counts a read that failed; it returns an error once that has gone on for too long.
func (f *follower) lost(err error) error {
	if awserr.IsThrottled(err) {
		f.throttled++
	} else {
		f.throttled = max(f.throttled, 1) // hurry helps a service in trouble as little as one that throttles
	}
	silent := time.Since(f.contact)
	if silent < f.options.LostAfter {
		f.options.Log.Debugf("reading the deployment failed, trying again: %v", err)
		return nil
	}
	return &action.Error{
		Outcome: action.Unknown,
		Title:   "Contact lost: how the deployment went is not known",
		Advice: fmt.Sprintf("Look at service %s before doing anything else: the deployment of %s goes on without this run.",
			f.target.Service, arn.Revision(f.target.TaskDefinition)),
		Err: fmt.Errorf("nothing could be read for %s, while the deployment was %s: %w",
			action.Took(silent), stateOr(f.result.Verdict.State), awserr.Explain(err)),
	}
}

func (f *follower) tell(kind Kind, text string) {
	f.notify(Event{Kind: kind, At: time.Now(), Text: text, State: f.result.Verdict.State})
}

// openStep begins a stretch of the timeline.
func (f *follower) openStep(state State) {
	f.closeStep(state)
	if !state.Final() {
		f.result.Steps = append(f.result.Steps, Step{Name: string(state), From: time.Now(), RollsBack: state == RollingBack})
	}
}

func (f *follower) closeStep(next State) {
	if n := len(f.result.Steps); n > 0 && f.result.Steps[n-1].To.IsZero() {
		last := &f.result.Steps[n-1]
		last.To = time.Now()
		last.Failed = !last.RollsBack && next != Succeeded && next != Settling && next != Rolling
	}
}

func stateOr(s State) State {
	if s == "" {
		return Waiting
	}
	return s
}

// stateText tells a change of the deployment's state.
func stateText(t Target, before State, v Verdict) string {
	name := arn.Revision(t.TaskDefinition)
	if before == Settling && v.State == Rolling {
		return "new tasks are being replaced"
	}
	text := map[State]string{
		Waiting:        "waiting for the deployment of " + name + " to appear",
		Rolling:        "deploying " + name,
		Settling:       "all new tasks run; ECS waits for their health checks and stops the old ones",
		Failing:        "ECS is giving the deployment up",
		RollingBack:    "rolling back",
		Succeeded:      "the deployment of " + name + " succeeded",
		RolledBack:     "rolled back: the previous version is in force again",
		Failed:         "the deployment of " + name + " failed",
		RollbackFailed: "the rollback failed",
		Deleted:        "the service was deleted",
		Superseded:     "a newer deployment took over",
	}[v.State]
	if v.Reason != "" && v.State != Rolling && v.State != Settling && v.State != Succeeded {
		text += ": " + v.Reason
	}
	return text
}

// retreat tells the caller, once, that the deployment is being given up.
func (f *follower) retreat(ctx context.Context) {
	if f.options.Retreat != nil && !f.retreated {
		f.retreated = true
		f.options.Retreat(ctx)
	}
}

// sleep waits for about d of the followed world's time; it reports false where the context ended first.
func (f *follower) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(f.options.Speed.Wall(jitter(d)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ErrNoWayBack says that there is no earlier version to put back.
var ErrNoWayBack = errors.New("there is no earlier version that worked to go back to")
