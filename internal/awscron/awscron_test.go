package awscron

import (
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNext(t *testing.T) {
	for _, tt := range []struct{ expression, zone, after, start, want string }{
		// minutes and hours
		{"cron(15 10 * * ? *)", "UTC", "2026-11-27T10:14:59Z", "", "2026-11-27T10:15:00Z"},
		{"cron(15 10 * * ? *)", "UTC", "2026-11-27T10:15:00Z", "", "2026-11-28T10:15:00Z"},
		{"cron(0/15 8-17 * * ? *)", "UTC", "2026-11-27T17:45:00Z", "", "2026-11-28T08:00:00Z"},
		{"cron(*/20 * * * ? *)", "UTC", "2026-11-27T10:20:00Z", "", "2026-11-27T10:40:00Z"},
		{"cron(5,35 14 * * ? *)", "UTC", "2026-11-27T14:05:00Z", "", "2026-11-27T14:35:00Z"},
		{"cron(10-40/15 0 * * ? *)", "UTC", "2026-11-27T00:10:00Z", "", "2026-11-27T00:25:00Z"},
		{"cron(0 22-2 * * ? *)", "UTC", "2026-11-27T23:30:00Z", "", "2026-11-28T00:00:00Z"},
		{"cron(0 22-2 * * ? *)", "UTC", "2026-11-27T02:30:00Z", "", "2026-11-27T22:00:00Z"},
		{"cron(0 22-2 * * ? *)", "UTC", "2026-11-27T01:30:00Z", "", "2026-11-27T02:00:00Z"},
		{"cron(*/1 10 * * ? *)", "UTC", "2026-11-27T10:02:00Z", "", "2026-11-27T10:03:00Z"},
		// day of the month
		{"cron(0 8 1 * ? *)", "UTC", "2026-11-27T00:00:00Z", "", "2026-12-01T08:00:00Z"},
		{"cron(0 8 31 * ? *)", "UTC", "2026-11-01T00:00:00Z", "", "2026-12-31T08:00:00Z"},
		{"cron(0 8 L * ? *)", "UTC", "2028-02-01T00:00:00Z", "", "2028-02-29T08:00:00Z"},
		{"cron(0 8 LW * ? *)", "UTC", "2026-05-01T00:00:00Z", "", "2026-05-29T08:00:00Z"},
		{"cron(0 8 15W * ? *)", "UTC", "2026-08-01T00:00:00Z", "", "2026-08-14T08:00:00Z"},   // a Saturday
		{"cron(0 8 15W * ? *)", "UTC", "2026-11-01T00:00:00Z", "", "2026-11-16T08:00:00Z"},   // a Sunday
		{"cron(0 8 1W * ? *)", "UTC", "2026-08-01T00:00:00Z", "", "2026-08-03T08:00:00Z"},    // not into July
		{"cron(0 8 31W MAY ? *)", "UTC", "2026-05-01T00:00:00Z", "", "2026-05-29T08:00:00Z"}, // not into June
		{"cron(0 8 30W 2,3 ? *)", "UTC", "2026-02-01T00:00:00Z", "", "2026-03-30T08:00:00Z"}, // February has none
		{"cron(0 8 31W 4,5 ? *)", "UTC", "2027-04-01T00:00:00Z", "", "2027-05-31T08:00:00Z"}, // nor April, though May begins on a Saturday
		{"cron(0 8 1,15 * ? *)", "UTC", "2026-11-02T00:00:00Z", "", "2026-11-15T08:00:00Z"},
		{"cron(0 0 29 2 ? *)", "UTC", "2026-11-02T00:00:00Z", "", "2028-02-29T00:00:00Z"},
		// day of the week: 1 is Sunday
		{"cron(0 18 ? * MON-FRI *)", "UTC", "2026-11-27T18:00:00Z", "", "2026-11-30T18:00:00Z"},
		{"cron(0 18 ? * 1 *)", "UTC", "2026-11-27T18:00:00Z", "", "2026-11-29T18:00:00Z"},
		{"cron(0 18 ? * fri-mon *)", "UTC", "2026-11-23T18:00:00Z", "", "2026-11-27T18:00:00Z"},
		{"cron(0 18 ? * L *)", "UTC", "2026-11-23T18:00:00Z", "", "2026-11-28T18:00:00Z"},
		{"cron(0 18 ? * 6L *)", "UTC", "2026-11-01T18:00:00Z", "", "2026-11-27T18:00:00Z"},
		{"cron(0 18 ? * 6L *)", "UTC", "2026-07-01T18:00:00Z", "", "2026-07-31T18:00:00Z"}, // the month ends on it
		{"cron(0 18 ? * TUE#1 *)", "UTC", "2026-11-04T18:00:00Z", "", "2026-12-01T18:00:00Z"},
		{"cron(0 18 ? * TUE#2 *)", "UTC", "2026-11-01T18:00:00Z", "", "2026-11-10T18:00:00Z"},
		{"cron(0 18 ? * 3#5 *)", "UTC", "2026-11-01T18:00:00Z", "", "2026-12-29T18:00:00Z"},
		{"cron(0 18 ? * MON,WED *)", "UTC", "2026-11-24T18:00:00Z", "", "2026-11-25T18:00:00Z"},
		// month and year
		{"cron(0 0 1 JAN,JUL ? *)", "UTC", "2026-11-27T00:00:00Z", "", "2027-01-01T00:00:00Z"},
		{"cron(0 0 1 1/4 ? *)", "UTC", "2026-05-02T00:00:00Z", "", "2026-09-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 2030-2040/5)", "UTC", "2026-05-02T00:00:00Z", "", "2030-01-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 2020)", "UTC", "2026-05-02T00:00:00Z", "", ""},
		{"cron(0 0 1 1 ? 1970)", "UTC", "1969-12-31T00:00:00Z", "", "1970-01-01T00:00:00Z"},
		{"cron(0 0 31 2 ? *)", "UTC", "2026-05-02T00:00:00Z", "", ""},
		{"cron(0 0 31 12 ? 2199)", "UTC", "2026-05-02T00:00:00Z", "", "2199-12-31T00:00:00Z"},
		{"cron(0 8 * * ? *)", "UTC", "2026-11-27T00:00:00Z", "2026-12-24T00:00:00Z", "2026-12-24T08:00:00Z"},
		{"cron(0 8 * * ? *)", "UTC", "2026-11-27T00:00:00Z", "2026-12-24T08:00:00Z", "2026-12-24T08:00:00Z"},
		// a zone, and its clocks: what they leave out is passed over, what they have twice counts once
		{"cron(0 9 * * ? *)", "Europe/Berlin", "2026-11-27T00:00:00Z", "", "2026-11-27T08:00:00Z"},
		{"cron(30 23 ? * SUN *)", "America/New_York", "2026-11-27T00:00:00Z", "", "2026-11-30T04:30:00Z"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T02:00:00Z", "", "2026-03-30T00:30:00Z"},
		{"cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-25T00:45:00Z", "", "2026-10-26T01:30:00Z"},
		{"cron(0 10 * * ? *)", "Europe/Berlin", "2026-10-25T00:00:00Z", "", "2026-10-25T09:00:00Z"},       // after the clocks are put back
		{"cron(15 2 * * ? *)", "Australia/Lord_Howe", "2026-10-02T15:45:00Z", "", "2026-10-04T15:15:00Z"}, // half an hour is left out
		{"cron(45 1 * * ? *)", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", "", "2027-04-03T14:45:00Z"}, // half an hour comes twice
		{"cron(45 2 * * ? *)", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", "", "2027-04-03T16:15:00Z"},
		// rate
		{"rate(1 hour)", "UTC", "2026-11-27T10:05:00Z", "2026-11-29T10:00:00Z", "2026-11-29T10:00:00Z"},
		{"rate(5 minutes)", "UTC", "2026-11-27T10:02:00Z", "2026-11-27T10:00:00Z", "2026-11-27T10:05:00Z"},
		{"rate(5 minutes)", "UTC", "2026-11-27T10:05:00Z", "2026-11-27T10:00:00Z", "2026-11-27T10:10:00Z"},
		{"rate(1 day)", "UTC", "2026-11-27T10:05:00Z", "2026-11-29T10:00:00Z", "2026-11-29T10:00:00Z"},
		{"rate(2 hours)", "UTC", "2026-11-27T10:05:00Z", "", ""},
		// once
		{"at(2026-12-24T18:00:00)", "UTC", "2026-11-27T10:05:00Z", "", "2026-12-24T18:00:00Z"},
		{"at(2026-12-24T18:00:00)", "Asia/Tokyo", "2026-11-27T10:05:00Z", "", "2026-12-24T09:00:00Z"},
		{"at(2026-12-24T18:00:00)", "UTC", "2026-12-24T18:00:00Z", "", ""},
	} {
		e, err := Parse(tt.expression, zone(t, tt.zone))
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		moment := func(text string) (at time.Time) {
			if text != "" {
				if at, err = time.Parse(time.RFC3339, text); err != nil {
					t.Fatal(err)
				}
			}
			return at
		}
		got, found := e.Next(moment(tt.after), moment(tt.start))
		text := ""
		if found {
			text = got.UTC().Format(time.RFC3339)
		}
		if text != tt.want || e.String() != tt.expression {
			t.Errorf("%s in %s after %s: got %q, want %q", tt.expression, tt.zone, tt.after, text, tt.want)
		}
	}
}

// TestParse holds what is refused: each row differs in one thing from an expression that is accepted.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ expression, want string }{
		{"0 8 * * ? *", "want cron(…), rate(…) or at(…)"},
		{"cron(0 8 * * ? *", "want cron(…), rate(…) or at(…)"},
		{"every(0 8 * * ? *)", `"every" is not one of`},
		{"cron(0 8 * * *)", "not 5"},
		{"cron(0 8 * * ? * *)", "not 7"},
		{"cron(0 8 * * * *)", "one of day-of-month and day-of-week is ?"},
		{"cron(0 8 ? * ? *)", "one of day-of-month and day-of-week is ?"},
		{"cron(60 8 * * ? *)", `minutes: "60" is not between 0 and 59`},
		{"cron(0 24 * * ? *)", `hours: "24"`},
		{"cron(0 8 0 * ? *)", `day-of-month: "0"`},
		{"cron(0 8 32W * ? *)", `day-of-month: "32"`},
		{"cron(0 8 * 13 ? *)", `month: "13"`},
		{"cron(0 8 * FOO ? *)", `month: "FOO"`},
		{"cron(0 8 ? * 0 *)", `day-of-week: "0"`},
		{"cron(0 8 ? * 8 *)", `day-of-week: "8"`},
		{"cron(0 8 ? * 9L *)", `day-of-week: "9"`},
		{"cron(0 8 ? * 9#1 *)", `day-of-week: "9"`},
		{"cron(0 8 ? * MON#6 *)", `day-of-week: "6" is not a week`},
		{"cron(0 8 ? * MON#99999999999999999999 *)", `is not a week`},
		{"cron(0 8 ? * MON#x *)", `day-of-week: "x" is not a week`},
		{"cron(0 8 ? * MON#0 *)", `day-of-week: "0" is not a week`},
		{"cron(0 8 * * ? 1969)", `year: "1969"`},
		{"cron(0 8 * * ? 2200)", `year: "2200"`},
		{"cron(0/0 8 * * ? *)", `minutes: "0" is not a step`},
		{"cron(0/99999999999999999999 8 * * ? *)", `is not a step`},
		{"cron(0-x 8 * * ? *)", `minutes: "x"`},
		{"cron(1,, 8 * * ? *)", `minutes: ""`},
		{"rate(0 minutes)", `"0" is not a positive whole number`},
		{"rate(99999999999999999999 minutes)", `is not a positive whole number`},
		{"rate(x minutes)", `"x" is not a positive whole number`},
		{"rate(5 weeks)", "the unit is not"},
		{"rate(5)", "the unit is not"},
		{"at(2026-12-24)", "cannot parse"},
	} {
		if _, err := Parse(tt.expression, time.UTC); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.expression, err, tt.want)
		}
	}
}

func TestPeriod(t *testing.T) {
	for text, want := range map[string]time.Duration{"rate(1 minute)": time.Minute, "rate(3 hours)": 3 * time.Hour,
		"rate(2 days)": 48 * time.Hour, "cron(0 8 * * ? *)": 0} {
		if e, err := Parse(text, time.UTC); err != nil || e.Period() != want {
			t.Errorf("%s: got %s, %v", text, e.Period(), err)
		}
	}
}
