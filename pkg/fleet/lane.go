package fleet

import (
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

// Begin begins a member: a step of the run's own timeline. What the member tells goes to the environment that is returned; end ends it
// with its verdict.
func Begin(env *action.Env, name string) (lane *action.Env, end func(action.Outcome, error)) {
	step := record.Step{ID: name, Name: name, Lane: name, Begun: env.Clock().Now()}
	env.Events.Emit(record.Event{Kind: record.KindStepBegan, Step: &step})
	lane = env.Lane(name)
	return lane, func(outcome action.Outcome, err error) {
		switch {
		case err != nil:
			outcome = action.OutcomeOf(err)
		case outcome == "":
			outcome = action.Succeeded
		}
		ended, verdict := step, action.VerdictOf(name, outcome, err)
		ended.State = record.Done
		if !verdict.OK {
			ended.State = record.Failed
		}
		lane.Events.Emit(record.Event{Kind: record.KindVerdict, Verdict: &verdict})
		env.Events.Emit(record.Event{Kind: record.KindStepEnded, Step: &ended})
	}
}
