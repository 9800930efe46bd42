// Package diagnose explains why tasks of an ECS service or a one-off task failed.
//
// Gather reads what AWS still knows about the failure; Classify, a pure function, names one cause for it, with the
// service's own words as evidence and with what to do next. The texts that it recognises are those that ECS on Fargate
// (platform 1.4) puts into stopped reasons, container reasons and service events, and those that the usual Python web
// stack writes to its log before it gives up.
package diagnose

import (
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// Evidence is what was found out about a failing revision. Everything in it is optional: Classify works with what is there.
type Evidence struct {
	Cluster        string // name or ARN
	Service        string // name; empty for a one-off task
	Deployment     string // "ecs-svc/…": the deployment whose tasks these are
	TaskDefinition string // ARN of the failing revision

	Tasks   []Task   // tasks of the failing revision, newest first; stopped ones and those still running
	Targets []Target // health of the load balancer's targets that belong to those tasks
	Events  []Event  // service events since the deployment began, newest first

	RolloutReason string    // rolloutStateReason of the deployment in DescribeServices
	StatusReason  string    // statusReason of the service deployment, or the reason of its rollback
	At            time.Time // when this was read

	// Unread holds the ARNs of failed tasks whose logs were not read, since others of the same time were.
	Unread []string

	// Missing says what could not be read and why, one line each; a diagnosis without logs must not look complete.
	Missing []string
}

// What the evidence is made of, as ECS is read.
type (
	Task      = ecsview.Task
	Container = ecsview.Container
	Target    = ecsview.Target
	Event     = ecsview.ServiceEvent
)
