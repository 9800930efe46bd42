package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
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
	revisions map[string]string // service revision ARN to task definition ARN; they never change
	begun     time.Time         // of the search
}

// find returns the ARN, or "" while it is not listed.
func (f *finder) find(ctx context.Context, t Target) (string, error) {
	if f.begun.IsZero() {
		f.begun = time.Now()
	}
	since := t.Created.Add(-createdSlack)
	out, err := f.client.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{
		Cluster:    aws.String(t.Cluster),
		Service:    aws.String(t.Service),
		CreatedAt:  &types.CreatedAt{After: aws.Time(since)},
		MaxResults: aws.Int32(100),
	})
	if err != nil {
		return "", fmt.Errorf("listing the service deployments of %s: %w", t.Service, err)
	}
	var unknown []string
	for _, brief := range out.ServiceDeployments {
		arn := aws.ToString(brief.TargetServiceRevisionArn)
		if _, known := f.revisions[arn]; !known && arn != "" {
			unknown = append(unknown, arn)
		}
	}
	if err := f.resolve(ctx, unknown); err != nil {
		return "", err
	}
	var candidates []candidate
	for _, brief := range out.ServiceDeployments {
		candidates = append(candidates, candidate{
			arn:            aws.ToString(brief.ServiceDeploymentArn),
			created:        aws.ToTime(brief.CreatedAt),
			taskDefinition: f.revisions[aws.ToString(brief.TargetServiceRevisionArn)],
		})
	}
	arn := pick(t, candidates, 0)
	if arn == "" && time.Since(f.begun) >= settleTime {
		arn = pick(t, candidates, createdSlack)
	}
	return arn, nil
}

// resolve learns the task definitions of service revisions, twenty in a call, which is what the API takes.
func (f *finder) resolve(ctx context.Context, arns []string) error {
	if f.revisions == nil {
		f.revisions = map[string]string{}
	}
	slices.Sort(arns)
	for chunk := range slices.Chunk(slices.Compact(arns), 20) {
		out, err := f.client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: chunk})
		if err != nil {
			return fmt.Errorf("describing service revisions: %w", err)
		}
		for _, revision := range out.ServiceRevisions {
			f.revisions[aws.ToString(revision.ServiceRevisionArn)] = aws.ToString(revision.TaskDefinition)
		}
	}
	return nil
}
