package schedule

import (
	"cmp"
	"fmt"
	"time"

	"github.com/org/connect2/v2/internal/awscron"
)

// Next returns when it runs next after a moment. It is not known of what is disabled or over, of rules that wait for events, and of a
// rate without a start.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	if !s.Enabled || s.Expression == "" || s.location == nil {
		return time.Time{}, false
	}
	e, err := awscron.Parse(s.Expression, s.location)
	if err != nil {
		return time.Time{}, false
	}
	at, found := e.Next(after, s.Start)
	if !found || !s.End.IsZero() && at.After(s.End) {
		return time.Time{}, false
	}
	return at, true
}

// Over reports whether it will not run again, though it is enabled.
func (s Schedule) Over(now time.Time) bool {
	if s.Expression == "" || s.location == nil {
		return !s.End.IsZero() && s.End.Before(now)
	}
	e, err := awscron.Parse(s.Expression, s.location)
	if err != nil {
		return false
	}
	if e.Period() > 0 {
		return !s.End.IsZero() && s.End.Before(now)
	}
	at, found := e.Next(now, s.Start)
	return !found || !s.End.IsZero() && at.After(s.End)
}

// When tells when it runs next, in words.
func (s Schedule) When(now time.Time) string {
	at, known := s.Next(now)
	e, err := awscron.Parse(s.Expression, time.UTC)
	switch {
	case !s.Enabled:
		return "it is disabled"
	case s.Over(now):
		return "it will not run again"
	case s.Expression == "":
		return "it runs on events"
	case known && s.Window > 0:
		return fmt.Sprintf("next run %s, or up to %s later", stamp(at), short(s.Window))
	case known:
		return "next run " + stamp(at)
	case err == nil && e.Period() > 0:
		return "it runs every " + short(e.Period())
	}
	return fmt.Sprintf("it runs by %s, %s", s.Expression, cmp.Or(s.Zone, "UTC"))
}

// stamp writes a moment in UTC, and in its own zone beside it where that differs.
func stamp(at time.Time) string {
	text := at.UTC().Format("2006-01-02 15:04 UTC")
	if _, offset := at.Zone(); offset != 0 {
		text += at.Format(" (15:04 MST)")
	}
	return text
}

// short writes a duration without what is zero at its end.
func short(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return count(int(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	}
	return count(int(d/time.Minute), "minute")
}

func count(n int, what string) string {
	if n == 1 {
		return what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
