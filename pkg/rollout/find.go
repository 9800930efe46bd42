package rollout

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// The two APIs may write the moment of one update a little apart. One that was created within createdSlack before the target
// is taken for its own, but only after settleTime: until then the right one may not be listed yet.
const (
	createdSlack = time.Second
	settleTime   = 10 * time.Second
)

// candidate is a service deployment that could be the target's.
type candidate struct {
	arn            string
	created        time.Time
	taskDefinition string // of its target revision
}

// pick returns the ARN of the target's own service deployment: the first that was created when the target was, or later,
// for the target's task definition. A later one for the same task definition is somebody else's.
func pick(t Target, candidates []candidate, slack time.Duration) string {
	ours := slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool {
		return c.taskDefinition != t.TaskDefinition || c.created.Before(t.Created.Add(-slack))
	})
	if len(ours) == 0 {
		return ""
	}
	return slices.MinFunc(ours, func(a, b candidate) int { return a.created.Compare(b.created) }).arn
}

// finder looks for the target's service deployment. UpdateService does not name it, and a list that is read right after the
// update may not have it yet.
type finder struct {
	client    Client
	revisions map[string]ecsview.Revision // by ARN; they never change
	begun     time.Time                   // of the search
}

// find returns the ARN, or "" while it is not listed.
func (f *finder) find(ctx context.Context, t Target) (string, error) {
	if f.begun.IsZero() {
		f.begun, f.revisions = time.Now(), map[string]ecsview.Revision{}
	}
	listed, err := ecsview.ListServiceDeployments(ctx, f.client, t.Cluster, t.Service, t.Created.Add(-createdSlack), 0)
	if err != nil {
		return "", err
	}
	var unknown []string
	for _, d := range listed {
		if _, known := f.revisions[d.Revision]; !known {
			unknown = append(unknown, d.Revision)
		}
	}
	read, err := ecsview.DescribeRevisions(ctx, f.client, unknown)
	if err != nil {
		return "", err
	}
	maps.Copy(f.revisions, read)
	var candidates []candidate
	for _, d := range listed {
		candidates = append(candidates, candidate{d.ARN, d.Created, f.revisions[d.Revision].TaskDefinition})
	}
	arn := pick(t, candidates, 0)
	if arn == "" && time.Since(f.begun) >= settleTime {
		arn = pick(t, candidates, createdSlack)
	}
	return arn, nil
}
