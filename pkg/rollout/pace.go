package rollout

import "time"

const (
	fastest     = time.Second      // while something is expected to happen
	slowest     = 5 * time.Second  // while nothing changes
	slowestNear = 3 * time.Second  // while nothing changes, though the next change ends the rollout
	backOffMost = 30 * time.Second // when the API throttles
)

// pace says how long to wait until the next read. A second after a change, since changes come in groups; slower the longer
// nothing has changed; and never as slow where the next change is the end. Each throttled read in a row doubles the wait.
//
// At one second, one rollout takes a twentieth of what the API allows an account for these reads (20/s each,
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html).
func pace(sinceChange time.Duration, near bool, throttled int) time.Duration {
	if throttled > 0 {
		return min(fastest<<min(throttled, 5), backOffMost)
	}
	if near {
		return min(max(sinceChange/30, fastest), slowestNear)
	}
	return min(max(sinceChange/5, fastest), slowest)
}

// spread is the share by which the wait until a read is shorter or longer, so that runs which began together do not read together.
const spread = 0.1
