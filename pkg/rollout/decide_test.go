package rollout

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

const own = "arn:sd/ecs-svc/200"

// rolling is a deployment that has been followed for a minute: its service deployment is known, and nothing was decided.
func rolling(change ...func(*State)) State {
	t := target
	t.ServiceDeployment = own
	s, _ := begin(t, epoch, defaults)
	s.verdict, s.last = Verdict{Rolling, ""}, under(1, 0)
	s.contact, s.changed, s.watched = epoch.Add(time.Minute), epoch.Add(time.Minute), epoch.Add(time.Minute)
	for _, c := range change {
		c(&s)
	}
	return s
}

// under is a service whose new deployment is under way, with this many tasks of it.
func under(tasks, pending int) ecsview.Snapshot {
	return ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD, Desired: 2, Running: 2 + tasks, Deployments: []ecsview.Deployment{
		deployment(newID, "PRIMARY", "IN_PROGRESS", running(tasks), func(d *ecsview.Deployment) { d.Pending = pending }),
		deployment(oldID, "ACTIVE", "COMPLETED")}}
}

func failures(n int) func(*State) {
	return func(s *State) { s.failed = make([]FailedTask, n) }
}

func diagnosed(alike int, change ...func(*record.Finding)) func(*State) {
	f := record.Finding{Code: "exit", Title: "exits at once", Certain: true}
	for _, c := range change {
		c(&f)
	}
	return func(s *State) { s.diagnosis = Diagnosis{Finding: f, Alike: alike, Waves: min(alike, 1)} }
}

// waves says how many independent observations the failures are.
func waves(n int) func(*State) { return func(s *State) { s.diagnosis.Waves = n } }

func mayPass(f *record.Finding) { f.Certain = false }

func phase(p Phase) func(*State) { return func(s *State) { s.verdict = Verdict{p, ""} } }

const later = 2 * time.Minute

// TestWanted has a row for each condition under which the service is changed, and one that flips it alone.
func TestWanted(t *testing.T) {
	hopeless := []func(*State){failures(2), diagnosed(2)}
	with := func(more ...func(*State)) []func(*State) {
		return append(append([]func(*State){}, hopeless...), more...)
	}
	empty := func(s *State) { s.target.Empty = true }
	again := func(s *State) { s.target.Again, s.target.Previous = true, "" }
	alone := func(s *State) { s.last.Deployments[1].Running = 0 }
	for _, test := range []struct {
		name string
		at   time.Duration
		with []func(*State)
		want want
	}{
		{"nothing has failed", later, nil, want{}},
		{"two failures of one certain cause", later, hopeless, want{change: stop, by: ByCause}},
		{"while it waits", later, with(phase(Waiting)), want{change: stop, by: ByCause}},
		{"while it settles", later, with(phase(Settling)), want{change: stop, by: ByCause}},
		{"while ECS gives it up", later, with(phase(Failing)), want{}},
		{"while ECS rolls back", later, with(phase(RollingBack)), want{}},
		{"once it has arrived", later, with(phase(Succeeded)), want{}},
		{"it is being stopped already", later, with(func(s *State) { s.stopping = true }), want{}},
		{"one failure", later, []func(*State){failures(1), diagnosed(1)}, want{}},
		{"two of four tasks", later, with(func(s *State) { s.last.Desired = 4 }), want{change: stop, by: ByCause}},
		{"two of five", later, with(func(s *State) { s.last.Desired = 5 }), want{}},
		{"three of five", later, []func(*State){failures(3), diagnosed(3), func(s *State) { s.last.Desired = 5 }},
			want{change: stop, by: ByCause}},
		{"it may pass", later, []func(*State){failures(2), diagnosed(2, mayPass)}, want{}},
		{"many at once", later, []func(*State){failures(20), diagnosed(20, mayPass)}, want{}},
		{"it did not pass", later, []func(*State){failures(2), diagnosed(2, mayPass), waves(2)}, want{change: stop, by: ByCause}},
		{"two waves, of five tasks", later,
			[]func(*State){failures(2), diagnosed(2, mayPass), waves(2), func(s *State) { s.last.Desired = 5 }}, want{}},
		{"left to ECS", later, with(func(s *State) { s.settings.patient = true }), want{}},
		{"left to ECS, in two waves", later,
			[]func(*State){failures(2), diagnosed(2, mayPass), waves(2), func(s *State) { s.settings.patient = true }}, want{}},
		{"AWS's fault", later, []func(*State){failures(2), diagnosed(2, func(f *record.Finding) { f.Fault = record.FaultPlatform })}, want{}},
		{"AWS's fault in two waves", later,
			[]func(*State){failures(2), diagnosed(2, func(f *record.Finding) { f.Fault = record.FaultPlatform }, mayPass), waves(2)}, want{}},
		{"it says nothing", later, []func(*State){failures(2), diagnosed(2, func(f *record.Finding) { f.Vague = true })}, want{}},
		{"it says nothing in two waves", later,
			[]func(*State){failures(2), diagnosed(2, func(f *record.Finding) { f.Vague = true }, mayPass), waves(2)}, want{}},
		{"cannot be stopped", later, with(func(s *State) { s.cannotStop = true }), want{change: putBack, by: ByCause}},
		{"not seen yet", later, with(func(s *State) { s.target.ServiceDeployment = "" }), want{change: putBack, by: ByCause}},
		{"cannot be stopped, and there is nothing before", later,
			with(func(s *State) { s.cannotStop, s.target.Previous = true, "" }), want{change: noWay, by: ByCause}},
		{"a moment before the end of its time", defaults.timeout - 1, nil, want{}},
		{"at the end of its time", defaults.timeout, nil, want{change: stop, by: ByTimeout}},
		{"at the end of its time for a cause", defaults.timeout, hopeless, want{change: stop, by: ByCause}},
		{"failed for good", later, []func(*State){phase(Failed)}, want{change: putBack}},
		{"the rollback failed", later, []func(*State){phase(RollbackFailed)}, want{change: putBack}},
		{"failed after its time", later, []func(*State){phase(Failed), func(s *State) { s.by = ByTimeout }},
			want{change: putBack, by: ByTimeout}},
		{"failed, and there is nothing before", later, []func(*State){phase(Failed), func(s *State) { s.target.Previous = "" }},
			want{change: noWay}},
		{"the way back failed", later, []func(*State){phase(Failed), func(s *State) { s.isBack = true }}, want{}},
		{"a first release", later, []func(*State){empty}, want{}},
		{"a first release that ECS gives up", later, []func(*State){empty, phase(Failing)}, want{empty: true}},
		{"that is rolled back", later, []func(*State){empty, phase(RollingBack)}, want{empty: true}},
		{"that was", later, []func(*State){empty, phase(RolledBack)}, want{empty: true}},
		{"that failed", later, []func(*State){empty, phase(Failed)}, want{change: putBack, empty: true}},
		{"whose rollback failed", later, []func(*State){empty, phase(RollbackFailed)}, want{change: putBack, empty: true}},
		{"that is stopped", later, with(empty), want{change: stop, by: ByCause}},
		{"that cannot be stopped", later, with(empty, func(s *State) { s.cannotStop = true }), want{change: putBack, by: ByCause, empty: true}},
		{"that cannot be stopped, and there is nothing before", later,
			with(empty, func(s *State) { s.cannotStop, s.target.Previous = true, "" }), want{change: noWay, by: ByCause, empty: true}},
		{"that is empty again", later, []func(*State){empty, phase(RollingBack), func(s *State) { s.emptyTried = true }}, want{}},
		{"the same version again, while old tasks run", later, with(again), want{change: stop, by: ByCause}},
		{"the same version again, and none runs", later, with(again, alone), want{change: noWay, by: ByCause}},
		{"another version, and none runs", later, with(again, alone, func(s *State) { s.target.Again = false }),
			want{change: stop, by: ByCause}},
		{"the same version again, and those that run fail too", later, with(again, func(s *State) { s.last.Deployments[1].Failed = 1 }),
			want{change: noWay, by: ByCause}},
		{"the same version again, and history knows one that worked", later,
			with(again, alone, func(s *State) { s.target.Previous = oldTD }), want{change: putBack, by: ByCause}},
		{"ECS goes back to the same, in its time", defaults.timeout - 1, []func(*State){again, alone, phase(RollingBack)}, want{}},
		{"and over its time", defaults.timeout, []func(*State){again, alone, phase(RollingBack)}, want{change: noWay}},
		{"and over its time, and history knows one that worked", defaults.timeout,
			[]func(*State){again, alone, phase(RollingBack), func(s *State) { s.target.Previous = oldTD }}, want{change: putBack}},
		{"and gives it up", defaults.timeout, []func(*State){again, alone, phase(Failing)}, want{change: noWay}},
		{"and is there", defaults.timeout, []func(*State){again, alone, phase(RolledBack)}, want{}},
		{"and old tasks run", defaults.timeout + againGrace - 1, []func(*State){again, phase(RollingBack)}, want{}},
		{"and old tasks run for too long", defaults.timeout + againGrace, []func(*State){again, phase(RollingBack)}, want{change: noWay}},
		{"and it is followed alone", defaults.timeout,
			[]func(*State){again, alone, phase(RollingBack), func(s *State) { s.settings.committed = true }}, want{}},
		{"and it is another version", defaults.timeout, []func(*State){alone, phase(RollingBack)}, want{}},
		{"not a first release", later, []func(*State){phase(RollingBack)}, want{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := rolling(test.with...)
			if got := s.wanted(epoch.Add(test.at)); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestHopelessPlacement is a certain cause that no task shows: ECS cannot start any.
func TestHopelessPlacement(t *testing.T) {
	for _, test := range []struct {
		name           string
		tasks, pending int
		since          time.Duration
		gone, want     bool
	}{
		{"for as long as it takes", 0, 0, 30 * time.Second, false, true},
		{"not yet", 0, 0, 30*time.Second - 1, false, false},
		{"a task runs", 1, 0, placementPatience, false, false},
		{"a task starts", 0, 1, placementPatience, false, false},
		{"it is not listed", 0, 0, placementPatience, true, false},
	} {
		s := rolling(diagnosed(0), func(s *State) { s.certain, s.last = epoch, under(test.tasks, test.pending) })
		if test.gone {
			s.last.Deployments = s.last.Deployments[1:]
		}
		if got := s.hopeless(epoch.Add(test.since)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	for name, change := range map[string]func(*State){
		"it may pass": diagnosed(0, mayPass), "left to ECS": func(s *State) { s.settings.patient = true },
	} {
		s := rolling(diagnosed(0), func(s *State) { s.certain, s.last = epoch, under(0, 0) }, change)
		if s.hopeless(epoch.Add(placementPatience)) {
			t.Errorf("%s: it is given up", name)
		}
	}
}

func TestTrouble(t *testing.T) {
	event := func(text string) func(*State) {
		return func(s *State) { s.events = append(s.events, SeenEvent{ServiceEvent: ecsview.ServiceEvent{Text: text}}) }
	}
	none := func(s *State) { s.last = under(0, 0) }
	for _, test := range []struct {
		name string
		with []func(*State)
		want bool
	}{
		{"it cannot place", []func(*State){none, event("was unable to place a task")}, true},
		{"it cannot launch", []func(*State){none, event("failed to launch a task")}, true},
		{"it could not", []func(*State){none, event("could not launch 2 tasks")}, true},
		{"IAM", []func(*State){none, event("IAM permissions policies have been misconfigured")}, true},
		{"nothing was said", []func(*State){none}, false},
		{"it is not its last word", []func(*State){none, event("was unable to place a task"), event("has started 1 tasks")}, false},
		{"a task runs all the same", []func(*State){event("was unable to place a task")}, false},
		{"a task has failed", []func(*State){none, event("was unable to place a task"), failures(1)}, false},
		{"it is explained", []func(*State){none, event("was unable to place a task"), diagnosed(0)}, false},
		{"not listed", []func(*State){event("was unable to place a task"), func(s *State) { s.last.Deployments = nil }}, false},
		{"unhealthy, and tasks may not be read", []func(*State){event("is unhealthy"), func(s *State) { s.tasksOff = true }}, true},
		{"unhealthy, and they may", []func(*State){event("is unhealthy")}, false},
		{"well, and they may not", []func(*State){event("has started 1 tasks"), func(s *State) { s.tasksOff = true }}, false},
	} {
		s := rolling(test.with...)
		if got := s.trouble(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// changes are the effects that change something, in words, and what is read next.
func changes(effects []Effect, r Reads) string {
	var all, reads []string
	for _, e := range effects {
		switch e := e.(type) {
		case Stop:
			all = append(all, "stop "+e.ServiceDeployment)
		case PutBack:
			all = append(all, "put back "+e.TaskDefinition[strings.LastIndexByte(e.TaskDefinition, '/')+1:])
		case Empty:
			all = append(all, "empty")
		}
	}
	for name, on := range map[string]bool{"the service": r.Service, "tasks": r.Tasks, "a diagnosis": r.Diagnosis && !r.Last,
		"the last diagnosis": r.Last, "running tasks": r.Running,
		"old tasks": r.Draining, "the past": r.Past, "candidates": r.Find && !r.Service} {
		if on {
			reads = append(reads, "read "+name)
		}
	}
	all = append(all, slices.Sorted(slices.Values(reads))...)
	return strings.Join(all, ", ")
}

func looked(s ecsview.Snapshot) Observation {
	return Observation{Read: Reads{Service: true}, Service: &s, Own: &ecsview.ServiceDeployment{Status: "IN_PROGRESS"}}
}

// TestAChangeIsMadeOnAnObservationAfterItsDecision goes through decisions step by step: each is confirmed by an observation that
// was made after it, and dropped where that shows something else.
func TestAChangeIsMadeOnAnObservationAfterItsDecision(t *testing.T) {
	hopeless := func() State { return rolling(failures(2), diagnosed(2)) }
	failed := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD, Desired: 2, Deployments: []ecsview.Deployment{
		deployment(newID, "PRIMARY", "FAILED", running(0)), deployment(oldID, "ACTIVE", "COMPLETED")}}
	stopped := Observation{Read: Reads{Service: true}, Service: &failed, Own: &ecsview.ServiceDeployment{Status: "STOPPED"}}
	newer := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: laterTD, Desired: 2, Deployments: []ecsview.Deployment{
		deployment(laterID, "PRIMARY", "IN_PROGRESS"), deployment(newID, "ACTIVE", "FAILED")}}
	over := Observation{Read: Reads{Service: true}, Service: &newer, Own: &ecsview.ServiceDeployment{Status: "STOPPED"}}
	back := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: oldTD, Desired: 2, Deployments: []ecsview.Deployment{
		deployment(oldID, "PRIMARY", "IN_PROGRESS", touched, because(rollingBackText)), deployment(newID, "ACTIVE", "FAILED")}}
	tripped := Observation{Read: Reads{Service: true}, Service: &back, Own: &ecsview.ServiceDeployment{Status: "ROLLBACK_IN_PROGRESS"}}
	answer := func(to Effect, trouble Trouble) Observation {
		return Observation{Answers: []Answer{{To: to, Trouble: trouble,
			Target: Target{ID: laterID, TaskDefinition: oldTD, Created: epoch.Add(time.Minute)}}}}
	}
	again := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: oldTD, Desired: 2, Deployments: []ecsview.Deployment{
		{ID: backID, Status: "PRIMARY", State: "IN_PROGRESS", TaskDefinition: oldTD, Desired: 2, Created: epoch.Add(time.Minute)},
		deployment(newID, "ACTIVE", "FAILED", running(0))}}
	heard := Observation{Read: Reads{Service: true}, Service: &again, Own: &ecsview.ServiceDeployment{Status: "STOPPED"}}
	noTasks, noPast := Observation{Read: Reads{Tasks: true}}, Observation{Read: Reads{Past: true}}
	type step struct {
		o    Observation
		want string
	}
	for _, test := range []struct {
		name  string
		state State
		steps []step
		end   End
		by    By
	}{
		{"a hopeless one is stopped", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {looked(under(1, 0)), "stop " + own},
			{answer(Stop{own}, Trouble{}), "read the service"}, {tripped, "read tasks"}, {noTasks, "read the service"}}, "", ByCause},
		{"not if the breaker was first", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {tripped, "read the service"}}, "", ByECS},
		{"not if somebody deploys meanwhile", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {over, ""}}, EndSuperseded, ByECS},
		{"a throttled stop is tried again", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {looked(under(1, 0)), "stop " + own},
			{answer(Stop{own}, Trouble{Err: io.EOF, Throttled: true}), "read the service"}, {looked(under(1, 0)), "stop " + own},
			{answer(Stop{own}, Trouble{Err: io.EOF, Lost: true}), "read the service"}, {tripped, "read the service"}}, "", ByCause},
		{"a refused one is put back instead", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {looked(under(1, 0)), "stop " + own},
			{answer(Stop{own}, Trouble{Err: io.EOF, Refused: true}), "read the service"}, {looked(under(1, 0)), "put back api:41"},
			{answer(PutBack{TaskDefinition: oldTD}, Trouble{}), "read the service"}}, "", ByCause},
		{"not over a rollback that has begun", hopeless(), []step{
			{looked(under(1, 0)), "read tasks"}, {noTasks, "read the service"}, {looked(under(1, 0)), "stop " + own},
			{answer(Stop{own}, Trouble{Err: io.EOF, Refused: true}), "read the service"}, {tripped, "read the service"}}, "", ByCause},
		{"a failed one is put back", rolling(), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "put back api:41"},
			{answer(PutBack{TaskDefinition: oldTD}, Trouble{}), "read the service"}}, "", ByECS},
		{"it was, though no answer came", rolling(), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "put back api:41"},
			{answer(PutBack{TaskDefinition: oldTD}, Trouble{Err: io.EOF, Lost: true}), "read the service"}, {heard, "read the service"}}, "", ByECS},
		{"not over a newer one", rolling(), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {over, ""}}, EndSuperseded, ByECS},
		{"and stuck if that is refused", rolling(), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "put back api:41"},
			{answer(PutBack{TaskDefinition: oldTD}, Trouble{Err: io.EOF, Refused: true}), ""}}, EndStuck, ByECS},
		{"tried again if throttled", rolling(), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "put back api:41"},
			{answer(PutBack{TaskDefinition: oldTD}, Trouble{Err: io.EOF, Throttled: true}), "read the service"}, {stopped,
				"put back api:41"}}, "", ByECS},
		{"the version that was there before has no way back", rolling(func(s *State) { s.target.Previous, s.target.Again = "", true }), []step{
			{stopped, "read tasks"}, {noTasks, "read the past"}, {noPast, "read the service"}, {stopped, "read the service"},
			{stopped, ""}}, EndFailed, ByECS},
		{"nothing to put back", rolling(func(s *State) { s.target.Previous = "" }), []step{
			{stopped, "read tasks"}, {noTasks, "read the past"}, {noPast, "read the service"}, {stopped, "read the service"},
			{stopped, ""}}, EndStuck, ByECS},
		{"the history knows what to put back", rolling(func(s *State) { s.target.Previous = "" }), []step{
			{stopped, "read tasks"}, {noTasks, "read the past"}, {Observation{Read: Reads{Past: true}, Past: oldTD}, "read the service"},
			{stopped, "read the service"}, {stopped, "put back api:41"}}, "", ByECS},
		{"it knows nothing but what failed", rolling(func(s *State) { s.target.Previous = "" }), []step{
			{stopped, "read tasks"}, {noTasks, "read the past"}, {Observation{Read: Reads{Past: true}, Past: newTD}, "read the service"},
			{stopped, "read the service"}, {stopped, ""}}, EndStuck, ByECS},
		{"it may not be read", rolling(func(s *State) { s.target.Previous, s.ownOff = "", true }), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, ""}}, EndStuck, ByECS},
		{"a first release has none", rolling(func(s *State) { s.target.Previous, s.target.Empty = "", true }), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "empty"}}, "", ByECS},
		{"a first release is emptied before it is put back", rolling(func(s *State) { s.target.Empty = true }), []step{
			{stopped, "read tasks"}, {noTasks, "read the service"}, {stopped, "empty, put back api:41"}}, "", ByECS},
		{"the unexplained end is looked into", rolling(func(s *State) { s.target.Previous, s.settings.diagnoses = "", true }), []step{
			{stopped, "read tasks"}, {noTasks, "read the past"}, {noPast, "read the service"}, {stopped, "read the service"},
			{stopped, "read the last diagnosis"},
			{Observation{Read: Reads{Diagnosis: true, Last: true}}, ""}}, EndStuck, ByECS},
		{"a failure is explained before anything is decided", rolling(func(s *State) { s.settings.diagnoses = true }), []step{
			{looked(under(1, 0)), "read tasks"},
			{Observation{Read: Reads{Tasks: true}, Tasks: []ecsview.Task{{ARN: "t", StartedBy: newID, StopCode: "TaskFailedToStart"}}},
				"read a diagnosis"},
			{Observation{Read: Reads{Diagnosis: true}}, "read the service"}}, "", ByECS},
		{"that of another deployment is not", rolling(func(s *State) { s.settings.diagnoses = true }), []step{
			{looked(under(1, 0)), "read tasks"},
			{Observation{Read: Reads{Tasks: true}, Tasks: []ecsview.Task{{ARN: "t", StartedBy: oldID, StopCode: "TaskFailedToStart"}}},
				"read the service"}}, "", ByECS},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, now := test.state, epoch.Add(3*time.Minute)
			for i, step := range test.steps {
				before := fmt.Sprintf("%+v", s)
				next, effects, reads := Next(s, step.o, now)
				if got := changes(effects, reads); got != step.want {
					t.Fatalf("step %d: got %q, want %q", i, got, step.want)
				}
				if after := fmt.Sprintf("%+v", s); after != before {
					t.Fatalf("step %d changed the state that it was given", i)
				}
				s, now = next, now.Add(time.Second)
			}
			if s.end != test.end || s.by != test.by || s.Done() != (test.end != "") {
				t.Errorf("ended as %q by %q, done %v; want %q by %q: %v", s.end, s.by, s.Done(), test.end, test.by, s.err)
			}
		})
	}
}

// TestAnUpdateWithoutAnAnswerIsRecognised has ECS begin the way back although its answer was lost: it supersedes nothing.
func TestAnUpdateWithoutAnAnswerIsRecognised(t *testing.T) {
	for _, sent := range []bool{true, false} {
		s := rolling(phase(Failed), func(s *State) { s.sent = sent })
		back := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: oldTD, Desired: 2, Deployments: []ecsview.Deployment{
			deployment(laterID, "PRIMARY", "IN_PROGRESS", func(d *ecsview.Deployment) { d.TaskDefinition = oldTD }), deployment(newID, "ACTIVE",
				"FAILED")}}
		s, _, _ = Next(s, Observation{Read: Reads{Service: true}, Service: &back}, epoch.Add(2*time.Minute))
		if s.isBack != sent || (s.verdict.Phase == Superseded) == sent {
			t.Errorf("sent %v: on the way back %v, %s", sent, s.isBack, s.verdict.Phase)
		}
	}
}

// TestOverdue goes through the times of a way back.
func TestOverdue(t *testing.T) {
	for _, test := range []struct {
		name     string
		phase    Phase
		stopping bool
		at       time.Duration
		end      End
		prolongs bool
		again    bool
	}{
		{"in its time", RollingBack, true, defaults.timeout - 1, "", false, false},
		{"over its time", RollingBack, true, defaults.timeout, EndOverdue, false, false},
		{"stopped, and nothing seen of it", Rolling, true, defaults.timeout, EndOverdue, false, false},
		{"ECS rolls back by itself", RollingBack, false, defaults.timeout, "", true, false},
		{"ECS is giving it up by itself", Failing, false, defaults.timeout, "", true, false},
		{"it goes back to the same version", RollingBack, false, defaults.timeout, "", false, true},
		{"it was asked to", RollingBack, true, defaults.timeout + againGrace - 1, "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := rolling(phase(test.phase), func(s *State) { s.stopping, s.target.Again = test.stopping, test.again })
			m := &move{State: s, now: epoch.Add(test.at)}
			m.goOn()
			if m.end != test.end || m.deadline.After(s.deadline) != test.prolongs {
				t.Errorf("ended as %q, deadline %v", m.end, m.deadline.Sub(epoch))
			}
		})
	}
}

// TestOverFor measures how long a service deployment is known to have ended without success.
func TestOverFor(t *testing.T) {
	own := func(status types.ServiceDeploymentStatus) *ecsview.ServiceDeployment {
		return &ecsview.ServiceDeployment{Status: status}
	}
	m := &move{now: epoch}
	for _, step := range []struct {
		own  *ecsview.ServiceDeployment
		want time.Duration
	}{
		{own("IN_PROGRESS"), 0}, {own("STOPPED"), 0}, {own("STOPPED"), time.Second}, {own("ROLLBACK_FAILED"), 2 * time.Second},
		{nil, 0}, {own("ROLLBACK_FAILED"), 0}, {own("ROLLBACK_FAILED"), time.Second}, {own("SUCCESSFUL"), 0}, {own("STOPPED"), 0},
	} {
		m.noteOver(step.own)
		if m.seen.OverFor != step.want {
			t.Errorf("at %v: got %v, want %v", m.now.Sub(epoch), m.seen.OverFor, step.want)
		}
		m.now = m.now.Add(time.Second)
	}
}

// TestInForce says what serves after a deployment was rolled back.
func TestInForce(t *testing.T) {
	for want, change := range map[string]func(*State){
		"api:41 serves again":                                    func(*State) {},
		"the service is without tasks again":                     func(s *State) { s.emptied, s.target.Empty = true, true },
		"the service is at api:41 again, which has never served": func(s *State) { s.target.Empty = true },
	} {
		s := rolling(change)
		if got := s.inForce(oldTD); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDueTasks(t *testing.T) {
	suspect := func(s *State) { s.suspect = s.watched.Add(1) }
	ago := func(watched, suspected time.Duration) func(*State) {
		return func(s *State) { s.watched, s.suspect = epoch.Add(later-watched), epoch.Add(later-suspected) }
	}
	for _, test := range []struct {
		name string
		with []func(*State)
		want bool
	}{
		{"nothing is new", nil, false},
		{"something may have failed", []func(*State){suspect}, true},
		{"a good change", []func(*State){func(s *State) { s.changed = s.watched.Add(1) }}, false},
		{"looked at four seconds ago", []func(*State){ago(4*time.Second, 5*time.Second)}, false},
		{"looked at five seconds ago", []func(*State){ago(5*time.Second, 6*time.Second)}, true},
		{"the suspicion is old", []func(*State){ago(9*time.Second, 10*time.Second)}, false},
		{"nothing for long", []func(*State){ago(watchCalm, time.Hour)}, true},
		{"nothing for almost as long", []func(*State){ago(watchCalm-1, time.Hour)}, false},
		{"on the way back", []func(*State){suspect, func(s *State) { s.isBack = true }}, false},
		{"without an id", []func(*State){suspect, func(s *State) { s.target.ID = "" }}, false},
		{"committed", []func(*State){suspect, func(s *State) { s.settings.committed = true }}, false},
		{"arrived", []func(*State){suspect, phase(Succeeded)}, false},
		{"arrived, and tasks have failed", []func(*State){suspect, phase(Succeeded), func(s *State) { s.fell = true }}, true},
		{"superseded", []func(*State){suspect, phase(Superseded)}, false},
		{"failed", []func(*State){suspect, phase(Failed)}, true},
		{"the list failed, and it is time", []func(*State){ago(10*time.Second, time.Second), func(s *State) { s.unwatched = 1 }}, true},
		{"the list failed, and it is not", []func(*State){ago(10*time.Second-1, time.Second), func(s *State) { s.unwatched = 1 }}, false},
		{"the list failed often", []func(*State){ago(80*time.Second, time.Second), func(s *State) { s.unwatched = 9 }}, true},
		{"the list failed often, and it is not time", []func(*State){ago(80*time.Second-1, time.Second), func(s *State) { s.unwatched = 9 }},
			false},
	} {
		s := rolling(append([]func(*State){func(s *State) { s.watched = epoch.Add(later - time.Second); s.suspect = s.watched }},
			test.with...)...)
		if got := (&move{State: s, now: epoch.Add(later)}).dueTasks(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestMayHaveFailed(t *testing.T) {
	before := ecsview.Deployment{Running: 2, Pending: 1, Failed: 1}
	for _, test := range []struct {
		name string
		with func(*ecsview.Deployment)
		want bool
	}{
		{"nothing changed", func(*ecsview.Deployment) {}, false},
		{"one that ran is gone", func(d *ecsview.Deployment) { d.Running = 1 }, true},
		{"and another is starting in its place", func(d *ecsview.Deployment) { d.Running, d.Pending = 1, 2 }, true},
		{"one that was starting is gone", func(d *ecsview.Deployment) { d.Pending = 0 }, true},
		{"one that was starting runs", func(d *ecsview.Deployment) { d.Running, d.Pending = 3, 0 }, false},
		{"ECS counts a failure", func(d *ecsview.Deployment) { d.Failed = 2 }, true},
		{"ECS counts anew", func(d *ecsview.Deployment) { d.Failed = 0 }, false},
	} {
		now := before
		test.with(&now)
		if got := mayHaveFailed(&before, &now); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if mayHaveFailed(nil, &now) || mayHaveFailed(&before, nil) {
			t.Errorf("%s: what is not listed may have failed", test.name)
		}
	}
}

// TestLeaving is a run that is interrupted: which last calls it makes, in which order, and what it says.
func TestLeaving(t *testing.T) {
	interrupted := Observation{Interrupted: errors.New("enough")}
	answer := func(to Effect, err error) Observation {
		return Observation{Answers: []Answer{{To: to, Trouble: Trouble{Err: err}}}, Interrupted: interrupted.Interrupted}
	}
	type step struct {
		o    Observation
		want string
	}
	const look, back = "read the service", "put back api:41"
	unseen := func(s *State) { s.target.ServiceDeployment = "" }
	refused := func(trouble Trouble) Observation {
		return Observation{Answers: []Answer{{To: PutBack{TaskDefinition: oldTD}, Trouble: trouble}}, Interrupted: interrupted.Interrupted}
	}
	silent := Observation{Answers: []Answer{{To: Stop{own}, Trouble: Trouble{Err: io.EOF, Lost: true}}}, Interrupted: interrupted.Interrupted}
	const goesOn, unknown = "the deployment goes on without this run, since it could not be stopped (EOF)",
		"it was to be taken back, which got no answer (EOF): whether it goes on or goes back is not known"
	const unlooked = "it could not be stopped (EOF), and whether it goes on could not be read"
	lost, throttled := refused(Trouble{Err: io.EOF, Lost: true}), refused(Trouble{Err: io.EOF, Throttled: true})
	seen := func(primary ecsview.Deployment) Observation {
		return Observation{Read: Reads{Service: true}, Interrupted: interrupted.Interrupted, Service: &ecsview.Snapshot{Status: "ACTIVE",
			TaskDefinition: primary.TaskDefinition, Deployments: []ecsview.Deployment{primary, deployment(oldID, "ACTIVE", "COMPLETED")}}}
	}
	asBefore, other := seen(deployment(newID, "PRIMARY", "IN_PROGRESS")), seen(deployment(laterID, "PRIMARY", "IN_PROGRESS"))
	heard := seen(deployment(laterID, "PRIMARY", "IN_PROGRESS", func(d *ecsview.Deployment) { d.TaskDefinition = oldTD }))
	at := func(s site) Observation {
		return Observation{Read: Reads{Service: true}, Interrupted: interrupted.Interrupted, Service: &shown[s]}
	}
	listed := func(o Observation) Observation {
		o.Found = []Candidate{{own, epoch, newTD, nil}}
		return o
	}
	found, missing, otherFound := listed(asBefore), asBefore, listed(other)
	unread := Observation{Read: Reads{Service: true}, Interrupted: interrupted.Interrupted}
	unstoppable := func(s *State) { s.cannotStop = true }
	alone := func(s *State) { s.settings.leave = true }
	for _, test := range []struct {
		name  string
		with  func(*State)
		steps []step
		says  string
	}{
		{"it is stopped", func(*State) {}, []step{{interrupted, "stop " + own}, {answer(Stop{own}, nil), ""}},
			"ECS was asked to stop the deployment"},
		{"and put back where that fails", func(*State) {}, []step{{interrupted, "stop " + own}, {answer(Stop{own}, io.EOF), look},
			{asBefore, back}, {answer(PutBack{TaskDefinition: oldTD}, nil), ""}}, "was told to run api:41 again"},
		{"neither works", func(*State) {}, []step{{interrupted, "stop " + own}, {answer(Stop{own}, io.EOF), look},
			{asBefore, back}, {answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}},
			goesOn},
		{"nothing before", func(s *State) { s.target.Previous = "" }, []step{{interrupted, "stop " + own}, {answer(Stop{own}, io.EOF), look},
			{asBefore, ""}}, goesOn},
		{"not seen yet", unseen, []step{{interrupted, look}, {found, "stop " + own}}, ""},
		{"not to be seen", unseen, []step{{interrupted, look}, {missing, back}}, ""},
		{"without the API", func(s *State) { unseen(s); s.ownOff = true }, []step{{interrupted, look}, {asBefore, back}}, ""},
		{"without an id", func(s *State) { unseen(s); s.target.ID = "" }, []step{{interrupted, look}, {asBefore, back}}, ""},
		{"cannot be stopped", unstoppable, []step{{interrupted, look}, {asBefore, back}}, ""},
		{"and the look gets no answer", unstoppable, []step{{interrupted, look}, {unread, back}}, ""},
		{"and neither is looked nor heard any more", unstoppable, []step{{interrupted, look}, {interrupted, back}}, ""},
		{"somebody has begun something", unstoppable, []step{{interrupted, look}, {other, ""}}, "another deployment has begun since: api:43"},
		{"somebody has begun something, and it is found", unseen, []step{{interrupted, look}, {otherFound, ""}},
			"another deployment has begun since: api:43"},
		{"ECS rolls it back", unstoppable, []step{{interrupted, look}, {at(atTripped), ""}}, "its rollback goes on"},
		{"ECS has rolled it back", unstoppable, []step{{interrupted, look}, {at(atUndone), ""}},
			"it had come to its end before it could be stopped (rolled back)"},
		{"it is complete, and a task is missing", unstoppable, []step{{interrupted, look}, {at(atFalls), ""}},
			"it was complete before it could be stopped, and is in force"},
		{"the service is being deleted", unstoppable, []step{{interrupted, look}, {at(atDeleted), ""}}, "before it could be stopped (deleted)"},
		{"ECS has given it up", unstoppable, []step{{interrupted, look}, {at(atGiven), back}}, ""},
		{"its tasks all run", unstoppable, []step{{interrupted, look}, {at(atSettles), back}}, ""},
		{"ECS's way back has failed", unstoppable, []step{{interrupted, look}, {at(atUnundone), back}}, ""},
		{"an update of before it was to end was heard", func(s *State) { s.cannotStop, s.sent = true, true },
			[]step{{interrupted, look}, {at(atPuts), ""}}, "its rollback goes on"},
		{"a first release", func(s *State) { s.target.Empty = true },
			[]step{{interrupted, "empty"}, {answer(Empty{}, nil), "stop " + own}}, ""},
		{"its rollback goes on", func(s *State) { s.stopping = true }, []step{{interrupted, ""}}, "its rollback goes on"},
		{"ECS's too", func(s *State) { s.seen.RollingBack = true }, []step{{interrupted, ""}}, "its rollback goes on"},
		{"the way back goes on", func(s *State) { s.isBack = true }, []step{{interrupted, ""}}, "its rollback goes on"},
		{"an update without an answer was heard", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look},
			{heard, ""}}, "was told to run api:41 again"},
		{"it was not heard", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look},
			{asBefore, back}, {refused(Trouble{}), ""}}, "was told to run api:41 again"},
		{"it was throttled", unstoppable, []step{{interrupted, look}, {asBefore, back}, {throttled, look},
			{asBefore, back}, {throttled, look}, {asBefore, back}, {throttled, ""}}, goesOn},
		{"it was throttled, and nothing can be read", unstoppable, []step{{interrupted, look}, {asBefore, back}, {throttled, look}, {unread, ""}},
			unlooked},
		{"no answer three times", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look}, {asBefore, back}, {lost, look},
			{asBefore, back}, {lost, ""}}, unknown},
		{"no answer, and it was not heard", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look}, {asBefore, back},
			{answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}}, goesOn},
		{"the look gets no answer, and it is refused", unstoppable, []step{{interrupted, look}, {unread, back},
			{answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}}, unlooked},
		{"the stop gets no answer, and the update is refused", func(*State) {}, []step{{interrupted, "stop " + own}, {silent, look},
			{asBefore, back}, {answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}}, unknown},
		{"the stop gets no answer, and there is nothing before", func(s *State) { s.target.Previous = "" },
			[]step{{interrupted, "stop " + own}, {silent, look}, {asBefore, ""}}, unknown},
		{"nothing before, and the look gets no answer", func(s *State) { s.target.Previous = "" },
			[]step{{interrupted, "stop " + own}, {answer(Stop{own}, io.EOF), look}, {unread, ""}}, unlooked},
		{"an update of before it was to end got no answer, and the look shows that it was not heard", func(s *State) {
			s.cannotStop, s.unheard.update = true, true
		}, []step{{interrupted, look}, {asBefore, back}, {answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}}, goesOn},
		{"an update of before it was to end got no answer, and nor does the look", func(s *State) {
			s.cannotStop, s.unheard.update = true, true
		}, []step{{interrupted, look}, {unread, back}, {answer(PutBack{TaskDefinition: oldTD}, io.EOF), ""}}, unknown},
		{"somebody has begun something since", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look}, {other, ""}},
			"another deployment has begun since: api:43"},
		{"and nothing can be read", unstoppable, []step{{interrupted, look}, {asBefore, back}, {lost, look}, {unread, ""}}, unknown},
		{"left alone", alone, []step{{interrupted, ""}}, "it goes on without this run"},
		{"and it was just read", alone, []step{{asBefore, ""}}, "it goes on without this run"},
		{"and it could not be read", alone, []step{{unread, ""}}, "it goes on without this run"},
		{"what was read is of another time", alone, []step{{Observation{Service: other.Service, Interrupted: interrupted.Interrupted}, ""}},
			"it goes on without this run"},
		{"left alone, and somebody has begun something", alone, []step{{other, ""}}, "another deployment has begun since: api:43"},
		{"left alone, and it is complete", alone, []step{{at(atFalls), ""}}, "it was complete before it could be stopped, and is in force"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := rolling(test.with)
			for i, step := range test.steps {
				next, effects, reads := Next(s, step.o, epoch.Add(later))
				if got := changes(effects, reads); got != step.want {
					t.Fatalf("step %d: got %q, want %q", i, got, step.want)
				}
				s = next
			}
			result, err := s.Result()
			if test.says == "" {
				return
			}
			if result.End != EndInterrupted || result.By != ByInterrupt || !s.Done() || !strings.Contains(err.Error(), test.says) ||
				!errors.Is(err, interrupted.Interrupted) {
				t.Errorf("ended as %q by %q: %v", result.End, result.By, err)
			}
		})
	}
}

// TestLeavingWhatHasArrived is a run that is interrupted at the moment in which it reads that the deployment, which it would leave to ECS,
// is complete.
func TestLeavingWhatHasArrived(t *testing.T) {
	s := rolling(func(s *State) { s.settings.leave = true })
	s, _, _ = Next(s, Observation{Read: Reads{Service: true}, Service: &shown[atDone], Interrupted: io.EOF}, epoch.Add(later))
	if result, err := s.Result(); result.End != EndSucceeded || err != nil {
		t.Errorf("ended as %q: %v", result.End, err)
	}
}

// TestLeavingTellsWhatWasReplaced is a run that is interrupted and whose update, which got no answer, took the place of a deployment that
// nobody had read: a look that shows it is told.
func TestLeavingTellsWhatWasReplaced(t *testing.T) {
	for _, seen := range []bool{true, false} {
		s := rolling(func(s *State) { s.leaving, s.unsure = io.EOF, 1 })
		now := ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: oldTD, Deployments: []ecsview.Deployment{
			deployment("ecs-svc/400", "PRIMARY", "IN_PROGRESS", func(d *ecsview.Deployment) { d.TaskDefinition = oldTD }),
			deployment(newID, "ACTIVE", "IN_PROGRESS")}}
		if seen {
			now.Deployments = append(now.Deployments, deployment(laterID, "ACTIVE", "IN_PROGRESS"))
		}
		_, effects, _ := Next(s, Observation{Read: Reads{Service: true}, Service: &now}, epoch.Add(later))
		told := slices.ContainsFunc(effects, func(e Effect) bool {
			tell, ok := e.(Tell)
			return ok && strings.Contains(tell.Event.Text, "a deployment of api:43 was begun right before that, and was replaced by it")
		})
		if told != seen {
			t.Errorf("with another deployment %v, told %v: %v", seen, told, effects)
		}
	}
}

// TestSilence is how reads that fail are borne.
func TestSilence(t *testing.T) {
	for _, test := range []struct {
		name      string
		o         Observation
		with      func(*State)
		at        time.Duration
		end       End
		ownOff    bool
		throttled int
	}{
		{"the service", Observation{ServiceTrouble: Trouble{Err: io.EOF}}, nil, later, "", false, 1},
		{"throttled again", Observation{ServiceTrouble: Trouble{Err: io.EOF, Throttled: true}}, func(s *State) { s.throttled = 2 }, later, "",
			false, 3},
		{"a moment before it is too long", Observation{ServiceTrouble: Trouble{Err: io.EOF}}, nil, 4*time.Minute - 1, "", false, 1},
		{"too long", Observation{ServiceTrouble: Trouble{Err: io.EOF}}, nil, 4 * time.Minute, EndUnknown, false, 1},
		{"the service deployment", Observation{OwnTrouble: Trouble{Err: io.EOF}}, nil, later, "", false, 1},
		{"that is refused", Observation{OwnTrouble: Trouble{Err: io.EOF, Refused: true}}, nil, later, "", true, 0},
		{"for the sixth time", Observation{OwnTrouble: Trouble{Err: io.EOF}}, func(s *State) { s.ownFailed = 5 }, later, "", true, 0},
		{"for the fifth", Observation{OwnTrouble: Trouble{Err: io.EOF}}, func(s *State) { s.ownFailed = 4 }, later, "", false, 1},
		{"throttled for the sixth", Observation{OwnTrouble: Trouble{Err: io.EOF, Throttled: true}}, func(s *State) { s.ownFailed = 5 }, later,
			"", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := rolling()
			if test.with != nil {
				test.with(&s)
			}
			test.o.Read = Reads{Service: true}
			if test.o.ServiceTrouble.Err == nil {
				now := under(1, 0)
				test.o.Service = &now
			}
			s, _, reads := Next(s, test.o, epoch.Add(test.at))
			if s.end != test.end || s.ownOff != test.ownOff || s.throttled != test.throttled {
				t.Errorf("ended as %q, off %v, throttled %d", s.end, s.ownOff, s.throttled)
			}
			if test.throttled > 0 && test.end == "" && reads.After != pace(slowest, test.throttled) {
				t.Errorf("reads after %v", reads.After)
			}
		})
	}
}

func TestTaskSteps(t *testing.T) {
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	text := func(task ecsview.Task) string {
		var all []string
		for _, s := range taskSteps(task) {
			if s.Lane != "task ab12cd34" {
				t.Errorf("lane %q", s.Lane)
			}
			end := "…"
			if !s.Ended.IsZero() {
				end = fmt.Sprint(int(s.Ended.Sub(epoch).Seconds()))
			}
			all = append(all, fmt.Sprintf("%s %d-%s %s", s.Name, int(s.Begun.Sub(epoch).Seconds()), end, s.State))
		}
		return strings.ReplaceAll(strings.Join(all, ", "), " ,", ",")
	}
	for _, test := range []struct {
		name string
		task ecsview.Task
		want string
	}{
		{"it runs", ecsview.Task{CreatedAt: at(0), PullStartedAt: at(5), PullStoppedAt: at(9), StartedAt: at(12), LastStatus: "RUNNING"},
			"pull 5-9 done, start 9-12 done, run 12-… "},
		{"it was replaced", ecsview.Task{CreatedAt: at(0), StartedAt: at(12), StoppingAt: at(60), StoppedAt: at(90),
			StopCode: "ServiceSchedulerInitiated"},
			"start 0-12 done, run 12-60 done, drain 60-90 done"},
		{"its health check failed", ecsview.Task{StartedAt: at(12), StoppingAt: at(60), StopCode: "ServiceSchedulerInitiated",
			LastStatus: "STOPPING",
			Reason:     "Task failed container health checks"}, "health 12-60 failed, drain 60-… "},
		{"its image is missing", ecsview.Task{CreatedAt: at(0), PullStartedAt: at(5), PullStoppedAt: at(9), StoppingAt: at(10), StoppedAt: at(11),
			StopCode: "TaskFailedToStart"}, "pull 5-9 failed, start 9-10 failed, drain 10-11 done"},
		{"it exited", ecsview.Task{StartedAt: at(1), EndedAt: at(4), StoppedAt: at(8), StopCode: "EssentialContainerExited"},
			"run 1-4 failed, drain 4-8 done"},
		{"nothing is known", ecsview.Task{}, ""},
	} {
		test.task.ARN = "arn:aws:ecs:r:1:task/c/ab12cd34ef"
		if got := text(test.task); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestClocksApart holds that a deployment which was begun just now says how far the clocks are apart, and one that was taken up does
// not.
func TestClocksApart(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name   string
		target Target
		want   time.Duration
	}{
		{"ECS is behind", Target{Created: now.Add(-20 * time.Minute)}, 20 * time.Minute},
		{"ECS is ahead", Target{Created: now.Add(time.Second)}, -time.Second},
		{"taken up", Target{Created: now.Add(-20 * time.Minute), TakenUp: true}, 0},
		{"not named by ECS", Target{}, 0},
	} {
		if got := apart(test.target, now); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	old := &move{State: State{started: now, ahead: -time.Minute}}
	old.tellTask(ecsview.Task{ARN: "t/ab12cd34", CreatedAt: now, PullStartedAt: now, PullStoppedAt: now.Add(time.Second),
		StartedAt: now.Add(2 * time.Second), StoppingAt: now.Add(3 * time.Second), StoppedAt: now.Add(4 * time.Second)})
	if len(old.effects) > 0 {
		t.Errorf("what had ended before the rollout is told: %v", old.effects)
	}
	m := &move{State: State{started: now, ahead: time.Minute}}
	m.tellTask(ecsview.Task{ARN: "t/ab12cd34", CreatedAt: now, PullStartedAt: now, PullStoppedAt: now.Add(time.Second)})
	told := false
	for _, e := range m.effects {
		if tell, ok := e.(Tell); ok && tell.Event.Step != nil {
			told = true
			if tell.Event.Step.Begun.Before(now.Add(time.Minute)) {
				t.Errorf("%s begins at %s", tell.Event.Step.Name, tell.Event.Step.Begun)
			}
		}
	}
	if !told {
		t.Error("no step was told")
	}
}

// TestTasksOfACompleteDeploymentFailByECSsCountAlone holds that such a deployment is not watched for ever, where the tasks themselves
// cannot be read: once its time is over it is taken back, or, where a stop came too late for it, it is called what it is.
func TestTasksOfACompleteDeploymentFailByECSsCountAlone(t *testing.T) {
	for _, test := range []struct {
		name     string
		at       time.Duration
		failed   int
		stopping bool
		want     string
		end      End
	}{
		{"before its time is over", defaults.timeout - 1, 1, false, "read the service", ""},
		{"then", defaults.timeout, 1, false, "put back api:41", ""},
		{"not if ECS counts no failure", defaults.timeout, 0, false, "", EndSucceeded},
		{"a stop came too late, and there is time", defaults.timeout - 1, 1, true, "read the service", ""},
		{"a stop came too late", defaults.timeout, 1, true, "", EndOverdue},
	} {
		t.Run(test.name, func(t *testing.T) {
			short := deployment(newID, "PRIMARY", "COMPLETED", running(1), func(d *ecsview.Deployment) { d.Failed = test.failed })
			o := Observation{Read: Reads{Service: true}, Own: &ecsview.ServiceDeployment{Status: "SUCCESSFUL"},
				Service: &ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD, Desired: 2, Deployments: []ecsview.Deployment{short}}}
			now := epoch.Add(test.at)
			s := rolling(func(s *State) {
				s.stopping, s.tasksOff, s.verdict, s.replacing = test.stopping, true, Verdict{Replacing, ""}, now.Add(-time.Minute)
			})
			var effects []Effect
			var reads Reads
			for range 2 { // a change is made on the second look
				if s, effects, reads = Next(s, o, now); s.end != "" {
					break
				}
			}
			if got := changes(effects, reads); got != test.want || s.end != test.end {
				t.Errorf("got %q and end %q, want %q and %q", got, s.end, test.want, test.end)
			}
		})
	}
}
