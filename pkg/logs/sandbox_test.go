package logs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/logs"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const world = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2]}\n"

func inputs(change func(*logs.Inputs)) logs.Inputs {
	in := logs.Inputs{Inputs: operate.Inputs{Cluster: sandboxtest.Cluster, Service: sandboxtest.Service}}
	if change != nil {
		change(&in)
	}
	return in
}

// lines runs logs and returns what it gave as JSON.
func lines(t *testing.T, s *sandboxtest.Site, in logs.Inputs) []logs.Line {
	t.Helper()
	s.Fresh()
	out, err := logs.Run(t.Context(), s.Env, in)
	if err != nil {
		t.Fatal(err)
	}
	var got []logs.Line
	if err := json.Unmarshal(out.Lines, &got); err != nil || out.Shown != len(got) {
		t.Fatalf("%d shown, %v: %s", out.Shown, err, out.Lines)
	}
	return got
}

// restart makes new tasks, and lets them come up.
func restart(t *testing.T, s *sandboxtest.Site, image string) {
	t.Helper()
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err == nil {
			err = e.UpdateService(c.Service(sandboxtest.Service), engine.ServiceChange{TaskDefinition: sandboxtest.Family + ":" + image})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func talk(t *testing.T, s *sandboxtest.Site, tag string, texts ...string) {
	t.Helper()
	quoted, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	b, err := engine.ParseBehaviour([]byte(`{logs: ` + string(quoted) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	s.Sandbox.SetBehaviour(sandboxtest.Repository+":"+tag, b)
}

func TestLines(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		talk(t, s, "v1", "one", "two ERROR", "postgres://app:hunter2secret@db/app", "three")
		restart(t, s, "1")
		time.Sleep(3 * time.Minute)
		got := lines(t, s, inputs(nil))
		tasks := map[string][]string{}
		for i, l := range got {
			tasks[l.Task] = append(tasks[l.Task], l.Text)
			if i > 0 && l.At.Before(got[i-1].At) {
				t.Errorf("line %d is older than the one before it", i)
			}
			if l.Container != sandboxtest.Container || strings.Contains(l.Text, "hunter2secret") {
				t.Errorf("got %+v", l)
			}
		}
		if len(tasks) != 2 {
			t.Errorf("lines of the tasks %v", tasks)
		}
		for task, texts := range tasks {
			if i := slices.Index(texts, "one"); i < 0 || !slices.Contains(texts[i:], "three") {
				t.Errorf("task %s said %q", task, texts)
			}
		}
		if !strings.Contains(s.Log.Text(), " | two ERROR\n") {
			t.Errorf("it printed %s", s.Log.Text())
		}
		newest := got[len(got)-1]
		if got := lines(t, s, inputs(func(in *logs.Inputs) { in.Tail = 1 })); len(got) != 1 || !got[0].At.Equal(newest.At) {
			t.Errorf("the last line is %+v, want %+v", got, newest)
		}
		if got := lines(t, s, inputs(func(in *logs.Inputs) { in.Filter = "ERROR" })); len(got) != 2 || got[0].Text != "two ERROR" {
			t.Errorf("filtered: %+v", got)
		}
		one := slices.Sorted(maps.Keys(tasks))[0]
		for _, l := range lines(t, s, inputs(func(in *logs.Inputs) { in.Task = one })) {
			if !strings.HasPrefix(one, l.Task[:4]) {
				t.Errorf("a line of %s", l.Task)
			}
		}
		if got := lines(t, s, inputs(func(in *logs.Inputs) { in.Since = time.Second })); len(got) != 0 {
			t.Errorf("of the last second: %+v", got)
		}
		for want, in := range map[string]logs.Inputs{
			`there is no container "conect2-api" whose log can be read: did you mean connect2-api?`: inputs(
				func(in *logs.Inputs) { in.Container = "conect2-api" }),
			`there is no task "zz": there are ` + one: inputs(func(in *logs.Inputs) { in.Task = "zz" }),
		} {
			s.Fresh()
			if _, err := logs.Run(t.Context(), s.Env, in); action.OutcomeOf(err) != action.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

func TestPrevious(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		s.Fresh()
		in := inputs(func(in *logs.Inputs) { in.Previous = true })
		talk(t, s, "v1", "the first said this")
		restart(t, s, "1")
		time.Sleep(3 * time.Minute)
		restart(t, s, "2")
		time.Sleep(3 * time.Minute)
		if got := lines(t, s, in); !slices.ContainsFunc(got, func(l logs.Line) bool { return l.Text == "the first said this" }) {
			t.Errorf("got %+v", got)
		}
		time.Sleep(2 * time.Hour)
		_, err := logs.Run(t.Context(), s.Env, in)
		if err == nil || !strings.Contains(err.Error(), "no task of this service was stopped within the last hour") {
			t.Errorf("got %v", err)
		}
	})
}

// TestFollow follows through a rollout, with a read that is throttled in the middle of it: new tasks join, old ones are let go, each
// line comes once, and the lines of one task in their order.
func TestFollow(t *testing.T) {
	throttled := world + "faults: [{action: \"logs:GetLogEvents\", answer: throttle, skip: 60, times: 12}]\n"
	for name, scenario := range map[string]string{"quiet": world, "throttled": throttled} {
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) {
				var texts []string
				for i := range 40 {
					texts = append(texts, fmt.Sprintf("line %02d", i))
				}
				talk(t, s, "v1", texts...)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				time.AfterFunc(20*time.Second, func() { restart(t, s, "1") })
				_, err := logs.Run(ctx, s.Env, inputs(func(in *logs.Inputs) { in.Follow = true }))
				if err != nil {
					t.Fatal(err)
				}
				told := s.Log.Text()
				if strings.Count(told, "of connect2-api-dev:1 has joined") != 2 || strings.Count(told, "has said its last") != 2 {
					t.Errorf("it told\n%s", told)
				}
				said := map[string][]string{}
				for line := range strings.Lines(told) {
					head, text, ok := strings.Cut(strings.TrimSpace(line), " | line ")
					if ok {
						task := strings.Fields(head)[1]
						said[task] = append(said[task], "line "+text)
					}
				}
				if len(said) != 2 {
					t.Errorf("%d tasks said something", len(said))
				}
				for task, got := range said {
					if !slices.Equal(got, texts) {
						t.Errorf("task %s said %q", task, got)
					}
				}
			})
		})
	}
}
