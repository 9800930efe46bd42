package render

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestColumns(t *testing.T) {
	rows := [][]string{{"1", "connect2-api-dev:2", "it was rolled back since two tasks in a row could not start"}, {"20", "x", ""}}
	got := Columns(50, []string{"NR", "REVISION", "WHY"}, rows)
	want := `  NR  REVISION            WHY
  1   connect2-api-dev:2  it was rolled back since
                          two tasks in a row could
                          not start
  20  x
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, width := range []int{0, 20, 45, 80, 200} {
		for line := range strings.Lines(Columns(width, []string{"NR", "REVISION", "WHY"}, rows)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); width >= 45 && n > width {
				t.Errorf("a line of %d in %d columns: %q", n, width, line)
			}
		}
	}
	got = Columns(0, []string{"A", "B"}, [][]string{{"x\x1b[2J\ny", "z"}})
	if strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "119s": 119 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "2h": 2 * time.Hour,
		"47h": 47 * time.Hour, "2d": 48 * time.Hour,
	} {
		if got := Age(d, true); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
	if got := Age(time.Hour, false); got != "-" {
		t.Errorf("got %s", got)
	}
}
