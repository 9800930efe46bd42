package rollout

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// This file holds a model of ECS that is small enough to enumerate: everything that can happen to one deployment, one look after
// another, with everything that a look may fail of. Next is asked about each state once.

// site is what the service is at.
type site int

const (
	atStarts   site = iota // the new deployment is PRIMARY, and no task of it runs
	atFails                // the same, and tasks of it have failed
	atSettles              // all its tasks run
	atDone                 // it is COMPLETED
	atFalls                // it is COMPLETED, and its tasks have failed since
	atTripped              // ECS rolls it back: the old one is PRIMARY again
	atUndone               // the old one is back
	atUnundone             // the way back has failed
	atGiven                // ECS has given it up, and puts nothing back
	atAsked                // a rollback was asked for, and has not begun
	atNewer                // somebody's later deployment is PRIMARY
	atNewest               // which is COMPLETED
	atPuts                 // the previous version was put back: a deployment of its own
	atPut                  // which is COMPLETED
	atUnput                // which has failed
	atDeleted              // the service is being deleted
	sites
)

var siteNames = [sites]string{"starts", "fails", "settles", "done", "falls", "tripped", "undone", "unundone", "given", "asked", "newer",
	"newest", "puts", "put", "unput", "deleted"}

func (s site) String() string { return siteNames[s] }

// moves is what may happen between two looks, without us.
var moves = [sites][]site{
	atStarts:  {atFails, atSettles, atNewer, atDeleted},
	atFails:   {atSettles, atTripped, atGiven, atNewer},
	atSettles: {atDone, atFails, atNewer},
	atDone:    {atFalls, atNewer},
	atFalls:   {atDone},
	atTripped: {atUndone, atUnundone, atNewer},
	atUndone:  {atNewer},
	atGiven:   {atNewer},
	atAsked:   {atTripped, atUndone, atNewer, atDone},
	atNewer:   {atNewest},
	atPuts:    {atPut, atUnput, atNewer},
}

// backID is the deployment that puts the previous version back.
const backID = "ecs-svc/250"

// shown is what DescribeServices and the service-deployments API say of each site.
var shown, ownShown = func() (services [sites]ecsview.Snapshot, own [sites]*ecsview.ServiceDeployment) {
	back := func(state string, n int) ecsview.Deployment {
		return ecsview.Deployment{ID: backID, Status: "PRIMARY", State: state, TaskDefinition: oldTD, Desired: 2, Running: n,
			Created: epoch.Add(30 * time.Second), Updated: epoch.Add(30 * time.Second)}
	}
	failedTimes := func(n int) func(*ecsview.Deployment) { return func(d *ecsview.Deployment) { d.Failed = n } }
	old := deployment(oldID, "ACTIVE", "COMPLETED")
	for at, of := range map[site]struct {
		own         types.ServiceDeploymentStatus
		deployments []ecsview.Deployment
	}{
		atStarts:  {"IN_PROGRESS", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", running(0)), old}},
		atFails:   {"IN_PROGRESS", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", running(0), failedTimes(2)), old}},
		atSettles: {"IN_PROGRESS", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS"), old}},
		atDone:    {"SUCCESSFUL", []ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED")}},
		atFalls:   {"SUCCESSFUL", []ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED", running(0), failedTimes(1))}},
		atTripped: {"ROLLBACK_IN_PROGRESS", []ecsview.Deployment{
			deployment(oldID, "PRIMARY", "IN_PROGRESS", touched, because(rollingBackText)), deployment(newID, "ACTIVE", "FAILED", running(0))}},
		atUndone:   {"ROLLBACK_SUCCESSFUL", []ecsview.Deployment{deployment(oldID, "PRIMARY", "COMPLETED", touched)}},
		atUnundone: {"ROLLBACK_FAILED", []ecsview.Deployment{deployment(oldID, "PRIMARY", "FAILED", touched, running(0))}},
		atGiven:    {"STOPPED", []ecsview.Deployment{deployment(newID, "PRIMARY", "FAILED", running(0)), old}},
		atAsked:    {"ROLLBACK_REQUESTED", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", running(0)), old}},
		atNewer:    {"STOPPED", []ecsview.Deployment{deployment(laterID, "PRIMARY", "IN_PROGRESS"), deployment(newID, "ACTIVE", "FAILED")}},
		atNewest:   {"STOPPED", []ecsview.Deployment{deployment(laterID, "PRIMARY", "COMPLETED")}},
		atPuts:     {"STOPPED", []ecsview.Deployment{back("IN_PROGRESS", 0), deployment(newID, "ACTIVE", "FAILED", running(0))}},
		atPut:      {"STOPPED", []ecsview.Deployment{back("COMPLETED", 2)}},
		atUnput:    {"STOPPED", []ecsview.Deployment{back("FAILED", 0)}},
		atDeleted:  {"STOPPED", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", running(0))}},
	} {
		s := ecsview.Snapshot{Status: "ACTIVE", Desired: 2, TaskDefinition: of.deployments[0].TaskDefinition, Deployments: of.deployments}
		if at == atDeleted {
			s.Status = "DRAINING"
		}
		for _, d := range s.Deployments {
			s.Running += d.Running
		}
		services[at], own[at] = s, &ecsview.ServiceDeployment{ARN: ownARN, Status: of.own, Finished: epoch}
	}
	return services, own
}()

const ownARN = own

// ours reports whether what was asked for is the service's PRIMARY deployment, and complete.
func (s site) ours() bool { return s == atDone || s == atFalls }

// previous reports whether the version before is PRIMARY and complete.
func (s site) previous() bool { return s == atUndone || s == atPut }

// node is a state of the model: what is known and decided, what the service is at, and what Next has asked for.
type node struct {
	state  State
	reads  Reads
	todo   []Effect // whose answers are to be given to Next
	world  site
	before site // what it was at before: a read that lags shows that
	now    time.Time
	faults int  // looks that have failed of something, so far
	dark   bool // nothing can be read any more
	seen   site
	heard  bool // the service was read at all; seen is what it was at then
	still  int  // looks in a row without any time between them
	left   int  // rounds since the run was interrupted; 0: it was not
	from   *node
	how    string
}

// The times that the model goes by, and what it bounds.
const (
	modelTime    = 16 * time.Second
	modelBack    = 16 * time.Second
	modelLost    = 8 * time.Second
	modelStill   = 12 // looks without time between them
	modelRounds  = 5  // of a run that is interrupted
	modelSurplus = lostGrace + modelLost + 2*slowest
)

// modelGrid is the grid that looks are on, and modelFaults how many of them fail in one history. With MODEL=wide they are closer, which
// takes half a minute.
var modelGrid, modelFaults = 8 * time.Second, 1

func init() {
	if os.Getenv("MODEL") == "wide" {
		modelGrid = 4 * time.Second
	}
}

var errModel = errors.New("the model's")

// key is what tells one state from another: everything that a decision hangs on. Times are as long ago as it matters.
type key struct {
	world, before, seen site
	heard, dark         bool
	reads               Reads
	todo                string
	faults, still, left int

	isBack, missed, ownOff, tasksOff, fell, sent, stopping, cannotStop, emptyTried, pastAsked, leaving, unstopped, overtaken, relooked bool

	target, back                                                              string
	verdict                                                                   Phase
	sight                                                                     Seen
	own                                                                       types.ServiceDeploymentStatus
	primary, primaryState                                                     string
	primaryRuns                                                               int
	throttled, ownFailed, unwatched, failed, alike, waves, unsure             int
	code                                                                      string
	want                                                                      want
	by                                                                        By
	end                                                                       End
	begun, deadline, failedAt, overAt, changed, contact, ownAt, first, search time.Duration
	watched, suspect, certain, replacing, stood, refused                      time.Duration
	order                                                                     [2]bool
}

// untold are the fields of State that no decision hangs on, or that are the same all the time here.
var untold = []string{"settings", "failure", "cause", "ahead", "told", "counts", "paused", "events", "steps", "emptied", "err", "serving",
	"took", "done", "calls", "drained", "draining", "drainOff", "unheard"}

func (n *node) key() key {
	s := n.state
	age := func(t time.Time, most time.Duration) time.Duration {
		if t.IsZero() {
			return -1
		}
		return min(n.now.Sub(t), most)
	}
	const far = 40 * time.Second
	var own types.ServiceDeploymentStatus
	if s.last.Own != nil {
		own = s.last.Own.Status
	}
	var primary ecsview.Deployment
	if len(s.last.Deployments) > 0 {
		primary = s.last.Deployments[0]
	}
	todo := ""
	if len(n.todo) > 0 {
		todo = changes(n.todo, Reads{})
	}
	return key{n.world, n.before, n.seen, n.heard, n.dark, n.reads, todo, n.faults, n.still, n.left,
		s.isBack, s.missed, s.ownOff, s.tasksOff, s.fell, s.sent, s.stopping, s.cannotStop, s.emptyTried, s.pastAsked, s.leaving != nil,
		s.unstopped != nil, s.overtaken, s.relooked,
		s.target.ID + s.target.ServiceDeployment + s.target.Previous, s.back.ID + s.back.ServiceDeployment,
		s.verdict.Phase, s.seen, own, primary.ID, primary.State, primary.Running, s.throttled, s.ownFailed,
		s.unwatched, len(s.failed), s.diagnosis.Alike, s.diagnosis.Waves, s.unsure,
		s.diagnosis.Finding.Code, s.want, s.by, s.end, age(s.begun, far), s.deadline.Sub(n.now), age(s.failedAt, rollbackGrace),
		age(s.overAt, rollbackGrace),
		age(s.changed, 2*slowest), age(s.contact, far), age(s.ownAt, ownPause), age(s.started, far), age(s.searched, far/4),
		age(s.watched, far), age(s.suspect, 2*watchPause), age(s.certain, placementPatience), age(s.replacing, far), age(s.stood, far),
		age(s.refused, modelLost),
		[2]bool{s.suspect.After(s.watched), s.watched.Sub(s.replacing) >= gapPatience}}
}

// TestModelKnowsTheState holds that each field of a state is in the model's key, or known to decide nothing.
func TestModelKnowsTheState(t *testing.T) {
	inKey := strings.Fields("target back isBack started deadline last verdict seen failedAt overAt changed contact throttled missed ownOff " +
		"ownFailed ownAt begun searched tasksOff watched suspect unwatched failed diagnosis certain replacing fell stood want stopping " +
		"cannotStop refused sent emptyTried pastAsked by leaving unstopped overtaken relooked unsure end")
	for field := range reflect.TypeFor[State]().Fields() {
		if !slices.Contains(inKey, field.Name) && !slices.Contains(untold, field.Name) {
			t.Errorf("State.%s is new: put it into the model's key, or among what decides nothing", field.Name)
		}
	}
}

// next are the states that may follow.
func (n *node) next() (all []*node) {
	if len(n.todo) > 0 {
		return n.answers()
	}
	at := n.now
	if n.reads.After > 0 {
		at = epoch.Add((n.now.Sub(epoch) + n.reads.After + modelGrid - 1) / modelGrid * modelGrid)
	}
	var looks []look
	switch r := n.reads; {
	case r.Service:
		looks = n.services()
	case r.Tasks:
		looks = n.tasks()
	case r.Diagnosis:
		looks = n.diagnoses()
	case r.Past:
		looks = []look{{world: n.world, how: "no past"}, {world: n.world, o: Observation{Past: oldTD}, how: "a past"}}
	case r.Find:
		looks = []look{{world: n.world, how: "not listed"},
			{world: n.world, how: "listed", o: Observation{Found: []Candidate{{ownARN, epoch, newTD, nil}}}}}
	default: // running tasks, for the record
		looks = []look{{world: n.world}}
	}
	for _, l := range looks {
		if n.faults+l.fault > modelFaults {
			continue
		}
		o := l.o
		o.Read = n.reads
		if n.state.leaving != nil {
			o.Interrupted = errModel
		}
		all = append(all, n.step(l, o, at))
	}
	if n.state.leaving == nil && n.state.end == "" && n.faults == 0 { // somebody ends the run before it has looked
		all = append(all, n.step(look{world: n.world, how: "interrupted"}, Observation{Read: Reads{}, Interrupted: errModel}, n.now))
	}
	return all
}

// look is what may come of a round.
type look struct {
	o     Observation
	world site
	fault int
	read  bool // the service was read as it is
	dark  bool // and nothing can be read from now on
	how   string
}

// step asks Next.
func (n *node) step(l look, o Observation, at time.Time) *node {
	m := &node{world: l.world, before: n.before, now: at, faults: n.faults + l.fault, dark: n.dark || l.dark, seen: n.seen,
		heard: n.heard, from: n, how: l.how}
	if l.world != n.world {
		m.before = n.world
	}
	if l.read {
		m.seen, m.heard = l.world, true
	}
	if at.Equal(n.now) {
		m.still = n.still + 1
	}
	if o.Interrupted != nil {
		m.left = n.left + 1
	}
	var effects []Effect
	m.state, effects, m.reads = Next(n.state, o, at)
	for _, e := range effects {
		if e.changes() {
			m.todo = append(m.todo, e)
		}
	}
	return m
}

// services are the looks at the service: it may have moved on, the read may lag or fail, and so may that of the service deployment.
func (n *node) services() (all []look) {
	unheard := Observation{ServiceTrouble: Trouble{Err: errModel, Lost: true}}
	if n.dark {
		return []look{{o: unheard, world: n.world, how: "dark"}}
	}
	all = append(all, look{o: unheard, world: n.world, fault: 1, dark: true, how: "dark"})
	n.own(&all, n.world, n.world, 0, "looked")
	for _, to := range moves[n.world] {
		n.own(&all, to, to, 0, "looked")
	}
	if n.before != n.world {
		n.own(&all, n.world, n.before, 1, "looked behind the times")
	}
	for name, trouble := range map[string]Trouble{"throttled": {Err: errModel, Throttled: true}, "unheard": {Err: errModel, Lost: true}} {
		all = append(all, look{o: Observation{ServiceTrouble: trouble}, world: n.world, fault: 1, how: name})
	}
	slices.SortStableFunc(all, func(a, b look) int { return strings.Compare(a.how, b.how) })
	return all
}

func (n *node) own(all *[]look, world, seen site, fault int, how string) {
	service := shown[seen]
	o := Observation{Service: &service}
	l := look{o: o, world: world, fault: fault, read: world == seen, how: how}
	r := n.reads
	switch {
	case n.state.isBack, r.Own == "" && !r.Find:
		*all = append(*all, l)
		return
	case r.Find:
		*all = append(*all, l)
		l.o.Found, l.how = []Candidate{{ownARN, epoch, newTD, nil}}, how+", found"
		*all = append(*all, l)
	case !n.state.ownDue(service, n.now):
		l.o.OwnLeft = true
		*all = append(*all, l)
		return
	default:
		l.o.Own = ownShown[world]
		*all = append(*all, l)
	}
	l.o.Found, l.o.Own, l.fault = nil, nil, l.fault+1
	for name, trouble := range map[string]Trouble{
		", own refused": {Err: errModel, Refused: true}, ", own unheard": {Err: errModel, Lost: true},
	} {
		l.o.OwnTrouble, l.how = trouble, how+name
		*all = append(*all, l)
	}
}

func (n *node) tasks() []look {
	if n.dark {
		return []look{{world: n.world, how: "tasks unheard", o: Observation{TasksTrouble: Trouble{Err: errModel, Lost: true}}}}
	}
	all := []look{{world: n.world, how: "no task"},
		{world: n.world, fault: 1, how: "tasks refused", o: Observation{TasksTrouble: Trouble{Err: errModel, Refused: true}}},
		{world: n.world, fault: 1, how: "tasks unheard", o: Observation{TasksTrouble: Trouble{Err: errModel, Lost: true}}}}
	if failed := len(n.state.failed); failed < 2 && slices.Contains([]site{atFails, atFalls, atTripped, atGiven}, n.world) {
		task := ecsview.Task{ARN: fmt.Sprint("arn:task/", failed), StartedBy: newID, StopCode: "EssentialContainerExited",
			LastStatus: "STOPPED", Reason: "Essential container in task exited", StoppedAt: epoch.Add(time.Duration(failed) * time.Second)}
		all = append(all, look{world: n.world, how: "a task failed", o: Observation{Tasks: []ecsview.Task{task}}})
	}
	return all
}

func (n *node) diagnoses() []look {
	failed := len(n.state.failed)
	certain := Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once", Certain: true}, Alike: failed, Waves: min(failed, 1)}
	passing := Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once"}, Alike: failed, Waves: failed}
	return []look{{world: n.world, how: "no cause"}, {world: n.world, how: "a certain cause", o: Observation{Diagnosis: &certain}},
		{world: n.world, how: "a cause that may pass", o: Observation{Diagnosis: &passing}}}
}

// answers is what may come of the changes that Next wants.
func (n *node) answers() (all []*node) {
	give := func(world site, fault int, how string, trouble Trouble, over bool) {
		if n.faults+fault > modelFaults {
			return
		}
		var o Observation
		for _, effect := range n.todo {
			answer := Answer{To: effect, Trouble: trouble, Over: over}
			if _, back := effect.(PutBack); back && trouble.Err == nil {
				answer.Target = Target{Cluster: "prod", Service: "api", TaskDefinition: oldTD, ID: backID, Created: epoch.Add(30 * time.Second),
					Known: []string{oldID, newID}}
			}
			o.Answers = append(o.Answers, answer)
		}
		if n.state.leaving != nil {
			o.Interrupted = errModel
		}
		all = append(all, n.step(look{world: world, fault: fault, how: how}, o, n.now))
	}
	after, over := n.world, false
	switch n.todo[len(n.todo)-1].(type) {
	case Stop:
		if over = !slices.Contains([]site{atStarts, atFails, atSettles, atAsked, atTripped}, n.world); !over && n.world != atTripped {
			after = atAsked
		}
	case PutBack:
		after = atPuts
	}
	give(after, 0, "done", Trouble{}, over)
	give(n.world, 1, "throttled", Trouble{Err: errModel, Throttled: true}, false)
	give(n.world, 1, "refused", Trouble{Err: errModel, Refused: true}, false)
	give(n.world, 1, "unheard", Trouble{Err: errModel, Lost: true}, false)
	give(after, 1, "done, and unheard", Trouble{Err: errModel, Lost: true}, false)
	return all
}

// wrong says what must not be in a state, or "".
func (n *node) wrong() string {
	s := n.state
	primary := shown[n.seen].Primary()
	for _, effect := range n.todo {
		if s.leaving == nil && (!n.from.reads.Service || !n.heard || n.from.state.want == (want{})) {
			return "a change without an observation that was made after it was decided on"
		}
		switch e := effect.(type) {
		case Stop:
			if e.ServiceDeployment != ownARN {
				return "somebody else's deployment is stopped"
			}
		case PutBack:
			if e.TaskDefinition != oldTD {
				return "what is put back is not the version before"
			}
		}
		if primary.ID == laterID && n.how != "looked behind the times" {
			return "somebody's newer deployment is overwritten, though it was seen"
		}
	}
	switch {
	case n.still > modelStill:
		return "it looks again and again without waiting"
	case n.left > 0 && n.reads.After > 0 && !s.done:
		return "it waits though it was interrupted"
	case n.left > modelRounds:
		return "it does not end though it was interrupted"
	case n.now.Sub(epoch) > modelTime+modelBack+modelSurplus:
		return "it does not end"
	case s.end != "" && n.from.state.end != "":
		return "" // what it ended on is past
	case s.end == EndSucceeded && !n.seen.ours():
		return "green, and what was asked for is not in force"
	case (s.end == EndRolledBack || s.end == EndTimedOut) && !n.seen.previous():
		return "rolled back, and the version before is not in force"
	case s.end == EndSuperseded && n.seen != atNewer && n.seen != atNewest:
		return "superseded by nothing"
	case s.end == EndStuck && (n.seen.previous() || n.seen.ours()):
		return "stuck, and a version that works is in force"
	case s.end == EndDeleted && n.seen != atDeleted:
		return "deleted, and it is there"
	case s.end == EndInterrupted && n.left == 0:
		return "interrupted by nobody"
	}
	return ""
}

// path tells how a state came to be.
func (n *node) path() string {
	var lines []string
	for ; n != nil; n = n.from {
		lines = append(lines, fmt.Sprintf("%6s  %-8s %-22s → %-14s %s%s", n.now.Sub(epoch), n.world, n.how, n.state.verdict.Phase,
			changes(n.todo, n.reads), n.state.end))
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

// TestModel asks Next about every state that the model can come to.
func TestModel(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // all states are kept
	begin, reads := begin(target, epoch, settings{timeout: modelTime, rollbackTimeout: modelBack, lostAfter: modelLost, diagnoses: true})
	first := &node{state: begin, reads: reads, now: epoch, how: "begun"}
	known, queue := map[key]bool{first.key(): true}, []*node{first}
	steps, ends, violations := 0, map[End]int{}, map[string]bool{}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, m := range n.next() {
			steps++
			if wrong := m.wrong(); wrong != "" && !violations[wrong] {
				violations[wrong] = true
				t.Errorf("%s:\n%s", wrong, m.path())
			}
			switch {
			case m.state.done:
				ends[m.state.end]++
				continue
			case m.still > modelStill, m.left > modelRounds, m.now.Sub(epoch) > modelTime+modelBack+modelSurplus:
				continue
			}
			if k := m.key(); !known[k] {
				known[k] = true
				queue = append(queue, m)
			}
		}
	}
	t.Logf("%d states, %d steps, which end: %v", len(known), steps, ends)
	for _, end := range []End{EndSucceeded, EndRolledBack, EndTimedOut, EndOverdue, EndStuck, EndSuperseded, EndDeleted, EndUnknown,
		EndInterrupted} {
		if ends[end] == 0 {
			t.Errorf("no path ends %s", end)
		}
	}
}
