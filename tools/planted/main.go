// Command planted proves the simulation: it plants one mutation at a time in the code that decides, and has the simulation look for
// it. A mutation is a line that a person could have written; the simulation has to find each within so many histories: those of the corpus
// come first, as in CI, then those that are generated.
//
//	go run ./tools/planted                all of them (an hour on two cores)
//	go run ./tools/planted -only=waves    those whose name contains a word
//	go run ./tools/planted -corpus=false  by generated histories alone
//
// The files stay as they are: the mutated ones are given to the compiler in their place (-overlay).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mutation is one change of one place.
type mutation struct {
	name     string
	file     string
	old, new string // text that stands in the file once, and what takes its place
}

func main() {
	only := flag.String("only", "", "plant only the mutations whose names contain this")
	histories := flag.Int("histories", 2000, "how many histories may be needed")
	corpus := flag.Bool("corpus", true, "look at the histories of the corpus first")
	flag.Parse()
	missed, err := prove(*only, *histories, *corpus)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(2)
	case missed > 0:
		fmt.Fprintf(os.Stderr, "planted: %d mutations were not found\n", missed)
		os.Exit(1)
	}
}

// prove plants the mutations one after the other and prints a line for each.
func prove(only string, histories int, corpus bool) (missed int, err error) {
	folder, err := os.MkdirTemp("", "planted-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	if err := build(filepath.Join(folder, original)); err != nil {
		return 0, err
	}
	fmt.Println("| mutation | file | found after | by |")
	fmt.Println("|---|---|---|---|")
	for _, m := range mutations {
		if !strings.Contains(m.name, only) {
			continue
		}
		found, err := m.find(folder, histories, corpus)
		if err != nil {
			fmt.Fprintf(os.Stderr, "planted: %s: %v\n", m.name, err)
			found = ""
		}
		if found == "" {
			missed++
			found = fmt.Sprintf("NOT within %d | |", histories)
		}
		fmt.Printf("| %s | `%s` | %s\n", m.name, m.file, found)
	}
	return missed, nil
}

// verdict is what the simulation prints of the first violation that is not known.
var verdict = regexp.MustCompile(`found after (\d+) histories: (.*)`)

// find builds the simulation with the mutation and runs it until it finds something. It returns how that ends a line of the table.
func (m mutation) find(folder string, histories int, corpus bool) (string, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%q stands %d times in %s, want once", m.old, n, m.file)
	}
	mutated := filepath.Join(folder, "mutated.go")
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	binary, history := filepath.Join(folder, "mutated.test"), filepath.Join(folder, "history.json")
	if err := build(binary, "-overlay", list); err != nil {
		return "", err
	}
	start, tried := time.Now(), 0
	if corpus {
		name, size, err := inCorpus(folder, binary)
		if err != nil || name != "" {
			return fmt.Sprintf("the corpus's %d histories (%s) | %s |", size, time.Since(start).Round(time.Second), name), err
		}
		tried = size
	}
	for seed := 1; tried < histories; seed++ {
		out, err := simulate(binary, "^TestHistories$", fmt.Sprintf("HISTORIES=%d", histories-tried), fmt.Sprintf("SEED=%d", seed),
			"SURVEY=first", "FOUND="+history)
		match := verdict.FindStringSubmatch(out)
		if match == nil {
			return "", err // the mutation stayed hidden, or the simulation itself failed
		}
		took := time.Since(start).Round(time.Second)
		n, err := strconv.Atoi(match[1])
		if err != nil {
			return "", err
		}
		tried += max(n, 1)
		// What the code shows as it is proves nothing of the mutation: the search goes on with other histories.
		shown, err := simulate(filepath.Join(folder, original), "^TestGiven$", "HISTORY="+history)
		if err == nil {
			return fmt.Sprintf("%d histories (%s) | %s |", tried, took, match[2]), nil
		}
		fmt.Fprintf(os.Stderr, "planted: %s: a history (seed %d) fails without the mutation, too:\n%s", m.name, seed, shown)
	}
	return "", nil
}

// failed is how a history of the corpus is told that shows a violation.
var failed = regexp.MustCompile(`--- FAIL: TestCorpus/(\S+)`)

// inCorpus returns the name of a history of the corpus that fails with a mutation and passes without it, or "", and how many there are.
func inCorpus(folder, binary string) (name string, size int, err error) {
	out, err := simulate(binary, "^TestCorpus$")
	size = strings.Count(out, "=== RUN   TestCorpus/")
	if err == nil {
		return "", size, nil
	}
	matches := failed.FindAllStringSubmatch(out, -1)
	if len(matches) == 0 { // it ends in another way: by a panic, or a history that does not end
		return "the simulation itself ends by it", size, nil
	}
	for _, match := range matches {
		if _, err := simulate(filepath.Join(folder, original), "^TestCorpus$/^"+regexp.QuoteMeta(match[1])+"$"); err == nil {
			return strings.ReplaceAll(match[1], "_", " "), size, nil
		}
	}
	return "", size, nil
}

// original is the name of the simulation without a mutation.
const original = "original.test"

// build builds the simulation.
func build(binary string, flags ...string) error {
	arguments := append(append([]string{"test", "-c"}, flags...), "-o", binary, "./internal/test/simulation")
	run := exec.CommandContext(context.Background(), "go", arguments...) //nolint:gosec // the names are this program's own
	if out, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("building the simulation: %w\n%s", err, out)
	}
	return nil
}

// simulate runs a test of the simulation and returns what it prints.
func simulate(binary, test string, environ ...string) (string, error) {
	//nolint:gosec // the names are this program's own
	run := exec.CommandContext(context.Background(), binary, "-test.run", test, "-test.v", "-test.timeout", "12h")
	run.Dir = "internal/test/simulation"
	run.Env = append(os.Environ(), environ...)
	out, err := run.CombinedOutput()
	return string(out), err
}
