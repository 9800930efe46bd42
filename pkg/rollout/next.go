package rollout

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Next says what follows from an observation that was made at a moment: the new state, what is to be done, and what is to be read
// next. It touches nothing. Where effects change something, nothing is read before their answers were given to Next; where
// neither is left, the state is done.
func Next(s State, o Observation, now time.Time) (State, []Effect, Reads) {
	m := &move{State: s, now: now}
	m.observe(o)
	return m.State, m.effects, m.reads
}

// move is one step from a state to the next.
type move struct {
	State
	now     time.Time
	effects []Effect
	reads   Reads
}

func (m *move) observe(o Observation) {
	if m.end == "" && m.leaving == nil {
		m.leaving = o.Interrupted
	}
	for _, answer := range o.Answers {
		m.answered(answer)
	}
	m.calls += o.Calls
	if o.Read.Draining {
		m.draining, m.drainOff = o.Draining, o.DrainTrouble.Refused
	}
	switch {
	case m.end != "":
		m.afterwards(o)
	case m.leaving != nil:
		m.leave(o)
	case o.Read.Service:
		m.looked(o)
	case o.Read.Tasks:
		m.watch(o)
	case o.Read.Draining:
		m.decide()
	case o.Read.Diagnosis:
		m.diagnosed(o)
		m.decide()
	case o.Read.Past:
		m.remembered(o.Past)
	case m.want != (want{}) && m.refused.IsZero():
		m.look(0) // another change was decided on, since the first one cannot be made
	default:
		m.look(m.pace())
	}
}

// look has the service read after a while, with its service deployment where that can be had.
func (m *move) look(after time.Duration) {
	m.reads = Reads{After: after, Before: m.lookBefore(m.now, after), Service: true}
	t := m.followed()
	switch {
	case m.ownOff || t.ID == "":
	case t.ServiceDeployment != "":
		m.reads.Own = t.ServiceDeployment
	default:
		// It appears a moment after the update. Later on it is looked for less often: the list of deployments serves meanwhile.
		at := m.now.Add(after)
		if m.reads.Find = at.Sub(m.searched) >= min(at.Sub(m.started)/4, 10*time.Second); m.reads.Find { // never is long ago
			m.searched, m.begun = at, first(m.begun, at)
		}
	}
}

// lookBefore is when a wait of about that length is to be over at the latest: at the end of the time for what is done now, which is acted
// on when it comes and not at the look after it. It is zero where the wait ends before that by itself.
func (s *State) lookBefore(now time.Time, after time.Duration) time.Time {
	longest := after + time.Duration(spread*float64(after))
	if left := s.deadline.Sub(now); left > 0 && left < longest {
		return s.deadline
	}
	return time.Time{}
}

// pace is how long to wait until the service is read again.
func (m *move) pace() time.Duration {
	return pace(m.longest(m.now), m.throttled)
}

// longest is how long a change may go unnoticed at the step that the deployment is at: hardly at all where the next one may be its end,
// unless there are no calls left for that.
func (s *State) longest(now time.Time) time.Duration {
	switch {
	case s.verdict.Phase == Replacing || s.verdict.Phase == Succeeded:
		return slower
	case !nearEnd(s.last, s.draining):
		return slowest
	case lavish(s.calls, now.Sub(s.started)):
		return slower
	}
	return nearest
}

// ownPause is how long the service deployment is not read while the service shows nothing that it could explain; stagePause is that
// of one whose traffic is shifted in stages, which the service does not show.
const (
	ownPause   = 2 * time.Minute
	stagePause = 15 * time.Second
)

// ownDue reports whether the service deployment is to be read, as the service was just read: it alone says how a deployment ended, and
// it is not read while the service shows that it goes on.
func (s *State) ownDue(service ecsview.Snapshot, now time.Time) bool {
	d, primary := service.Find(s.followed().ID), service.Primary()
	pause, newest := ownPause, d != nil && d.Status == "PRIMARY"
	if !newest || service.Strategy != "" && service.Strategy != "ROLLING" {
		pause = stagePause
	}
	asked := newest && s.stopping && !s.isBack && !s.settings.committed
	before := s.last.Primary()
	moved := before == nil || primary == nil || before.ID != primary.ID
	return now.Sub(s.ownAt) >= pause || s.want != (want{}) || asked || s.leaving != nil ||
		s.last.Current == s.followed().ServiceDeployment && service.Current != s.last.Current ||
		moved || !primary.InProgress() || newest && d.TakesBack()
}

// looked takes what was read of the service.
func (m *move) looked(o Observation) {
	if o.ServiceTrouble.Err != nil {
		m.silent(o.ServiceTrouble)
		return
	}
	if o.Service == nil {
		m.look(m.pace())
		return
	}
	if !m.lookedAtOwn(o) {
		return
	}
	s := *o.Service
	if o.Read.Find && o.Own != nil && o.Own.ARN != m.followed().ServiceDeployment { // it was looked at, and is not the one
		o.Own = nil
	}
	if s.Own = o.Own; o.OwnLeft {
		s.Own = m.last.Own
	} else if o.Read.Own != "" || o.Own != nil {
		m.ownAt = m.now
	}
	m.take(s)
	switch {
	case m.want != (want{}): // was decided on before this observation
		m.decide()
	case m.dueTasks():
		m.watched, m.reads = m.now, Reads{Tasks: true, Draining: m.dueDraining()}
		if m.tasksOff {
			m.watch(Observation{Read: m.reads})
		}
	case m.dueDraining():
		m.reads = Reads{Draining: true}
	default:
		m.decide()
	}
}

// dueDraining reports whether it is looked at how far the tasks of other deployments have come: they alone keep the deployment from its
// end, and the service does not show it. Once none is being taken out of its target groups the end is near, and the service tells it.
func (m *move) dueDraining() bool {
	if m.drainOff || len(m.last.Deployments) < 2 || nearEnd(m.last, true) || !nearEnd(m.last, false) {
		m.drained, m.draining = false, false
		return false
	}
	first := !m.drained
	m.drained = true
	return first || m.draining
}

// lookedAtOwn takes what was found of the service deployment. It reports false where the whole observation is worth nothing.
func (m *move) lookedAtOwn(o Observation) bool {
	trouble := o.OwnTrouble
	switch {
	case trouble.Err == nil:
		m.ownFailed = 0
		m.found(o.Found)
	case trouble.Refused:
		m.ownOff = true
	default:
		m.ownFailed++
		if m.ownFailed <= 5 || trouble.Throttled {
			m.silent(trouble)
			return false
		}
		m.ownOff = true
		m.warn("the service-deployments API keeps failing, going on with DescribeServices alone: " + trouble.Err.Error())
	}
	return true
}

// found takes the followed one's service deployment from those that were listed.
func (m *move) found(candidates []Candidate) {
	if m.followed().ServiceDeployment != "" {
		return
	}
	own := pick(*m.followed(), candidates, 0)
	if own.ARN == "" && m.now.Sub(m.begun) >= settleTime {
		own = pick(*m.followed(), candidates, createdSlack)
	}
	m.followed().ServiceDeployment, m.followed().Sources = own.ARN, own.Sources
}

// take judges a snapshot and tells what is new in it.
func (m *move) take(s ecsview.Snapshot) {
	if m.missed {
		m.missed = false
		m.note("contact again after " + clock.Took(m.now.Sub(m.contact)))
	}
	if m.last.Own != nil && len(m.last.Own.Paused) > 0 && !m.stopping { // it waits for somebody: the clock stands
		m.deadline = m.deadline.Add(m.now.Sub(m.contact))
	}
	m.contact, m.throttled = m.now, 0
	before := m.isBack
	if m.adopt(s); m.isBack != before {
		s.Own = nil // it is that of the deployment that was followed until now
	}
	t := m.followed()
	m.noteFailedPrimary(s)
	m.noteOver(s.Own)
	verdict := Evaluate(*t, s, m.seen)
	if s.Find(t.ID) != nil {
		m.seen.Listed = true
	}
	if verdict.Phase == RollingBack {
		m.seen.RollingBack = true
	}
	if verdict.Phase != m.verdict.Phase {
		m.changed = m.now
		m.openStep(verdict.Phase)
		m.note(phaseText(*t, m.verdict.Phase, verdict))
	}
	if mayHaveFailed(m.last.Find(t.ID), s.Find(t.ID)) || verdict.Phase != m.verdict.Phase && !slices.Contains(goingWell, verdict.Phase) {
		m.suspect = m.now
	}
	m.tellPauses(s.Own)
	m.tellNews(s)
	if line := counts(*t, s); line != "" && line != m.counts {
		m.changed, m.counts = m.now, line
		m.progress(line)
	}
	m.verdict, m.last, m.serving = verdict, s, s.TaskDefinition
	m.noteGap()
}

// remembered takes the version that worked last by the service's history, where the deployments that were listed at the beginning
// named none.
func (m *move) remembered(taskDefinition string) {
	if taskDefinition != "" && taskDefinition != m.target.TaskDefinition {
		m.target.Previous = taskDefinition
		m.note("the service's history knows a version that worked: " + arn.Revision(taskDefinition))
	}
	m.look(0)
}

// adopt takes the id of the followed deployment from a snapshot, where the answer to the update did not name it.
func (m *move) adopt(s ecsview.Snapshot) {
	primary := s.Primary()
	switch {
	case m.isBack:
		if m.back.ID == "" && primary != nil && primary.TaskDefinition == m.back.TaskDefinition {
			m.back.ID, m.back.Created = primary.ID, primary.Created // also where ECS was back there by itself, so that nothing new has begun
		}
	case m.sent && primary != nil && primary.ID != m.target.ID && primary.TaskDefinition == m.target.Previous &&
		!slices.Contains(m.target.Known, primary.ID): // the update was heard, though no answer came
		m.goBack(Target{Cluster: m.target.Cluster, Service: m.target.Service, TaskDefinition: m.target.Previous, ID: primary.ID,
			Created: primary.Created, Known: append(slices.Clone(m.target.Known), m.target.ID)})
	default:
		m.target.adopt(s)
	}
}

// noteFailedPrimary measures how long the deployment has been FAILED without another taking its place.
func (m *move) noteFailedPrimary(s ecsview.Snapshot) {
	own := s.Find(m.followed().ID)
	if own == nil || own.Status != "PRIMARY" || own.State != rolloutFailed {
		m.failedAt, m.seen.FailedFor = time.Time{}, 0
		return
	}
	if m.failedAt.IsZero() {
		m.failedAt = m.now
	}
	m.seen.FailedFor = m.now.Sub(m.failedAt)
}

// noteOver measures how long the service deployment is known to have ended without success.
func (m *move) noteOver(own *ecsview.ServiceDeployment) {
	switch {
	case own == nil || own.Status != types.ServiceDeploymentStatusStopped && own.Status != types.ServiceDeploymentStatusRollbackFailed:
		m.overAt, m.seen.OverFor = time.Time{}, 0
		return
	case m.overAt.IsZero():
		m.overAt = m.now
	}
	m.seen.OverFor = m.now.Sub(m.overAt)
}

// dueTasks reports whether it is time to look for failed tasks: when the service shows something that may be one, once more a little
// later, since the list of tasks may be behind, and seldom where it does not. A task that exits at once shows in nothing but that ECS
// starts another. At the end of a deployment that failed it is looked at once more.
func (m *move) dueTasks() bool {
	switch {
	case m.isBack || m.target.ID == "" || m.settings.committed:
		return false
	case m.verdict.Phase == Succeeded && !m.fell, m.verdict.Phase == Superseded:
		return false
	}
	if m.unwatched > 0 { // each try may take as long as a read that is never answered does
		return m.now.Sub(m.watched) >= watchPause<<min(m.unwatched, 4)
	}
	pause := watchCalm
	if m.now.Sub(m.suspect) < 2*watchPause {
		pause = watchPause
	}
	return m.suspect.After(m.watched) || m.now.Sub(m.watched) >= pause
}

// lateLimit is how long a read of tasks may keep a deployment whose time is over from being stopped.
const lateLimit = 3 * time.Second

// sideLimit is how long tasks may be read for, which the deployment can be followed without: hardly beyond the end of its time.
func (s *State) sideLimit(now time.Time) time.Duration {
	if s.stopping {
		return readLimit
	}
	return min(max(s.deadline.Sub(now), lateLimit), readLimit)
}

// goingWell are the phases whose beginning is not a sign of failed tasks.
var goingWell = []Phase{Waiting, Rolling, Settling, Succeeded}

// mayHaveFailed reports whether a task of the deployment may have failed between two looks at it: there are fewer than before, or ECS
// counts more failures.
func mayHaveFailed(before, now *ecsview.Deployment) bool {
	return before != nil && now != nil &&
		(now.Running < before.Running || now.Running+now.Pending < before.Running+before.Pending || now.Failed > before.Failed)
}

// watchPause is how long stopped tasks are not looked at after something has changed, and watchCalm where nothing does.
const (
	watchPause = 5 * time.Second
	watchCalm  = 2 * time.Minute
)

// watch takes the tasks that have stopped, and has new failures explained.
func (m *move) watch(o Observation) {
	if o.TasksTrouble.Refused {
		m.tasksOff = true
	} else if o.TasksTrouble.Err != nil {
		m.unwatched++
		m.decide() // the next look may work; the deployment itself is followed without
		return
	}
	m.unwatched = 0
	fresh := m.takeFailed(o.Tasks)
	m.noteGap()
	if m.settings.diagnoses && (fresh || m.trouble()) {
		m.reads = Reads{Diagnosis: true}
		return
	}
	m.decide()
}

// takeFailed takes note of the tasks that failed, oldest first, and tells them; it reports whether there was one.
func (m *move) takeFailed(tasks []ecsview.Task) bool {
	tasks = slices.Clone(tasks)
	sorted.Stable(tasks, func(a, b ecsview.Task) int { return a.StoppedAt.Compare(b.StoppedAt) })
	any := false
	for _, task := range tasks {
		m.tellTask(task)
		if task.StartedBy == m.target.ID && task.Failed() {
			any, m.changed, m.suspect = true, m.now, m.now
			m.failed = append(slices.Clip(m.failed), FailedTask{task, m.now})
			m.note("✗ " + task.Failure())
		}
	}
	return any
}

// trouble reports whether the scheduler's last word is of a failure that no task was found for: it cannot start any, or they
// may not be listed.
func (s *State) trouble() bool {
	if len(s.failed) > 0 || s.diagnosis.known() || len(s.events) == 0 {
		return false
	}
	last := s.events[len(s.events)-1].Text
	own := s.last.Find(s.target.ID)
	for _, sign := range []string{"unable to", "failed to", "could not", "misconfigured"} {
		if own != nil && own.Running == 0 && strings.Contains(last, sign) {
			return true
		}
	}
	return s.tasksOff && strings.Contains(last, "unhealthy")
}

// diagnosed takes why tasks fail.
func (m *move) diagnosed(o Observation) {
	before := m.diagnosis
	m.diagnosis = Diagnosis{}
	if o.Diagnosis == nil || !o.Diagnosis.known() {
		return
	}
	m.diagnosis = *o.Diagnosis
	if m.diagnosis.Finding.Title != before.Finding.Title {
		m.certain = m.now
	}
	if m.cause == nil || m.cause.Code != m.diagnosis.Finding.Code {
		m.find(m.diagnosis.Finding)
	}
	m.knowCause()
}

// knowCause keeps the diagnosis as the cause; afterwards less is to be seen.
func (m *move) knowCause() {
	finding := m.diagnosis.Finding
	m.cause = &finding
}

// lostGrace is how long after the end of its time a run that can read nothing goes on.
const lostGrace = 30 * time.Second

// silent takes a read that failed. Once that has gone on for too long, what runs is not known.
func (m *move) silent(trouble Trouble) {
	if trouble.Throttled {
		m.throttled++
	} else {
		m.throttled = max(m.throttled, 1) // hurry helps a service in trouble as little as one that throttles
	}
	silent := m.now.Sub(m.contact)
	if m.lost(silent, trouble.Throttled) {
		m.finish(EndUnknown, m.unknown(silent, trouble.Err))
		return
	}
	if !m.missed && !trouble.Throttled && (trouble.Credentials || silent >= tellSilence) {
		m.missed = true
		m.warn(m.missing(trouble.Err))
	} else {
		m.debug("reading the deployment failed, trying again: " + trouble.Err.Error())
	}
	m.look(m.pace())
}

// tellSilence is how long reads may fail before that is told. Credentials that AWS does not take are told at once.
const tellSilence = 15 * time.Second

// lost reports whether what runs has to be given up as unknown. Throttling passes: it is waited for as long as there is time.
func (m *move) lost(silent time.Duration, throttled bool) bool {
	late := !m.now.Before(m.deadline.Add(lostGrace))
	if m.stopping {
		return late || silent >= m.settings.lostAfter && !throttled
	}
	return silent >= m.settings.lostAfter && (late || !throttled)
}

// afterwards takes what is still of interest once the end is known. A cause that is found only then is told by the verdict, which
// comes next.
func (m *move) afterwards(o Observation) {
	for _, task := range o.Tasks {
		m.tellTask(task)
	}
	if o.Diagnosis != nil && o.Diagnosis.known() {
		m.diagnosis = *o.Diagnosis
		m.knowCause()
	}
	m.done = true
}

// finish ends following. A failure that nobody could explain is looked into once more.
func (m *move) finish(end End, err error) {
	m.end, m.err, m.took, m.want = end, err, m.now.Sub(m.started), want{}
	m.closeStep(m.verdict.Phase)
	m.reads = Reads{}
	switch {
	case end == EndInterrupted || end == EndUnknown || m.settings.committed:
	case end == EndSucceeded && m.target.ID != "" && !m.tasksOff:
		m.reads = Reads{Running: true}
	case end != EndSucceeded && m.settings.diagnoses && m.cause == nil:
		m.reads = Reads{Diagnosis: true, Last: true}
	}
	m.done = !m.reads.any()
}

// remember adds names to a set that older states share.
func remember(set map[string]bool, names []string) map[string]bool {
	set = maps.Clone(set)
	if set == nil {
		set = map[string]bool{}
	}
	for _, name := range names {
		set[name] = true
	}
	return set
}
