package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
)

// After is how a member is once all is over.
type After string

// What became of a member.
const (
	Untouched After = "untouched" // it was not begun
	Unchanged After = "unchanged" // it had what was wanted already
	Arrived   After = "arrived"   // it has what was wanted
	Ended     After = "ended"     // its own run failed, and said how it is
	Back      After = "back"      // it was put back to what it was
	GoingBack After = "going back"
	Changed   After = "changed"  // somebody has changed it since, so that it was left alone
	Stranded  After = "stranded" // it could not be put back
	Restored  After = "restored" // of a rollback: it is on an earlier version, as was asked for
	Apart     After = "apart"    // of a rollback: the release that is undone had not changed it
	Halfway   After = "halfway"  // of a rollback: its own failed
	Rehearsed After = "rehearsed"
)

// Standing is how a member is once all is over, and what there is to say of it.
type Standing struct {
	Name     string
	Service  string
	After    After
	Revision string // that it is at, where that is known
	Place    int    // in which it ended; 0: it did not begin
	Err      error  // of its own run; nil where that went well
	BackErr  error  // of Stranded
}

// String says it in one line.
func (s Standing) String() string {
	at := ""
	if s.Revision != "" {
		at = " " + s.Revision
	}
	switch s.After {
	case Untouched:
		return s.Name + " was not begun" + prefixed(", and is on", at)
	case Unchanged:
		return s.Name + " has" + cmp.Or(at, " it") + " already"
	case Arrived:
		return s.Name + " stays at" + cmp.Or(at, " what was deployed")
	case Back:
		return s.Name + " is back on" + cmp.Or(at, " what it was")
	case GoingBack:
		return s.Name + " goes back to" + cmp.Or(at, " what it was") + "; that is not waited for"
	case Changed:
		return s.Name + " was changed by somebody since, and was left alone" + prefixed(" at", at)
	case Stranded:
		return fmt.Sprintf("%s could not be put back: %v", s.Name, s.BackErr)
	case Restored:
		return s.Name + " is back on" + cmp.Or(at, " an earlier version")
	case Apart:
		return s.Name + " stays" + prefixed(" on", at) + ": the newest release has not changed it"
	case Halfway:
		if at == "" {
			return "what " + s.Name + " is on could not be read"
		}
		return s.Name + " is on" + at
	case Rehearsed:
		return s.Name + " would be on" + cmp.Or(at, " a new revision") + ": nothing was changed"
	}
	return s.Name + ": " + string(action.OutcomeOf(s.Err))
}

func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// Fault returns the member that failed first by itself, or nil. Those that were only stopped since another failed are not at fault.
func Fault(all []Standing) *Standing {
	var first *Standing
	for i, s := range all {
		if s.Err == nil || errors.Is(s.Err, ErrStopped) {
			continue
		}
		if first == nil || s.Place < first.Place {
			first = &all[i]
		}
	}
	return first
}

// EndedWell reports whether nothing failed and all was begun. Then a run is a good one also where it was interrupted at its very end.
func EndedWell(all []Standing) bool {
	return !slices.ContainsFunc(all, func(s Standing) bool { return s.Err != nil || s.After == Untouched })
}

// Outcome returns the outcome of the whole: succeeded or no-change where nothing failed; stuck where anything could not be put back, and
// otherwise that of the member at fault; stuck too where a rollback has brought some members back and others not. changed says that
// something was changed before that.
func Outcome(all []Standing, interrupted, changed bool) action.Outcome {
	var outcomes []action.Outcome
	stranded, back, arrived, restored := false, false, false, false
	for _, s := range all {
		stranded = stranded || s.After == Stranded
		back = back || s.After == Back
		arrived = arrived || slices.Contains([]After{Arrived, Restored, Rehearsed}, s.After)
		restored = restored || s.After == Restored
		outcomes = append(outcomes, action.OutcomeOf(s.Err))
	}
	fault := Fault(all)
	switch {
	case stranded, slices.Contains(outcomes, action.Stuck):
		return action.Stuck
	case slices.Contains(outcomes, action.Unknown):
		return action.Unknown
	case interrupted:
		return action.Cancelled
	case fault == nil && arrived:
		return action.Succeeded
	case fault == nil:
		return action.NoChange
	}
	outcome := action.OutcomeOf(fault.Err)
	switch {
	case restored && slices.Contains([]action.Outcome{action.Invalid, action.Failed, action.RolledBack}, outcome):
		return action.Stuck // some are on the old version, and others are not
	case outcome == action.Invalid && back, outcome == action.Failed && back:
		return action.RolledBack
	case outcome == action.Invalid && changed: // that nothing was changed is not true of the whole
		return action.Failed
	}
	return outcome
}

// Verdict returns the error of the whole, which names the member at fault first, or nil where all went well.
func Verdict(all []Standing, interrupted, changed bool) error {
	outcome := Outcome(all, interrupted, changed)
	if outcome == action.Succeeded || outcome == action.NoChange {
		return nil
	}
	failure := &action.Error{Outcome: outcome}
	var lines []string
	fault := Fault(all)
	if fault != nil {
		own := action.VerdictOf(fault.Name, action.OutcomeOf(fault.Err), fault.Err)
		failure.Title, failure.Advice, failure.Finding, failure.Place = own.Title, own.Advice, own.Finding, own.Place
		if !strings.HasPrefix(failure.Title, fault.Name+" ") {
			failure.Title = fault.Name + ": " + own.Title
		}
	}
	for _, s := range all {
		if fault != nil && s.Name == fault.Name && s.After == Ended { // the message begins with its error
			continue
		}
		line := s.String()
		if s.Err != nil && !errors.Is(s.Err, ErrStopped) && s.Name != fault.Name {
			line += fmt.Sprintf("; it failed too: %v", awserr.Explain(s.Err))
		}
		lines = append(lines, line)
	}
	if hasStranded(all) && (fault == nil || action.OutcomeOf(fault.Err) != action.Stuck) {
		failure.Advice = "Act now: look at the services that could not be put back, and deploy a version of them that is known to work."
	}
	rest := strings.Join(lines, "\n")
	if fault == nil {
		failure.Title = cmp.Or(failure.Title, "The run was interrupted")
		failure.Err = errors.New(rest)
		return failure
	}
	failure.Err = fmt.Errorf("%s: %w\n%s", fault.Name, fault.Err, rest)
	return failure
}

func hasStranded(all []Standing) bool {
	return slices.ContainsFunc(all, func(s Standing) bool { return s.After == Stranded })
}
