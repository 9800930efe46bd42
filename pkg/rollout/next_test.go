package rollout

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// TestOwnDueAlone flips each reason to read the service deployment, as the service was just read.
func TestOwnDueAlone(t *testing.T) {
	now := epoch.Add(time.Minute)
	edit := func(change func(*ecsview.Snapshot)) ecsview.Snapshot {
		s := under(1, 0)
		change(&s)
		return s
	}
	takenOver := overtaken()
	takenOver.Deployments[1].Reason = "ECS deployment circuit breaker: rolling back to deploymentId x."
	for _, test := range []struct {
		name    string
		with    func(*State)
		service ecsview.Snapshot
		want    bool
	}{
		{"nothing that it could explain", func(*State) {}, under(1, 0), false},
		{"it was never read", func(s *State) { s.ownAt = time.Time{} }, under(1, 0), true},
		{"two minutes ago", func(s *State) { s.ownAt = now.Add(-2 * time.Minute) }, under(1, 0), true},
		{"less than that", func(s *State) { s.ownAt = now.Add(1 - 2*time.Minute) }, under(1, 0), false},
		{"in stages, 15 seconds ago", func(s *State) { s.ownAt = now.Add(-15 * time.Second) },
			edit(func(s *ecsview.Snapshot) { s.Strategy = "CANARY" }), true},
		{"in stages, less than that", func(s *State) { s.ownAt = now.Add(1 - 15*time.Second) },
			edit(func(s *ecsview.Snapshot) { s.Strategy = "CANARY" }), false},
		{"rolling, and it says so, 15 seconds ago", func(s *State) { s.ownAt = now.Add(-15 * time.Second) },
			edit(func(s *ecsview.Snapshot) { s.Strategy = "ROLLING" }), false},
		{"a change was decided on", func(s *State) { s.want = want{empty: true} }, under(1, 0), true},
		{"it was stopped", func(s *State) { s.stopping = true }, under(1, 0), true},
		{"it was stopped, and another is put back", func(s *State) { s.stopping, s.isBack, s.back = true, true, s.target }, under(1, 0), false},
		{"it was stopped by somebody else, and ends by itself", func(s *State) { s.stopping, s.settings.committed = true, true }, under(1, 0),
			false},
		{"it was stopped, and is not the newest any more", func(s *State) { s.stopping, s.last = true, overtaken() }, overtaken(), false},
		{"the run is to end", func(s *State) { s.leaving = errors.New("interrupted") }, under(1, 0), true},
		{"the service has another one", func(s *State) { s.last.Current = own },
			edit(func(s *ecsview.Snapshot) { s.Current = "arn:sd/ecs-svc/300" }), true},
		{"the service has none any more", func(s *State) { s.last.Current = own }, under(1, 0), true},
		{"the service had another one before", func(s *State) { s.last.Current = "arn:sd/ecs-svc/300" }, under(1, 0), false},
		{"nothing was the newest before", func(s *State) { s.last = ecsview.Snapshot{} }, under(1, 0), true},
		{"nothing is the newest", func(*State) {}, edit(func(s *ecsview.Snapshot) { s.Deployments = nil }), true},
		{"another is the newest", func(*State) {}, overtaken(), true},
		{"it is complete", func(*State) {}, edit(func(s *ecsview.Snapshot) { s.Deployments[0].State = "COMPLETED" }), true},
		{"one that is not the newest any more takes another one back", func(s *State) { s.last = overtaken() }, takenOver, false},
		{"it takes another one back", func(*State) {},
			edit(func(s *ecsview.Snapshot) {
				s.Deployments[0].Reason = "ECS deployment circuit breaker: rolling back to deploymentId x."
			}), true},
	} {
		s := rolling(func(s *State) { s.ownAt = now.Add(-time.Second) }, test.with)
		if got := s.ownDue(test.service, now); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// overtaken is a service in which another deployment took the place of the one that is followed.
func overtaken() ecsview.Snapshot {
	s := under(1, 0)
	s.Deployments[0].Status = "ACTIVE"
	s.Deployments = slices.Insert(s.Deployments, 0, deployment(laterID, "PRIMARY", "IN_PROGRESS"))
	return s
}

// TestFound takes the service deployment that is the followed one's, once.
func TestFound(t *testing.T) {
	candidate := func(arn string, at time.Duration) Candidate {
		return Candidate{arn, epoch.Add(at), newTD, []string{oldTD}}
	}
	for _, test := range []struct {
		name       string
		has        string
		after      time.Duration // since it was first looked for
		candidates []Candidate
		want       string
	}{
		{"none is listed", "", time.Minute, nil, ""},
		{"it is listed", "", 0, []Candidate{candidate("sd/1", 0)}, "sd/1"},
		{"one of a nanosecond before", "", 0, []Candidate{candidate("sd/1", -1)}, ""},
		{"of two the first", "", 0, []Candidate{candidate("sd/2", time.Second), candidate("sd/1", 0)}, "sd/1"},
		{"it is known already", own, time.Minute, []Candidate{candidate("sd/1", 0)}, own},
		{"it is known already, and none is listed", own, time.Minute, nil, own},
		{"one of a moment before", "", 10*time.Second - 1, []Candidate{candidate("sd/1", -time.Second)}, ""},
		{"one of a moment before, after a while", "", 10 * time.Second, []Candidate{candidate("sd/1", -time.Second)}, "sd/1"},
		{"after a while, and the right one is listed too", "", time.Minute,
			[]Candidate{candidate("sd/1", -time.Second), candidate("sd/2", 0)}, "sd/2"},
		{"one of more than a moment before", "", time.Minute, []Candidate{candidate("sd/1", -time.Second-1)}, ""},
	} {
		m := &move{now: epoch.Add(test.after), State: rolling(func(s *State) {
			s.target.ServiceDeployment, s.target.Created, s.begun = test.has, epoch, epoch
		})}
		m.found(test.candidates)
		if got := m.target.ServiceDeployment; got != test.want || (len(m.target.Sources) > 0) != (got != "" && got != own) {
			t.Errorf("%s: %q of %q", test.name, got, m.target.Sources)
		}
	}
}

// TestLookedTakesTheServiceDeployment says which service deployment belongs to what was read of the service, and when it was read.
func TestLookedTakesTheServiceDeployment(t *testing.T) {
	kept, read := &ecsview.ServiceDeployment{ARN: own, Status: "IN_PROGRESS"}, &ecsview.ServiceDeployment{ARN: own, Status: "PENDING"}
	other := &ecsview.ServiceDeployment{ARN: "arn:sd/ecs-svc/300", Status: "IN_PROGRESS"}
	before := epoch.Add(30 * time.Second)
	now := epoch.Add(time.Minute)
	for _, test := range []struct {
		name string
		o    Observation
		want *ecsview.ServiceDeployment
		at   time.Time
	}{
		{"it was read", Observation{Read: Reads{Service: true, Own: own}, Own: read}, read, now},
		{"it was asked for, and ECS knows none", Observation{Read: Reads{Service: true, Own: own}}, nil, now},
		{"it was not asked for", Observation{Read: Reads{Service: true}}, nil, before},
		{"it was found", Observation{Read: Reads{Service: true, Find: true}, Own: read}, read, now},
		{"what was found is not the one", Observation{Read: Reads{Service: true, Find: true}, Own: other}, nil, before},
		{"it was left, since the service shows nothing new", Observation{Read: Reads{Service: true, Own: own}, OwnLeft: true}, kept, before},
	} {
		m := &move{now: now, State: rolling(func(s *State) { s.last.Own, s.ownAt = kept, before })}
		service := under(1, 0)
		test.o.Service = &service
		m.looked(test.o)
		if m.last.Own != test.want || !m.ownAt.Equal(test.at) {
			t.Errorf("%s: %+v, read at %s", test.name, m.last.Own, m.ownAt.Sub(epoch))
		}
	}
	m := &move{now: now, State: rolling()}
	if m.looked(Observation{Read: Reads{Service: true}}); !m.reads.Service || m.reads.After != m.pace() {
		t.Errorf("nothing was read: %+v", m.reads)
	}
}

// TestNoteFailedPrimary measures how long the deployment is FAILED, as long as it is the newest.
func TestNoteFailedPrimary(t *testing.T) {
	with := func(status, state string) ecsview.Snapshot {
		return ecsview.Snapshot{Deployments: []ecsview.Deployment{deployment(newID, status, state)}}
	}
	for _, test := range []struct {
		name    string
		service ecsview.Snapshot
		want    time.Duration
	}{
		{"still", with("PRIMARY", "FAILED"), time.Minute},
		{"not any more", with("PRIMARY", "IN_PROGRESS"), 0},
		{"another took its place", with("ACTIVE", "FAILED"), 0},
		{"it is gone", ecsview.Snapshot{}, 0},
	} {
		m := &move{now: epoch.Add(time.Minute), State: rolling(func(s *State) { s.failedAt, s.seen.FailedFor = epoch, time.Second })}
		m.noteFailedPrimary(test.service)
		if m.seen.FailedFor != test.want || m.failedAt.IsZero() != (test.want == 0) {
			t.Errorf("%s: %s since %s", test.name, m.seen.FailedFor, m.failedAt)
		}
	}
	m := &move{now: epoch.Add(time.Minute), State: rolling()}
	if m.noteFailedPrimary(with("PRIMARY", "FAILED")); m.seen.FailedFor != 0 || !m.failedAt.Equal(m.now) {
		t.Errorf("it has just failed: %s since %s", m.seen.FailedFor, m.failedAt)
	}
}

// TestTakeFailed takes failed tasks in the order in which they stopped, and leaves the list alone that it was given.
func TestTakeFailed(t *testing.T) {
	task := func(id string, at time.Duration) ecsview.Task {
		return ecsview.Task{ARN: "arn:aws:ecs:r:1:task/c/" + id, StartedBy: newID, StopCode: "EssentialContainerExited", StoppedAt: epoch.Add(at)}
	}
	tasks := []ecsview.Task{task("second", 2*time.Second), task("first", time.Second)}
	given := slices.Clone(tasks)
	m := &move{now: epoch.Add(time.Minute), State: rolling()}
	if !m.takeFailed(tasks) || len(m.failed) != 2 || m.failed[0].ARN != given[1].ARN || m.failed[1].ARN != given[0].ARN {
		t.Errorf("got %+v", m.failed)
	}
	if tasks[0].ARN != given[0].ARN {
		t.Error("the list that was given was changed")
	}
}

// TestListed remembers that ECS has listed the deployment.
func TestListed(t *testing.T) {
	m := &move{now: epoch.Add(time.Minute), State: rolling(func(s *State) { s.seen.Listed = false })}
	if m.take(ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD}); m.seen.Listed {
		t.Error("it is not listed yet")
	}
	if m.take(under(1, 0)); !m.seen.Listed {
		t.Error("it is listed")
	}
	if m.take(ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD}); !m.seen.Listed {
		t.Error("it was listed before")
	}
}

// TestACauseIsToldOnce tells a cause when it is found, and again only after another one; what is found after the end is the verdict's.
func TestACauseIsToldOnce(t *testing.T) {
	m := &move{now: epoch.Add(time.Minute), State: rolling()}
	told := func(code string, take func(Observation)) int {
		m.effects = nil
		take(Observation{Diagnosis: &Diagnosis{Finding: record.Finding{Code: code, Title: code}, Alike: 1}})
		return len(m.effects)
	}
	for i, test := range []struct {
		code string
		take func(Observation)
		want int
	}{
		{"exit", m.diagnosed, 1}, {"exit", m.diagnosed, 0}, {"pull", m.diagnosed, 1}, {"exit", m.diagnosed, 1}, {"memory", m.afterwards, 0},
	} {
		if got := told(test.code, test.take); got != test.want || m.cause.Code != test.code {
			t.Errorf("%d: %s is told %d times, and the cause is %s", i, test.code, got, m.cause.Code)
		}
	}
}

// TestDiagnosed takes a diagnosis, and one that found nothing in place of it.
func TestDiagnosed(t *testing.T) {
	of := func(code, title string) *Diagnosis {
		return &Diagnosis{Finding: record.Finding{Code: code, Title: title}, Alike: 1}
	}
	m := &move{now: epoch.Add(time.Minute), State: rolling()}
	m.diagnosed(Observation{Diagnosis: of("exit", "exits at once")})
	if m.diagnosis.Finding.Code != "exit" || !m.certain.Equal(m.now) || m.cause == nil || m.cause.Code != "exit" {
		t.Errorf("got %+v, since %s", m.diagnosis, m.certain)
	}
	at := m.now
	m.now = m.now.Add(time.Second)
	if m.diagnosed(Observation{Diagnosis: of("exit", "exits at once")}); !m.certain.Equal(at) {
		t.Errorf("the same is known since %s, want %s", m.certain, at)
	}
	if m.diagnosed(Observation{Diagnosis: of("pull", "cannot be pulled")}); !m.certain.Equal(m.now) || m.cause.Code != "pull" {
		t.Errorf("another is known since %s, and the cause is %s", m.certain, m.cause.Code)
	}
	for _, o := range []Observation{{}, {Diagnosis: &Diagnosis{}}} {
		m.diagnosed(Observation{Diagnosis: of("pull", "cannot be pulled")})
		if m.diagnosed(o); m.diagnosis.known() || m.cause == nil || m.cause.Code != "pull" {
			t.Errorf("nothing was found: %+v, and the cause is %+v", m.diagnosis, m.cause)
		}
	}
}

// TestEndOfTheTimeIsMet holds that a wait ends where the time of a deployment does, and that tasks are not read for long beyond it.
func TestEndOfTheTimeIsMet(t *testing.T) {
	end := epoch.Add(time.Hour)
	stopping := func(s *State) { s.stopping = true }
	none := func(*State) {}
	for _, test := range []struct {
		name   string
		with   func(*State)
		left   time.Duration
		before time.Time // of a wait of 10 s, that may be 11
		reads  time.Duration
	}{
		{"long before it", none, time.Minute, time.Time{}, 10 * time.Second},
		{"the wait ends with it at the latest", none, 11 * time.Second, time.Time{}, 10 * time.Second},
		{"the wait may end after it", none, 11*time.Second - 1, end, 10 * time.Second},
		{"within the wait", none, 4 * time.Second, end, 4 * time.Second},
		{"nearly there", none, time.Second, end, 3 * time.Second},
		{"there", none, 0, time.Time{}, 3 * time.Second},
		{"after it", none, -time.Minute, time.Time{}, 3 * time.Second},
		{"within the wait, on the way back", stopping, 4 * time.Second, end, 10 * time.Second},
		{"after it, on the way back", stopping, -time.Second, time.Time{}, 10 * time.Second},
	} {
		s := rolling(func(s *State) { s.deadline = end }, test.with)
		if got := s.lookBefore(end.Add(-test.left), 10*time.Second); !got.Equal(test.before) {
			t.Errorf("%s: the wait ends before %s, want %s", test.name, got, test.before)
		}
		if got := s.sideLimit(end.Add(-test.left)); got != test.reads {
			t.Errorf("%s: tasks are read for %s, want %s", test.name, got, test.reads)
		}
	}
}

// TestNextObserves says what an observation leads to, by what was read, and by what is wanted already.
func TestNextObserves(t *testing.T) {
	stopped, known := errors.New("interrupted"), errors.New("interrupted before")
	decided := func(s *State) { s.want = want{change: stop, by: ByCause} }
	hopeless := func(s *State) { failures(2)(s); diagnosed(2)(s) }
	over := func(s *State) { s.end = EndSucceeded }
	failing := Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once"}, Alike: 1}
	look := func(after time.Duration) Reads { return Reads{After: after, Service: true, Own: own} }
	quick := slowest
	for _, test := range []struct {
		name    string
		with    []func(*State)
		o       Observation
		reads   Reads
		leaving error
		end     End
		done    bool
	}{
		{"nothing new", nil, Observation{}, look(quick), nil, "", false},
		{"how far others are drained", nil, Observation{Read: Reads{Draining: true}}, look(quick), nil, "", false},
		{"how far others are drained, and it has failed", []func(*State){phase(Failed)}, Observation{Read: Reads{Draining: true}},
			look(0), nil, "", false},
		{"a stop that is refused: another change is wanted", []func(*State){decided, hopeless},
			Observation{Answers: []Answer{{To: Stop{own}, Trouble: Trouble{Err: stopped, Refused: true}}}}, look(0), nil, "", false},
		{"a stop that is throttled is tried again", []func(*State){decided, hopeless},
			Observation{Answers: []Answer{{To: Stop{own}, Trouble: Trouble{Err: stopped, Throttled: true}}}}, look(2 * time.Second), nil, "", false},
		{"interrupted", []func(*State){func(s *State) { s.settings.leave = true }}, Observation{Interrupted: stopped}, Reads{}, stopped,
			EndInterrupted, true},
		{"interrupted before", []func(*State){func(s *State) { s.settings.leave, s.leaving = true, known }}, Observation{Interrupted: stopped},
			Reads{}, known, EndInterrupted, true},
		{"interrupted after the end", []func(*State){over}, Observation{Interrupted: stopped}, Reads{}, nil, EndSucceeded, true},
		{"what was left to read after the end", []func(*State){over}, Observation{Diagnosis: &failing}, Reads{}, nil, EndSucceeded, true},
	} {
		now := epoch.Add(2 * time.Minute)
		s, _, reads := Next(rolling(test.with...), test.o, now)
		if reads != test.reads || !errors.Is(s.leaving, test.leaving) || s.end != test.end || s.Done() != test.done {
			t.Errorf("%s: reads %+v, leaves for %v, ends %q, done %t", test.name, reads, s.leaving, s.end, s.Done())
		}
	}
	s, _, _ := Next(rolling(func(s *State) { s.calls = 3 }), Observation{Calls: 4}, epoch.Add(2*time.Minute))
	if s.calls != 7 {
		t.Errorf("%d calls, want 7", s.calls)
	}
	s, _, _ = Next(rolling(func(s *State) { s.ownFailed = 3 }), Observation{Read: Reads{Service: true}, Service: &ecsview.Snapshot{}}, epoch)
	if s.ownFailed != 0 {
		t.Errorf("a read that worked leaves %d failed in a row", s.ownFailed)
	}
}

// TestAfterTheEnd tells the tasks that were read then, and keeps the cause where nothing better is found.
func TestAfterTheEnd(t *testing.T) {
	cause := &record.Finding{Code: "exit", Title: "exits at once"}
	task := ecsview.Task{ARN: "arn:aws:ecs:r:1:task/c/0f9d", StartedBy: newID, CreatedAt: epoch, StartedAt: epoch.Add(time.Second)}
	s, effects, _ := Next(rolling(func(s *State) { s.end, s.cause = EndFailed, cause }),
		Observation{Tasks: []ecsview.Task{task}, Diagnosis: &Diagnosis{}}, epoch.Add(2*time.Minute))
	steps := 0
	for _, e := range effects {
		if tell, ok := e.(Tell); ok && tell.Event.Step != nil {
			steps++
		}
	}
	if s.cause != cause || steps != 2 {
		t.Errorf("the cause is %+v, and %d steps of the task were told", s.cause, steps)
	}
}

// TestTake notes what a snapshot shows: since when the deployment is over, when it last changed, and for whom it waits.
func TestTake(t *testing.T) {
	before, now := epoch.Add(time.Minute), epoch.Add(2*time.Minute)
	with := func(state string, own *ecsview.ServiceDeployment) ecsview.Snapshot {
		s := under(1, 0)
		s.Deployments[0].State, s.Own = state, own
		return s
	}
	for _, test := range []struct {
		name            string
		service         ecsview.Snapshot
		changed, overAt time.Time
		paused          []string
	}{
		{"nothing new", with("IN_PROGRESS", nil), before, time.Time{}, nil},
		{"another phase", with("FAILED", nil), now, time.Time{}, nil},
		{"it was stopped", with("IN_PROGRESS", &ecsview.ServiceDeployment{Status: "STOPPED"}), now, now, nil},
		{"it waits for somebody", with("IN_PROGRESS", &ecsview.ServiceDeployment{Status: "IN_PROGRESS", Paused: []string{"hook"}}), before,
			time.Time{}, []string{"hook"}},
	} {
		m := &move{now: now, State: rolling(func(s *State) { s.changed, s.counts = before, counts(s.target, under(1, 0)) })}
		m.verdict = Evaluate(m.target, under(1, 0), m.seen)
		m.take(test.service)
		if !m.changed.Equal(test.changed) || !m.overAt.Equal(test.overAt) || !slices.Equal(m.paused, test.paused) {
			t.Errorf("%s: changed at %s, over at %s, waits for %q, %s", test.name, m.changed.Sub(epoch), m.overAt, m.paused, m.verdict.Phase)
		}
	}
}

// TestAdopt says which deployment is taken for the one that an update began whose answer did not name it.
func TestAdopt(t *testing.T) {
	at := func(id, td string) ecsview.Snapshot {
		return ecsview.Snapshot{Deployments: []ecsview.Deployment{deployment(id, "PRIMARY", "IN_PROGRESS",
			func(d *ecsview.Deployment) { d.TaskDefinition = td })}}
	}
	sent := func(s *State) { s.sent, s.target.Previous = true, oldTD }
	back := func(s *State) { s.isBack, s.back = true, Target{TaskDefinition: oldTD, Known: []string{oldID}} }
	for _, test := range []struct {
		name       string
		with       []func(*State)
		service    ecsview.Snapshot
		isBack     bool
		id, backID string
	}{
		{"the update is in force", []func(*State){func(s *State) { s.target.ID = "" }}, at(laterID, newTD), false, laterID, ""},
		{"it is known", nil, at(laterID, newTD), false, newID, ""},
		{"a way back without an answer was heard", []func(*State){sent}, at(laterID, oldTD), true, newID, laterID},
		{"none was sent", []func(*State){sent, func(s *State) { s.sent = false }}, at(laterID, oldTD), false, newID, ""},
		{"it is what was asked for", []func(*State){sent, func(s *State) { s.target.ID = laterID }}, at(laterID, oldTD), false, laterID, ""},
		{"it is of another revision", []func(*State){sent}, at(laterID, "arn:td/api:9"), false, newID, ""},
		{"it was there before", []func(*State){sent, func(s *State) { s.target.Known = []string{laterID} }}, at(laterID, oldTD), false, newID,
			""},
		{"none is the newest", []func(*State){sent}, ecsview.Snapshot{}, false, newID, ""},
		{"the way back is in force", []func(*State){back}, at(laterID, oldTD), true, newID, laterID},
		{"ECS was back there by itself", []func(*State){back}, at(oldID, oldTD), true, newID, oldID},
		{"something else is in force", []func(*State){back}, at(laterID, newTD), true, newID, ""},
		{"nothing is in force on the way back", []func(*State){back}, ecsview.Snapshot{}, true, newID, ""},
		{"the way back is known", []func(*State){back, func(s *State) { s.back.ID = oldID }}, at(laterID, oldTD), true, newID, oldID},
	} {
		m := &move{now: epoch.Add(time.Minute), State: rolling(test.with...)}
		m.adopt(test.service)
		if m.isBack != test.isBack || m.target.ID != test.id || m.back.ID != test.backID {
			t.Errorf("%s: back %t, %q, on the way back %q", test.name, m.isBack, m.target.ID, m.back.ID)
		}
	}
}

// TestFinish says what is read once the end is known.
func TestFinish(t *testing.T) {
	for _, test := range []struct {
		name string
		with func(*State)
		end  End
		want Reads
	}{
		{"it has arrived: its tasks, for the record", func(*State) {}, EndSucceeded, Reads{Running: true}},
		{"nothing was deployed", func(s *State) { s.target.ID = "" }, EndSucceeded, Reads{}},
		{"tasks cannot be read", func(s *State) { s.tasksOff = true }, EndSucceeded, Reads{}},
		{"it has failed: why", func(*State) {}, EndFailed, Reads{Diagnosis: true, Last: true}},
		{"why is known", func(s *State) { s.cause = &record.Finding{} }, EndFailed, Reads{}},
		{"nobody can tell why", func(s *State) { s.settings.diagnoses = false }, EndFailed, Reads{}},
		{"interrupted", func(*State) {}, EndInterrupted, Reads{}},
		{"lost", func(*State) {}, EndUnknown, Reads{}},
		{"it was stopped by somebody else", func(s *State) { s.settings.committed = true }, EndFailed, Reads{}},
	} {
		m := &move{now: epoch.Add(time.Minute), State: rolling(func(s *State) { s.settings.diagnoses = true }, test.with)}
		m.finish(test.end, nil)
		if m.reads != test.want || m.done == test.want.any() || m.end != test.end {
			t.Errorf("%s: %+v, done %t", test.name, m.reads, m.done)
		}
	}
}

// TestRemember leaves the set alone that older states hold.
func TestRemember(t *testing.T) {
	old := map[string]bool{"a": true}
	if got := remember(old, []string{"b"}); len(got) != 2 || !got["a"] || !got["b"] || len(old) != 1 {
		t.Errorf("%v of %v", got, old)
	}
	if got := remember(nil, []string{"b"}); len(got) != 1 || !got["b"] {
		t.Errorf("%v of nothing", got)
	}
}

// TestCauseIsFoundOnce tells a finding for each cause, and not for each look at it.
func TestCauseIsFoundOnce(t *testing.T) {
	m := &move{now: epoch.Add(time.Minute), State: rolling()}
	for _, code := range []string{"exit", "exit", "pull", "pull", "exit"} {
		m.diagnosed(Observation{Diagnosis: &Diagnosis{Finding: record.Finding{Code: code, Title: code}, Alike: 1}})
	}
	var told []string
	for _, e := range m.effects {
		if tell, ok := e.(Tell); ok && tell.Event.Finding != nil {
			told = append(told, tell.Event.Finding.Code)
		}
	}
	if !slices.Equal(told, []string{"exit", "pull", "exit"}) {
		t.Errorf("told %q", told)
	}
}
