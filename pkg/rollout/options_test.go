package rollout

import (
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
)

func TestTimeFor(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		name     string
		asked    time.Duration
		strategy string
		bakes    time.Duration
		want     time.Duration // 0: refused
	}{
		{"auto", 0, "ROLLING", 0, 30 * time.Minute},
		{"auto, with steps", 0, "LINEAR", hour, 90 * time.Minute},
		{"auto, rolling with alarms", 0, "ROLLING", 5 * time.Minute, 35 * time.Minute},
		{"asked for", 4 * time.Minute, "ROLLING", 0, 4 * time.Minute},
		{"long enough for its steps", hour + 1, "LINEAR", hour, hour + 1},
		{"too short for its steps", hour, "LINEAR", hour, 0},
		{"too short for its bake", 10 * time.Minute, "BLUE_GREEN", 15 * time.Minute, 0},
		{"how long alarms are watched is not known", 4 * time.Minute, "ROLLING", 5 * time.Minute, 4 * time.Minute},
		{"nor without a strategy", 4 * time.Minute, "", 5 * time.Minute, 4 * time.Minute},
	} {
		got, err := TimeFor(test.asked, ecsview.Snapshot{Strategy: test.strategy, Bakes: test.bakes})
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

// TestPauseStopsTheClock holds that the time of a deployment stands still while it waits for somebody.
func TestPauseStopsTheClock(t *testing.T) {
	paused := func(s *State) {
		s.last.Own = &ecsview.ServiceDeployment{Status: "IN_PROGRESS", Paused: []string{"hook"}}
	}
	for _, test := range []struct {
		name string
		with []func(*State)
		want time.Duration // by which the deadline moves in ten minutes
	}{
		{"it waits", []func(*State){paused}, 10 * time.Minute},
		{"it does not", nil, 0},
		{"it waits for nobody", []func(*State){paused, func(s *State) { s.last.Own.Paused = nil }}, 0},
		{"it is being stopped", []func(*State){paused, func(s *State) { s.stopping = true }}, 0},
	} {
		s := rolling(test.with...)
		next, _, _ := Next(s, looked(under(1, 0)), s.contact.Add(10*time.Minute))
		if got := next.deadline.Sub(s.deadline); got != test.want {
			t.Errorf("%s: the deadline moved by %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPaceOfALook(t *testing.T) {
	for _, test := range []struct {
		since     time.Duration
		throttled int
		want      time.Duration
	}{{0, 0, nearest}, {6 * time.Second, 0, 3 * time.Second}, {time.Hour, 0, slowest}, {0, 2, 4 * time.Second}, {time.Hour, 1,
		2 * time.Second}} {
		if got := Pace(test.since, test.throttled); got != test.want {
			t.Errorf("%s, %d throttled: %s, want %s", test.since, test.throttled, got, test.want)
		}
	}
}
