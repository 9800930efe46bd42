package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// verdict is what a run is held to.
type verdict struct {
	deciding []string
	listed   []*listing
	partial  bool // only some lines were mutated: no percentage is asked for, and entries need not match a mutant of those
}

// tally counts a file's mutants.
type tally struct {
	file                   string
	killed, total, skipped int
}

func (t tally) percent() float64 { return 100 * float64(t.killed) / float64(t.total) }

// report writes the table and the survivors, and returns an error where the tests do not hold what they must.
func report(out io.Writer, packages []*pkg, v verdict) error {
	var tallies []*tally
	byFile := map[string]*tally{}
	var problems []error
	skipped, unlisted := 0, 0
	lines := strings.Builder{}
	for _, p := range packages {
		for _, m := range p.mutants {
			t := byFile[m.file]
			if t == nil {
				t = &tally{file: m.file}
				byFile[m.file] = t
				tallies = append(tallies, t)
			}
			entry := v.entry(m)
			switch m.result {
			case invalid:
				continue
			case skippedOver:
				t.skipped++
				skipped++
				continue
			case killed:
				t.killed++
				t.total++
				if entry != nil {
					problems = append(problems, fmt.Errorf("%s lists a mutant that %s kills: %s", entry, m.failed, m.change()))
				}
				continue
			}
			t.total++
			reason := "not listed"
			switch {
			case entry != nil:
				reason = "listed: " + entry.reason
			case v.partial && !slices.Contains(v.deciding, m.file):
				reason = "not a deciding file"
			default:
				unlisted++
			}
			fmt.Fprintf(&lines, "%s:%d: %s: %s (%s; %s)\n", m.file, m.line, m.function, m.change(), m.result, reason)
		}
	}
	if lines.Len() > 0 {
		fmt.Fprintf(out, "\nAlive:\n%s", lines.String())
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	all := tally{file: "all"}
	fmt.Fprint(table, "killed\tof\t\tfile\t\n")
	for _, t := range append(tallies, &all) {
		if t != &all {
			all.killed, all.total, all.skipped = all.killed+t.killed, all.total+t.total, all.skipped+t.skipped
		}
		percent := "-"
		if t.total > 0 {
			percent = fmt.Sprintf("%.1f %%", t.percent())
		}
		fmt.Fprintf(table, "%d\t%d\t%s\t%s\t\n", t.killed, t.total, percent, t.file)
		if t != &all && !v.partial && slices.Contains(v.deciding, t.file) && t.total > 0 && t.percent() < enough {
			problems = append(problems, fmt.Errorf("%s: %.1f %% of its mutants are killed; at least %d %% must be", t.file, t.percent(), enough))
		}
	}
	table.Flush()
	if skipped > 0 {
		fmt.Fprintf(out, "%d mutants were skipped: the time was over\n", skipped)
	} else {
		fmt.Fprintln(out, "no mutant was skipped")
	}
	if unlisted > 0 {
		problems = append(problems, fmt.Errorf(
			"changes that no test notices and that are not listed: %d (see above); write a test for each, or list it with the reason", unlisted))
	}
	if !v.partial {
		problems = append(problems, v.stale(byFile)...)
	}
	return errors.Join(problems...)
}

// entry finds the mutant in the list.
func (v verdict) entry(m *mutant) *listing {
	for _, l := range v.listed {
		if l.file == m.file && l.function == m.function && l.change == m.change() {
			l.matched = true
			return l
		}
	}
	return nil
}

// stale are the entries that no mutant of the files that were mutated matches.
func (v verdict) stale(mutated map[string]*tally) []error {
	var problems []error
	for _, l := range v.listed {
		if mutated[l.file] != nil && !l.matched {
			problems = append(problems, fmt.Errorf("%s matches no mutant any more: %s: %s: %s", l, l.file, l.function, l.change))
		}
	}
	return problems
}

// staleEntries looks up the entries of these files among all their mutants, and runs none.
func staleEntries(ctx context.Context, root string, listed []*listing, targets []target) (stale, err error) {
	var whole []target
	mutated := map[string]*tally{}
	for _, t := range targets {
		if slices.ContainsFunc(listed, func(l *listing) bool { return l.file == t.file }) {
			whole, mutated[t.file] = append(whole, target{file: t.file}), &tally{}
		}
	}
	if len(whole) == 0 {
		return nil, nil
	}
	packages, err := load(ctx, root, whole)
	v := verdict{listed: listed}
	for _, p := range packages {
		for _, m := range p.mutants {
			v.entry(m)
		}
	}
	return errors.Join(v.stale(mutated)...), err
}

// listing is a mutant that may survive, and why.
type listing struct {
	file, function, change, reason string

	where   string
	matched bool
}

func (l *listing) String() string { return l.where }

// readSurvivors reads the list:
//
//	FILE FUNCTION
//	    CHANGE
//	        REASON, which may go on
//	        in the next line
func readSurvivors(path string) ([]*listing, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the list of mutants that may survive: %w", err)
	}
	const step = "    "
	var all []*listing
	var file, function string
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimRight(line, " \n")
		where := fmt.Sprintf("%s:%d", path, number)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, step+step):
			if len(all) == 0 || all[len(all)-1].function != function {
				return nil, fmt.Errorf("%s: a reason without a mutant", where)
			}
			l := all[len(all)-1]
			l.reason = strings.TrimSpace(l.reason + " " + strings.TrimSpace(line))
		case strings.HasPrefix(line, step):
			all = append(all, &listing{file: file, function: function, change: strings.TrimSpace(line), where: where})
		default:
			words := strings.Fields(line)
			if len(words) != 2 {
				return nil, fmt.Errorf("%s: want FILE FUNCTION, got %q", where, line)
			}
			file, function = words[0], words[1]
		}
	}
	for _, l := range all {
		if l.file == "" || l.reason == "" {
			return nil, fmt.Errorf("%s: a mutant needs a file, a function and a reason", l.where)
		}
	}
	return all, nil
}
