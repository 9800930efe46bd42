package oneoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
)

// play runs the spec against the world in virtual time.
func play(t *testing.T, w *world, s Spec, check func(t *testing.T, r Result, err error, told *told, took time.Duration)) {
	t.Helper()
	playUntil(t, context.Background, w, s, check)
}

func playUntil(t *testing.T, ctx func() context.Context, w *world, s Spec, check func(t *testing.T, r Result, err error,
	told *told, took time.Duration)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		told := &told{}
		r, err := Run(ctx(), Clients{ECS: w, Logs: w}, s, Options{Events: told.sink()})
		check(t, r, err, told, time.Since(began))
	})
}

// wantEnd checks how a task ended, and that its error is one exactly where the container's exit code is not the answer.
func wantEnd(t *testing.T, r Result, err error, want End) {
	t.Helper()
	if r.End != want {
		t.Errorf("end %s (%v), want %s", r.End, err, want)
	}
	var failure *record.Failure
	if told := errors.As(err, &failure); told != (r.End != Exited) || told != (err != nil) {
		t.Errorf("end %s with the error %v (%T)", r.End, err, err)
	}
	if (r.End == Exited) != (r.ExitCode != nil) && r.End != TimedOut {
		t.Errorf("end %s with the exit code %v", r.End, r.ExitCode)
	}
}

func TestSuccess(t *testing.T) {
	w := newWorld()
	w.definition = definition("awslogs", "app", "proxy")
	w.unknownFor = 4 * time.Second
	for i := range 7 {
		w.lines = append(w.lines, line{time.Duration(22+i) * time.Second, stream("app"), fmt.Sprintf("revision %d", i)})
	}
	// The last lines come when the container has long ended, and the second one after a pause.
	w.lines = append(w.lines, line{46 * time.Second, stream("app"), "done"}, line{48 * time.Second, stream("app"),
		"really"},
		line{30 * time.Second, stream("proxy"), "proxy up"}, line{30 * time.Second, "ecs/app/another-task", "not ours"})
	play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
		wantEnd(t, r, err, Exited)
		if r.ExitCode == nil || *r.ExitCode != 0 || r.TaskARN != taskARN || r.Unread != "" || r.Cause.Code != "" {
			t.Errorf("result %+v", r)
		}
		want := []string{"app: done", "app: really", "app: revision 0", "app: revision 1", "app: revision 2",
			"app: revision 3", "app: revision 4",
			"app: revision 5", "app: revision 6", "proxy: proxy up"}
		if diff := cmp.Diff(want, sorted(told.lines)); diff != "" {
			t.Errorf("lines:\n%s", diff)
		}
		if i, j := slices.Index(told.lines, "app: revision 6"), slices.Index(told.lines, "app: really"); i > j {
			t.Errorf("out of order: %q", told.lines)
		}
		if diff := cmp.Diff([]string{"task provisioning", "task pending", "task running", "task deprovisioning"}, told.notes); diff != "" {
			t.Errorf("notes:\n%s", diff)
		}
		checkSteps(t, told.steps, "provisioning", "pending", "running", "deprovisioning")
		if took > 55*time.Second {
			t.Errorf("took %s though the container ended after 40s and its log after 48s", took)
		}
		in := w.inputs[0]
		if aws.ToString(in.ClientToken) != "TOKEN-1" || aws.ToInt32(in.Count) != 1 ||
			in.LaunchType != types.LaunchTypeFargate ||
			!slices.Equal(in.Overrides.ContainerOverrides[0].Command, []string{"alembic", "upgrade", "head"}) {
			t.Errorf("input %+v", in)
		}
	})
}

// checkSteps checks that a task's steps are these, on its own lane, without a gap.
func checkSteps(t *testing.T, steps []record.Step, names ...string) {
	t.Helper()
	var got []string
	for i, s := range steps {
		got = append(got, s.Name)
		if s.Lane != "Task 0f9d1c2b3a4958677685a4b3c2d1e0f9" || s.State != record.Done || !s.Ended.After(s.Begun) ||
			i > 0 && !s.Begun.Equal(steps[i-1].Ended) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("steps:\n%s", diff)
	}
}

func TestExitCodeIsPassedOnWithItsCause(t *testing.T) {
	w := newWorld()
	w.exitCode = aws.Int32(3)
	w.lines = []line{
		{25 * time.Second, stream("app"), "connecting to postgres://app:hunter2@db/api"},
		{45 * time.Second, stream("app"), "Traceback (most recent call last):\n  File \"x.py\"\napp.Boom: no"},
	}
	play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, _ time.Duration) {
		wantEnd(t, r, err, Exited) // the exit code is the caller's to judge
		if r.ExitCode == nil || *r.ExitCode != 3 || r.Cause.Code != "app-exit" ||
			!strings.Contains(r.Cause.Title, "app.Boom: no") {
			t.Errorf("result %+v", r)
		}
		if all := fmt.Sprint(told.lines, r); strings.Contains(all, "hunter2") ||
			!strings.Contains(all, "postgres://app:***@db/api") {
			t.Errorf("a password is shown: %s", all)
		}
	})
}

func TestContainerThatNeverRan(t *testing.T) {
	w := newWorld()
	w.exitCode = nil
	w.stopCode = types.TaskStopCodeTaskFailedToStart
	w.reason = "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref h.example/api:v9: " +
		"h.example/api:v9: not found"
	play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
		wantEnd(t, r, err, NeverRan)
		var failure *record.Failure
		if !errors.As(err, &failure) || !strings.Contains(failure.Title, "h.example/api:v9 does not exist") ||
			failure.Advice == "" {
			t.Errorf("error %v", err)
		}
		if r.ExitCode != nil || r.Cause.Code != "image-not-found" {
			t.Errorf("result %+v", r)
		}
		if took > 60*time.Second {
			t.Errorf("%s: nothing was to be waited for after STOPPED at 55s", took)
		}
	})
}

func TestTimeoutStopsTheTask(t *testing.T) {
	w := newWorld()
	w.exits = 0
	w.lines = []line{{30 * time.Second, stream("app"), "waiting for a lock"}}
	s := spec()
	s.Timeout = 2 * time.Minute
	play(t, w, s, func(t *testing.T, r Result, err error, told *told, took time.Duration) {
		wantEnd(t, r, err, TimedOut)
		if len(w.stops) != 1 || !strings.Contains(w.stops[0], "timeout of 2m0s") {
			t.Errorf("stops %q", w.stops)
		}
		if at := w.stopAsked.Sub(w.began); at < 2*time.Minute-time.Second || at > 2*time.Minute+time.Second {
			t.Errorf("stopped after %s", at)
		}
		if r.Cause.Code != "timed-out" || !slices.Contains(r.Cause.Evidence, "app | waiting for a lock") {
			t.Errorf("cause %+v", r.Cause)
		}
		if took > 2*time.Minute+30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

var errInterrupted = errors.New("interrupted")

func TestCancelStopsTheTaskInTime(t *testing.T) {
	w := newWorld()
	w.exits = 0
	cancelled := func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(65*time.Second, func() { cancel(errInterrupted) })
		return ctx
	}
	playUntil(t, cancelled, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
		wantEnd(t, r, err, Cancelled)
		if len(w.stops) != 1 || took > 65*time.Second+7500*time.Millisecond || !strings.Contains(err.Error(), taskARN) {
			t.Errorf("stops %q after %s: %v", w.stops, took, err)
		}
	})
}

// A job that is cancelled while RunTask is under way must not leave a task that nobody knows of.
func TestCancelDuringStart(t *testing.T) {
	for _, tt := range []struct {
		name string
		slow time.Duration
		want End
	}{{"the answer comes", 4 * time.Second, Cancelled}, {"no answer comes", time.Minute, Lost}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.slowRun = tt.slow
			ctx := func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(2*time.Second, cancel)
				return ctx
			}
			playUntil(t, ctx, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
				wantEnd(t, r, err, tt.want)
				if took > 2*time.Second+7500*time.Millisecond {
					t.Errorf("took %s", took)
				}
				if stopped := len(w.stops) == 1; stopped != (tt.want == Cancelled) {
					t.Errorf("stops %q", w.stops)
				}
			})
		})
	}
}

func TestCancelWithoutPermissionToStop(t *testing.T) {
	w := newWorld()
	w.exits = 0
	w.stopError = apiError("AccessDeniedException",
		"User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecs:StopTask on resource: "+taskARN)
	ctx := func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(30*time.Second, cancel)
		return ctx
	}
	playUntil(t, ctx, w, spec(), func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
		wantEnd(t, r, err, Lost)
		if !strings.Contains(err.Error(), taskARN) || !strings.Contains(err.Error(), "ecs:StopTask") {
			t.Errorf("error %v", err)
		}
	})
}

func TestLostContact(t *testing.T) {
	tests := []struct {
		name     string
		describe func(time.Duration) error
		want     End
		within   time.Duration
	}{
		{"for a minute", func(age time.Duration) error {
			if age > 25*time.Second && age < 80*time.Second {
				return unreachable()
			}
			return nil
		}, Exited, 2 * time.Minute},
		{"for good", func(age time.Duration) error {
			if age > 25*time.Second {
				return unreachable()
			}
			return nil
		}, Lost, 3 * time.Minute},
		{"credentials expired", func(age time.Duration) error {
			if age > 25*time.Second {
				return apiError("ExpiredTokenException", "The security token included in the request is expired")
			}
			return nil
		}, Lost, 30 * time.Second},
		{"throttled for a while", func(age time.Duration) error {
			if age > 25*time.Second && age < 50*time.Second {
				return apiError("ThrottlingException", "Rate exceeded")
			}
			return nil
		}, Exited, time.Minute + 10*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.describe = tt.describe
			play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
				wantEnd(t, r, err, tt.want)
				if took > tt.within {
					t.Errorf("took %s", took)
				}
				if tt.want == Lost && (!strings.Contains(err.Error(), taskARN) || len(w.stops) > 0) {
					t.Errorf("stops %q, error %v", w.stops, err)
				}
			})
		})
	}
}

func TestTaskThatStaysMissing(t *testing.T) {
	w := newWorld()
	w.unknownFor = time.Hour
	play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
		wantEnd(t, r, err, Lost)
		if r.TaskARN != taskARN || took > 2*time.Minute {
			t.Errorf("%s after %s", r.TaskARN, took)
		}
	})
}

func TestStart(t *testing.T) {
	const noCapacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
	role := apiError("ClientException", "ECS was unable to assume the role 'arn:aws:iam::1:role/R' that was provided for this task. "+
		"Please verify that the role being passed has the "+
		"proper trust relationship and permissions and that your IAM user has permissions to pass this role.")
	many := make([]string, 100)
	for i := range many {
		many[i] = noCapacity
	}
	tests := []struct {
		name     string
		errs     []error
		refusals []string
		want     End
		tokens   []string
		cause    string
	}{
		{"capacity comes", nil, []string{noCapacity, noCapacity}, Exited,
			[]string{"TOKEN-1", "TOKEN-2", "TOKEN-3"}, ""},
		{"capacity does not come", nil, many, Refused, nil, "capacity-unavailable"},
		{"an answer was lost: the same token", []error{unreachable(), unreachable()}, nil, Exited,
			[]string{"TOKEN-1", "TOKEN-1", "TOKEN-1"}, ""},
		{"throttled", []error{apiError("ThrottlingException", "Rate exceeded")}, nil, Exited,
			[]string{"TOKEN-1", "TOKEN-1"}, ""},
		{"a new role", []error{role}, nil, Exited, []string{"TOKEN-1", "TOKEN-2"}, ""},
		{"quota", nil, []string{"You've reached the limit on the number of tasks you can run concurrently"},
			Refused, []string{"TOKEN-1"}, "quota-tasks"},
		{"denied", []error{apiError("AccessDeniedException",
			"User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecs:RunTask on resource: x")}, nil,
			NotStarted, []string{"TOKEN-1"}, ""},
		{"PassRole", []error{apiError("AccessDeniedException",
			"User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x")}, nil,
			NotStarted, []string{"TOKEN-1"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.runErrors, w.refusals = tt.errs, tt.refusals
			play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
				wantEnd(t, r, err, tt.want)
				var tokens []string
				for _, in := range w.inputs {
					tokens = append(tokens, aws.ToString(in.ClientToken))
				}
				if tt.tokens != nil && !slices.Equal(tokens, tt.tokens) {
					t.Errorf("tokens %q, want %q", tokens, tt.tokens)
				}
				if r.Cause.Code != tt.cause || took > startPatience+2*time.Minute {
					t.Errorf("cause %q after %s", r.Cause.Code, took)
				}
			})
		})
	}
}

func TestExclusive(t *testing.T) {
	other := func(created time.Duration) types.Task {
		return types.Task{TaskArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:task/prod/other"),
			CreatedAt: aws.Time(time.Date(2000, 1, 1, 0, 0, 0, 0,
				time.UTC).Add(created))} // a bubble's clock begins there
	}
	t.Run("one is running", func(t *testing.T) {
		w := newWorld()
		w.others = []types.Task{other(0)}
		play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
			wantEnd(t, r, err, Busy)
			var busy *BusyError
			if !errors.As(err, &busy) || busy.TaskARN != aws.ToString(w.others[0].TaskArn) || len(w.inputs) > 0 {
				t.Errorf("error %v, %d started", err, len(w.inputs))
			}
		})
	})
	t.Run("both began together, the other first", func(t *testing.T) {
		w := newWorld()
		w.others, w.othersFrom = []types.Task{other(-time.Second)}, 1
		play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
			wantEnd(t, r, err, Busy)
			if len(w.stops) != 1 || took > w.running {
				t.Errorf("stops %q after %s: its command may have begun", w.stops, took)
			}
		})
	})
	t.Run("both began together, this one first", func(t *testing.T) {
		w := newWorld()
		w.others, w.othersFrom = []types.Task{other(time.Second)}, 1
		play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
			wantEnd(t, r, err, Exited)
			if len(w.stops) != 0 {
				t.Errorf("stops %q", w.stops)
			}
		})
	})
}

func TestLogsThatCannotBeRead(t *testing.T) {
	denied := apiError("AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: "+
		"logs:GetLogEvents on resource: x")
	tests := []struct {
		name   string
		set    func(*world)
		unread string
		warns  int
	}{
		{"denied", func(w *world) { w.logsError = denied; w.definition = definition("awslogs", "app", "proxy") },
			"logs:GetLogEvents", 1},
		{"another driver", func(w *world) { w.definition = definition("awsfirelens", "app") }, "no container", 0},
		{"out of reach at the end", func(w *world) { w.logsError = unreachable() }, "its end", 0},
		{"nothing was written", func(*world) {}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			tt.set(w)
			synctest.Test(t, func(t *testing.T) {
				warnings := 0
				recorder := record.NewRecorder("test", time.Now, func(e record.Event) {
					if e.Kind == record.KindWarning {
						warnings++
					}
				})
				began := time.Now()
				r, err := Run(context.Background(), Clients{ECS: w, Logs: w}, spec(), Options{Events: recorder.Sink()})
				wantEnd(t, r, err, Exited)
				if !strings.Contains(r.Unread, tt.unread) || tt.unread == "" && r.Unread != "" {
					t.Errorf("unread %q", r.Unread)
				}
				if warnings != tt.warns || time.Since(began) > 2*time.Minute {
					t.Errorf("%d warnings, %s", warnings, time.Since(began))
				}
			})
		})
	}
}

// A run of a quarter of an hour must not use up the account's rate of DescribeTasks.
func TestPollingSlowsDown(t *testing.T) {
	w := newWorld()
	w.exits = 14 * time.Minute
	play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
		wantEnd(t, r, err, Exited)
		if w.describes > 400 || took > 14*time.Minute+30*time.Second {
			t.Errorf("%d calls in %s", w.describes, took)
		}
	})
}

func TestSettings(t *testing.T) {
	item := func(name string, weight int32) types.CapacityProviderStrategyItem {
		return types.CapacityProviderStrategyItem{CapacityProvider: aws.String(name), Weight: weight}
	}
	tests := []struct {
		name     string
		service  types.Service
		want     Settings
		wasSpot  bool
		platform string
	}{
		{"launch type", types.Service{LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("1.4.0")},
			Settings{LaunchType: types.LaunchTypeFargate, PlatformVersion: "1.4.0"}, false, ""},
		{"on-demand strategy", types.Service{CapacityProviderStrategy: []types.CapacityProviderStrategyItem{item("FARGATE", 1)},
			PlatformVersion: aws.String("LATEST")},
			Settings{Capacity: []types.CapacityProviderStrategyItem{item("FARGATE", 1)},
				PlatformVersion: "LATEST"}, false, ""},
		{"mixed with Spot", types.Service{CapacityProviderStrategy: []types.CapacityProviderStrategyItem{item("FARGATE",
			1), item("FARGATE_SPOT", 4)}, PlatformVersion: aws.String("LATEST")},
			Settings{LaunchType: types.LaunchTypeFargate, PlatformVersion: "LATEST"}, true, ""},
		{"own capacity provider", types.Service{CapacityProviderStrategy: []types.CapacityProviderStrategyItem{item("asg",
			1)}, PlatformVersion: aws.String("LATEST")},
			Settings{Capacity: []types.CapacityProviderStrategyItem{item("asg", 1)}}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, spot := SettingsOf(tt.service).OnDemand()
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(types.CapacityProviderStrategyItem{}),
				cmp.Comparer(func(a, b types.CapacityProviderStrategyItem) bool {
					return aws.ToString(a.CapacityProvider) == aws.ToString(b.CapacityProvider) && a.Weight == b.Weight
				})); diff != "" || spot != tt.wasSpot {
				t.Errorf("spot %v:\n%s", spot, diff)
			}
		})
	}
}

var _ ECS = (*ecs.Client)(nil)

// A page that is not the last is followed by the next at once: a chatty command must not be read for minutes after its end.
func TestLongLogIsReadInOneGo(t *testing.T) {
	w := newWorld()
	for i := range 1000 {
		w.lines = append(w.lines, line{30 * time.Second, stream("app"), fmt.Sprint("line ", i)})
	}
	play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
		wantEnd(t, r, err, Exited)
		if len(told.lines) != 1000 || told.lines[999] != "app: line 999" || took > time.Minute || r.Unread != "" {
			t.Errorf("%d lines after %s, unread %q", len(told.lines), took, r.Unread)
		}
	})
}

// An answer that took long says nothing of the lines that came meanwhile: the log is not at its end for that.
func TestSlowAnswersOfTheLog(t *testing.T) {
	for _, late := range []time.Duration{0, time.Second, 3 * time.Second, 5 * time.Second, 7 * time.Second, 9 * time.Second} {
		w := newWorld()
		w.slowLogs = 6 * time.Second
		w.lines = []line{{25 * time.Second, stream("app"), "one"}, {w.exits + late, stream("app"), "two"}}
		play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
			wantEnd(t, r, err, Exited)
			if !slices.Equal(told.lines, []string{"app: one", "app: two"}) || r.Unread != "" || took > 80*time.Second {
				t.Errorf("%s after the end: %q after %s, unread %q", late, told.lines, took, r.Unread)
			}
		})
	}
}

// In a rehearsal whose world runs twenty times as fast, everything takes a twentieth of its time, and nothing else changes.
func TestRehearsal(t *testing.T) {
	const rate = 20
	for _, tt := range []struct {
		name    string
		exits   time.Duration
		end     End
		longest time.Duration // by the world's clock
	}{{"it ends by itself", 40 * time.Second, Exited, 56 * time.Second}, {"its time is over", 0, TimedOut, 150 * time.Second}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.rate, w.exits = rate, tt.exits
			w.lines = []line{{30 * time.Second, stream("app"), "one"}}
			s := spec()
			s.Timeout = 2 * time.Minute
			synctest.Test(t, func(t *testing.T) {
				began, told := time.Now(), &told{}
				r, err := Run(t.Context(), Clients{ECS: w, Logs: w}, s, Options{Events: told.sink(), Clock: clock.Faster(rate)})
				took := time.Since(began)
				wantEnd(t, r, err, tt.end)
				if !slices.Equal(told.lines, []string{"app: one"}) || r.Unread != "" {
					t.Errorf("lines %q, unread %q", told.lines, r.Unread)
				}
				if took > tt.longest/rate || r.Duration < took*(rate-1) {
					t.Errorf("took %s, and says %s", took, r.Duration)
				}
				if w.describes > 120 {
					t.Errorf("%d looks at the task within %s of the world's time", w.describes, r.Duration)
				}
			})
		})
	}
}

// Against a stand-in whose time runs faster, ECS's own clock says when the last line has had its time.
func TestFasterClock(t *testing.T) {
	w := newWorld()
	w.speed, w.stopTail = 20, 2*time.Second
	w.lines = []line{{41 * time.Second, stream("app"), "done"}}
	play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
		wantEnd(t, r, err, Exited)
		if took > 47*time.Second || !slices.Equal(told.lines, []string{"app: done"}) {
			t.Errorf("%q after %s", told.lines, took)
		}
	})
}

// What a service gives its own tasks, the task beside it gets too.
func TestServiceTagsAndVolumes(t *testing.T) {
	tag := func(key, value string) types.Tag { return types.Tag{Key: aws.String(key), Value: aws.String(value)} }
	service := types.Service{PropagateTags: types.PropagateTagsService, EnableECSManagedTags: true,
		Tags: []types.Tag{tag("team", "api"), tag("aws:x", "1"), tag("connect2:hold", "2")},
		Deployments: []types.Deployment{{VolumeConfigurations: []types.ServiceVolumeConfiguration{{Name: aws.String("data"),
			ManagedEBSVolume: &types.ServiceManagedEBSVolumeConfiguration{RoleArn: aws.String("arn:role"), SizeInGiB: aws.Int32(20)}}}}}}
	s := Spec{Settings: SettingsOf(service), Tags: map[string]string{"run": "7"}}
	in := s.input(1, false)
	var tags []string
	for _, tag := range in.Tags {
		tags = append(tags, aws.ToString(tag.Key)+"="+aws.ToString(tag.Value))
	}
	if !slices.Equal(tags, []string{"run=7", "team=api"}) || !in.EnableECSManagedTags || in.PropagateTags != "" {
		t.Errorf("tags %q, managed %v, propagated %q", tags, in.EnableECSManagedTags, in.PropagateTags)
	}
	if len(in.VolumeConfigurations) != 1 || aws.ToString(in.VolumeConfigurations[0].Name) != "data" {
		t.Fatalf("volumes %+v", in.VolumeConfigurations)
	}
	ebs := in.VolumeConfigurations[0].ManagedEBSVolume
	if aws.ToString(ebs.RoleArn) != "arn:role" || aws.ToInt32(ebs.SizeInGiB) != 20 || !aws.ToBool(ebs.TerminationPolicy.DeleteOnTermination) {
		t.Errorf("volume %+v", ebs)
	}
	service.PropagateTags = types.PropagateTagsTaskDefinition
	s.Settings = SettingsOf(service)
	if in := s.input(1, false); in.PropagateTags != types.PropagateTagsTaskDefinition || len(in.Tags) != 1 {
		t.Errorf("propagated %q, tags %d", in.PropagateTags, len(in.Tags))
	}
	if in := s.input(1, true); in.PropagateTags != "" || len(in.Tags) != 0 || in.EnableECSManagedTags {
		t.Errorf("untagged: propagated %q, %d tags, managed %v", in.PropagateTags, len(in.Tags), in.EnableECSManagedTags)
	}
}

// Who may run a task and not tag it runs it without tags, with another token: a token stands for its parameters.
func TestTagsThatAreDenied(t *testing.T) {
	w := newWorld()
	w.runErrors = []error{apiError("AccessDeniedException",
		"User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecs:TagResource on resource: x")}
	s := spec()
	s.Tags = map[string]string{"run": "7"}
	play(t, w, s, func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
		wantEnd(t, r, err, Exited)
		if len(w.inputs) != 2 || len(w.inputs[0].Tags) != 1 || len(w.inputs[1].Tags) != 0 || aws.ToString(w.inputs[1].ClientToken) != "TOKEN-2" {
			t.Errorf("inputs %+v", w.inputs)
		}
	})
}
