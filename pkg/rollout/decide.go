package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// change is what is done to the service.
type change string

const (
	stop    change = "stop"     // have ECS stop the deployment and put the previous version back
	putBack change = "put back" // update the service to the version that worked before
	noWay   change = "no way"   // there is nothing to put back
)

// want is what should be changed, as far as the state tells. The zero value is nothing.
type want struct {
	change change
	by     By
	empty  bool // set the desired count to 0
}

// enough returns how many failures in a row with one lasting cause end a deployment before the circuit breaker does: two,
// so that one unlucky task never ends a release, and three from five tasks on. The breaker's own threshold is at least
// three.
func enough(desired int) int {
	if desired > 4 {
		return 3
	}
	return 2
}

// placementPatience is how long a certain cause without any task to show for it may last: the scheduler says such things
// once and then falls silent for hours.
const placementPatience = 30 * time.Second

// underWay reports whether the deployment has neither ended nor is being given up.
func (s *State) underWay() bool {
	return slices.Contains([]Phase{Waiting, Rolling, Settling, Replacing}, s.verdict.Phase)
}

// complete reports whether ECS has called the deployment complete.
func (s *State) complete() bool {
	if own := s.last.Own; own != nil {
		return own.Status == types.ServiceDeploymentStatusSuccessful
	}
	own := s.last.Find(s.followed().ID)
	return own != nil && own.State == string(types.DeploymentRolloutStateCompleted)
}

// failing reports whether the deployment may have to be given up: it is under way, or its tasks fail after it was complete.
func (s *State) failing() bool { return s.underWay() || s.verdict.Phase == Succeeded && s.fell }

// wanted says what should be changed now.
func (s *State) wanted(now time.Time) want {
	w := want{by: s.by}
	phase := s.verdict.Phase
	switch {
	case s.isBack: // there is no way back from the way back
		return want{}
	case s.failing() && !s.stopping:
		if w.by = s.givenUpBy(now); w.by != ByECS {
			w.change = s.wayBack()
		}
	case s.nowhere(now):
		if w.change = noWay; s.target.Previous != "" {
			w.change = putBack
		}
	case phase == Failed, phase == RollbackFailed:
		w.change = putBack
		if s.target.Previous == "" {
			w.change = noWay
		}
	}
	goingBack := phase == Failing || phase == RollingBack || phase == RolledBack
	w.empty = s.target.Empty && !s.emptyTried && (goingBack || w.change == putBack || w.change == noWay)
	if w.change == "" && !w.empty {
		return want{}
	}
	return w
}

// givenUpBy says why a deployment that is under way should be ended.
func (s *State) givenUpBy(now time.Time) By {
	switch {
	case s.hopeless(now):
		return ByCause
	case s.complete() && !(s.fell && s.verdict.Phase == Replacing): // nothing is left to wait for
		return ByECS
	case !now.Before(s.deadline):
		return ByTimeout
	}
	return ByECS
}

// wayBack says how a deployment that is under way can be ended.
func (s *State) wayBack() change {
	switch {
	case !s.cannotStop && s.target.ServiceDeployment != "" && !s.complete() && !s.bare():
		return stop
	case s.target.Previous != "":
		return putBack
	}
	return noWay
}

// bare reports whether ECS, if it went back, would begin the same version anew: it was there before, and none of its old tasks runs, or
// those fail as well.
func (s *State) bare() bool {
	return s.target.Again && !slices.ContainsFunc(s.last.Deployments, func(d ecsview.Deployment) bool {
		return d.ID != s.target.ID && d.Running > 0 && d.Failed == 0
	})
}

// againGrace is how long ECS may take beyond the deployment's time to go back to tasks of the same version that run still.
const againGrace = 2 * time.Minute

// nowhere reports whether ECS goes back to the version that is being left, and has not come there in the deployment's own time.
func (s *State) nowhere(now time.Time) bool {
	goesBack := s.verdict.Phase == RollingBack || s.verdict.Phase == Failing
	late := !now.Before(s.deadline) && s.bare() || !now.Before(s.deadline.Add(againGrace))
	return s.target.Again && !s.settings.committed && goesBack && late
}

// hopeless reports whether the failures so far leave no doubt that this release cannot run. What ECS alone may bring to a good end
// is left to it: a cause that may pass ends nothing before a second wave of tasks has failed of it.
func (s *State) hopeless(now time.Time) bool {
	switch {
	case s.settings.patient:
		return false
	case len(s.failed) > 0:
		return s.diagnosis.lasting() && s.diagnosis.Alike >= enough(s.last.Desired)
	case !s.diagnosis.certain():
		return false
	}
	own := s.last.Find(s.target.ID)
	return own != nil && own.Running == 0 && own.Pending == 0 && now.Sub(s.certain) >= placementPatience
}

// decide decides what is done. A change is carried out once it was wanted on one observation and is still wanted on a later one,
// here and nowhere else: what happened between deciding and acting is seen before it would be overwritten.
func (m *move) decide() {
	wanted := m.wanted(m.now)
	switch {
	case wanted == (want{}):
		m.want, m.refused = want{}, time.Time{}
		m.goOn()
	case wanted.change == noWay && !m.pastAsked && !m.ownOff && !m.target.Empty:
		m.pastAsked, m.reads = true, Reads{Past: true}
	case wanted != m.want:
		m.want = wanted
		m.look(0)
	default:
		m.carryOut(wanted)
	}
}

// goOn ends a deployment that has ended, keeps the time of a way back, and looks again.
func (m *move) goOn() {
	phase := m.verdict.Phase
	switch {
	case phase == Replacing && !m.harmless() && m.stopping && !m.now.Before(m.deadline): // it was complete before it could be stopped
		m.finishBack(EndOverdue, m.overdue())
	case phase == Succeeded && !m.stands(m.now), phase == Replacing && !m.harmless():
		m.look(m.pace())
	case phase.Final():
		m.conclude()
	case phase == Replacing || m.complete() && !m.now.Before(m.deadline):
		m.arrived()
	case m.target.Again && !m.isBack && m.now.Before(m.deadline.Add(againGrace)): // after that there is no way back by ECS
		m.look(m.pace())
	case m.now.Before(m.deadline) || !m.stopping && phase != RollingBack && phase != Failing:
		m.look(m.pace())
	case !m.stopping: // a rollback that ECS began by itself gets the time of one as well
		m.deadline = m.backBy()
		m.stopping = true
		m.look(m.pace())
	default:
		m.finishBack(EndOverdue, m.overdue())
	}
}

const (
	// gapPatience is how long tasks of a complete deployment are looked for among those that failed, when some are missing.
	gapPatience = 5 * time.Second
	// failureSlack is how long before a deployment was called complete a task may have failed that nobody has replaced since.
	failureSlack = 30 * time.Second
	// standing bounds how long tasks have to run again after others of the complete deployment have failed.
	standingLeast, standingMost = 10 * time.Second, 5 * time.Minute
)

// noteGap keeps since when tasks of the complete deployment are missing, whether they have failed, and since when they all run again.
func (m *move) noteGap() {
	switch {
	case m.verdict.Phase != Replacing:
		m.replacing = time.Time{}
		if m.verdict.Phase == Succeeded && m.fell && m.stood.IsZero() {
			m.stood = m.now
		}
		return
	case m.replacing.IsZero():
		m.replacing = m.now
	}
	m.stood = time.Time{}
	own := m.last.Find(m.followed().ID)
	late := own != nil && own.Failed > 0 && !m.now.Before(m.deadline) // by ECS's count alone
	if !m.fell && (late || len(m.fallen()) > 0) {
		m.fell = true
		m.warn("tasks of the deployment have failed since it was complete: waiting until others stand in their place")
	}
}

// fallen returns the tasks that have failed since ECS called the deployment complete, or right before.
func (s *State) fallen() []FailedTask {
	var since time.Time // by the clock of ECS, as the ends of tasks are
	if own := s.last.Own; own != nil && !own.Finished.IsZero() {
		since = own.Finished
	} else if d := s.last.Find(s.followed().ID); d != nil {
		since = d.Updated
	}
	var fallen []FailedTask
	for _, t := range s.failed {
		if t.Ended().After(since.Add(-failureSlack)) {
			fallen = append(fallen, t)
		}
	}
	return fallen
}

// harmless reports whether the tasks that a complete deployment lacks are missing for a reason that is not theirs: the service is
// scaled out, Spot capacity was taken back, somebody has stopped one.
func (s *State) harmless() bool {
	if s.isBack || s.settings.committed {
		return true
	}
	own := s.last.Find(s.target.ID)
	return !s.fell && (own == nil || own.Failed == 0) && s.watched.Sub(s.replacing) >= gapPatience
}

// stands reports whether all tasks of a complete deployment have run for as long as those that failed before them, or for as long as
// there is time.
func (s *State) stands(now time.Time) bool {
	if !s.fell || s.isBack || !now.Before(s.deadline) {
		return true
	}
	lived := standingLeast
	for _, t := range s.fallen() {
		if !t.StartedAt.IsZero() {
			lived = max(lived, t.Ended().Sub(t.StartedAt)+standingLeast)
		}
	}
	return now.Sub(s.stood) >= min(lived, standingMost)
}

// carryOut has a change made. Its answer is awaited before anything is read.
func (m *move) carryOut(w want) {
	if w.empty {
		m.effects = append(m.effects, Empty{})
	}
	m.by = w.by
	first := m.refused.IsZero()
	switch w.change {
	case stop:
		if first {
			m.warn(m.whyStopped())
		}
		m.effects = append(m.effects, Stop{m.target.ServiceDeployment})
	case putBack:
		if first && m.underWay() {
			m.warn(m.whyStopped())
		}
		if first {
			m.warn(m.whyPutBack())
		}
		m.effects = append(m.effects, PutBack{Before: m.last, TaskDefinition: m.target.Previous})
	case noWay:
		if !w.empty {
			m.noWayBack(m.howFailed())
		}
	}
}

func (m *move) whyPutBack() string {
	previous := arn.Revision(m.target.Previous)
	if m.target.Again {
		return fmt.Sprintf("%s was there before, so ECS has nothing else to go back to: putting %s back", arn.Revision(m.target.TaskDefinition),
			previous)
	}
	return fmt.Sprintf("ECS does not roll back by itself here: putting %s back", previous)
}

func (m *move) whyStopped() string {
	if m.by == ByTimeout {
		return fmt.Sprintf("the deployment is not done after %s: stopping it with a rollback", clock.Took(m.settings.timeout))
	}
	return "stopping the deployment: " + m.diagnosis.Finding.Title
}

// answered takes what a change came to.
func (m *move) answered(a Answer) {
	switch to := a.To.(type) {
	case Empty:
		m.emptyTried, m.emptied = true, a.Trouble.Err == nil
		m.tellEmptied(a.Trouble.Err)
	case Stop:
		m.stopAnswered(a.Trouble, a.Over)
	case PutBack:
		m.putBackAnswered(to, a)
	}
}

func (m *move) stopAnswered(trouble Trouble, over bool) {
	switch {
	case m.leaving != nil && over:
		m.overtaken = true // it may have arrived: that is looked at
	case trouble.Err == nil && m.leaving != nil:
		m.left("ECS was asked to stop the deployment and to roll back")
	case trouble.Err == nil:
		if !m.target.Again { // what ECS goes back to is what was to begin: it has the same time
			m.deadline = m.backBy()
		}
		m.stopping, m.changed, m.want, m.refused = true, m.now, want{}, time.Time{}
	case m.leaving != nil:
		m.cannotStop, m.unstopped, m.unheard.stop = true, trouble.Err, trouble.Lost
	case m.worthRepeating(trouble): // the same change is still wanted: it is made on the next observation
	default:
		m.debug("stopping the deployment: " + trouble.Err.Error())
		m.cannotStop, m.refused = true, time.Time{}
		m.want = m.wanted(m.now)
	}
}

// worthRepeating reports whether a change that failed is tried again: it was not refused for good, and not for too long.
func (m *move) worthRepeating(trouble Trouble) bool {
	if !trouble.Throttled && !trouble.Lost {
		return false
	}
	m.throttled++
	if m.refused.IsZero() {
		m.refused = m.now
	}
	return m.now.Sub(m.refused) < m.settings.lostAfter
}

func (m *move) putBackAnswered(to PutBack, a Answer) {
	m.sent = m.sent || a.Trouble.Lost
	m.unheard.update = m.unheard.update || a.Trouble.Lost
	switch {
	case m.leaving != nil && (a.Trouble.Lost || a.Trouble.Throttled) && m.unsure < leavingTries:
		m.unsure, m.unstopped = m.unsure+1, a.Trouble.Err
		m.reads = Reads{Service: true}
	case m.leaving != nil:
		m.tellReplaced(a.Target)
		m.leftBy(to, a.Trouble.Err)
	case a.Trouble.Err == nil:
		m.tellReplaced(a.Target)
		m.goBack(a.Target)
	case m.worthRepeating(a.Trouble):
	default:
		m.finish(EndStuck, m.stuck(m.howFailed(), explain(a.Trouble.Err)))
	}
}

// tellReplaced tells what an update that puts the previous version back took the place of unread.
func (m *move) tellReplaced(back Target) {
	for _, replaced := range back.Replaced {
		m.warn(fmt.Sprintf("a deployment of %s was begun right before that, and was replaced by it", arn.Revision(replaced)))
	}
}

// goBack follows the deployment that puts the previous version back.
func (m *move) goBack(back Target) {
	m.failure = m.howFailed()
	m.openStep(RollingBack)
	back.Previous = ""
	m.back, m.isBack, m.verdict, m.want, m.refused = back, true, Verdict{}, want{}, time.Time{}
	m.seen, m.failedAt, m.overAt, m.counts = Seen{Listed: back.ID != ""}, time.Time{}, time.Time{}, ""
	m.begun, m.searched, m.ownFailed, m.ownAt = time.Time{}, time.Time{}, 0, time.Time{}
	m.deadline = m.backBy()
	m.stopping, m.changed = true, m.now
}

// backBy returns when the way back has to be done. It has its time from now on, or from the end of the deployment's time where that is
// over; a second try has what the first left of it.
func (m *move) backBy() time.Time {
	if m.stopping {
		return m.deadline
	}
	from := m.now
	if m.deadline.Before(from) {
		from = m.deadline
	}
	return from.Add(m.settings.rollbackTimeout)
}

// howFailed is the verdict on a deployment that is not left to itself any more: ECS's own, or where it has none, that it failed.
func (s *State) howFailed() Verdict {
	if s.verdict.Phase == Failed || s.verdict.Phase == RollbackFailed {
		return s.verdict
	}
	return Verdict{Failed, ""}
}

// conclude ends following a deployment that has ended.
func (m *move) conclude() {
	switch v := m.verdict; v.Phase {
	case Succeeded:
		m.arrived()
	case Superseded:
		m.finish(EndSuperseded, m.superseded())
	case Deleted:
		m.finishBack(EndDeleted, m.deleted())
	case RolledBack:
		if m.isBack {
			m.finishBack(EndStuck, m.backFailed())
			return
		}
		m.rolledBack(m.serving, v.Reason)
	default:
		if m.isBack {
			m.finishBack(EndStuck, m.backFailed())
			return
		}
		m.noWayBack(v)
	}
}

// noWayBack ends a deployment that failed where nothing can be put back. Where it was the version that ran already, the service is at
// what it was at before.
func (m *move) noWayBack(v Verdict) {
	if m.target.Again {
		m.serving = m.target.TaskDefinition
		m.finish(EndFailed, m.failedAgain(v))
		return
	}
	m.finish(EndStuck, m.stuck(v, ErrNoWayBack))
}

// arrived ends a deployment that is complete, be it the one that was asked for or the way back from it.
func (m *move) arrived() {
	if m.isBack {
		m.verdict = Verdict{RolledBack, m.failure.Reason}
		m.rolledBack(m.target.Previous, m.failure.Reason)
		return
	}
	m.by, m.serving = ByECS, m.target.TaskDefinition // also if it arrived before the stop did
	m.finish(EndSucceeded, nil)
}

// rolledBack ends a deployment whose predecessor is in force again.
func (m *move) rolledBack(serving, reason string) {
	m.serving = serving
	end := EndRolledBack
	if m.by == ByTimeout {
		end = EndTimedOut
	}
	m.finish(end, fmt.Errorf("the deployment of %s did not succeed; %s%s", arn.Revision(m.target.TaskDefinition), m.inForce(serving),
		m.withReason(reason)))
}

// finishBack ends following with an error, which of a way back means that nothing was put back.
func (m *move) finishBack(end End, err error) {
	if m.isBack {
		m.verdict = Verdict{RollbackFailed, m.failure.Reason}
		end, err = EndStuck, m.stuck(m.failure, err)
	}
	m.finish(end, err)
}

// leave ends a run that is interrupted. A deployment that nobody watches must not stay half done, so it is stopped with a rollback, in
// one call, on what is known; where it cannot be, the version before is put back. A way back that is going on is left to ECS.
func (m *move) leave(o Observation) {
	m.by = ByInterrupt
	switch {
	case m.unsure > 0 && o.Read.Service:
		m.leaveUnsure(o)
	case m.reads.any(): // what was sent may have been heard
	case m.overtaken && o.Read.Service:
		m.leaveOver(o)
	case m.overtaken:
		m.reads = Reads{Service: true, Own: m.target.ServiceDeployment}
	case m.stopping || m.seen.RollingBack || m.isBack:
		m.left("its rollback goes on")
	case m.settings.leave && o.Read.Service && o.Service != nil && m.leaveEnded(o): // it was read right before
	case m.settings.leave:
		m.left("it goes on without this run")
	default:
		m.takeBack(o)
	}
}

// leavingLook is how long a run that is to end waits for a look at the service before it puts the version before back.
const leavingLook = 1500 * time.Millisecond

// takeBack has the deployment of a run that is to end stopped, or where that cannot be, the version before put back. An update would
// replace whatever is there, so the service is looked at right before it; where that gets no answer, the update goes by what is known.
func (m *move) takeBack(o Observation) {
	m.found(o.Found)
	looked := o.Read.Service && o.Service != nil
	m.unheard.look = m.relooked && !looked
	if looked && m.leaveEnded(o) {
		return
	}
	m.unheard.update = m.unheard.update && !looked
	switch t := m.target; {
	case t.Empty && !m.emptyTried:
		m.effects = append(m.effects, Empty{})
	case t.ServiceDeployment != "" && !m.cannotStop:
		m.effects = append(m.effects, Stop{t.ServiceDeployment})
	case !m.relooked:
		m.relooked = true
		m.reads = Reads{Service: true, Find: t.ServiceDeployment == "" && !m.ownOff && t.ID != "", Within: leavingLook}
	case t.Previous != "":
		m.effects = append(m.effects, PutBack{Before: m.last, TaskDefinition: t.Previous})
	default:
		m.leftBy(PutBack{}, cmp.Or(m.unstopped, errNotStoppable))
	}
}

// leaveEnded ends a run that is to end where a look shows that nothing of its deployment is left to take back.
func (m *move) leaveEnded(o Observation) bool {
	s := *o.Service
	if o.Own != nil && o.Own.ARN == m.target.ServiceDeployment {
		s.Own = o.Own
	}
	m.take(s)
	switch phase := m.verdict.Phase; {
	case m.isBack, phase == RollingBack:
		m.left("its rollback goes on")
	case phase == Superseded:
		m.left("another deployment has begun since: " + arn.Revision(s.TaskDefinition))
	case slices.Contains([]Phase{Succeeded, Replacing, RolledBack, Deleted}, phase):
		m.leftEnded()
	default:
		return false
	}
	return true
}

// leavingTries is how often a run that is to end looks whether its update was heard, and sends it again where not.
const leavingTries = 2

// leaveUnsure looks at what has become of an update that got no answer. It is sent again only where nobody has begun anything since.
func (m *move) leaveUnsure(o Observation) {
	previous := PutBack{Before: m.last, TaskDefinition: m.target.Previous}
	if m.unheard.look = o.Service == nil; m.unheard.look {
		m.leftBy(previous, m.unstopped)
		return
	}
	heard := Update{TaskDefinition: m.target.Previous, Before: m.last}.heard(*o.Service)
	switch {
	case heard != nil:
		heard.Replaced = replaced(*heard, m.last.TaskDefinition, *o.Service)
		m.tellReplaced(*heard)
		m.leftBy(previous, nil)
	case newcomer(m.last, *o.Service) != nil:
		m.left("another deployment has begun since: " + arn.Revision(o.Service.TaskDefinition))
	default:
		m.last, previous.Before, m.unheard.update = *o.Service, *o.Service, false
		m.effects = append(m.effects, previous)
	}
}

// leaveOver ends a run that is interrupted whose deployment had ended before it could be stopped.
func (m *move) leaveOver(o Observation) {
	if o.Service == nil {
		m.left("it had come to its end before it could be stopped, and how it ended could not be read")
		return
	}
	s := *o.Service
	s.Own = o.Own
	m.take(s)
	m.leftEnded()
}

// leftEnded ends a run that is to end whose deployment has ended.
func (m *move) leftEnded() {
	switch m.verdict.Phase {
	case Succeeded:
		m.arrived()
	case Replacing, Settling:
		m.left("it was complete before it could be stopped, and is in force")
	default:
		m.left("it had come to its end before it could be stopped (" + string(m.verdict.Phase) + ")")
	}
}

// leftBy ends a run that is interrupted and has put the previous version back, or tried to.
func (m *move) leftBy(to PutBack, err error) {
	if err != nil {
		m.left(m.unheard.fate(err))
		return
	}
	m.left("the service was told to run " + arn.Revision(to.TaskDefinition) + " again")
}

// unheard is what a run that is to end does not know of what it did last.
type unheard struct {
	stop   bool // the request to stop the deployment got no answer, and may have been heard
	update bool // neither did an update to the version before, and no look since shows that it was not heard
	look   bool // the last look at the service got no answer
}

// fate says what is known of a deployment that a run leaves which could not take it back for an error.
func (u unheard) fate(err error) string {
	switch {
	case u.update, u.stop:
		return fmt.Sprintf("it was to be taken back, which got no answer (%v): whether it goes on or goes back is not known", err)
	case u.look:
		return fmt.Sprintf("it could not be stopped (%v), and whether it goes on could not be read", err)
	}
	return fmt.Sprintf("the deployment goes on without this run, since it could not be stopped (%v)", err)
}

// left ends a run that is interrupted.
func (m *move) left(fate string) {
	m.by = ByInterrupt
	m.warn("interrupted: " + fate)
	m.finish(EndInterrupted, fmt.Errorf("the run was interrupted while %s was being deployed; %s: %w",
		arn.Revision(m.followed().TaskDefinition), fate, m.leaving))
}
