// Package health reads how a load balancer sees the tasks of a service. It is apart from ecsview, so that whoever needs no load
// balancer brings no client of one along.
package health

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// Client reads the health of a load balancer's targets; *elasticloadbalancingv2.Client does.
type Client interface {
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

// Of returns what reads the health of a group's targets by a client.
func Of(client Client) ecsview.TargetHealth {
	return func(ctx context.Context, group string) ([]ecsview.Target, error) { return Read(ctx, client, group) }
}

// Read reads the health of all targets of a group; the API gives them in one answer.
func Read(ctx context.Context, client Client, group string) ([]ecsview.Target, error) {
	out, err := client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(group)})
	if err != nil {
		return nil, fmt.Errorf("describing the health of the targets in %s: %w", group, err)
	}
	var all []ecsview.Target
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		all = append(all, ecsview.Target{Group: group, ID: aws.ToString(d.Target.Id), Port: int(aws.ToInt32(d.Target.Port)),
			State: string(d.TargetHealth.State), Reason: string(d.TargetHealth.Reason),
			Description: aws.ToString(d.TargetHealth.Description)})
	}
	return all, nil
}
