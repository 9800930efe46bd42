package ecsview

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

// ActiveRevisions lists the ACTIVE revisions of a family, by ARN.
func ActiveRevisions(ctx context.Context, client ecs.ListTaskDefinitionsAPIClient, family string) (all []string, err error) {
	input := &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String(family), Status: types.TaskDefinitionStatusActive}
	for {
		out, err := client.ListTaskDefinitions(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing the revisions of %s: %w", family, err)
		}
		for _, revision := range out.TaskDefinitionArns {
			if arn.Family(revision) == family {
				all = append(all, revision)
			}
		}
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		input.NextToken = out.NextToken
	}
}
