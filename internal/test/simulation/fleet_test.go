package simulation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// This file is the second service, which is released with the first, and the schedules, which go along with the first.

// worker is the second service.
const worker = "connect2-api-worker-dev"

// Second is whether there is a second service, and in which order a release of both deploys them.
type Second string

// The orders.
const (
	NoSecond   Second = ""
	AtOnce     Second = "at once"
	Afterwards Second = "afterwards" // the second when the first has arrived
)

// file is the connect2.yaml of both.
func (s Second) file() string { return "testdata/" + strings.ReplaceAll(string(s), " ", "-") + ".yaml" }

// The schedules that run tasks of the first service's family.
const (
	rule     = "digest"
	schedule = "report"
)

// state is that of the second service at a moment.
type state struct {
	primary        string // id of its PRIMARY deployment
	since          time.Time
	taskDefinition string
	version        int
	rollout        string // its rolloutState
	alone          bool
	desired        int
	running        int
	stands, fallen int
}

func (s state) String() string {
	return fmt.Sprintf("PRIMARY of the second is v%d %s (%s, %s), %d of %d tasks run",
		s.version, s.rollout, name(s.taskDefinition), s.primary, s.running, s.desired)
}

// standing says whether all tasks that are wanted run, or those that are missing did not fail by their own fault.
func (s state) standing() bool { return s.fallen == 0 || s.stands >= s.desired }

// second looks at the second service; it is the zero state where there is none.
func (w *world) second(s *engine.Service) state {
	if w.history.Second == NoSecond {
		return state{}
	}
	s = s.Cluster.Service(worker)
	d := s.Deployments[0]
	of := state{primary: d.ID, since: d.CreatedAt.Add(-w.history.Skew), taskDefinition: d.Revision.Spec.Definition.ARN,
		version: w.version(d.Revision), rollout: d.State, alone: len(s.Deployments) == 1, desired: s.Desired, running: s.Counts().Running}
	of.stands, of.fallen = fates(s)
	return of
}

// withSecond adds to a scenario what the history has beside the first service.
func (h History) withSecond(scenario *sandbox.Scenario) {
	if h.Second != NoSecond {
		scenario.Services = map[string]sandbox.MoreScenario{worker: {Command: []string{"work"}}}
	}
}

// putSchedules makes the schedules, which run what serves at the beginning.
func (w *world) putSchedules(s *sandbox.Sandbox) {
	if !w.history.Scheduled {
		return
	}
	serving := ""
	inspect(s, func(_ *engine.Engine, s *engine.Service) {
		serving = name(s.Deployments[0].Revision.Spec.Definition.ARN)
	})
	site := &sandboxtest.Site{T: w.t, Sandbox: s}
	site.PutRule(rule, serving)
	site.PutSchedule(schedule, serving)
}

// whole is the present state with what the schedules run, as FAMILY:REVISION.
func (w *world) whole() moment {
	m := w.note()
	if w.history.Scheduled {
		site := &sandboxtest.Site{T: w.t, Sandbox: w.sandbox}
		m.scheduled = site.RuleRuns(rule) + " " + site.ScheduleRuns(schedule)
	}
	return m
}

// changeWorker has a colleague deploy a version of the second service.
func (w *world) changeWorker(e *engine.Engine, s *engine.Service, version int) string {
	second := s.Cluster.Service(worker)
	if second == nil {
		return ": there is none"
	}
	return w.release(e, second, version)
}

// about says which services a call is about: all calls are of the first where there is no other.
func (w *world) about(r *http.Request) (first, second bool) {
	if w.history.Second == NoSecond {
		return true, false
	}
	text := bodyOf(r)
	return bytes.Contains(text, []byte(sandboxtest.Service)), bytes.Contains(text, []byte(worker))
}

// bodyOf reads the body of a call, and puts it back.
func bodyOf(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return text
}

// hashed is a source of random numbers that follow from a seed, the present moment, and a text: where two services are deployed at once,
// the order in which they ask is nobody's.
func hashed(seed uint64, text []byte) *rand.Rand {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, seed)
	_ = binary.Write(h, binary.BigEndian, time.Now().UnixNano())
	_, _ = h.Write(text)
	return rand.New(rand.NewPCG(h.Sum64(), 0x6f72646572))
}

// hashedClock is the clock of a run that does two things at once.
type hashedClock struct {
	clock.Clock
	seed uint64
}

// Random returns the number of the moment.
func (c hashedClock) Random() float64 { return hashed(c.seed, nil).Float64() }

// clockOf is what a run goes by.
func (p *process) clockOf() clock.Clock {
	if p.run.Verb == Together {
		return hashedClock{clock.System, p.seed}
	}
	return clock.Seeded(clock.System, p.seed)
}

// ways is how long a call takes there and back.
func (p *process) ways(r *http.Request) (there, back time.Duration) {
	random := p.random
	if p.run.Verb == Together {
		text := slices.Clone(bodyOf(r))
		slices.Sort(text) // two services that are asked for together stand in any order
		random = hashed(p.seed, append([]byte(r.Header.Get("X-Amz-Target")+r.URL.Path), text...))
	}
	return latency(random), latency(random)
}

// greenTogether checks that both services were at what was asked for, each between its newest read and the exit.
func (w *world) greenTogether(r *report) string {
	first, second := "the first", "the second"
	for _, m := range w.between(r) {
		if m.version == r.run.Version && m.state == engine.Completed && (m.standing() || w.disturbed(m.at)) {
			first = ""
		}
	}
	for _, m := range w.since(r.newestSecond, r) {
		if m.second.version == r.run.Version && m.second.rollout == engine.Completed && m.second.standing() {
			second = ""
		}
	}
	if missing := cmp.Or(first, second); missing != "" {
		return fmt.Sprintf("%s, and %s was not at v%d: %s; %s", r.answer.Outcome, missing, r.run.Version, r.last, r.last.second)
	}
	return ""
}

// redTogether checks that neither service has what a release began that is not green.
func (w *world) redTogether(r *report) string {
	said := func(of string) bool {
		for _, how := range []string{" could not be put back", " stays at", " was changed by somebody since", " goes back to"} {
			if strings.Contains(r.answer.Error, of+how) {
				return true
			}
		}
		return false
	}
	first, second := r.began != "" && !said("api"), r.beganSecond != "" && !said("worker")
	for _, m := range w.between(r) {
		first = first && m.primary == r.began && m.state == engine.Completed
	}
	for _, m := range w.since(r.newestSecond, r) {
		second = second && m.second.primary == r.beganSecond && m.second.rollout == engine.Completed
	}
	if first || second {
		return fmt.Sprintf("%s, and what it began is in force: %s; %s (%s)", r.answer.Outcome, r.last, r.last.second, r.answer.Error)
	}
	return ""
}

// settledAt says whether a service stood still at the beginning of a run, as it read it.
func (w *world) settledAt(at, since time.Time, rollout string, alone bool) bool {
	return rollout == engine.Completed && alone && at.Sub(since) > w.lag()
}

// asItWas checks what a release that is not green has touched, long after everything is over, unless somebody else touched it since.
func (w *world) asItWas(r *report) string {
	if r.killed || r.answer.green() || r.answer.unsure() || r.faulty && r.answer.Outcome == string(action.Stuck) {
		return ""
	}
	if r.run.Verb != Together || w.touchedBeside(r) {
		return ""
	}
	before, now := r.base, w.settled
	others := func(whats ...What) bool {
		return slices.ContainsFunc(w.acts, func(a acted) bool { return slices.Contains(whats, a.what) && !a.at.Before(before.at) })
	}
	if !others(ColleagueDeploys, ColleagueForces, ColleagueRollsBack, TerraformNetwork) &&
		w.settledAt(before.at, before.since, before.state, before.alone) && now.taskDefinition != before.taskDefinition {
		return fmt.Sprintf("%s; before it %s, and long after it %s (%s)", r.answer.Outcome, before, now, r.answer.Error)
	}
	was, is := before.second, now.second
	if !others(ColleagueDeploysSecond) && w.settledAt(before.at, was.since, was.rollout, was.alone) &&
		is.taskDefinition != was.taskDefinition {
		return fmt.Sprintf("%s; before it %s, and long after it %s (%s)", r.answer.Outcome, was, is, r.answer.Error)
	}
	return ""
}

// touchedBeside says whether another run of ours may have changed something since a run, or an attempt at the same, began.
func (w *world) touchedBeside(r *report) bool {
	return slices.ContainsFunc(w.runs, func(other *report) bool {
		mine := other == r || other.number == r.number && !other.begun.After(r.begun)
		return !mine && other.run.Verb != Migrate && !other.ended.Before(r.base.at)
	})
}

// leavesSecond is leaves of the second service.
func (w *world) leavesSecond(r *report) string {
	m := w.settled.second
	if r.run.Verb != Together || m.primary == "" || !w.lastOfAll(r) || w.fateOfSecond(m.version) == Faints && m.rollout == engine.Completed {
		return ""
	}
	if m.rollout == engine.Failed || m.running == 0 && m.desired > 0 {
		return fmt.Sprintf("%s, and %v later %s (%s)", r.answer.Outcome, settling, m, r.answer.Error)
	}
	return ""
}

func (w *world) fateOfSecond(version int) Kind { return w.fate(version).Second }

// schedulesStay checks that a release that is not green leaves the schedules as they were.
func (w *world) schedulesStay(r *report) string {
	if r.killed || r.answer.green() || !r.run.Along || r.faulty && r.answer.Outcome == string(action.Stuck) || w.touchedBeside(r) {
		return ""
	}
	if !slices.Equal(r.base.schedules(), r.last.schedules()) {
		return fmt.Sprintf("%s; the schedules ran %s before, and %s after (%s)", r.answer.Outcome, r.base.scheduled, r.last.scheduled,
			r.answer.Error)
	}
	return ""
}

// rolledBackFrom is the revision that a run says it was rolled back from, as FAMILY:REVISION, or "".
func (r *report) rolledBackFrom() string {
	switch {
	case r.killed:
		return ""
	case r.run.Verb == Rollback && r.answer.Outcome == "succeeded":
		return name(r.leave)
	case r.run.Verb.deploys() && r.answer.tookBack():
		return name(r.answer.TaskDefinition)
	}
	return ""
}

// schedulesLeave checks that no schedule runs, in the end, what was rolled back, and not deployed again.
func (w *world) schedulesLeave(r *report) string {
	left := r.rolledBackFrom()
	if left == "" || !slices.Contains(w.settled.schedules(), left) || name(w.settled.taskDefinition) == left {
		return ""
	}
	if r.faulty && (r.answer.Outcome == string(action.Stuck) || strings.Contains(r.answer.Written, "Schedules not known")) {
		return ""
	}
	for _, later := range w.runs {
		if later != r && !later.ended.Before(r.begun) && later.answer.green() && name(later.answer.TaskDefinition) == left {
			return "" // somebody has deployed it again
		}
	}
	return fmt.Sprintf("%s was left (%s), and in the end the schedules run %s, while %s", left, r.answer.Outcome, w.settled.scheduled,
		w.settled)
}

// onlySchedules says whether a rollback had arrived before the run began, which took nothing along but the schedules: what it left is what
// it says, since nothing was under way that shows it.
func (w *world) onlySchedules(r *report) bool {
	return r.run.Verb == Rollback && w.history.Scheduled && r.began == "" && r.gaveUp.IsZero() && !r.joined &&
		r.before.state == engine.Completed && r.first.state == engine.Completed && r.answer.Previous != ""
}

// schedules returns what the schedules run.
func (m moment) schedules() []string { return strings.Fields(m.scheduled) }
