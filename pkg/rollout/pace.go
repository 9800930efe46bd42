package rollout

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
)

const (
	slowest     = 9 * time.Second         // while something has to happen before the next change can be the end; with the spread, up to 10 s
	slower      = 4 * time.Second         // while tasks that have failed are replaced, and where more was read than there is for it
	nearest     = 1800 * time.Millisecond // while the next change is the end: with the spread, it is noticed within 2 s
	backOffMost = 30 * time.Second        // when the API throttles
)

// pace says how long to wait until the next read: as long as the step allows that the deployment is at. Each throttled read in a row
// doubles the wait.
//
// ECS is asked at most 45 times a minute, and 15 times on average over a rollout; the API allows an account 20 reads of services a second
// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html).
func pace(most time.Duration, throttled int) time.Duration {
	if throttled > 0 {
		return min(time.Second<<min(throttled, 5), backOffMost)
	}
	return most
}

// spread is the share by which the wait until a read is shorter or longer, so that runs which began together do not read together.
const spread = 0.1

// perMinute is how many calls there are for each minute of a rollout, and aheadCalls how many more may have been made at any time: the end
// of one that nothing announces is waited for at the quickest pace for about a minute.
const (
	perMinute  = 15
	aheadCalls = 30
)

// lavish reports whether more calls were made than there are for the time so far.
func lavish(calls int, since time.Duration) bool {
	return float64(calls) > perMinute*since.Minutes()+aheadCalls
}

// cleanUp is the last stage of a deployment whose traffic is shifted in stages: then the old tasks are stopped
// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html, lifecycleStage).
const cleanUp = "CLEAN_UP"

// nearEnd reports whether the next change of a service may be that its newest deployment is complete. Before that all of its tasks have
// to run, traffic in stages has to be shifted, and those of other deployments have to stop. leaving says that one of these is being taken
// out of its target groups: it is sent the stop signal after that, and only then its network interface is taken away
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html).
func nearEnd(s ecsview.Snapshot, leaving bool) bool {
	primary := s.Primary()
	switch {
	case primary == nil, primary.State == rolloutFailed, primary.State == string(types.DeploymentRolloutStateCompleted):
		return true // it may be gone back from, or it is there
	case primary.Running < primary.Desired:
		return false
	case s.Own != nil && s.Own.Stage != "" && s.Own.Stage != cleanUp && !primary.TakesBack():
		return false
	case othersRun(s):
		return false
	}
	return !leaving
}

// othersRun reports whether tasks run of a deployment that is not the newest.
func othersRun(s ecsview.Snapshot) bool {
	for _, d := range s.Deployments {
		if d.Status != "PRIMARY" && d.Running > 0 {
			return true
		}
	}
	return false
}

// Pace is how long whoever only looks on waits until the next read, within the bounds by which a rollout is followed: short after a change,
// since changes come in groups, and longer the longer nothing has changed. Throttled reads lengthen it as they do for a rollout.
func Pace(sinceChange time.Duration, throttled int) time.Duration {
	return pace(min(max(sinceChange/2, nearest), slowest), throttled)
}
