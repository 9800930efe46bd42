package fleet

import (
	"errors"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
)

// refusal is a problem, and the members that have it.
type refusal struct {
	names []string
	err   error // of the first of them
	reason
	words []string // of its text
	at    int      // which of them is another for each member; negative: none is
	own   []string // those of the members, each once
}

// reason is the part of a refusal's verdict that several members may have in common.
type reason struct{ title, advice string }

// reasonOf returns why a member was refused; the title is empty where there is none beside that of all refusals.
func reasonOf(general string, err error) reason {
	v := action.VerdictOf("", action.OutcomeOf(err), err)
	if v.Title == general || strings.HasPrefix(v.Title, " ") {
		return reason{}
	}
	return reason{v.Title, v.Advice}
}

// add takes the problem of a member. It is told once with those of others that say the same, but for one word where the title says that the
// reason is one: the revision that runs, for example.
func add(all []refusal, name string, why reason, err error) []refusal {
	words := strings.Split(err.Error(), " ")
	for i := range all {
		if all[i].reason == why && all[i].takes(words) {
			all[i].names = append(all[i].names, name)
			return all
		}
	}
	return append(all, refusal{names: []string{name}, err: err, reason: why, words: words, at: -1})
}

// parts returns the problems that an error joins; one that joins none is alone.
func parts(err error) (all []error) {
	for e := err; e != nil; {
		switch wraps := e.(type) { //nolint:errorlint // what it wraps is looked at
		case interface{ Unwrap() []error }:
			var lines []string
			for _, part := range wraps.Unwrap() {
				all, lines = append(all, parts(part)...), append(lines, part.Error())
			}
			if strings.Join(lines, "\n") == err.Error() {
				return all
			}
			return []error{err}
		case interface{ Unwrap() error }:
			e = wraps.Unwrap()
		default:
			return []error{err}
		}
	}
	return []error{err}
}

// takes adds a text that says the same, and reports whether it does.
func (r *refusal) takes(words []string) bool {
	at := r.at
	if len(words) != len(r.words) {
		return false
	}
	for i := range words {
		switch {
		case words[i] == r.words[i], i == at:
		case at >= 0 || r.title == "":
			return false
		default:
			at = i
		}
	}
	if at < 0 {
		return true
	}
	if r.at < 0 {
		r.at, r.own = at, []string{r.words[at]}
	}
	if !slices.Contains(r.own, words[at]) {
		r.own = append(r.own, words[at])
	}
	return true
}

// Error is the problem of all of them, with their names before it.
func (r *refusal) Error() string {
	words := slices.Clone(r.words)
	if r.at >= 0 {
		end := r.own[0][len(strings.TrimRight(r.own[0], ",.;:")):]
		var all []string
		for _, word := range r.own {
			all = append(all, strings.TrimSuffix(word, end))
		}
		words[r.at] = strings.Join(all, ", ") + end
	}
	return strings.Join(r.names, ", ") + ": " + strings.Join(words, " ")
}

func (r *refusal) Unwrap() error { return r.err }

// joined is an error of a line for each problem.
func joined(all []refusal) error {
	var errs []error
	for i := range all {
		errs = append(errs, &all[i])
	}
	return errors.Join(errs...)
}
