package simulation

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// process is one run's process: its way to AWS, which may end, and what it was answered.
type process struct {
	w      *world
	number int // of the run; 0: nobody makes its calls fail
	run    Run
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	calls   int
	dead    bool
	signal  bool
	first   moment // at the first read of the service
	newest  moment // at the newest
	faulted bool
	began   moment
	leave   string
	joined  bool
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
	p.mu.Lock()
	p.calls++
	due := p.run.End != ItsOwn && p.run.Call == p.calls
	dead := p.dead
	p.mu.Unlock()
	if dead {
		return nil, errDead
	}
	if due && !p.run.Late {
		p.end()
	}
	if p.isDead() {
		return nil, errDead
	}
	p.w.note() // what the engine did by itself until now
	response, err := p.w.sandbox.Transport().RoundTrip(r)
	m := p.w.note()
	p.took(r, m)
	if due && p.run.Late {
		p.end()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dead:
		return nil, errDead
	case err != nil || response.StatusCode >= 400:
		p.faulted = true
	case isRead(r):
		if p.first.at.IsZero() {
			p.first = m
		}
		p.newest = m
	}
	return response, err
}

// took keeps what a run has begun, and which task definition a rollback is to leave.
func (p *process) took(r *http.Request, m moment) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if isRead(r) && p.leave == "" && p.run.Verb == Rollback {
		p.leave = m.taskDefinition
		if m.leaves != "" {
			p.leave = m.leaves
		}
		for _, revision := range []string{m.revision, m.undoes} {
			if earlier, ours := p.w.leaving[revision]; ours && m.state != engine.Completed {
				p.leave, p.joined = earlier, true
			}
		}
	}
	if !isCall(r, "UpdateService") || !m.at.Equal(m.since) {
		return
	}
	if p.run.Verb == Rollback || m.version == p.run.Version {
		p.began = m
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
	p.signal = true
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
	if run.Verb == Deploy && !done.killed && done.answer.green() && done.last.whole() && done.last.inForce(done.answer.TaskDefinition) {
		w.start(number, clean, 0).repeat = true
	}
	if run.Again > 0 {
		time.Sleep(run.Again)
		w.start(number, clean, 0).again = true
	}
}

// start runs a verb once, with the faults of a run or, where that is 0, without.
func (w *world) start(number int, run Run, faults int) *report {
	ctx, cancel := context.WithCancelCause(w.over)
	defer cancel(nil)
	p := &process{w: w, number: faults, run: run, ctx: ctx, cancel: cancel}
	done := &report{number: number, run: run, begun: time.Now(), before: w.note()}
	w.mu.Lock()
	acts, changes := len(w.acts), w.changes
	w.runs = append(w.runs, done)
	w.mu.Unlock()
	w.tell("run %d begins: %s %s", number, run.Verb, versionOf(run))
	if run.End != ItsOwn && run.Call == 0 {
		w.everyone.Go(func() {
			if w.await(ctx, changes+run.Until, run.After) {
				p.end()
			}
		})
	}
	done.answer = run.run(ctx, w.t, p)
	done.ended, done.last = time.Now(), w.note()
	p.mu.Lock()
	done.calls, done.killed, done.stopped, done.faulty = p.calls, p.dead, p.signal, p.faulted
	done.first, done.newest, done.began, done.leave, done.joined = p.first, p.newest, p.began.primary, p.leave, p.joined
	p.mu.Unlock()
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
	if r.Verb == Deploy {
		return tag(r.Version)
	}
	return ""
}
