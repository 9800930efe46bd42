package render

import (
	"fmt"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
)

// relative writes the time since the start of the run: "+4.2s", "+3m07s", "+1h02m07s".
func relative(d time.Duration) string { return "+" + Took(d) }

// Took writes how long something took: "4.2s", "3m07s", "1h02m07s".
func Took(d time.Duration) string { return clock.Took(d) }

// Moment writes a point in time, in UTC: "2026-01-02 15:04 UTC".
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// Day writes a point in time of the last days, for lists: "01-02 15:04".
func Day(t time.Time) string { return t.UTC().Format("01-02 15:04") }

// Second writes a point in time of the last hours, for lists: "15:04:05".
func Second(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

// Size writes a number of bytes with a unit, in powers of 1000 as registries bill them.
func Size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1000_000_000)
	}
}
