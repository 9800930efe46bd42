package rollout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// silentWorld is a world of which some calls are never answered for a while, unless their context ends.
type silentWorld struct {
	*world
	hang        []string      // actions
	after, over time.Duration // since the update: when it begins, and when it is over; 0: never
}

func (w *silentWorld) wait(ctx context.Context, action string) error {
	w.mu.Lock()
	begun := w.begun
	w.mu.Unlock()
	since := time.Since(begun)
	if begun.IsZero() || !slices.Contains(w.hang, action) || since < w.after || w.over > 0 && since >= w.over {
		return nil
	}
	<-ctx.Done()
	return fmt.Errorf("%s: %w", action, ctx.Err())
}

func (w *silentWorld) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput,
	o ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	if err := w.wait(ctx, "DescribeServices"); err != nil {
		return nil, err
	}
	return w.world.DescribeServices(ctx, in, o...)
}

func (w *silentWorld) DescribeServiceDeployments(ctx context.Context, in *ecs.DescribeServiceDeploymentsInput,
	o ...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error) {
	if err := w.wait(ctx, "DescribeServiceDeployments"); err != nil {
		return nil, err
	}
	return w.world.DescribeServiceDeployments(ctx, in, o...)
}

func (w *silentWorld) ListServiceDeployments(ctx context.Context, in *ecs.ListServiceDeploymentsInput,
	o ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	if err := w.wait(ctx, "ListServiceDeployments"); err != nil {
		return nil, err
	}
	return w.world.ListServiceDeployments(ctx, in, o...)
}

func (w *silentWorld) ListTasks(ctx context.Context, in *ecs.ListTasksInput, o ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	if err := w.wait(ctx, "ListTasks"); err != nil {
		return nil, err
	}
	return w.world.ListTasks(ctx, in, o...)
}

func (w *silentWorld) StopServiceDeployment(ctx context.Context, in *ecs.StopServiceDeploymentInput,
	o ...func(*ecs.Options)) (*ecs.StopServiceDeploymentOutput, error) {
	if err := w.wait(ctx, "StopServiceDeployment"); err != nil {
		return nil, err
	}
	return w.world.StopServiceDeployment(ctx, in, o...)
}

func (w *silentWorld) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput,
	o ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	if err := w.wait(ctx, "UpdateService"); err != nil {
		return nil, err
	}
	return w.world.UpdateService(ctx, in, o...)
}

var everything = []string{"DescribeServices", "DescribeServiceDeployments", "ListServiceDeployments", "ListTasks",
	"StopServiceDeployment", "UpdateService"}

// TestCallsThatAreNeverAnswered holds that no call keeps a run from its end.
func TestCallsThatAreNeverAnswered(t *testing.T) {
	back := func(w *world) error {
		w.rollBack("stopped")
		w.script = append(w.script, scene{time.Since(w.begun) + 30*time.Second, func(w *world) { w.rolledBack("stopped") }})
		return nil
	}
	for _, test := range []struct {
		name        string
		script      []scene
		hang        []string
		after, over time.Duration
		timeout     time.Duration
		want        End
		most        time.Duration
	}{
		{"the state of the service deployment", good, []string{"DescribeServiceDeployments"}, 5 * time.Second, 0, 0,
			EndSucceeded, 115 * time.Second},
		{"the list of service deployments", good, []string{"ListServiceDeployments"}, 0, 0, 0, EndSucceeded, 115 * time.Second},
		{"the tasks", good, []string{"ListTasks"}, 5 * time.Second, 0, 0, EndSucceeded, 115 * time.Second},
		{"everything for a minute", good, everything, 20 * time.Second, 80 * time.Second, 0, EndSucceeded, 115 * time.Second},
		{"everything for ever", good, everything, 20 * time.Second, 0, 0, EndUnknown, 20*time.Second + 200*time.Second},
		{"the tasks, and the time is over", good[:1], []string{"ListTasks"}, 5 * time.Second, 0, 2 * time.Minute,
			EndTimedOut, 170 * time.Second},
		{"the stop, at the end of the time", good[:1], []string{"StopServiceDeployment"}, 0, 0, 2 * time.Minute,
			EndTimedOut, 2*time.Minute + 15*time.Minute + time.Minute},
		{"every change, at the end of the time", good[:1], []string{"StopServiceDeployment", "UpdateService"}, time.Second, 0,
			2 * time.Minute, EndStuck, 2*time.Minute + 15*time.Minute + time.Minute},
		{"everything, at the end of the time", good[:1], everything, 119 * time.Second, 0, 2 * time.Minute, EndUnknown,
			2*time.Minute + 15*time.Minute + time.Minute},
		{"everything, on the way back", good[:1], everything, 125 * time.Second, 0, 2 * time.Minute, EndUnknown,
			2*time.Minute + 15*time.Minute + time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &silentWorld{world: newWorld(test.script...), hang: test.hang, after: test.after, over: test.over}
				w.onStop = back
				w.onUpdate = func(w *world, taskDefinition string) {
					w.begin(taskDefinition, laterID)
					w.script = append(w.script, scene{time.Since(w.begun) + 30*time.Second, func(w *world) {
						w.drop(newID)
						w.drop(oldID)
						w.find(laterID).RolloutState, w.find(laterID).RunningCount = "COMPLETED", 2
						w.status(0, "SUCCESSFUL", "")
					}})
				}
				result, events, err := drive(t.Context(), t, w, Timeout(test.timeout))
				if result.End != test.want {
					t.Fatalf("got %v: %v\n%s", result.End, err, texts(events))
				}
				if result.Took > test.most {
					t.Errorf("took %v, longer than %v\n%s", result.Took, test.most, texts(events))
				}
			})
		})
	}
}

// TestSignalDuringACallThatIsNeverAnswered holds that a signal ends a run within the time that a runner gives.
func TestSignalDuringACallThatIsNeverAnswered(t *testing.T) {
	for _, test := range []struct {
		name    string
		hang    []string
		timeout time.Duration // where it is over, the stop is under way when the signal comes
		stopped bool
	}{
		{"reading the service", []string{"DescribeServices"}, 0, true},
		{"reading the service deployment", []string{"DescribeServiceDeployments"}, 0, true},
		{"reading the tasks", []string{"ListTasks"}, 0, true},
		{"stopping", []string{"StopServiceDeployment"}, 0, false},
		{"everything", everything, 0, false},
		{"a stop that was under way", everything[1:], 58 * time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &silentWorld{world: newWorld(good[:2]...), hang: test.hang, after: 50 * time.Second}
				w.onStop = func(*world) error { return nil }
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				defer time.AfterFunc(61*time.Second, func() { at = time.Now(); cancel() }).Stop()
				result, events, err := drive(ctx, t, w, Timeout(test.timeout))
				if result.End != EndInterrupted {
					t.Fatalf("got %v: %v\n%s", result.End, err, texts(events))
				}
				if took := time.Since(at); took > 6500*time.Millisecond {
					t.Errorf("ended %v after the signal", took)
				}
				if stopped := slices.ContainsFunc(w.log, func(l string) bool { return strings.HasPrefix(l, "stop ") }); stopped != test.stopped {
					t.Errorf("changed: %v", w.log)
				}
			})
		})
	}
}

// TestCredentialsThatEnd holds that lost credentials are told at once, with until when they are tried again.
func TestCredentialsThatEnd(t *testing.T) {
	expired := &smithy.GenericAPIError{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	for _, test := range []struct {
		name string
		err  error
		told time.Duration // after the first read that failed
	}{
		{"credentials", expired, 0},
		{"anything else", io.ErrUnexpectedEOF, tellSilence},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(good...)
				var failed, told time.Time
				w.fail = func(string, int) error {
					if since := time.Since(w.begun); w.begun.IsZero() || since < 20*time.Second || since > 60*time.Second {
						return nil
					}
					if failed.IsZero() {
						failed = time.Now()
					}
					return test.err
				}
				before, _ := ecsview.Read(t.Context(), w, "prod", "api")
				target, err := Start(t.Context(), w, to(before, newTD))
				if err != nil {
					t.Fatal(err)
				}
				var lines []string
				_, err = Follow(t.Context(), w, target, Events(func(e record.Event) {
					lines = append(lines, e.Text)
					if strings.Contains(e.Text, "nothing can be read") {
						if !told.IsZero() {
							t.Error("it is told twice")
						}
						told = time.Now()
						if until := time.Now().Add(3 * time.Minute).UTC().Format("15:04"); !strings.Contains(e.Text, "Trying until "+until[:4]) {
							t.Errorf("until %s is not told: %s", until, e.Text)
						}
					}
				}))
				if err != nil {
					t.Fatal(err)
				}
				if late := told.Sub(failed); late < test.told-slowest*11/10 || late > test.told+6*time.Second {
					t.Errorf("told after %v", late)
				}
				if !slices.ContainsFunc(lines, func(s string) bool { return strings.HasPrefix(s, "contact again after ") }) {
					t.Errorf("that it is over is not told: %q", lines)
				}
			})
		})
	}
}

// TestLost says when a run that can read nothing ends.
func TestLost(t *testing.T) {
	end := defaults.timeout
	for _, test := range []struct {
		name      string
		silent    time.Duration
		at        time.Duration
		throttled bool
		stopping  bool
		want      bool
	}{
		{"too long", 3 * time.Minute, 5 * time.Minute, false, false, true},
		{"not yet", 3*time.Minute - 1, 5 * time.Minute, false, false, false},
		{"throttled, and there is time", 3 * time.Minute, 5 * time.Minute, true, false, false},
		{"throttled until the end", 3 * time.Minute, end + 30*time.Second, true, false, true},
		{"throttled until a moment before", 3 * time.Minute, end + 30*time.Second - 1, true, false, false},
		{"at the end, not for long", time.Minute, end + 30*time.Second, false, false, false},
		{"on the way back, too long", 3 * time.Minute, 5 * time.Minute, false, true, true},
		{"on the way back, throttled", 3 * time.Minute, 5 * time.Minute, true, true, false},
		{"on the way back, at its end", time.Second, end + 30*time.Second, false, true, true},
		{"on the way back, a moment before", time.Second, end + 30*time.Second - 1, false, true, false},
	} {
		m := &move{now: epoch.Add(test.at), State: rolling(func(s *State) { s.stopping = test.stopping })}
		if got := m.lost(test.silent, test.throttled); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestBackBy says how long the way back has.
func TestBackBy(t *testing.T) {
	back, end := defaults.rollbackTimeout, defaults.timeout
	for _, test := range []struct {
		name string
		at   time.Duration
		with func(*State)
		want time.Duration
	}{
		{"from now on", time.Minute, func(*State) {}, time.Minute + back},
		{"from the end of the time", end + time.Minute, func(*State) {}, end + back},
		{"a second try has what is left", time.Minute, func(s *State) { s.stopping = true }, end},
	} {
		m := &move{now: epoch.Add(test.at), State: rolling(test.with)}
		if got := m.backBy().Sub(epoch); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestSignalWhereTheLastLookHangs holds that a run that is to end puts the version before back though the look before that is never
// answered, and within the time that a runner gives.
func TestSignalWhereTheLastLookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &silentWorld{world: newWorld(good[:2]...), hang: []string{"DescribeServices"}, after: 50 * time.Second}
		w.onUpdate = func(w *world, taskDefinition string) { w.begin(taskDefinition, laterID) }
		w.fail = func(action string, _ int) error {
			if strings.Contains(action, "ServiceDeployment") {
				return denied(action)
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var at time.Time
		defer time.AfterFunc(61*time.Second, func() { at = time.Now(); cancel() }).Stop()
		result, events, err := drive(ctx, t, w)
		if result.End != EndInterrupted || !strings.Contains(err.Error(), "was told to run api:41 again") {
			t.Errorf("got %v: %v\n%s", result.End, err, texts(events))
		}
		if took := time.Since(at); took < leavingLook || took > leavingLook+time.Second {
			t.Errorf("ended %v after the signal, where a look may take %v", took, leavingLook)
		}
		if got := w.log[1:]; !slices.Equal(got, []string{"update api:41 force=false desired=<nil>"}) {
			t.Errorf("changed %v", got)
		}
	})
}
