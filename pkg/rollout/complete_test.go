package rollout

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// finished is a service whose deployment ECS called complete a minute after its start, with this many of its two tasks.
func finished(tasks int) ecsview.Snapshot {
	return ecsview.Snapshot{Status: "ACTIVE", TaskDefinition: newTD, Desired: 2, Running: tasks,
		Deployments: []ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED", running(tasks), touched)},
		Own:         &ecsview.ServiceDeployment{Status: "SUCCESSFUL", Finished: epoch.Add(time.Minute)}}
}

// gone is a task that started and failed at these times.
func gone(started, ended time.Duration) FailedTask {
	return FailedTask{Task: ecsview.Task{StartedBy: newID, StopCode: "EssentialContainerExited", StartedAt: epoch.Add(started),
		EndedAt: epoch.Add(ended)}}
}

// completed is a state whose deployment is complete and lacks tasks.
func completed(tasks int, change ...func(*State)) State {
	return rolling(append([]func(*State){func(s *State) {
		s.last, s.verdict, s.replacing, s.watched = finished(tasks), Verdict{Replacing, ""}, epoch, epoch
	}}, change...)...)
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		name string
		with func(*State)
		want bool
	}{
		{"the API says so", func(*State) {}, true},
		{"the API says otherwise", func(s *State) { s.last.Own.Status = "IN_PROGRESS" }, false},
		{"the list says so", func(s *State) { s.last.Own = nil }, true},
		{"the list says otherwise", func(s *State) { s.last.Own, s.last.Deployments[0].State = nil, "IN_PROGRESS" }, false},
		{"another is complete", func(s *State) { s.last.Own, s.last.Deployments[0].ID = nil, oldID }, false},
		{"the way back is what is followed", func(s *State) { s.last.Own, s.isBack, s.back = nil, true, Target{ID: laterID} }, false},
	} {
		s := completed(2, test.with)
		if got := s.complete(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestHarmless says why tasks of a complete deployment are missing.
func TestHarmless(t *testing.T) {
	looked := func(s *State) { s.watched = epoch.Add(gapPatience) }
	for _, test := range []struct {
		name string
		with []func(*State)
		want bool
	}{
		{"none has failed", []func(*State){looked}, true},
		{"it was not looked for long enough", []func(*State){func(s *State) { s.watched = epoch.Add(gapPatience - 1) }}, false},
		{"some have failed", []func(*State){looked, func(s *State) { s.fell = true }}, false},
		{"ECS counts failures", []func(*State){looked, func(s *State) { s.last.Deployments[0].Failed = 1 }}, false},
		{"not listed", []func(*State){looked, func(s *State) { s.last.Deployments = nil }}, true},
		{"of a way back", []func(*State){func(s *State) { s.isBack, s.fell = true, true }}, true},
		{"of what is only followed", []func(*State){func(s *State) { s.settings.committed, s.fell = true, true }}, true},
	} {
		s := completed(1, test.with...)
		if got := s.harmless(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestFallen(t *testing.T) {
	for _, test := range []struct {
		name  string
		ended time.Duration // the deployment was complete after a minute
		own   bool
		want  int
	}{
		{"afterwards", 70 * time.Second, true, 1},
		{"right before", 30*time.Second + 1, true, 1},
		{"earlier", 30 * time.Second, true, 0},
		{"afterwards, by the list", 70 * time.Second, false, 1},
		{"earlier, by the list", 30 * time.Second, false, 0},
	} {
		s := completed(1, func(s *State) { s.failed = []FailedTask{gone(0, test.ended)} })
		if !test.own {
			s.last.Own = nil
		} else {
			s.last.Deployments[0].Updated = epoch
		}
		if got := s.fallen(); len(got) != test.want {
			t.Errorf("%s: %d", test.name, len(got))
		}
	}
}

// TestStands says how long tasks have to run that take the place of others which failed after the completion.
func TestStands(t *testing.T) {
	fell := func(s *State) {
		s.fell, s.stood = true, epoch
		s.failed = []FailedTask{gone(40*time.Second, 90*time.Second), gone(0, 70*time.Second), gone(0, 10*time.Second)}
	}
	for _, test := range []struct {
		name string
		with []func(*State)
		at   time.Duration
		want bool
	}{
		{"as long as the longest of those, and a while", []func(*State){fell}, 80 * time.Second, true},
		{"not yet", []func(*State){fell}, 80*time.Second - 1, false},
		{"none has failed", []func(*State){func(s *State) { s.stood = epoch }}, 0, true},
		{"of a way back", []func(*State){fell, func(s *State) { s.isBack = true }}, 0, true},
		{"no time is left", []func(*State){fell, func(s *State) { s.deadline = epoch }}, 0, true},
		{"a moment before that", []func(*State){fell, func(s *State) { s.deadline = epoch.Add(1) }}, 0, false},
		{"they never ran", []func(*State){fell, func(s *State) {
			s.failed = []FailedTask{gone(0, 70*time.Second)}
			s.failed[0].StartedAt = time.Time{}
		}}, standingLeast, true},
		{"not even that", []func(*State){fell, func(s *State) { s.failed = nil }}, standingLeast - 1, false},
		{"they ran for hours", []func(*State){fell, func(s *State) { s.failed = []FailedTask{gone(-time.Hour, 70*time.Second)} }},
			standingMost, true},
	} {
		s := completed(2, test.with...)
		if got := s.stands(epoch.Add(test.at)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestCompleteIsGivenUpForItsTasksAlone holds when a deployment that ECS calls complete is put back.
func TestCompleteIsGivenUpForItsTasksAlone(t *testing.T) {
	fell := func(s *State) { s.fell = true }
	hopeless := []func(*State){fell, failures(2), diagnosed(2)}
	again := phase(Succeeded)
	for _, test := range []struct {
		name string
		at   time.Duration
		with []func(*State)
		want want
	}{
		{"its tasks cannot run", later, hopeless, want{change: putBack, by: ByCause}},
		{"nor those in their place", later, append([]func(*State){again}, hopeless...), want{change: putBack, by: ByCause}},
		{"all of them run, and none has failed since", later, []func(*State){again, failures(2), diagnosed(2)}, want{}},
		{"there is no way back", later, append([]func(*State){func(s *State) { s.target.Previous = "" }}, hopeless...),
			want{change: noWay, by: ByCause}},
		{"its time is over", defaults.timeout, []func(*State){fell}, want{change: putBack, by: ByTimeout}},
		{"a moment before", defaults.timeout - 1, []func(*State){fell}, want{}},
		{"its time is over, and all of them run again", defaults.timeout, []func(*State){fell, again}, want{}},
		{"its time is over, and none has failed", defaults.timeout, nil, want{}},
		{"its time is over, and the list is behind", defaults.timeout, []func(*State){phase(Settling)}, want{}},
		{"it is followed only", defaults.timeout, []func(*State){fell, func(s *State) { s.stopping = true }}, want{}},
	} {
		s := completed(1, test.with...)
		if got := s.wanted(epoch.Add(test.at)); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestGapIsKept goes through what is seen of a complete deployment's tasks.
func TestGapIsKept(t *testing.T) {
	m := &move{now: epoch.Add(2 * time.Minute), State: rolling()}
	m.last, m.verdict = finished(1), Verdict{Replacing, ""}
	m.noteGap()
	if m.fell || !m.replacing.Equal(m.now) || !m.stood.IsZero() {
		t.Fatalf("a gap: %+v", m.State)
	}
	begun := m.now
	m.now = m.now.Add(time.Second)
	m.failed = []FailedTask{gone(0, 70*time.Second)}
	m.noteGap()
	m.noteGap()
	if !m.fell || !m.replacing.Equal(begun) || len(m.effects) != 1 {
		t.Fatalf("a failure in it: fell %v, since %v, told %d times", m.fell, m.replacing, len(m.effects))
	}
	m.verdict = Verdict{Succeeded, ""}
	m.noteGap()
	since := m.now
	m.now = m.now.Add(time.Second)
	m.noteGap()
	if !m.replacing.IsZero() || !m.stood.Equal(since) {
		t.Errorf("all run again: since %v, gap %v", m.stood, m.replacing)
	}
	m.verdict = Verdict{Replacing, ""}
	m.noteGap()
	if !m.stood.IsZero() || !m.replacing.Equal(m.now) {
		t.Errorf("they fail again: since %v, gap %v", m.stood, m.replacing)
	}
	m.verdict, m.fell = Verdict{Succeeded, ""}, false
	m.noteGap()
	if !m.stood.IsZero() {
		t.Error("nothing fell, and it stands again")
	}
}

// lost stops a task of the new deployment after it was complete; fault says whether it failed by itself.
func (w *world) lost(id string, fault bool) {
	w.crash(id)
	task := &w.tasks[len(w.tasks)-1]
	task.StartedAt, task.CreatedAt = aws.Time(time.Now().Add(-time.Minute)), aws.Time(time.Now().Add(-80*time.Second))
	if !fault {
		task.StopCode, task.StoppedReason = types.TaskStopCodeSpotInterruption, aws.String("Your Spot Task was interrupted.")
	}
	w.find(newID).RunningCount--
}

// TestAfterCompletion follows deployments whose tasks end right when ECS calls them complete.
func TestAfterCompletion(t *testing.T) {
	crashed := scene{100 * time.Second, func(w *world) { w.complete(); w.lost("1", true); w.lost("2", true) }}
	again := func(after time.Duration) scene {
		return scene{after, func(w *world) { w.find(newID).RunningCount = 2 }}
	}
	const (
		lived = time.Minute      // each of the lost tasks
		late  = slower * 11 / 10 // until something is seen while failed tasks are replaced, and after that: the wait, with its spread
	)
	for _, test := range []struct {
		name     string
		script   []scene
		timeout  time.Duration
		want     End
		by       By
		from, to time.Duration // how long it took
	}{
		{"others stand in their place", []scene{crashed, again(140 * time.Second)}, 0, EndSucceeded, ByECS,
			140*time.Second + lived + standingLeast, 140*time.Second + late + lived + standingLeast + late},
		{"others fail in the same way", []scene{crashed, again(140 * time.Second),
			{200 * time.Second, func(w *world) { w.lost("3", true); w.lost("4", true) }}}, 0, EndRolledBack, ByCause,
			230 * time.Second, 245 * time.Second},
		{"none comes in time", []scene{crashed}, 5 * time.Minute, EndTimedOut, ByTimeout, 330 * time.Second, 345 * time.Second},
		{"Spot capacity was taken back", []scene{{100 * time.Second, func(w *world) { w.complete(); w.lost("1", false) }}}, 0,
			EndSucceeded, ByECS, 100 * time.Second, 112 * time.Second},
		{"it is scaled out", []scene{{100 * time.Second, func(w *world) {
			w.complete()
			w.service.DesiredCount, w.find(newID).DesiredCount = 4, 4
		}}}, 0, EndSucceeded, ByECS, 100 * time.Second, 112 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(append(append([]scene{}, good[:3]...), test.script...)...)
				w.onUpdate = func(w *world, taskDefinition string) {
					w.begin(taskDefinition, laterID)
					w.script = append(w.script, scene{time.Since(w.begun) + 30*time.Second, func(w *world) {
						w.drop(newID)
						w.find(laterID).RolloutState, w.find(laterID).RunningCount = "COMPLETED", 2
						w.status(0, "SUCCESSFUL", "")
					}})
				}
				judge := func(_ context.Context, c Case) (Diagnosis, bool) {
					var failed []ecsview.Task
					for _, task := range w.tasks {
						failed = append(failed, ecsview.TaskOf(task, nil))
					}
					return Diagnosis{Finding: record.Finding{Code: "app-exit", Title: "it faints"}, Alike: len(failed), Waves: ecsview.Waves(failed)}, true
				}
				result, events, err := drive(t.Context(), t, w, Diagnose(judge), Timeout(test.timeout))
				if result.End != test.want || result.By != test.by || (err == nil) != (test.want == EndSucceeded) {
					t.Fatalf("got %v, %q: %v\n%s", result.End, result.By, err, texts(events))
				}
				if result.Took < test.from || result.Took > test.to {
					t.Errorf("took %v\n%s", result.Took, texts(events))
				}
				if back := len(w.log) == 2; back != (test.want != EndSucceeded) {
					t.Errorf("changed: %v", w.log)
				}
			})
		})
	}
}

// TestInterruptMeetsCompletion interrupts a run whose deployment is complete without its knowing.
func TestInterruptMeetsCompletion(t *testing.T) {
	over := &types.ConflictException{Message: aws.String("terminal")}
	for _, test := range []struct {
		name string
		stop func(w *world) error
		end  End
		text string
	}{
		{"it is complete", func(w *world) error { w.complete(); return over }, EndSucceeded, ""},
		{"and not all of its tasks run", func(w *world) error { w.complete(); w.find(newID).RunningCount = 1; return over },
			EndInterrupted, "it was complete before it could be stopped, and is in force"},
		{"it was rolled back", func(w *world) error { w.rollBack("x"); w.rolledBack("x"); return over },
			EndInterrupted, "it had come to its end before it could be stopped (rolled back)"},
		{"nothing can be read", func(w *world) error {
			w.fail = func(string, int) error { return io.ErrUnexpectedEOF }
			return over
		}, EndInterrupted, "how it ended could not be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(good[:2]...)
				w.onStop = test.stop
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(60*time.Second, cancel).Stop()
				result, _, err := drive(ctx, t, w)
				if result.End != test.end || test.text != "" && !strings.Contains(err.Error(), test.text) || test.text == "" && err != nil {
					t.Fatalf("got %v: %v", result.End, err)
				}
				if test.end == EndInterrupted && !errors.Is(err, context.Canceled) {
					t.Errorf("the error does not say why: %v", err)
				}
				if len(w.log) != 2 || result.Took > 65*time.Second {
					t.Errorf("changed %v in %v", w.log, result.Took)
				}
			})
		})
	}
}

// TestLastThatWorked picks from a history what is gone back to.
func TestLastThatWorked(t *testing.T) {
	revisions := map[string]ecsview.Revision{"r1": {TaskDefinition: "v1"}, "r2": {TaskDefinition: "v2"}, "r3": {TaskDefinition: "v3"}}
	d := func(revision string, status types.ServiceDeploymentStatus) ecsview.ServiceDeployment {
		return ecsview.ServiceDeployment{Revision: revision, Status: status}
	}
	for _, test := range []struct {
		name   string
		listed []ecsview.ServiceDeployment
		want   string
	}{
		{"none", nil, ""},
		{"the newest that succeeded", []ecsview.ServiceDeployment{d("r3", "IN_PROGRESS"), d("r2", "SUCCESSFUL"), d("r1", "SUCCESSFUL")}, "v2"},
		{"not what is to be left", []ecsview.ServiceDeployment{d("r3", "SUCCESSFUL"), d("r1", "SUCCESSFUL")}, "v1"},
		{"not what was rolled back", []ecsview.ServiceDeployment{d("r2", "ROLLBACK_SUCCESSFUL"), d("r1", "SUCCESSFUL"),
			d("r2", "SUCCESSFUL")}, "v1"},
		{"what was being gone back to", []ecsview.ServiceDeployment{d("r1", "STOPPED"), d("r2", "SUCCESSFUL"), d("r1", "SUCCESSFUL")}, "v1"},
		{"and is still being stopped", []ecsview.ServiceDeployment{d("r1", "STOP_REQUESTED"), d("r2", "SUCCESSFUL"), d("r1", "SUCCESSFUL")},
			"v1"},
		{"not what never succeeded", []ecsview.ServiceDeployment{d("r2", "STOPPED"), d("r1", "SUCCESSFUL")}, "v1"},
		{"not what ECS has forgotten", []ecsview.ServiceDeployment{d("gone", "SUCCESSFUL"), d("r1", "SUCCESSFUL")}, "v1"},
	} {
		if got := lastThatWorked(test.listed, revisions, "v3"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
