// Package awscron reads the expressions by which EventBridge and EventBridge Scheduler start things, and says when that is next.
package awscron

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expression says when something runs: cron(…), rate(…) or at(…), as EventBridge and EventBridge Scheduler write them.
type Expression struct {
	text string
	zone *time.Location
	cron *cron
	rate time.Duration
	at   time.Time
}

// Parse reads an expression. zone is the time zone that it is evaluated in: UTC for rules, which have no other.
//
// Sources: "Schedule types in EventBridge Scheduler" and "Setting a schedule pattern for scheduled rules" of the user guides.
func Parse(text string, zone *time.Location) (Expression, error) {
	e := Expression{text: text, zone: zone}
	kind, rest, _ := strings.Cut(text, "(")
	inside, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return Expression{}, fmt.Errorf("%q is not a schedule: want cron(…), rate(…) or at(…)", text)
	}
	var err error
	switch kind {
	case "cron":
		e.cron, err = parseCron(inside)
	case "rate":
		e.rate, err = parseRate(inside)
	case "at":
		e.at, err = time.ParseInLocation("2006-01-02T15:04:05", inside, zone)
	default:
		err = fmt.Errorf("%q is not one of cron, rate and at", kind)
	}
	if err != nil {
		return Expression{}, fmt.Errorf("%q is not a schedule: %w", text, err)
	}
	return e, nil
}

// String returns the expression as it was written.
func (e Expression) String() string { return e.text }

// Period returns how long it is from one run to the next where that is always the same: of rate(…). 0 for others.
func (e Expression) Period() time.Duration { return e.rate }

// Next returns the first run after a moment. A rate runs from its start on: without one (zero), when it runs is not known, since AWS
// tells no run. A time that the clocks of the zone leave out is passed over; one that they have twice counts once.
func (e Expression) Next(after, start time.Time) (time.Time, bool) {
	switch {
	case e.cron != nil:
		if start.After(after) {
			after = start.Add(-time.Nanosecond)
		}
		return e.cron.next(after.In(e.zone))
	case e.rate != 0:
		switch {
		case start.IsZero():
			return time.Time{}, false
		case start.After(after):
			return start, true
		}
		return start.Add((after.Sub(start)/e.rate + 1) * e.rate), true
	default:
		return e.at, e.at.After(after)
	}
}

func parseRate(text string) (time.Duration, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	value, err := strconv.Atoi(number)
	unit = strings.TrimSuffix(strings.TrimSpace(unit), "s")
	of, known := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[unit]
	switch {
	case err != nil || value < 1:
		return 0, fmt.Errorf("%q is not a positive whole number", number)
	case !known:
		return 0, fmt.Errorf("the unit is not minutes, hours or days")
	}
	return time.Duration(value) * of, nil
}

// cron is a schedule by the calendar.
type cron struct {
	minutes, hours, months, years []int
	date                          []day // of the month; nil: by the day of the week
	week                          []day
}

// day says which days of a month match.
type day func(year int, month time.Month, day int) bool

// field is what one of cron's fields may hold.
type field struct {
	name        string
	least, most int
	names       []string // from least on
}

var (
	minuteField = field{name: "minutes", least: 0, most: 59}
	hourField   = field{name: "hours", least: 0, most: 23}
	dateField   = field{name: "day-of-month", least: 1, most: 31}
	monthField  = field{name: "month", least: 1, most: 12,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	weekField = field{name: "day-of-week", least: 1, most: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}
	yearField = field{name: "year", least: 1970, most: 2199}
)

func parseCron(text string) (*cron, error) {
	parts := strings.Fields(text)
	if len(parts) != 6 {
		return nil, fmt.Errorf("cron has 6 fields (minutes, hours, day-of-month, month, day-of-week, year), not %d", len(parts))
	}
	if (parts[2] == "?") == (parts[4] == "?") {
		return nil, fmt.Errorf("one of day-of-month and day-of-week is ?, and not the other")
	}
	c := &cron{}
	var minutes, hours, months, years, days error
	c.minutes, minutes = minuteField.list(parts[0])
	c.hours, hours = hourField.list(parts[1])
	c.months, months = monthField.list(parts[3])
	c.years, years = yearField.list(parts[5])
	if parts[4] == "?" {
		c.date, days = dates(parts[2])
	} else {
		c.week, days = weekdays(parts[4])
	}
	return c, cmp.Or(minutes, hours, months, years, days)
}

// number reads one value: a number, or one of the field's names.
func (f field) number(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToUpper(text)); i >= 0 {
		return f.least + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.least || n > f.most {
		return 0, fmt.Errorf("%s: %q is not between %d and %d", f.name, text, f.least, f.most)
	}
	return n, nil
}

// list reads values, ranges and steps. A range whose end is before its beginning goes on at the field's beginning.
func (f field) list(text string) ([]int, error) {
	has := map[int]bool{}
	for item := range strings.SplitSeq(text, ",") {
		if err := f.item(item, has); err != nil {
			return nil, err
		}
	}
	var values []int
	for n := f.least; n <= f.most; n++ {
		if has[n] {
			values = append(values, n)
		}
	}
	return values, nil
}

func (f field) item(item string, has map[int]bool) (err error) {
	span, by, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		if step, err = strconv.Atoi(by); err != nil || step < 1 {
			return fmt.Errorf("%s: %q is not a step", f.name, by)
		}
	}
	from, to := f.least, f.most
	if span != "*" {
		first, last, ranged := strings.Cut(span, "-")
		if from, err = f.number(first); err != nil {
			return err
		}
		switch {
		case ranged:
			if to, err = f.number(last); err != nil {
				return err
			}
		case !stepped:
			to = from
		}
	}
	if to < from {
		to += f.most - f.least + 1
	}
	for n := from; n <= to; n++ {
		if (n-from)%step == 0 {
			has[f.least+(n-f.least)%(f.most-f.least+1)] = true
		}
	}
	return nil
}

// dates reads the day-of-month field: values, L (the last day), W (the weekday nearest to a day) and LW (the last weekday).
func dates(text string) (days []day, err error) {
	for item := range strings.SplitSeq(text, ",") {
		near, nearest := strings.CutSuffix(item, "W")
		switch {
		case item == "L":
			days = append(days, func(y int, m time.Month, d int) bool { return d == lastOf(y, m) })
		case item == "LW":
			days = append(days, func(y int, m time.Month, d int) bool { return d == weekdayNear(y, m, lastOf(y, m)) })
		case nearest:
			n, err := dateField.number(near)
			if err != nil {
				return nil, err
			}
			days = append(days, func(y int, m time.Month, d int) bool { return n <= lastOf(y, m) && d == weekdayNear(y, m, n) })
		default:
			values, err := dateField.list(item)
			if err != nil {
				return nil, err
			}
			days = append(days, func(_ int, _ time.Month, d int) bool { return slices.Contains(values, d) })
		}
	}
	return days, nil
}

// weekdays reads the day-of-week field: values, L (Saturday), NL (the last N of the month) and N#M (the Mth N of the month).
func weekdays(text string) (days []day, err error) {
	of := func(y int, m time.Month, d int) int {
		return int(date(y, m, d).Weekday()) + 1
	}
	for item := range strings.SplitSeq(text, ",") {
		last, isLast := strings.CutSuffix(item, "L")
		name, which, counted := strings.Cut(item, "#")
		switch {
		case item == "L":
			days = append(days, func(y int, m time.Month, d int) bool { return of(y, m, d) == 7 })
		case isLast:
			n, err := weekField.number(last)
			if err != nil {
				return nil, err
			}
			days = append(days, func(y int, m time.Month, d int) bool { return of(y, m, d) == n && d+7 > lastOf(y, m) })
		case counted:
			n, err := weekField.number(name)
			if err != nil {
				return nil, err
			}
			count, _ := strconv.Atoi(which) // of what is not a number: 0, or the largest one
			if count < 1 || count > 5 {
				return nil, fmt.Errorf("day-of-week: %q is not a week of a month, 1 to 5", which)
			}
			days = append(days, func(y int, m time.Month, d int) bool { return of(y, m, d) == n && (d-1)/7+1 == count })
		default:
			values, err := weekField.list(item)
			if err != nil {
				return nil, err
			}
			days = append(days, func(y int, m time.Month, d int) bool { return slices.Contains(values, of(y, m, d)) })
		}
	}
	return days, nil
}

// lastOf returns the last day of a month.
func lastOf(year int, month time.Month) int {
	return date(year, month+1, 0).Day()
}

// date is a day of the calendar.
func date(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// weekdayNear returns the day from Monday to Friday that is nearest to a day, in the same month.
func weekdayNear(year int, month time.Month, d int) int {
	switch date(year, month, d).Weekday() {
	case time.Saturday:
		if d == 1 {
			return 3
		}
		return d - 1
	case time.Sunday:
		if d == lastOf(year, month) {
			return d - 2
		}
		return d + 1
	}
	return d
}

// next returns the first moment after another one, in that one's time zone.
func (c *cron) next(after time.Time) (time.Time, bool) {
	days := slices.Concat(c.date, c.week)
	year, month, first := after.Date()
	for ; year <= yearField.most; year, month, first = year+1, time.January, 1 {
		if !slices.Contains(c.years, year) {
			continue
		}
		for ; month <= time.December; month, first = month+1, 1 {
			if !slices.Contains(c.months, int(month)) {
				continue
			}
			for d := first; d <= lastOf(year, month); d++ {
				if !slices.ContainsFunc(days, func(matches day) bool { return matches(year, month, d) }) {
					continue
				}
				if at, found := c.within(year, month, d, after); found {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}

// within returns the first moment of a day after another one.
func (c *cron) within(year int, month time.Month, d int, after time.Time) (time.Time, bool) {
	for _, hour := range c.hours {
		for _, minute := range c.minutes {
			at := first(time.Date(year, month, d, hour, minute, 0, 0, after.Location()))
			there := at.Hour() == hour && at.Minute() == minute // the clocks may leave it out
			if there && at.After(after) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// first returns the earlier one of two moments at which the clocks show the same. Which of them AWS takes is not documented.
func first(at time.Time) time.Time {
	_, before := at.Add(-24 * time.Hour).Zone()
	_, now := at.Zone()
	earlier := at.Add(-time.Duration(before-now) * time.Second)
	if earlier.Hour() == at.Hour() && earlier.Minute() == at.Minute() {
		return earlier
	}
	return at
}
