package verdict

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Each part is advised on from its own bound on, and by itself.
func TestShorten(t *testing.T) {
	for _, c := range []struct {
		name              string
		pull, start, wait time.Duration
		want              string // of each piece of advice
	}{
		{"nothing long", longPull - 1, longStart - 1, longWait - 1, ""},
		{"the pull", longPull, longStart - 1, longWait - 1, "soci: true"},
		{"the start", longPull - 1, longStart, longWait - 1, "dependsOn"},
		{"the wait", longPull - 1, longStart - 1, longWait, "deregistration delay"},
		{"all", longPull, longStart, longWait, "soci: true;dependsOn;deregistration delay"},
	} {
		advice := shorten(c.pull, c.start, c.wait)
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, ";")
		}
		if len(advice) != len(want) {
			t.Errorf("%s: %q", c.name, advice)
			continue
		}
		for i := range want {
			if !strings.Contains(advice[i], want[i]) {
				t.Errorf("%s: %q, want %q", c.name, advice[i], want[i])
			}
		}
	}
}

// The slowest task counts, and only what came to its end; a deployment that failed has other things to tell.
func TestStartTimesAreTold(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	step := func(lane, name string, from, to time.Duration, state record.State) record.Event {
		return record.Event{Kind: record.KindStepEnded, Step: &record.Step{Lane: lane, Name: name, Begun: began.Add(from), Ended: began.Add(to),
			State: state}}
	}
	const s = time.Second
	for _, c := range []struct {
		name  string
		end   rollout.End
		steps []record.Event
		want  string // the fact; "" for none
	}{
		{"a slow pull", rollout.EndSucceeded, []record.Event{step("task a", "pull", 0, 25*s, record.Done),
			step("task b", "pull", 0, 21*s, record.Done), step("task a", "start", 25*s, 30*s, record.Done),
			step("task a", "run", 30*s, 0, record.Active)}, "pull 25.0s, start 5.0s, then 30.0s until the deployment was done"},
		{"one that failed", rollout.EndRolledBack, []record.Event{step("task a", "pull", 0, 25*s, record.Done),
			step("task a", "run", 30*s, 0, record.Active)}, ""},
		{"a pull that failed", rollout.EndSucceeded, []record.Event{step("task a", "pull", 0, 25*s, record.Failed),
			step("task b", "run", 30*s, 0, record.Active)}, ""},
		{"a step of something else", rollout.EndSucceeded, []record.Event{step("deployment", "pull", 0, 25*s, record.Done),
			step("task b", "run", 30*s, 0, record.Active)}, ""},
		{"without a task", rollout.EndSucceeded, []record.Event{step("task a", "pull", 0, 25*s, record.Done)}, ""},
	} {
		var times startTimes
		passed, fact, sections := 0, "", 0
		events := record.Sink(func(e record.Event) {
			switch {
			case e.Step != nil:
				passed++
			case e.Fact != nil:
				fact = e.Fact.Value.Text
			case e.Section != nil:
				sections++
			}
		})
		sink := times.watch(events)
		for _, e := range c.steps {
			sink.Emit(e)
		}
		times.tell(events, rollout.Result{End: c.end, Started: began, Took: time.Minute})
		if passed != len(c.steps) || fact != c.want || (sections == 1) != (c.want != "") {
			t.Errorf("%s: %d of %d steps passed on, fact %q, want %q; %d sections", c.name, passed, len(c.steps), fact, c.want, sections)
		}
	}
}
