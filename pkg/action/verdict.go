package action

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// Begin begins a step of the run's own timeline for a part of the run, whose events go to told. The function that it returns ends the
// step, and tells the part's verdict: of its outcome, which is Succeeded where it is empty, or of its error where it has one.
func (e *Env) Begin(step record.Step, told record.Sink) (end func(Outcome, error)) {
	step.Begun = e.Clock().Now()
	e.Events.Emit(record.Event{Kind: record.KindStepBegan, Step: &step})
	return func(outcome Outcome, err error) {
		switch {
		case err != nil:
			outcome = OutcomeOf(err)
		case outcome == "":
			outcome = Succeeded
		}
		ended, verdict := step, VerdictOf(step.Name, outcome, err)
		ended.State = record.Done
		if !verdict.OK {
			ended.State = record.Failed
		}
		told.Emit(record.Event{Kind: record.KindVerdict, Verdict: &verdict})
		e.Events.Emit(record.Event{Kind: record.KindStepEnded, Step: &ended})
	}
}

// VerdictOf returns how a run of the action of this name, or a part of one, ended: with the outcome, and with the error where it has
// one. The title of a failure is the root cause where somebody found it, otherwise what the outcome means.
func VerdictOf(name string, outcome Outcome, err error) record.Verdict {
	v := record.Verdict{Outcome: string(outcome), OK: outcome.ExitCode() == 0}
	if v.OK {
		return v
	}
	v.Message = "The run reported no error."
	if err != nil {
		v.Message = err.Error()
	}
	walk(err, func(e error) bool {
		switch e := e.(type) { //nolint:errorlint // walk unwraps
		case *Error:
			v.Title, v.Advice, v.Finding = cmp.Or(v.Title, e.Title), cmp.Or(v.Advice, e.Advice), cmp.Or(v.Finding, e.Finding)
			v.Place = cmp.Or(v.Place, e.Place)
			if outcome == Failed && 0 < e.Exit && e.Exit < 256 { // a shell sees no more than 8 bits of it
				v.Exit = cmp.Or(v.Exit, e.Exit)
			}
		case *record.Failure:
			v.Title, v.Advice, v.Finding = cmp.Or(v.Title, e.Title), cmp.Or(v.Advice, e.Advice), cmp.Or(v.Finding, e.Finding)
		case *awserr.Problem:
			v.Title = cmp.Or(v.Title, e.Title) // its advice is in the message
		}
		return false
	})
	if v.Title == "" {
		v.Title = name + " " + outcomeTitles[outcome]
	}
	if IsInputProblem(err) && outcome == Invalid {
		v.Advice = fmt.Sprintf("`connect2 %s --help` lists the inputs. Nothing was changed.", name)
	}
	if v.Finding != nil && slices.Contains(v.Finding.Fix, v.Advice) {
		v.Advice = "" // told with the finding
	}
	v.Advice = cmp.Or(v.Advice, outcomeAdvice[outcome])
	return v
}

var outcomeTitles = map[Outcome]string{
	Invalid:    "stopped before anything was changed",
	Failed:     "failed; the previous state is in force",
	RolledBack: "failed and was rolled back",
	Stuck:      "failed and could not be put back",
	Superseded: "was superseded by a newer deployment",
	TimedOut:   "ran out of time",
	Unknown:    "lost sight of what is running",
	Cancelled:  "was cancelled",
	Defect:     "met a defect of its own",
}

var outcomeAdvice = map[Outcome]string{
	Stuck:   "Act now: what runs is neither the old state nor the new one.",
	Unknown: "Look at the service before repeating the run: the change may or may not have arrived.",
}
