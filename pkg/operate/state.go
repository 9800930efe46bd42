package operate

import (
	"slices"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
)

// State is how a service is doing, in one word.
type State string

// The states.
const (
	Steady      State = "steady"       // all tasks of one deployment run, and none is unhealthy
	Deploying   State = "deploying"    // a deployment is under way
	RollingBack State = "rolling-back" // one is being taken back
	Degraded    State = "degraded"     // nothing is under way, and tasks are missing or unhealthy
	Empty       State = "empty"        // it is to have no tasks, and has none
)

// Judge says how a service is doing. running is the service deployment that is under way, or nil; tasks and targets are those of the
// deployment that the service is at.
func Judge(s ecsview.Snapshot, running *history.Deployment, tasks []ecsview.Task, targets []ecsview.Target) State {
	primary := s.Primary()
	switch {
	case running != nil && running.RolledBack(), primary.InProgress() && primary.TakesBack():
		return RollingBack
	case running != nil || primary.InProgress():
		return Deploying
	case s.Desired == 0 && s.Running == 0:
		return Empty
	case s.Running < s.Desired || primary == nil || primary.Running < s.Desired || len(UnhealthyTasks(tasks, targets)) > 0:
		return Degraded
	}
	return Steady
}

// FailedTasks returns those that ended by their own fault or that of what they need, in the order given. One that ECS stopped since it
// was not wanted any more is not among them.
func FailedTasks(tasks []ecsview.Task) []ecsview.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t ecsview.Task) bool { return !t.Failed() })
}

// UnhealthyTasks returns those that run and fail a health check, their own or the load balancer's.
func UnhealthyTasks(tasks []ecsview.Task, targets []ecsview.Target) []ecsview.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t ecsview.Task) bool {
		if t.Stopped() {
			return true
		}
		return t.Health != "UNHEALTHY" && !slices.ContainsFunc(targets, func(target ecsview.Target) bool {
			return target.ID == t.IP && t.IP != "" && target.State == "unhealthy"
		})
	})
}
