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
