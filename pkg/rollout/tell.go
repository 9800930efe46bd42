package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// The lanes of a rollout on a timeline. Each task has one of its own besides.
const (
	laneDeployment = "Deployment"
	laneECS        = "ECS"
)

func (m *move) tell(e record.Event) { m.effects = append(m.effects, Tell{e}) }

func (m *move) note(text string)      { m.tell(record.Event{Kind: record.KindNote, Text: text}) }
func (m *move) warn(text string)      { m.note("! " + text) }
func (m *move) debug(text string)     { m.tell(record.Event{Kind: record.KindDebug, Text: text}) }
func (m *move) find(f record.Finding) { m.tell(record.Event{Kind: record.KindFinding, Finding: &f}) }

func (m *move) progress(text string) {
	m.tell(record.Event{Kind: record.KindProgress, Text: text})
	m.note(text)
}

// tellNews tells the scheduler's lines that were not told yet, oldest first. The API returns at most a hundred, newest first, and
// repeats them at each read.
func (m *move) tellNews(s ecsview.Snapshot) {
	since := m.followed().Created
	if since.IsZero() {
		since = m.started
	}
	fresh, ids := news(m.told, since, s.Events)
	if len(ids) > 0 {
		m.told = remember(m.told, ids)
	}
	for _, e := range fresh {
		m.changed = m.now
		if m.suspicious(e.Text) {
			m.suspect = m.now
		}
		m.events = append(slices.Clip(m.events), SeenEvent{e, m.now})
		m.note("ECS: " + shorten(m.target.Service, e.Text))
		if name := Moment(e.Text); name != "" {
			m.tell(record.Event{Kind: record.KindStepEnded, Step: &record.Step{ID: e.ID, Lane: laneECS, Name: name,
				Begun: m.now, Ended: m.now, State: record.Done}})
		}
	}
}

// moments are the scheduler's lines that belong on a timeline.
var moments = []struct{ sign, name string }{
	{"has started ", "started"},
	{") registered ", "registered"},
	{"deployment completed", "completed"},
	{"rolling back to", "rolling back"},
}

// suspicious reports whether a failed task may be behind a line of the scheduler. That tasks were started is, unless they are the first:
// one that exits at once shows in nothing but that another is started.
func (s *State) suspicious(text string) bool {
	if strings.Contains(text, starts) {
		return slices.ContainsFunc(s.events, func(e SeenEvent) bool { return strings.Contains(e.Text, starts) })
	}
	return !slices.ContainsFunc(harmless, func(sign string) bool { return strings.Contains(text, sign) })
}

const starts = "has started "

// harmless are signs of the scheduler's lines that no failed task is behind.
var harmless = []string{") registered ", "deregistered ", "has begun draining", "has stopped", "deployment completed", "steady state"}

// Moment returns what a line of the scheduler is called on a timeline; "" where it does not belong there.
func Moment(text string) string {
	for _, moment := range moments {
		if strings.Contains(text, moment.sign) {
			return moment.name
		}
	}
	return ""
}

// news returns the events that were not told yet, oldest first, and the ids of those that need not be looked at again.
func news(told map[string]bool, since time.Time, events []ecsview.ServiceEvent) (fresh []ecsview.ServiceEvent, ids []string) {
	for _, e := range events {
		if told[e.ID] {
			continue
		}
		ids = append(ids, e.ID)
		if !e.At.Before(since) {
			fresh = append(fresh, e)
		}
	}
	slices.Reverse(fresh)
	return fresh, ids
}

// tellPauses says how to let a deployment go on that waits for somebody, once for each hook.
func (m *move) tellPauses(own *ecsview.ServiceDeployment) {
	if own == nil {
		return
	}
	for _, hook := range own.Paused {
		if !slices.Contains(m.paused, hook) {
			m.paused = append(slices.Clip(m.paused), hook)
			m.warn(fmt.Sprintf("the deployment waits at stage %s for somebody to continue it (its time limit is paused meanwhile): "+
				"`aws ecs continue-service-deployment --service-deployment-arn %s --hook-id %s`", own.Stage, m.followed().ServiceDeployment, hook))
		}
	}
}

func (m *move) tellEmptied(err error) {
	if err == nil {
		m.note("the first release failed: the service is without tasks again")
		return
	}
	m.tell(record.Event{Kind: record.KindWarning, Title: "The service has tasks that cannot start",
		Text: fmt.Sprintf("the first release failed, and the desired count could not be set back to 0: %v", explain(err))})
}

// openStep begins a stretch of the timeline.
func (m *move) openStep(phase Phase) {
	if m.isBack {
		return // all of it is the way back
	}
	m.closeStep(phase)
	if phase.Final() {
		return
	}
	step := record.Step{ID: fmt.Sprintf("%s %s %d", arn.Revision(m.target.TaskDefinition), m.target.ID, len(m.steps)+1),
		Lane: laneDeployment, Name: string(phase), Begun: m.now}
	m.steps = append(slices.Clip(m.steps), step)
	m.tell(record.Event{Kind: record.KindStepBegan, Step: &step})
}

func (m *move) closeStep(next Phase) {
	n := len(m.steps)
	if n == 0 || !m.steps[n-1].Ended.IsZero() {
		return
	}
	step := m.steps[n-1]
	step.Ended, step.State = m.now, record.Done
	switch {
	case step.Name == string(RollingBack):
		step.State = record.Undone
	case next != Succeeded && next != Settling && next != Replacing && next != Rolling:
		step.State = record.Failed
	}
	m.steps = slices.Clone(m.steps)
	m.steps[n-1] = step
	m.tell(record.Event{Kind: record.KindStepEnded, Step: &step})
}

// tellTask tells the stretches of a task's life as far as ECS gives their times, put on our clock as everything on the timeline is.
// One that is told again takes the place of what was told before.
func (m *move) tellTask(t ecsview.Task) {
	for _, step := range taskSteps(t) {
		step.Begun = step.Begun.Add(m.ahead)
		if !step.Ended.IsZero() {
			step.Ended = step.Ended.Add(m.ahead)
			if step.Ended.Before(m.started) { // of an earlier rollout, whose tasks ECS still lists
				continue
			}
		}
		kind := record.KindStepEnded
		if step.Ended.IsZero() {
			kind = record.KindStepBegan
		}
		m.tell(record.Event{Kind: kind, Step: &step})
	}
}

// taskSteps returns the stretches of a task's life: pulling its images, starting, running, and draining, which is everything
// between the wish to stop it and its end. Of a task that a health check ended, running is called health.
func taskSteps(t ecsview.Task) []record.Step {
	id := t.ID()
	var steps []record.Step
	add := func(name string, from, to time.Time, state record.State) {
		if from.IsZero() || !to.IsZero() && to.Before(from) {
			return
		}
		if to.IsZero() {
			state = record.Active
		}
		steps = append(steps, record.Step{ID: "task " + id + " " + name, Lane: "task " + id[:min(len(id), 8)], Name: name,
			Begun: from, Ended: to, State: state})
	}
	good := func(ok bool) record.State {
		if ok {
			return record.Done
		}
		return record.Failed
	}
	begun, ended := t.CreatedAt, first(t.StoppingAt, t.EndedAt, t.StoppedAt)
	if !t.PullStartedAt.IsZero() {
		pulled := !t.PullStoppedAt.IsZero() && (!t.StartedAt.IsZero() || !t.Failed())
		add("pull", t.PullStartedAt, first(t.PullStoppedAt, ended), good(pulled))
		begun = t.PullStoppedAt
	}
	if t.StartedAt.IsZero() {
		add("start", begun, ended, good(!t.Failed()))
	} else {
		add("start", begun, t.StartedAt, record.Done)
		name := "run"
		if t.Failed() && strings.Contains(t.Reason, "health checks") {
			name = "health"
		}
		add(name, t.StartedAt, ended, good(!t.Failed()))
	}
	if t.Stopped() {
		add("drain", ended, t.StoppedAt, record.Done)
	}
	return steps
}

// first returns the first of the moments that has come.
func first(moments ...time.Time) time.Time {
	for _, at := range moments {
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// shorten leaves out of a service event what every line repeats.
func shorten(service, text string) string {
	name := arn.Last(service)
	text = strings.TrimPrefix(text, "(service "+name+") ")
	return strings.TrimSuffix(groupNames(text), ".")
}

// groupNames writes the ARNs of target groups as their names.
func groupNames(text string) string {
	before, rest, found := strings.Cut(text, "(target-group arn:")
	if !found {
		return text
	}
	arn, after, closed := strings.Cut(rest, ")")
	_, path, isGroup := strings.Cut(arn, ":targetgroup/")
	if !closed || !isGroup {
		return text
	}
	group, _, _ := strings.Cut(path, "/")
	return before + "(target-group " + group + ")" + groupNames(after)
}

// counts describes the progress of the deployment in one line.
func counts(t Target, s ecsview.Snapshot) string {
	own := s.Find(t.ID)
	if own == nil {
		return ""
	}
	var old int
	for _, d := range s.Deployments {
		if d.ID != t.ID {
			old += d.Running
		}
	}
	if own.Desired == 0 && own.Running == 0 && old > 0 {
		return fmt.Sprintf("no new tasks, %d old running", old)
	}
	parts := []string{fmt.Sprintf("%d of %d new tasks running", own.Running, max(own.Desired, own.Running))}
	if own.Pending > 0 {
		parts = append(parts, fmt.Sprintf("%d starting", own.Pending))
	}
	if own.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed in a row", own.Failed))
	}
	if old > 0 {
		parts = append(parts, fmt.Sprintf("%d old still running", old))
	}
	if s.Own != nil && s.Own.Stage != "" {
		parts = append(parts, "stage "+s.Own.Stage)
	}
	if s.Own != nil && s.Own.Weight > 0 && s.Own.Strategy != "ROLLING" {
		parts = append(parts, fmt.Sprintf("%g%% of the traffic", s.Own.Weight))
	}
	return strings.Join(parts, ", ")
}

func phaseOr(p Phase) Phase {
	if p == "" {
		return Waiting
	}
	return p
}

// phaseText tells a change of the deployment's phase.
func phaseText(t Target, before Phase, v Verdict) string {
	name := arn.Revision(t.TaskDefinition)
	switch {
	case before == Settling && v.Phase == Rolling:
		return "new tasks are being replaced"
	case before == Replacing && v.Phase == Succeeded:
		return "all tasks of " + name + " run again"
	}
	if v.Phase == RolledBack && t.Empty {
		return "rolled back: the service is at what it was made with again"
	}
	text := map[Phase]string{
		Waiting:        "waiting for the deployment of " + name + " to appear",
		Rolling:        "deploying " + name,
		Settling:       "all new tasks run; ECS waits for their health checks and stops the old ones",
		Failing:        "ECS is giving the deployment up",
		RollingBack:    "rolling back",
		Replacing:      "the deployment of " + name + " is complete, but not all of its tasks run",
		Succeeded:      "the deployment of " + name + " succeeded",
		RolledBack:     "rolled back: the previous version is in force again",
		Failed:         "the deployment of " + name + " failed",
		RollbackFailed: "the rollback failed",
		Deleted:        "the service was deleted",
		Superseded:     "a newer deployment took over",
	}[v.Phase]
	if v.Reason != "" && v.Phase != Rolling && v.Phase != Settling && v.Phase != Replacing && v.Phase != Succeeded {
		text += ": " + v.Reason
	}
	return text
}

// errNotStoppable says that StopServiceDeployment cannot be used here.
var errNotStoppable = errors.New("the service deployment is not known, so it cannot be stopped")

// explain puts an error of AWS in words that say what to do.
func explain(err error) error { return awserr.Explain(err) }

func (s *State) unknown(silent time.Duration, err error) error {
	return fmt.Errorf("nothing could be read for %s, while the deployment was %s: %w",
		clock.Took(silent), phaseOr(s.verdict.Phase), explain(err))
}

// missing says that nothing can be read just now, and until when that is tried.
func (s *State) missing(err error) string {
	return fmt.Sprintf("nothing can be read, so how the deployment goes is not known; it goes on in ECS. Trying until %s: %v",
		s.contact.Add(s.settings.lostAfter).UTC().Format("15:04:05 MST"), explain(err))
}

func (s *State) superseded() error {
	return fmt.Errorf("while %s was being deployed to %s, a deployment of %s began",
		arn.Revision(s.followed().TaskDefinition), s.target.Service, arn.Revision(s.serving))
}

func (s *State) deleted() error {
	return fmt.Errorf("while %s was being deployed, service %s in cluster %s was deleted: %s",
		arn.Revision(s.followed().TaskDefinition), s.target.Service, s.target.Cluster, s.verdict.Reason)
}

func (s *State) overdue() error {
	return fmt.Errorf("the deployment of %s failed, and its rollback is not done after %s: %s",
		arn.Revision(s.followed().TaskDefinition), clock.Took(s.settings.rollbackTimeout), s.verdict.Reason)
}

func (s *State) backFailed() error {
	return fmt.Errorf("the deployment of %s, which worked before, did not succeed: %s",
		arn.Revision(s.back.TaskDefinition), phaseOr(s.verdict.Phase))
}

// inForce says what serves once a deployment was rolled back. Before a first release nothing did.
func (s *State) inForce(serving string) string {
	switch {
	case s.emptied:
		return "the service is without tasks again"
	case s.target.Empty:
		return "the service is at " + arn.Revision(serving) + " again, which has never served"
	}
	return arn.Revision(serving) + " serves again"
}

func (s *State) failedAgain(v Verdict) error {
	return fmt.Errorf("the deployment of %s failed%s, which is the version that the service was at before, and %w",
		arn.Revision(s.target.TaskDefinition), s.withReason(v.Reason), ErrNoWayBack)
}

func (s *State) stuck(v Verdict, err error) error {
	return fmt.Errorf("the deployment of %s failed%s, and the service could not be put back: %w",
		arn.Revision(s.target.TaskDefinition), s.withReason(v.Reason), err)
}

// withReason says in a message why the deployment failed, unless its cause is known: the finding beside the message tells that.
func (s *State) withReason(reason string) string {
	if s.cause != nil {
		return ""
	}
	return ": " + s.reasonOr(reason)
}

// reasonOr returns why the deployment failed: ECS's own words, or the last task that did.
func (s *State) reasonOr(reason string) string {
	switch {
	case reason != "":
		return strings.TrimSuffix(reason, ".")
	case len(s.failed) > 0:
		return s.failed[len(s.failed)-1].Failure()
	}
	return "ECS gave no reason"
}
