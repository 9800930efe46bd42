package rollout

import (
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// State is what is known of a deployment that is followed and what was decided about it. It is a value: Next returns a new one and
// leaves the old one as it is.
type State struct {
	settings settings
	target   Target // what was asked for
	back     Target // the deployment that puts the previous version back
	isBack   bool   // back has begun, and is what is followed
	failure  Verdict
	started  time.Time
	deadline time.Time // of what is done now: the deployment, or the way back

	// What was seen.
	last      ecsview.Snapshot
	verdict   Verdict
	seen      Seen
	failedAt  time.Time // since when ECS calls the deployment FAILED while it is PRIMARY
	overAt    time.Time // since when its service deployment is known to have ended without success
	changed   time.Time // when a read last differed from the one before
	contact   time.Time // when a read last worked
	throttled int       // reads in a row that were throttled or failed
	missed    bool      // it was told that nothing can be read
	ownOff    bool      // the service-deployments API is not to be had
	ownFailed int       // reads of it that failed in a row
	ownAt     time.Time // when the service deployment was last read
	begun     time.Time // of the search for the service deployment
	searched  time.Time // when it was last looked for
	tasksOff  bool      // stopped tasks cannot be read
	watched   time.Time // when they were last read
	suspect   time.Time // when the service last showed something that a failed task may be behind
	unwatched int       // reads of them that failed in a row
	calls     int       // that were made of ECS
	drained   bool      // it was looked at how far the tasks of other deployments have come
	draining  bool      // one of them is being taken out of its target groups
	drainOff  bool      // they cannot be read
	failed    []FailedTask
	diagnosis Diagnosis       // of the failures so far
	certain   time.Time       // since when the diagnosis is what it is
	replacing time.Time       // since when tasks of the complete deployment are missing; zero: they are not
	fell      bool            // tasks of the complete deployment have failed
	stood     time.Time       // since when all of them run again after that
	cause     *record.Finding // the last that was known

	// What was told.
	ahead  time.Duration   // our clock, of that of ECS
	told   map[string]bool // ids of service events
	counts string
	paused []string // hooks that were told to wait
	events []SeenEvent
	steps  []record.Step

	// What was decided.
	want       want      // a change that is to be carried out on the next observation; zero: none
	stopping   bool      // a rollback was asked for
	cannotStop bool      // StopServiceDeployment cannot be used here
	refused    time.Time // since when a change is asked for in vain
	sent       bool      // a PutBack got no answer
	emptied    bool
	emptyTried bool
	pastAsked  bool // a version that worked was looked for in the service's history
	by         By
	leaving    error // why the run is to end at once
	unstopped  error // why a deployment that is left could not be stopped
	unheard    unheard
	unsure     int  // updates of a run that is to end which got no answer
	overtaken  bool // the end came before the stop of a run that is to end
	relooked   bool // a run that is to end has looked at the service before it puts the version before back
	end        End
	err        error
	serving    string
	took       time.Duration
	done       bool // nothing is left to read
}

// Begin returns the state in which a deployment begins to be followed, and what is to be read first.
func Begin(target Target, now time.Time, options ...Option) (State, Reads) {
	return begin(target, now, collect(options).settings)
}

func begin(target Target, now time.Time, s settings) (State, Reads) {
	m := &move{now: now, State: State{
		settings: s, target: target, started: now, changed: now, contact: now, deadline: now.Add(s.timeout),
		seen: Seen{Listed: target.ID != ""}, stopping: s.committed, ahead: apart(target, now),
	}}
	if target.TakenUp || target.ID == "" {
		m.look(0)
	} else { // the answer to the update is as new as a look would be
		m.watched = now
		m.look(slowest)
	}
	return m.State, m.reads
}

// apart returns how far our clock is ahead of that of ECS, as the start of a deployment shows that was begun just now.
func apart(target Target, now time.Time) time.Duration {
	if target.TakenUp || target.Created.IsZero() {
		return 0
	}
	return now.Sub(target.Created)
}

// Done reports whether there is nothing left to do or to read.
func (s State) Done() bool { return s.done }

// followed returns the deployment that is followed now.
func (s *State) followed() *Target {
	if s.isBack {
		return &s.back
	}
	return &s.target
}

// Result returns how the deployment went, and nil as the error where it arrived.
func (s State) Result() (Result, error) {
	result := Result{Target: s.target, End: s.end, By: s.by, Verdict: s.verdict, Cause: s.cause, Failed: s.failed, Events: s.events,
		Steps: s.steps, Last: s.last, Started: s.started, Took: s.took, Timeout: s.settings.timeout, RollbackTimeout: s.settings.rollbackTimeout,
		Emptied: s.emptied, Serving: s.serving}
	if s.err == nil {
		return result, nil
	}
	return result, &record.Failure{Err: s.err, Finding: s.cause}
}
