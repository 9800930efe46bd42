package logs

import (
	"testing"
	"time"
)

// Where nothing is shown, it is said of what, since when, and what may show more.
func TestSilence(t *testing.T) {
	const back = "; a longer --since looks further back"
	for _, test := range []struct {
		in    Inputs
		tasks int
		want  string
	}{
		{Inputs{}, 2, "2 tasks: no line so far; --previous shows what those said that were stopped"},
		{Inputs{}, 1, "1 task: no line so far; --previous shows what those said that were stopped"},
		{Inputs{Previous: true}, 1, "1 task: no line was left by those that were stopped"},
		{Inputs{Since: 5 * time.Minute}, 2, "2 tasks: no line in the last 5m00s" + back},
		{Inputs{Since: 5 * time.Minute, Previous: true}, 2, "2 tasks: no line in the last 5m00s" + back},
		{Inputs{Filter: "ERROR"}, 2, `2 tasks: no line has "ERROR" in the last 1h00m00s` + back},
		{Inputs{Filter: "ERROR", Since: 5 * time.Minute}, 2, `2 tasks: no line has "ERROR" in the last 5m00s` + back},
	} {
		if got := silence(test.in, test.tasks); got != test.want {
			t.Errorf("%+v: %q, want %q", test.in, got, test.want)
		}
	}
}
