package status

import (
	"slices"

	"github.com/org/connect2/v2/pkg/diagnose"
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

// judge says how a service is doing. running is the service deployment that is under way, or nil.
func judge(s ecsview.Snapshot, running *history.Deployment, evidence diagnose.Evidence) State {
	primary := s.Primary()
	switch {
	case running != nil && running.RolledBack(), primary.InProgress() && primary.TakesBack():
		return RollingBack
	case running != nil || primary.InProgress():
		return Deploying
	case s.Desired == 0 && s.Running == 0:
		return Empty
	case s.Running < s.Desired || primary == nil || primary.Running < s.Desired || len(unhealthy(evidence)) > 0:
		return Degraded
	}
	return Steady
}

// failed returns the tasks that ended by their own fault or that of what they need, newest first. One that ECS stopped since it
// was not wanted any more is none.
func failed(evidence diagnose.Evidence) []diagnose.Task {
	return slices.DeleteFunc(slices.Clone(evidence.Tasks), func(t diagnose.Task) bool {
		return !ecsview.Task{StopCode: t.StopCode, Reason: t.Reason}.Failed()
	})
}

// unhealthy returns the tasks that run and fail a health check, their own or the load balancer's.
func unhealthy(evidence diagnose.Evidence) []diagnose.Task {
	return slices.DeleteFunc(slices.Clone(evidence.Tasks), func(t diagnose.Task) bool {
		if t.Stopped() {
			return true
		}
		return t.Health != "UNHEALTHY" && !slices.ContainsFunc(evidence.Targets, func(target diagnose.Target) bool {
			return target.ID == t.IP && t.IP != "" && target.State == "unhealthy"
		})
	})
}
