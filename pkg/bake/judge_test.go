package bake

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// minutes are n minutes of one kind.
func minutes(n, requests, errors int, latency time.Duration) (all []Minute) {
	for i := range n {
		all = append(all, Minute{At: noon.Add(time.Duration(i) * time.Minute), Requests: requests, Errors: errors, Latency: latency})
	}
	return all
}

// One condition flips at a time.
func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	hour := minutes(60, 1200, 2, 80*ms)
	spiky := append(minutes(59, 1200, 2, 80*ms), Minute{Requests: 1200, Errors: 30, Latency: 400 * ms})
	sleepy := append(minutes(59, 1200, 2, 80*ms), Minute{Requests: 99, Errors: 90, Latency: 9 * time.Second})
	for name, tt := range map[string]struct {
		before, since []Minute
		judged        bool
		problem       string
	}{
		"as before":                    {hour, minutes(3, 1200, 2, 80*ms), true, ""},
		"2 % more":                     {hour, minutes(1, 1200, 26, 80*ms), true, "bake-errors"},
		"1.4 % more":                   {hour, minutes(1, 1200, 19, 80*ms), true, "bake-errors"},
		"less than 1 % more":           {hour, minutes(2, 1200, 13, 80*ms), true, ""},
		"ten errors":                   {minutes(60, 1200, 0, 80*ms), minutes(1, 600, 10, 80*ms), true, "bake-errors"},
		"nine errors":                  {minutes(60, 1200, 0, 80*ms), minutes(1, 600, 9, 80*ms), true, ""},
		"as bad as the worst minute":   {spiky, minutes(1, 1200, 37, 80*ms), true, ""},
		"worse than the worst minute":  {spiky, minutes(1, 1200, 38, 80*ms), true, "bake-errors"},
		"a bad minute without traffic": {sleepy, minutes(1, 1200, 26, 80*ms), true, "bake-errors"},
		"many errors, and many more":   {minutes(60, 1200, 60, 80*ms), minutes(1, 1200, 130, 80*ms), true, ""},
		"in two minutes":               {minutes(60, 1200, 12, 80*ms), minutes(2, 1200, 40, 80*ms), true, "bake-errors"},
		"the same in one minute":       {minutes(60, 1200, 12, 80*ms), minutes(1, 1200, 40, 80*ms), true, ""},
		"few requests":                 {hour, minutes(3, 99, 50, time.Second), false, ""},
		"few requests before":          {minutes(60, 16, 0, 80*ms), minutes(3, 1200, 600, time.Second), false, ""},
		"just enough before":           {minutes(10, 100, 0, 80*ms), minutes(3, 1200, 600, time.Second), true, "bake-errors"},
		"nothing since":                {hour, nil, false, ""},
		"twice as slow":                {minutes(60, 1200, 2, 100*ms), minutes(2, 1200, 2, 200*ms), true, "bake-latency"},
		"nearly twice":                 {minutes(60, 1200, 2, 100*ms), minutes(2, 1200, 2, 199*ms), true, ""},
		"twice, of very little":        {minutes(60, 1200, 2, 10*ms), minutes(2, 1200, 2, 109*ms), true, ""},
		"slow for a minute":            {minutes(60, 1200, 2, 100*ms), minutes(1, 1200, 2, 900*ms), true, ""},
		"slow, then not": {minutes(60, 1200, 2, 100*ms),
			append(minutes(1, 1200, 2, 900*ms), minutes(1, 1200, 2, 100*ms)...), true, ""},
		"slow before too": {spiky, minutes(2, 1200, 2, 700*ms), true, ""},
		"slow with few requests": {minutes(60, 1200, 2, 100*ms),
			append(minutes(1, 99, 0, 900*ms), minutes(1, 1200, 2, 900*ms)...), true, ""},
		"no latency is known": {minutes(60, 1200, 2, 0), minutes(2, 1200, 2, 900*ms), true, ""},
	} {
		got := Judge(tt.before, tt.since)
		if got.Judged != tt.judged || got.Problem != tt.problem || (got.Problem != "") != (got.Title != "") || !got.Judged && got.After == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatIsToldOfARise(t *testing.T) {
	got := Judge(minutes(60, 1200, 2, 80*time.Millisecond), minutes(1, 1200, 26, 80*time.Millisecond))
	want := Judgement{Judged: true, Problem: "bake-errors", Title: "HTTP 5xx rose from 0.17 % to 2.17 % of the requests after the deployment",
		Before: "in the hour before: 120 of 72000 requests (0.17 %), at worst 0.17 % in 1 min",
		After:  "after it: 26 of 1200 requests (2.17 %) in 1 min from 12:00"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got = Judge(minutes(60, 1200, 2, 100*time.Millisecond), minutes(2, 600, 1, 450*time.Millisecond))
	want = Judgement{Judged: true, Problem: "bake-latency", Title: "Answers take 450ms instead of 100ms after the deployment",
		Before: "in the hour before: 100ms on average, at worst 100ms in a minute",
		After:  "after it: 450ms on average over 1200 requests in 2 min from 12:00"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// traffic is a service's, minute by minute: its rate and its share of errors breathe, and both are counted as they happen.
type traffic struct {
	random  *rand.Rand
	rate    float64 // requests a second
	errors  float64 // share
	latency float64 // milliseconds
}

func (s traffic) minute(at time.Time) Minute {
	breath := math.Exp(0.1 * s.random.NormFloat64())
	n := poisson(s.random, s.rate*60*breath)
	share := s.errors * math.Exp(0.2*s.random.NormFloat64())
	return Minute{At: at, Requests: n, Errors: min(n, poisson(s.random, share*float64(n))),
		Latency: time.Duration(s.latency * math.Exp(0.15*s.random.NormFloat64()) * float64(time.Millisecond))}
}

func (s traffic) minutes(n int) (all []Minute) {
	for i := range n {
		all = append(all, s.minute(noon.Add(time.Duration(i)*time.Minute)))
	}
	return all
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	limit, p, n := math.Exp(-mean), 1.0, -1
	for p > limit {
		p *= r.Float64()
		n++
	}
	return n
}

// TestHealthyHours never fires in 1,000 healthy hours, judged every minute.
func TestHealthyHours(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	judged := 0
	for hour := range 1000 {
		s := traffic{random: random, rate: math.Exp(random.Float64() * 6), errors: 0.03 * random.Float64() * random.Float64(),
			latency: 20 + 500*random.Float64()}
		before, since := s.minutes(60), s.minutes(60)
		for n := 1; n <= len(since); n++ {
			j := Judge(before, since[:n])
			if j.Problem != "" {
				t.Fatalf("hour %d, minute %d: %+v of %+v", hour, n, j, s)
			}
			if j.Judged {
				judged++
			}
		}
	}
	if judged < 40_000 {
		t.Errorf("only %d of 60,000 minutes were judged", judged)
	}
}

// TestRise catches a rise of 2 % at 20 requests a second within 2 minutes, where up to 0.3 % are usual.
func TestRise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for try := range 1000 {
		s := traffic{random: random, rate: 20, errors: 0.003 * random.Float64(), latency: 80}
		before := s.minutes(60)
		since := s.minutes(2)
		for i := range since {
			since[i].Errors += poisson(random, 0.02*float64(since[i].Requests))
		}
		if Judge(before, since[:1]).Problem != "bake-errors" && Judge(before, since).Problem != "bake-errors" {
			t.Fatalf("try %d: not caught: %+v", try, since)
		}
	}
}
