package simulation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// process is one run's process: its way to AWS, which may end, and what it was answered.
type process struct {
	w      *world
	number int // of the run; 0: nobody makes its calls fail
	run    Run
	seed   uint64
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	random   *rand.Rand
	calls    int
	dead     bool
	signal   time.Time // when it came; zero: none
	first    moment    // at the first read of the service
	newest   moment    // at the newest
	read     map[string]bool
	faulted  bool
	began    moment
	leave    string
	joined   bool
	stopped  time.Time // when it first asked ECS to stop what it began, or updated the service once more
	updates  []update
	register []string // ARNs of the task definitions that it registered
	jobs     []string // ids of the migrations' tasks that it started
	undone   bool     // it could not take a task definition away again

	newestSecond moment // at the newest read of the second service
	beganSecond  state  // with the newest deployment of it that it began
}

// update is an UpdateService that began a deployment.
type update struct {
	at     time.Time
	before moment // right before it
	after  moment
	read   bool // what was PRIMARY before had been read
	first  bool // of its run
}

var errDead = errors.New("the process is dead")

// environ is the environment of the process.
func (p *process) environ() map[string]string {
	environ := p.w.sandbox.Environ()
	environ["AWS_SECRET_ACCESS_KEY"] = secretKey
	if p.number > 0 {
		environ["AWS_ACCESS_KEY_ID"] = accessKey(p.number)
	}
	return environ
}

// RoundTrip carries a call to the sandbox, unless the process dies before.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	first, second := p.w.about(r)
	p.mu.Lock()
	there, back := p.ways(r)
	due := p.run.Verb != Together && p.isDue()
	p.mu.Unlock()
	if err := p.travel(r.Context(), there); err != nil {
		return nil, err
	}
	if p.run.Verb == Together { // two that begin at the same moment do not arrive at the same
		p.mu.Lock()
		due = p.isDue()
		p.mu.Unlock()
	}
	if due && !p.run.Late {
		p.end()
	}
	if p.isDead() {
		return nil, errDead
	}
	response, after, err := p.hand(r, first, second)
	if due && p.run.Late {
		p.end()
	}
	if err := p.travel(r.Context(), back); err != nil {
		p.mu.Lock()
		p.faulted = true // it got no answer
		p.mu.Unlock()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dead:
		return nil, errDead
	case err != nil || response.StatusCode >= 400:
		p.faulted = true
	case isRead(r):
		shown := p.w.shown(after)
		if second && isCall(r, "DescribeServices") {
			p.newestSecond = shown
		}
		if !first {
			break
		}
		if p.first.at.IsZero() {
			p.first = shown
		}
		if isCall(r, "DescribeServices") { // what tells of the PRIMARY deployment; the other tells of the run's own alone
			p.newest, p.read[shown.primary] = shown, true
		}
	}
	return response, err
}

// isDue counts a call, and says whether it is the one at which the process ends.
func (p *process) isDue() bool {
	p.calls++
	return p.run.End != ItsOwn && p.run.Call == p.calls
}

// hand hands a call to the sandbox, and keeps what it did. An update that is carried out and never answered is kept at the moment in which
// it is carried out, not when it is given up: what it replaced was there then.
func (p *process) hand(r *http.Request, first, second bool) (*http.Response, moment, error) {
	before := p.w.note() // what the engine did by itself until now
	if !isCall(r, "UpdateService") {
		response, err := p.carry(r)
		after := p.w.note()
		p.took(r, first, second, before, after, err == nil && response.StatusCode < 400)
		return response, after, err
	}
	var response *http.Response
	var err error
	answered := make(chan struct{})
	p.w.everyone.Go(func() {
		defer close(answered)
		response, err = p.carry(r)
	})
	hangs := time.NewTimer(noticed)
	defer hangs.Stop()
	select {
	case <-answered:
		after := p.w.note()
		p.took(r, first, second, before, after, err == nil && response.StatusCode < 400)
		return response, after, err
	case <-hangs.C:
		after := p.w.note()
		p.took(r, first, second, before, after, false)
		<-answered
		return response, after, err
	}
}

// noticed is how long after a call was carried out it shows that its answer hangs: the sandbox answers in no time.
const noticed = time.Millisecond

// latency is how long one way of a call takes: some milliseconds, seldom half a second.
func latency(random *rand.Rand) time.Duration {
	if random.IntN(40) == 0 {
		return time.Duration(random.Int64N(int64(500 * time.Millisecond)))
	}
	return 5*time.Millisecond + time.Duration(random.Int64N(int64(40*time.Millisecond)))
}

// travel waits until a request or an answer has arrived, or the process dies or gives the call up.
func (p *process) travel(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.isDead() {
		return errDead
	}
	return nil
}

// carry carries a call to the sandbox, and keeps it where it changed something.
func (p *process) carry(r *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if action == "" || !wire.Mutating(action) {
		return p.w.sandbox.Transport().RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	at := p.w.sandbox.Now()
	response, err := p.w.sandbox.Transport().RoundTrip(r)
	entry := p.w.sandbox.LastCall()
	if err == nil && response.StatusCode < 400 || entry.Action == action && entry.Fault == "cut-after" {
		again := r.Clone(context.Background())
		p.w.keep(deed{at: at, call: again, body: body, action: action})
	}
	return response, err
}

// took keeps what a run has begun, and which task definition a rollback is to leave.
func (p *process) took(r *http.Request, first, second bool, before, m moment, answered bool) {
	var registered, started string
	if isCall(r, "RunTask") {
		started = p.w.newestJob(m.at)
	}
	if isCall(r, "RegisterTaskDefinition") {
		registered = p.w.newestRegistered(m.at)
	}
	shown := p.w.shown(m) // what the run is told
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if second && isCall(r, "UpdateService") && m.at.Sub(m.second.since) <= noticed && before.second.primary != m.second.primary {
		// As of the first: the version before may be the same image in another task definition.
		own := p.beganSecond.primary == "" || p.beganSecond.taskDefinition == m.second.taskDefinition
		if m.second.version == p.run.Version && own {
			p.beganSecond = m.second
		}
		return
	}
	if isRead(r) && p.leave == "" && p.run.Verb == Rollback {
		p.leave = shown.taskDefinition
		if shown.leaves != "" {
			p.leave = shown.leaves
		}
		for _, revision := range []string{shown.revision, shown.undoes} {
			if earlier, ours := p.w.leaving[revision]; ours && shown.state != engine.Completed {
				p.leave, p.joined = earlier, true
			}
		}
	}
	switch {
	case started != "":
		p.jobs = append(p.jobs, started)
	case registered != "":
		p.register = append(p.register, registered)
	case isCall(r, "DeregisterTaskDefinition") && !answered:
		p.undone = true
	case isCall(r, "StopServiceDeployment") && answered && first && p.stopped.IsZero():
		p.stopped = m.at
	}
	if !isCall(r, "UpdateService") || !first || m.at.Sub(m.since) > noticed || before.primary == m.primary {
		return
	}
	p.updates = append(p.updates, update{at: m.at, before: before, after: m, read: p.read[before.primary], first: len(p.updates) == 0})
	if len(p.updates) == 2 && p.stopped.IsZero() {
		p.stopped = m.at
	}
	// The version before may be the same image in another task definition: putting that back begins nothing of a deployment.
	own := m.version == p.run.Version && (p.began.primary == "" || p.began.taskDefinition == m.taskDefinition)
	if own || p.run.Verb == Rollback && (p.began.primary == "" || m.taskDefinition != p.leave) {
		p.began = m // and not the way back from it
	}
	if p.w.inherited[m.revision] { // it was not somebody else who deployed that
		delete(p.w.leaving, m.revision)
		delete(p.w.inherited, m.revision)
	}
	if _, known := p.w.leaving[m.revision]; !known && p.run.Verb == Rollback {
		p.w.leaving[m.revision] = p.leave
	} else if !known && p.began.primary != m.primary { // a deployment's own way back
		p.w.leaving[m.revision] = p.began.taskDefinition
	}
}

func isCall(r *http.Request, want string) bool {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return action == want
}

// isRead says whether an answer tells the state of the service.
func isRead(r *http.Request) bool {
	return isCall(r, "DescribeServices") || isCall(r, "DescribeServiceDeployments")
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// end ends the process from outside.
func (p *process) end() {
	if p.run.End == Kill {
		p.w.tell("run %d is killed", p.number)
		p.die()
		return
	}
	p.w.tell("run %d gets a signal", p.number)
	p.mu.Lock()
	p.signal = time.Now()
	p.mu.Unlock()
	p.cancel(errSignal)
	time.AfterFunc(10*time.Second, p.die) // the runner kills what is left
}

func (p *process) die() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.cancel(errDead)
}

// play lets a run happen, and what follows it.
func (w *world) play(number int, run Run) {
	if !w.await(w.over, run.Change, run.At) {
		return
	}
	done := w.start(number, run, number)
	clean := run
	clean.Faults, clean.End, clean.Force = nil, ItsOwn, false
	serves := done.answer.green() && done.last.standing() && done.last.inForce(done.answer.TaskDefinition)
	if run.Verb == Deploy && !done.killed && w.over.Err() == nil && serves {
		if run.Grow > 0 {
			w.act(Act{What: Scales, N: run.Grow})
		}
		time.Sleep(w.history.Reads) // until reads show what it saw done
		w.start(number, clean, 0).repeat = true
	}
	if run.Again > 0 && w.over.Err() == nil {
		time.Sleep(run.Again)
		again := w.start(number, clean, 0)
		if again.again = true; done.killed || !done.answer.green() {
			again.base = done.base
		}
	}
}

// start runs a verb once, with the faults of a run or, where that is 0, without.
func (w *world) start(number int, run Run, faults int) *report {
	ctx, cancel := context.WithCancelCause(w.over)
	defer cancel(nil)
	done := &report{number: number, run: run, begun: time.Now(), before: w.whole()}
	done.base = done.before
	w.mu.Lock()
	acts, changes := len(w.acts), w.changes
	w.runs = append(w.runs, done)
	seed := w.history.Seed<<8 + uint64(number)<<4 + uint64(len(w.runs))
	w.mu.Unlock()
	p := &process{w: w, number: faults, run: run, seed: seed, ctx: ctx, cancel: cancel,
		random: rand.New(rand.NewPCG(seed, 0x63616c6c73)), read: map[string]bool{}}
	w.tell("run %d begins: %s %s", number, run.Verb, versionOf(run))
	if run.End != ItsOwn && run.Call == 0 {
		w.everyone.Go(func() {
			if w.await(ctx, changes+run.Until, run.After) {
				p.end()
			}
		})
	}
	done.answer = run.run(ctx, w.t, p)
	done.ended, done.last = time.Now(), w.whole()
	p.mu.Lock()
	done.calls, done.killed, done.signal, done.faulty = p.calls, p.dead, p.signal, p.faulted
	done.first, done.newest, done.began, done.leave, done.joined = p.first, p.newest, p.began.primary, p.leave, p.joined
	done.newestSecond, done.beganSecond = p.newestSecond, p.beganSecond.primary
	done.gaveUp, done.updates, done.registered, done.undone = p.stopped, p.updates, p.register, p.undone
	ids := p.jobs
	p.mu.Unlock()
	if w.onlySchedules(done) {
		done.leave = done.answer.Previous
	}
	done.left, done.jobs = w.leftActive(done.registered), w.judge(ids)
	w.mu.Lock()
	done.alone = acts == len(w.acts)
	w.mu.Unlock()
	if done.killed {
		w.tell("run %d is dead after %d calls", number, done.calls)
	} else {
		w.tell("run %d ends: %s (exit %d) after %d calls. %s", number, done.answer.Outcome, done.answer.Code, done.calls, done.last)
	}
	return done
}

func versionOf(r Run) string {
	if r.Verb != Rollback {
		return tag(r.Version)
	}
	return ""
}
