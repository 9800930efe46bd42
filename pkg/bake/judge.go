package bake

import (
	"fmt"
	"math"
	"time"
)

// Minute is what a service's target groups answered in one minute, all of them together.
type Minute struct {
	At       time.Time // when it began
	Requests int
	Errors   int           // answers of the targets with HTTP 5xx
	Latency  time.Duration // on average
}

// How much traffic a judgement needs, and what it takes for a rise.
const (
	fewest      = 100  // requests in a minute: with fewer one slow client decides
	leastBefore = 1000 // requests in the hour before
	leastErrors = 10
	leastRise   = 0.01 // of all requests, beside what is usual
	worse       = 1.25 // times the worst stretch of the hour before that is as long
	breath      = 1.5  // by which the usual share of errors comes and goes
	slower      = 2    // times the slowest minute of the hour before
	leastSlower = 100 * time.Millisecond
	slowMinutes = 2 // in a row
)

// windows are over how many of the last minutes errors are counted, and how unlikely so many must be: one minute tells a plain rise at
// once, two tell a smaller one.
var windows = []struct {
	minutes int
	chance  float64
}{{1, 1e-9}, {2, 1e-6}}

// Judgement is what the traffic says.
type Judgement struct {
	Judged  bool   // there was enough traffic to compare
	Problem string // a cause of package diagnose: "bake-errors", "bake-latency"; "" where nothing is wrong
	Title   string // what is wrong
	Before  string // what was compared ...
	After   string // ... with what; where nothing is judged, why
}

// Judge compares the minutes since a deployment was complete with the hour before it began. It is quiet about what also happened before:
// a rise must stand above the hour's average by more than chance, and above its worst minute.
func Judge(before, since []Minute) Judgement {
	base, slowest := usual(before)
	if base.Requests < leastBefore {
		return Judgement{After: fmt.Sprintf("%d requests in the hour before: at least %d are needed to compare with", base.Requests, leastBefore)}
	}
	judged := false
	for _, w := range windows {
		if len(since) < w.minutes {
			continue
		}
		sum := total(since[len(since)-w.minutes:])
		if sum.Requests < fewest*w.minutes {
			continue
		}
		judged = true
		if worst := worstOf(before, w.minutes); rose(base, worst, sum, w.chance) {
			return Judgement{Judged: true, Problem: "bake-errors",
				Title: fmt.Sprintf("HTTP 5xx rose from %s to %s of the requests after the deployment", percent(base), percent(sum)),
				Before: fmt.Sprintf("in the hour before: %d of %d requests (%s), at worst %.2f %% in %d min", base.Errors, base.Requests, percent(base),
					worst*100, w.minutes),
				After: fmt.Sprintf("after it: %d of %d requests (%s) in %d min from %s", sum.Errors, sum.Requests, percent(sum), w.minutes,
					since[len(since)-w.minutes].At.UTC().Format("15:04"))}
		}
	}
	if len(since) >= slowMinutes {
		if last := since[len(since)-slowMinutes:]; slow(base, slowest, last) {
			now := total(last)
			return Judgement{Judged: true, Problem: "bake-latency",
				Title:  fmt.Sprintf("Answers take %s instead of %s after the deployment", short(now.Latency), short(base.Latency)),
				Before: fmt.Sprintf("in the hour before: %s on average, at worst %s in a minute", short(base.Latency), short(slowest)),
				After: fmt.Sprintf("after it: %s on average over %d requests in %d min from %s", short(now.Latency), now.Requests, slowMinutes,
					last[0].At.UTC().Format("15:04"))}
		}
	}
	if !judged {
		return Judgement{After: fmt.Sprintf("fewer than %d requests in a minute: too few to judge", fewest)}
	}
	return Judgement{Judged: true}
}

// usual sums the hour before up: all of it, and the latency of its slowest minute that had enough traffic.
func usual(before []Minute) (sum Minute, slowest time.Duration) {
	for _, m := range before {
		if m.Requests >= fewest {
			slowest = max(slowest, m.Latency)
		}
	}
	return total(before), slowest
}

// worstOf returns the share of errors in the worst of all stretches of so many minutes that had enough traffic.
func worstOf(before []Minute, minutes int) (worst float64) {
	for i := range len(before) - minutes + 1 {
		if sum := total(before[i : i+minutes]); sum.Requests >= fewest*minutes {
			worst = max(worst, float64(sum.Errors)/float64(sum.Requests))
		}
	}
	return worst
}

// total is the sum of minutes, with their latency on average of all requests.
func total(minutes []Minute) (sum Minute) {
	var took float64
	for _, m := range minutes {
		sum.Requests, sum.Errors = sum.Requests+m.Requests, sum.Errors+m.Errors
		took += float64(m.Latency) * float64(m.Requests)
	}
	if sum.Requests > 0 {
		sum.Latency = time.Duration(took / float64(sum.Requests))
	}
	return sum
}

// rose reports whether the errors of some minutes are more than the hour before explains.
func rose(base Minute, worst float64, now Minute, chance float64) bool {
	p := float64(base.Errors+1) / float64(base.Requests)
	share := float64(now.Errors) / float64(now.Requests)
	return now.Errors >= leastErrors && share-p >= leastRise && share > worse*worst &&
		tail(breath*p*float64(now.Requests), now.Errors) < chance
}

// tail is how likely n or more events are where so many are expected (Poisson). Its largest term bounds it well where n is far above.
func tail(expected float64, n int) float64 {
	if float64(n) <= expected {
		return 1
	}
	gamma, _ := math.Lgamma(float64(n) + 1)
	term := math.Exp(float64(n)*math.Log(expected) - expected - gamma)
	return term / (1 - expected/float64(n+1))
}

// slow reports whether each of some minutes is slower than any of the hour before explains.
func slow(base Minute, slowest time.Duration, minutes []Minute) bool {
	for _, m := range minutes {
		if m.Requests < fewest || slowest == 0 || m.Latency < slower*slowest || m.Latency < base.Latency+leastSlower {
			return false
		}
	}
	return true
}

func percent(m Minute) string {
	return fmt.Sprintf("%.2f %%", 100*float64(m.Errors)/float64(m.Requests))
}

func short(d time.Duration) string { return d.Round(time.Millisecond).String() }
