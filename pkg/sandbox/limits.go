package sandbox

import (
	"math"
	"time"
)

// DocumentedLimits is the value of a scenario's limits with which calls are throttled as AWS documents it.
const DocumentedLimits = "documented"

// bucket is a token bucket that calls of an account share: it holds at most burst tokens, gets rate a second, and each call takes
// one.
type bucket struct {
	burst, rate float64
	actions     map[string]bool

	tokens float64
	filled time.Time
}

// take takes a token, unless there is none.
func (b *bucket) take(now time.Time) bool {
	if b.filled.IsZero() {
		b.tokens, b.filled = b.burst, now
	}
	b.tokens = min(b.burst, b.tokens+now.Sub(b.filled).Seconds()*b.rate)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// documentedBuckets are those of the Amazon ECS API reference, "Request throttling for the Amazon ECS API"
// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html): burst and rate for each account and region.
// The page does not list StopServiceDeployment and ContinueServiceDeployment. That they share the bucket of what changes a service
// is unconfirmed.
// Other callers use a share of them.
func documentedBuckets(used float64) []*bucket {
	var buckets []*bucket
	of := func(burst, rate float64, actions ...string) {
		b := &bucket{burst: max(1, math.Round(burst*(1-used))), rate: rate * (1 - used), actions: map[string]bool{}}
		for _, action := range actions {
			b.actions["ecs:"+action] = true
		}
		buckets = append(buckets, b)
	}
	of(50, 5, "CreateService", "UpdateService", "DeleteService", "StopServiceDeployment", "ContinueServiceDeployment")
	of(100, 20, "DescribeServices", "ListServices")
	of(50, 20, "DescribeServiceDeployments", "ListServiceDeployments")
	of(50, 20, "DescribeServiceRevisions")
	of(20, 1, "RegisterTaskDefinition", "DeregisterTaskDefinition")
	of(50, 20, "DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies")
	of(5, 1, "DeleteTaskDefinitions")
	of(100, 40, "RunTask", "StopTask", "ExecuteCommand")
	of(100, 20, "DescribeTasks", "ListTasks")
	of(50, 20, "DescribeClusters", "ListClusters")
	of(20, 1, "CreateCluster", "DeleteCluster")
	of(50, 20, "ListTagsForResource")
	of(20, 10, "TagResource", "UntagResource")
	return buckets
}
