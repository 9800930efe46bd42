package fleet

import (
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

// Begin begins a member: a step of the run's own timeline. What the member tells goes to the environment that is returned; end ends it
// with its verdict.
func Begin(env *action.Env, name string) (lane *action.Env, end func(action.Outcome, error)) {
	lane = env.Lane(name)
	return lane, env.Begin(record.Step{ID: name, Name: name, Lane: name}, lane.Events)
}
