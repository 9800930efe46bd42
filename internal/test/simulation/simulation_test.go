package simulation

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// workers is how many processors the histories are spread over.
const workers = 2

// shrinkTime is how long a history that shows a violation is made shorter.
const shrinkTime = 40 * time.Second

// TestMain gives the histories' many small calls a collector that runs less often.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// atMost is how long histories are generated where nobody says how many.
const atMost = 4 * time.Second

// TestHistories generates histories and checks the invariants in each. What it does beyond some hundred, as far as they fit into
// atMost, is said by variables:
//
//	HISTORIES=2000    how many
//	SIMULATE_FOR=4m   for how long at most
//	SEED=7            which ones; without, 1 where nobody says how many, and else others each time
//	SURVEY=1          go on after a violation, make nothing shorter, and print the smallest history of each kind
//	RELEASES=1        with releases of two services, and with schedules: what they show is not all mended yet
//	FOUND=FILE        where the first history that shows a violation is written, as JSON for TestGiven
//	SURVEY=first      end with the first violation that is not known, and make nothing shorter
func TestHistories(t *testing.T) {
	histories, until, seed := 300, time.Now().Add(atMost), "1" // so that a change of something else finds nothing new here
	if text := os.Getenv("HISTORIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("HISTORIES=%q is not a number of histories", text)
		}
		histories, until, seed = n, time.Time{}, "0"
	}
	if text := os.Getenv("SEED"); text != "" {
		seed = text
	}
	if text := os.Getenv("SIMULATE_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("SIMULATE_FOR: %v", err)
		}
		until = time.Now().Add(d)
	}
	for name, value := range map[string]string{
		"rapid.checks": strconv.Itoa((histories + workers - 1) / workers), "rapid.nofailfile": "true", "rapid.seed": seed,
	} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	told := newCoverage()
	t.Run("generated", func(t *testing.T) {
		for n := range workers {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				search(t, n, told, until)
			})
		}
	})
	t.Logf("\n%s", told)
}

// TestGiven lets one history happen that a file holds as JSON, and tells it: HISTORY=FILE.
func TestGiven(t *testing.T) {
	file := os.Getenv("HISTORY")
	if file == "" {
		t.Skip("HISTORY names no file")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var h History
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	w := simulate(t, h)
	for _, r := range w.runs {
		t.Log(w.account(violation{invariant: "What happened", run: r, text: r.answer.Outcome}))
	}
	for _, v := range w.check() {
		if v.known == "" {
			t.Errorf("%s\n\n%s", h, w.account(v))
		}
	}
}

// search looks for a violation until a time, if one is given, and prints the shortest history that shows it. Workers that share a
// seed draw other histories from it.
func search(t *testing.T, worker int, told *coverage, until time.Time) {
	var shortest string
	var found time.Time
	t.Cleanup(func() {
		if shortest != "" {
			t.Logf("the shortest history that shows it:\n%s", shortest)
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		if shortest == "" && !until.IsZero() && time.Now().After(until) || os.Getenv("SURVEY") == "first" && told.found() {
			return
		}
		for range worker {
			rapid.Uint64().Draw(rt, "of another worker")
		}
		h := draw(rt)
		if shortest != "" && time.Since(found) > shrinkTime {
			return // rapid looks at its own limit between rounds alone
		}
		begun := time.Now()
		w := simulate(t, h)
		violations := w.check()
		if shortest == "" {
			told.add(w, violations, time.Since(begun))
		}
		for _, v := range violations {
			switch {
			case v.known != "":
			case os.Getenv("SURVEY") != "":
				if told.violates(w, v) && os.Getenv("FOUND") != "" {
					text, err := json.Marshal(h)
					if err == nil {
						err = os.WriteFile(os.Getenv("FOUND"), text, 0o600)
					}
					if err != nil {
						t.Error(err)
					}
				}
			default:
				if shortest == "" {
					found = time.Now()
				}
				shortest = h.String() + "\n\n" + w.account(v)
				rt.Fatalf("%s", v.invariant)
			}
		}
	})
}
