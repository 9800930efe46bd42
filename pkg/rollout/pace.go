package rollout

import "time"

const (
	fastest     = 2 * time.Second         // right after a change, since changes come in groups
	slowest     = 8 * time.Second         // while new tasks are still to start
	slower      = 4 * time.Second         // while old tasks are still to be stopped
	nearest     = 1800 * time.Millisecond // while the next change is the end: with the spread, it is noticed within 2 s
	backOffMost = 30 * time.Second        // when the API throttles
)

// pace says how long to wait until the next read. Short after a change, longer the longer nothing has changed, and never longer than
// what the step allows that the deployment is at. Each throttled read in a row doubles the wait.
//
// Services are read at most 40 times a minute, and about 20 times on average; the API allows an account 20 such reads a second
// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html).
func pace(sinceChange, most time.Duration, throttled int) time.Duration {
	if throttled > 0 {
		return min(time.Second<<min(throttled, 5), backOffMost)
	}
	return min(max(sinceChange/2, fastest), most)
}

// spread is the share by which the wait until a read is shorter or longer, so that runs which began together do not read together.
const spread = 0.1
