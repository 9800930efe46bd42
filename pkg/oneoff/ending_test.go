package oneoff

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestOwnEnd(t *testing.T) {
	const exited = "Essential container in task exited"
	tests := []struct {
		code   types.TaskStopCode
		reason string
		outrun bool
		want   bool
	}{
		{types.TaskStopCodeEssentialContainerExited, exited, false, true},
		{types.TaskStopCodeEssentialContainerExited, exited, true, false},
		{types.TaskStopCodeUserInitiated, "Task stopped by user", false, false},
		{types.TaskStopCodeUserInitiated, exited, false, false}, // whoever stops a task words the reason
		{types.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", false, false},
		{types.TaskStopCodeTerminationNotice, "Your Spot Task was interrupted.", false, false},
		{types.TaskStopCodeServiceSchedulerInitiated, "ECS is performing maintenance", false, false},
		{types.TaskStopCodeTaskFailedToStart, "Task failed to start", false, false},
		{"", exited, false, true},
		{"", "", false, true},
		{"", "", true, false},
		{"", "Task stopped by user", false, false},
	}
	for _, tt := range tests {
		got := ownEnd(types.Task{StopCode: tt.code, StoppedReason: aws.String(tt.reason)}, tt.outrun)
		if got != tt.want {
			t.Errorf("%s, %q, outrun %v: own end %v", tt.code, tt.reason, tt.outrun, got)
		}
	}
}

func TestOutruns(t *testing.T) {
	running := func(name string) types.Container {
		return types.Container{Name: aws.String(name), LastStatus: aws.String("RUNNING")}
	}
	stopped := func(name string) types.Container {
		return types.Container{Name: aws.String(name), LastStatus: aws.String("STOPPED")}
	}
	exited := func(name string) types.Container {
		return types.Container{Name: aws.String(name), LastStatus: aws.String("RUNNING"), ExitCode: aws.Int32(0)}
	}
	both, none := map[string]bool{"app": true, "proxy": true}, map[string]bool(nil)
	const ended = types.TaskStopCodeEssentialContainerExited
	tests := []struct {
		name       string
		code       types.TaskStopCode
		containers []types.Container
		essential  map[string]bool
		want       string
	}{
		{"both run", "", []types.Container{running("app"), running("proxy")}, both, ""},
		{"the other ended", "", []types.Container{running("app"), stopped("proxy")}, both, "proxy"},
		{"it has an exit code", "", []types.Container{running("app"), exited("proxy")}, both, "proxy"},
		{"its own ended too", "", []types.Container{stopped("app"), stopped("proxy")}, both, ""},
		{"its own has an exit code", ended, []types.Container{stopped("proxy"), exited("app")}, none, ""},
		{"the other does not matter", ended, []types.Container{running("app"), stopped("proxy")}, map[string]bool{"app": true,
			"proxy": false}, ""},
		{"nobody knows whether it matters", "", []types.Container{running("app"), stopped("proxy")}, none, ""},
		{"but the task ends by it", ended, []types.Container{running("app"), stopped("proxy")}, none, "proxy"},
		{"its own alone, and late", ended, []types.Container{running("app")}, none, ""},
	}
	for _, tt := range tests {
		if got := outruns(types.Task{StopCode: tt.code, Containers: tt.containers}, "app", tt.essential); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Two runs that see each other, each with what the other has come to by then, must not both stay.
func TestGivesWayTo(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	task := func(arn string, change ...func(*types.Task)) types.Task {
		task := types.Task{TaskArn: aws.String(arn), CreatedAt: aws.Time(at), LastStatus: aws.String("PENDING"),
			DesiredStatus: aws.String("RUNNING")}
		for _, c := range change {
			c(&task)
		}
		return task
	}
	created := func(after time.Duration) func(*types.Task) {
		return func(t *types.Task) { t.CreatedAt = aws.Time(at.Add(after)) }
	}
	status := func(s string) func(*types.Task) { return func(t *types.Task) { t.LastStatus = aws.String(s) } }
	begun := func(t *types.Task) { t.StartedAt = aws.Time(at.Add(time.Minute)) }
	stopping := func(t *types.Task) { t.DesiredStatus = aws.String("STOPPED") }
	fresh := func(t *types.Task) { t.CreatedAt = nil }
	through := func(t *types.Task) { t.ExecutionStoppedAt = aws.Time(at) }
	tests := []struct {
		name  string
		own   types.Task
		other types.Task
		want  bool
	}{
		{"itself", task("m", begun), task("m", begun), false},
		{"later", task("m"), task("a", created(time.Second)), false},
		{"earlier", task("m"), task("z", created(-time.Second)), true},
		{"the same moment, behind it", task("m"), task("z"), false},
		{"the same moment, before it", task("m"), task("a"), true},
		{"later, and its container runs", task("m"), task("z", created(time.Second), status("RUNNING")), true},
		{"later, and its container ran", task("m"), task("z", created(time.Second), status("STOPPING"), begun), true},
		{"earlier, and gives way", task("m"), task("a", created(-time.Second), stopping), false},
		{"earlier, and is stopped while it works", task("m"), task("a", created(-time.Second), stopping, begun), true},
		{"earlier, and over", task("m"), task("a", created(-time.Second), begun, status("STOPPED")), false},
		{"earlier, and forgotten", task("m"), task("a", created(-time.Second), begun, status("DELETED")), false},
		{"earlier, and its containers have ended", task("m"), task("a", created(-time.Second), begun, status("DEPROVISIONING"), through), false},
		{"not PENDING yet", task("m"), task("a", fresh), false},
		{"PENDING before this one", task("m", fresh), task("z"), true},
		{"neither is PENDING", task("m", fresh), task("a", fresh), false},
	}
	for _, tt := range tests {
		if got := givesWayTo(tt.own, []types.Task{task("m"), tt.other}); (got != nil) != tt.want {
			t.Errorf("%s: gives way %v", tt.name, got != nil)
		}
		if !hasBegun(tt.own) && !hasBegun(tt.other) && givesWayTo(tt.own, []types.Task{tt.other}) != nil &&
			givesWayTo(tt.other, []types.Task{tt.own}) != nil {
			t.Errorf("%s: both give way", tt.name)
		}
	}
}

func TestInTheWay(t *testing.T) {
	task := func(arn, last, desired string, begun bool) types.Task {
		task := types.Task{TaskArn: aws.String(arn), LastStatus: aws.String(last), DesiredStatus: aws.String(desired)}
		if begun {
			task.StartedAt = aws.Time(time.Unix(1, 0))
		}
		return task
	}
	tests := []struct {
		name    string
		others  []types.Task
		want    string
		leaving bool
	}{
		{"none", nil, "", false},
		{"one runs", []types.Task{task("a", "RUNNING", "RUNNING", true)}, "a", false},
		{"one is set up", []types.Task{task("a", "PENDING", "RUNNING", false)}, "a", false},
		{"one is stopped before it ran", []types.Task{task("a", "DEPROVISIONING", "STOPPED", false)}, "", false},
		{"one is being stopped", []types.Task{task("a", "STOPPING", "STOPPED", true)}, "a", true},
		{"one is stopped", []types.Task{task("a", "STOPPED", "STOPPED", true)}, "", false},
		{"one is being stopped, another runs", []types.Task{task("a", "STOPPING", "STOPPED", true), task("b", "RUNNING", "RUNNING", true)},
			"b", false},
	}
	for _, tt := range tests {
		other, leaving := inTheWay(tt.others)
		got := ""
		if other != nil {
			got = aws.ToString(other.TaskArn)
		}
		if got != tt.want || leaving != tt.leaving {
			t.Errorf("%s: %q, leaving %v", tt.name, got, leaving)
		}
	}
}

// A container that exits with 0 on SIGTERM has not come to its own end.
func TestTaskThatIsStopped(t *testing.T) {
	tests := []struct {
		name   string
		code   types.TaskStopCode
		reason string
		exit   int32
		cause  string
	}{
		{"by a person, and it exits with 0", types.TaskStopCodeUserInitiated, "Task stopped by user", 0, "stopped-by-user"},
		{"by a person, and it exits with 143", types.TaskStopCodeUserInitiated, "Task stopped by user", 143, "stopped-by-user"},
		{"by Spot, and it exits with 0", types.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", 0, "spot-interrupted"},
		{"with its host, and it exits with 0", types.TaskStopCodeTerminationNotice, "ECS is performing maintenance on the host", 0,
			"spot-interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.stopCode, w.reason, w.exitCode = tt.code, tt.reason, aws.Int32(tt.exit)
			play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
				if r.End != Stopped || r.ExitCode == nil || *r.ExitCode != int(tt.exit) || r.Cause.Code != tt.cause {
					t.Errorf("end %s, exit code %v, cause %q", r.End, r.ExitCode, r.Cause.Code)
				}
				if err == nil || !strings.Contains(err.Error(), "was stopped before container app had come to its own end ("+string(tt.code)+": ") {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// A sidecar that ends first takes the task with it, with the same stop code that the command's own end would have.
func TestSidecarEndsTheTask(t *testing.T) {
	for name, essential := range map[string]*bool{"essential by default": nil, "not essential": aws.Bool(false)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.definition = definition("awslogs", "app", "proxy")
			w.definition.ContainerDefinitions[1].Essential = essential
			w.proxyEnds = 30 * time.Second
			play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
				want := Exited
				if essential == nil {
					want = Stopped
				}
				wantEnd(t, Result{End: r.End, ExitCode: map[bool]*int{true: r.ExitCode}[r.End == Exited]}, err, want)
				if want == Stopped && !strings.Contains(fmt.Sprint(err), "container proxy ended first, and it is essential") {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestExclusiveWaitsForOneThatStops(t *testing.T) {
	leaving := types.Task{TaskArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:task/prod/other"), DesiredStatus: aws.String("STOPPED"),
		LastStatus: aws.String("STOPPING"), StartedAt: aws.Time(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))}
	t.Run("it ends", func(t *testing.T) {
		w := newWorld()
		w.others, w.othersEnd = []types.Task{leaving}, 20*time.Second
		play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
			wantEnd(t, r, err, Exited)
			if took < w.othersEnd+w.exits || r.Duration > took-w.othersEnd+time.Second || len(w.stops) > 0 {
				t.Errorf("took %s, the task %s, stops %q", took, r.Duration, w.stops)
			}
			if told.notes[0] != "task other of this family is being stopped: waiting for its end" || strings.Contains(told.notes[1], "other") {
				t.Errorf("notes %q", told.notes)
			}
		})
	})
	t.Run("it does not", func(t *testing.T) {
		w := newWorld()
		w.others = []types.Task{leaving}
		play(t, w, spec(), func(t *testing.T, r Result, err error, _ *told, took time.Duration) {
			wantEnd(t, r, err, Busy)
			if len(w.inputs) > 0 || took > stopPatience+5*time.Second {
				t.Errorf("%d started, took %s", len(w.inputs), took)
			}
		})
	})
}

// The list of tasks lags by some seconds, and a later look sees what the first did not.
func TestExclusiveSeesOneThatIsListedLate(t *testing.T) {
	w := newWorld()
	w.others = []types.Task{{TaskArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:task/prod/other"),
		CreatedAt: aws.Time(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC))}}
	w.othersFrom = 14 // the task is PENDING since the tenth second and runs from the twentieth on
	play(t, w, spec(), func(t *testing.T, r Result, err error, told *told, took time.Duration) {
		wantEnd(t, r, err, Busy)
		if len(w.stops) != 1 || took >= w.running {
			t.Errorf("stops %q after %s", w.stops, took)
		}
	})
}

// A task that had ended by itself when it was to be stopped for its timeout did what it was to do.
func TestTimeoutInTheMomentOfTheEnd(t *testing.T) {
	w := newWorld()
	w.stopComesLate = true
	s := spec()
	s.Timeout = w.exits - 100*time.Millisecond
	play(t, w, s, func(t *testing.T, r Result, err error, _ *told, _ time.Duration) {
		wantEnd(t, r, err, Exited)
		if len(w.stops) != 1 || r.Cause.Code != "" {
			t.Errorf("stops %q, cause %+v", w.stops, r.Cause)
		}
	})
}

func TestWhatTheDefinitionSays(t *testing.T) {
	if essentials(nil) != nil {
		t.Error("a definition that is not known says something")
	}
	got := essentials(&types.TaskDefinition{ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a")},
		{Name: aws.String("b"), Essential: aws.Bool(true)}, {Name: aws.String("c"), Essential: aws.Bool(false)}}})
	if len(got) != 3 || !got["a"] || !got["b"] || got["c"] {
		t.Errorf("essential: %v", got)
	}
	for status, want := range map[string]bool{"PROVISIONING": true, "PENDING": true, "ACTIVATING": true, "RUNNING": false,
		"STOPPED": false, "": false} {
		if settingUp(status) != want {
			t.Errorf("%q is set up: %v", status, !want)
		}
	}
	same := types.Task{TaskArn: aws.String("a"), CreatedAt: aws.Time(time.Unix(1, 0))}
	if createdBefore(same, same) {
		t.Error("a task was created before itself")
	}
}
