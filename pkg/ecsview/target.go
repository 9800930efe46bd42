package ecsview

import "context"

// Target is the health of one task behind a load balancer, as DescribeTargetHealth tells it; the package health reads it.
type Target struct {
	Group       string // target group ARN
	ID          string // IP address
	Port        int
	State       string // initial, healthy, unhealthy, draining, unused, unavailable
	Reason      string // e.g. Target.ResponseCodeMismatch
	Description string // e.g. "Health checks failed with these codes: [502]"
}

// TargetHealth reads the health of all targets of a group (its ARN). It is a function, so that what asks for it brings no client of the
// load balancer's API along: the package health has one that does.
type TargetHealth func(ctx context.Context, group string) ([]Target, error)
