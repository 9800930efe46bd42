package ecsview

// Target is the health of one task behind a load balancer, as DescribeTargetHealth tells it; the package health reads it.
type Target struct {
	Group       string // target group ARN
	ID          string // IP address
	Port        int
	State       string // initial, healthy, unhealthy, draining, unused, unavailable
	Reason      string // e.g. Target.ResponseCodeMismatch
	Description string // e.g. "Health checks failed with these codes: [502]"
}
