package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlan tables the scheduler's decisions. Groups are written newest first, one letter per task: s starting, h
// healthy, u unhealthy; "!" marks a failed group, "~" one that must wait, "+" one that completed before. A decision is
// "stop GROUP/TASK", "start GROUP×N" and "stuck".
func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name              string
		desired, min, max int
		groups            string
		want              string
	}{
		{"nothing to do", 2, 100, 200, "hh", ""},
		{"first start", 2, 100, 200, "-", "start 0×2"},
		{"new beside old", 2, 100, 200, "- +hh", "start 0×2"},
		{"new is not healthy yet", 2, 100, 200, "ss +hh", ""},
		{"a healthy new one frees an old one", 2, 100, 200, "hs +hh", "stop 1/1"},
		{"both free both", 2, 100, 200, "hh +hh", "stop 1/1 stop 1/0"},
		{"room for one", 3, 100, 134, "- +hhh", "start 0×1"},
		{"step by step", 3, 100, 134, "h +hhh", "stop 1/2 start 0×1"},
		{"4 at 50 % may stop 2 first", 4, 50, 100, "- +hhhh", "stop 1/3 stop 1/2 start 0×2"},
		{"2 at 75 % may stop none", 2, 75, 100, "- +hh", "stuck"},
		{"3 at 125 % may start none", 3, 100, 125, "- +hhh", "stuck"},
		{"0 at 100 % stops first", 1, 0, 100, "- +h", "stop 1/0 start 0×1"},
		{"scale in", 1, 100, 200, "hhh", "stop 0/2 stop 0/1"},
		{"scale in takes what is starting first", 2, 100, 200, "hhs", "stop 0/2"},
		{"scale to 0", 0, 100, 200, "hh", "stop 0/1 stop 0/0"},
		{"replacement first where there is room", 1, 100, 200, "u", "start 0×1"},
		{"unhealthy waits for its replacement", 1, 100, 200, "us", ""},
		{"replaced", 1, 100, 200, "uh", "stop 0/0"},
		{"no room: stop the unhealthy one at once", 1, 100, 200, "u +h", "stop 0/0 start 0×1"},
		{"no room in a steady service", 1, 100, 100, "u", "stop 0/0 start 0×1"},
		{"rolled back", 1, 100, 200, "h !s", "stop 1/0"},
		{"rolled back, the bad one is healthy", 1, 100, 200, "s !h", ""},
		{"failed without rollback: nothing more", 1, 100, 200, "! +h", ""},
		{"failed without rollback: its sick task goes", 1, 100, 200, "!u +h", "stop 0/0"},
		{"backing off", 1, 100, 200, "~ +h", ""},
		{"superseded makes room", 1, 100, 200, "- s +h", "stop 1/0 start 0×1"},
		{"an old task died: its own version keeps serving", 1, 100, 200, "s +-", "start 1×1"},
		{"an old task died, no room", 1, 100, 100, "s +-", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := situation{desired: test.desired}
			s.lower, s.upper = DeploymentConfiguration{Minimum: test.min, Maximum: test.max}.bounds(test.desired)
			for _, text := range strings.Fields(test.groups) {
				s.groups = append(s.groups, parseGroup(text))
			}
			s.stay = s.groups[0].failed
			d := plan(s)
			var got []string
			for _, stop := range d.stops {
				got = append(got, fmt.Sprintf("stop %d/%d", stop.group, stop.task))
			}
			for i, n := range d.starts {
				if n > 0 {
					got = append(got, fmt.Sprintf("start %d×%d", i, n))
				}
			}
			if d.stuck {
				got = append(got, "stuck")
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s (bounds %d to %d): %q, want %q", test.groups, s.lower, s.upper, strings.Join(got, " "), test.want)
			}
		})
	}
}

func parseGroup(text string) group {
	var g group
	for _, letter := range text {
		switch letter {
		case '!':
			g.failed = true
		case '~':
			g.held = true
		case '+':
			g.worked = true
		case 's':
			g.tasks = append(g.tasks, starting)
		case 'h':
			g.tasks = append(g.tasks, healthy)
		case 'u':
			g.tasks = append(g.tasks, unhealthy)
		}
	}
	return g
}

func TestThreshold(t *testing.T) {
	kind := func(kind string, value int) CircuitBreaker {
		var b CircuitBreaker
		b.Threshold = &struct {
			Type  string `json:"type"`
			Value int    `json:"value"`
		}{kind, value}
		return b
	}
	for _, test := range []struct {
		breaker       CircuitBreaker
		desired, want int
	}{
		{CircuitBreaker{}, 0, 3}, {CircuitBreaker{}, 1, 3}, {CircuitBreaker{}, 25, 13}, {CircuitBreaker{}, 400, 200},
		{CircuitBreaker{}, 800, 200},
		{kind("BOUNDED_PERCENT", 10), 100, 10}, {kind("BOUNDED_PERCENT", 10), 10, 3},
		{kind("UNBOUNDED_PERCENT", 10), 5, 1}, {kind("UNBOUNDED_PERCENT", 100), 800, 800}, {kind("COUNT", 7), 1, 7},
	} {
		if got := test.breaker.ThresholdFor(test.desired); got != test.want {
			t.Errorf("%+v at %d tasks: %d, want %d", test.breaker.Threshold, test.desired, got, test.want)
		}
	}
}
