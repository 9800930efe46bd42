package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// drive starts a deployment in the world and follows it.
func drive(ctx context.Context, t *testing.T, w Client, options ...Option) (Result, []record.Event, error) {
	t.Helper()
	before, err := ecsview.Read(ctx, w, "prod", "api")
	if err != nil {
		t.Fatal(err)
	}
	target, err := Start(ctx, w, to(before, newTD))
	if err != nil {
		t.Fatal(err)
	}
	if target.ID != newID || target.Previous != oldTD || !slices.Equal(target.Known, []string{oldID}) {
		t.Fatalf("Start returned %+v", target)
	}
	var events []record.Event
	result, err := Follow(ctx, w, target, append(options, Events(func(e record.Event) { events = append(events, e) }))...)
	return result, events, err
}

// to is the update of the world's service to a task definition.
func to(before ecsview.Snapshot, taskDefinition string) Update {
	return Update{Cluster: "prod", Service: "api", TaskDefinition: taskDefinition, Before: before}
}

func texts(events []record.Event) string {
	var lines []string
	for _, e := range events {
		lines = append(lines, string(e.Kind)+": "+e.Text)
	}
	return strings.Join(lines, "\n")
}

var good = []scene{
	{17 * time.Second, func(w *world) {
		w.event("has started 2 tasks: (task a) (task b).")
		w.find(newID).PendingCount = 2
	}},
	{40 * time.Second, func(w *world) { w.find(newID).PendingCount, w.find(newID).RunningCount = 0, 2 }},
	{75 * time.Second, func(w *world) { w.find(oldID).RunningCount = 0 }},
	{100 * time.Second, (*world).complete},
}

var breaker = []scene{
	{20 * time.Second, func(w *world) { w.crash("1") }},
	{70 * time.Second, func(w *world) { w.crash("2"); w.find(newID).FailedTasks = 2 }},
	{175 * time.Second, func(w *world) { w.crash("3"); w.rollBack("the breaker tripped") }},
	{254 * time.Second, func(w *world) { w.rolledBack("the breaker tripped") }},
}

func TestFollowToSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(good...)
		result, events, err := drive(t.Context(), t, w)
		if err != nil || result.End != EndSucceeded || result.Serving != newTD {
			t.Fatalf("got %v, %v, serving %s", result.End, err, result.Serving)
		}
		if result.Took < 100*time.Second || result.Took > 102*time.Second {
			t.Errorf("the end at 100s was noticed after %v", result.Took)
		}
		if result.Target.ServiceDeployment != "arn:sd/"+newID {
			t.Errorf("followed %q", result.Target.ServiceDeployment)
		}
		lines := texts(events)
		for _, want := range []string{"note: ECS: has started 2 tasks", "progress: 2 of 2 new tasks running, 2 old still running",
			"note: all new tasks run"} {
			if strings.Count(lines, want) != 1 {
				t.Errorf("%q is not told once in\n%s", want, lines)
			}
		}
		if strings.Contains(lines, "steady state") {
			t.Errorf("an event from before the update is told\n%s", lines)
		}
		if calls := w.calls["DescribeServices"]; calls > 30 {
			t.Errorf("%d reads for 100 s", calls)
		}
		if got := strings.Join(w.log, "; "); got != "update api:42 force=false desired=<nil>" {
			t.Errorf("changed: %s", got)
		}
	})
}

func TestBreakerRollbackIsNoSuccess(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("service deployments API %v", api), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(breaker...)
				if !api {
					w.fail = func(action string, _ int) error {
						if strings.Contains(action, "ServiceDeployment") {
							return denied(action)
						}
						return nil
					}
				}
				result, events, err := drive(t.Context(), t, w)
				if result.End != EndRolledBack || err == nil || result.Serving != oldTD {
					t.Fatalf("got %v (%v), serving %s\n%s", result.End, err, result.Serving, texts(events))
				}
				if len(result.Failed) != 3 || !strings.Contains(texts(events), "note: ✗ task 1 failed: api exited with 1") {
					t.Errorf("%d failed tasks\n%s", len(result.Failed), texts(events))
				}
				if result.Took > 257*time.Second {
					t.Errorf("the end at 254s was noticed after %v", result.Took)
				}
			})
		})
	}
}

// TestEarlyStop holds that a certain cause ends the deployment before the breaker does.
func TestEarlyStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(breaker[:2]...)
		w.onStop = func(w *world) error {
			w.rollBack("stopped")
			since := time.Since(w.begun)
			w.script = append(w.script, scene{since + 30*time.Second, func(w *world) { w.rolledBack("stopped") }})
			return nil
		}
		judge := func(_ context.Context, c Case) (Diagnosis, bool) {
			return Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once", Certain: true}, Alike: len(w.tasks)}, true
		}
		result, events, err := drive(t.Context(), t, w, Diagnose(judge))
		if result.End != EndRolledBack || result.By != ByCause || result.Cause.Title != "exits at once" || err == nil {
			t.Fatalf("got %v, %v: %v\n%s", result.End, result.By, err, texts(events))
		}
		if result.Took > 112*time.Second {
			t.Errorf("took %v", result.Took)
		}
		if got := w.log[1]; got != "stop arn:sd/"+newID+" ROLLBACK" {
			t.Errorf("changed: %s", w.log)
		}
	})
}

func TestUncertainCauseWaitsForTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(breaker...)
		judge := func(_ context.Context, c Case) (Diagnosis, bool) {
			return Diagnosis{Finding: record.Finding{Code: "capacity", Title: "capacity"}, Alike: len(w.tasks)}, true
		}
		result, _, _ := drive(t.Context(), t, w, Diagnose(judge))
		if result.End != EndRolledBack || result.By != ByECS || len(w.log) != 1 || result.Cause.Title != "capacity" {
			t.Errorf("got %v, ended by %q, cause %q, calls %v", result.End, result.By, result.Cause.Title, w.log)
		}
	})
}

// TestFailedWithoutRollback is a breaker whose rollback is off: this program puts the old version back.
func TestFailedWithoutRollback(t *testing.T) {
	fail := scene{60 * time.Second, func(w *world) {
		w.find(newID).RolloutState, w.find(newID).RolloutStateReason = "FAILED", aws.String(failedText)
		w.status(0, "STOPPED", "")
	}}
	for _, test := range []struct {
		name   string
		end    func(w *world)
		update error
		want   End
	}{
		{"put back", func(w *world) {
			w.drop(newID)
			w.drop(oldID)
			w.find(laterID).RolloutState = "COMPLETED"
			w.status(0, "SUCCESSFUL", "")
		}, nil, EndRolledBack},
		{"the way back fails too", func(w *world) {
			w.find(laterID).RolloutState = "FAILED"
			w.status(0, "STOPPED", "")
		}, nil, EndStuck},
		{"the update is denied", nil, denied("UpdateService"), EndStuck},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(fail)
				w.onUpdate = func(w *world, taskDefinition string) {
					w.begin(taskDefinition, laterID)
					w.script = append(w.script, scene{time.Since(w.begun) + 30*time.Second, test.end})
				}
				w.fail = func(action string, call int) error {
					if action == "UpdateService" && call == 2 {
						return test.update
					}
					return nil
				}
				var noted []string
				result, events, err := drive(t.Context(), t, w, NoteBack(func(_ context.Context, back PutBack) {
					noted = append(noted, fmt.Sprintf("from %s to %s after %d updates", back.Before.TaskDefinition, back.TaskDefinition,
						w.calls["UpdateService"]))
				}))
				if result.End != test.want {
					t.Fatalf("got %v: %v\n%s", result.End, err, texts(events))
				}
				if want := fmt.Sprintf("from %s to %s after 1 updates", newTD, oldTD); !slices.Equal(noted, []string{want}) {
					t.Errorf("noted %q, want %q, before the update", noted, want)
				}
				if test.update == nil && (len(w.log) != 2 || !strings.HasPrefix(w.log[1], "update api:41")) {
					t.Errorf("changed: %v", w.log)
				}
			})
		})
	}
}

func TestSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(scene{30 * time.Second, func(w *world) {
			w.status(0, "STOP_REQUESTED", "")
			w.begin(laterTD, laterID)
		}})
		result, _, err := drive(t.Context(), t, w)
		if result.End != EndSuperseded || !strings.Contains(err.Error(), "api:43") || len(w.log) != 1 {
			t.Errorf("got %v: %v, calls %v", result.End, err, w.log)
		}
	})
}

func TestTimeout(t *testing.T) {
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprintf("the rollback ends %v", ends), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(good[:1]...)
				w.onStop = func(w *world) error {
					w.rollBack("stopped")
					if ends {
						w.script = append(w.script, scene{time.Since(w.begun) + 40*time.Second, func(w *world) { w.rolledBack("stopped") }})
					}
					return nil
				}
				result, _, err := drive(t.Context(), t, w, Timeout(5*time.Minute), RollbackTimeout(10*time.Minute))
				if (result.End == EndTimedOut) != ends || !ends && result.End != EndOverdue || result.By != ByTimeout || len(w.log) != 2 {
					t.Fatalf("got %v, ended by %q: %v; calls %v", result.End, result.By, err, w.log)
				}
				if strings.Contains(err.Error(), "serves again") != ends {
					t.Errorf("told as %q", err)
				}
			})
		})
	}
}

// TestTimeoutMeetsSuccess holds that a deployment which arrives while it is being stopped has succeeded.
func TestTimeoutMeetsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.onStop = func(w *world) error {
			w.complete()
			return &types.ConflictException{Message: aws.String("terminal")}
		}
		result, _, err := drive(t.Context(), t, w, Timeout(time.Minute))
		if err != nil || result.End != EndSucceeded {
			t.Errorf("got %v: %v", result.End, err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration
		api    bool
		script []scene
		log    []string
	}{
		{"in the middle", 30 * time.Second, true, good, []string{"stop arn:sd/ecs-svc/200 ROLLBACK"}},
		{"before the service deployment is seen", 100 * time.Millisecond, true, good, []string{"update api:41 force=false desired=<nil>"}},
		{"without the API", 30 * time.Second, false, good, []string{"update api:41 force=false desired=<nil>"}},
		{"while ECS rolls back", 200 * time.Second, true, breaker, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(test.script...)
				w.onStop = func(*world) error { return nil }
				w.onUpdate = func(w *world, taskDefinition string) { w.begin(taskDefinition, laterID) }
				w.fail = func(action string, _ int) error {
					if !test.api && strings.Contains(action, "ServiceDeployment") {
						return denied(action)
					}
					return nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(test.after, cancel).Stop()
				begun := time.Now()
				result, events, err := drive(ctx, t, w)
				if result.End != EndInterrupted || result.By != ByInterrupt {
					t.Fatalf("got %v: %v", result.End, err)
				}
				if got := time.Since(begun) - test.after; got > 5*time.Second {
					t.Errorf("the interrupt took %v; a runner gives 7.5 s", got)
				}
				if got := w.log[1:]; !slices.Equal(got, test.log) {
					t.Errorf("changed %v, want %v\n%s", got, test.log, texts(events))
				}
			})
		})
	}
}

func TestThrottledReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(good...)
		n := 0
		w.fail = func(action string, _ int) error {
			if n++; n%3 == 0 && action != "UpdateService" && n > 3 {
				return throttled()
			}
			return nil
		}
		result, _, err := drive(t.Context(), t, w)
		if err != nil || result.Took > 110*time.Second {
			t.Errorf("got %v after %v", err, result.Took)
		}
	})
}

func TestContactLostAndFoundAgain(t *testing.T) {
	for _, test := range []struct {
		silence time.Duration
		want    End
	}{{2 * time.Minute, EndSucceeded}, {time.Hour, EndUnknown}} {
		t.Run(test.silence.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(good...)
				w.fail = func(string, int) error {
					if since := time.Since(w.begun); !w.begun.IsZero() && since > 20*time.Second && since < 20*time.Second+test.silence {
						return io.ErrUnexpectedEOF
					}
					return nil
				}
				result, _, err := drive(t.Context(), t, w)
				if result.End != test.want {
					t.Fatalf("got %v: %v", result.End, err)
				}
				if test.want == EndUnknown && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the error does not say what failed: %v", err)
				}
				if len(w.log) != 1 {
					t.Errorf("changed: %v", w.log)
				}
			})
		})
	}
}

func TestAttachFollowsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(good...)
		before, _ := ecsview.Read(t.Context(), w, "prod", "api")
		if _, ok := Attach("prod", "api", before, newTD); ok {
			t.Fatal("attached to a deployment of another task definition")
		}
		if _, err := Start(t.Context(), w, to(before, newTD)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		later, _ := ecsview.Read(t.Context(), w, "prod", "api")
		target, ok := Attach("prod", "api", later, newTD)
		if !ok || target.Previous != oldTD {
			t.Fatalf("got %+v, %v", target, ok)
		}
		result, err := Follow(t.Context(), w, target)
		if err != nil || result.Target.ServiceDeployment != "arn:sd/"+newID || len(w.log) != 1 {
			t.Errorf("got %v: %v, %v", result.Target, err, w.log)
		}
	})
}

func TestStartForcesOnlyWhatWouldElseDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		before, _ := ecsview.Read(t.Context(), w, "prod", "api")
		if _, err := Start(t.Context(), w, to(before, oldTD)); err != nil || w.log[0] != "update api:41 force=true desired=<nil>" {
			t.Errorf("got %v, %v", w.log, err)
		}
	})
}

// TestNoticedLate measures, in virtual time, how long after its end a rollout's verdict is known, against a waiter that
// looks every 15 s. The ends are spread over every phase of both.
func TestNoticedLate(t *testing.T) {
	var ours, waiter, worst time.Duration
	const ends = 40
	for i := range ends {
		end := 100*time.Second + time.Duration(i)*730*time.Millisecond*time.Duration(1+i%7)
		synctest.Test(t, func(t *testing.T) {
			script := append(slices.Clone(good[:3]), scene{75 * time.Second, func(w *world) { w.drains() }},
				scene{end - 14*time.Second, func(w *world) { w.tasks[0].LastStatus = aws.String("STOPPING") }}, scene{end, (*world).complete})
			result, _, err := drive(t.Context(), t, newWorld(script...))
			if err != nil {
				t.Fatal(err)
			}
			late := result.Took - end
			ours += late
			worst = max(worst, late)
			waiter += (15*time.Second - end%(15*time.Second)) % (15 * time.Second)
		})
	}
	t.Logf("verdict known %v after the end on average, %v at worst; a 15 s waiter: %v on average",
		(ours / ends).Round(10*time.Millisecond), worst.Round(10*time.Millisecond), (waiter / ends).Round(10*time.Millisecond))
	if ours/ends > 1500*time.Millisecond || worst > 2500*time.Millisecond {
		t.Errorf("too late: %v on average, %v at worst", ours/ends, worst)
	}
}
