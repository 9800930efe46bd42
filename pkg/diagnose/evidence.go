// Package diagnose explains why tasks of an ECS service or a one-off task failed.
//
// Gather reads what AWS still knows about the failure; Classify, a pure function, names one cause for it, with the
// service's own words as evidence and with what to do next. The texts that it recognises are those that ECS on Fargate
// (platform 1.4) puts into stopped reasons, container reasons and service events, and those that the usual Python web
// stack writes to its log before it gives up.
package diagnose

import (
	"time"

	"github.com/org/connect2/v2/internal/arn"
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

	// Missing says what could not be read and why, one line each; a diagnosis without logs must not look complete.
	Missing []string
}

// Task is one task of the failing revision, as DescribeTasks tells it.
type Task struct {
	ARN        string
	LastStatus string // RUNNING, STOPPED, …
	StopCode   string // TaskFailedToStart, EssentialContainerExited, …; empty while it runs
	Reason     string // stoppedReason
	Health     string // HEALTHY, UNHEALTHY, UNKNOWN: the containers' own health checks
	IP         string // private IPv4 address of its network interface
	CreatedAt  time.Time
	StartedAt  time.Time // zero if it never reached RUNNING
	StoppedAt  time.Time
	Containers []Container
}

// ID returns the last part of the task's ARN.
func (t Task) ID() string { return arn.Last(t.ARN) }

// Stopped reports whether the task has ended or is ending: ECS sets the stop code as soon as it decides to stop one.
func (t Task) Stopped() bool { return t.LastStatus == "STOPPED" || t.StopCode != "" }

// Container is one container of a task with the settings of its definition that matter for a diagnosis.
type Container struct {
	Name     string
	Image    string
	Sidecar  bool   // the definition says essential: false, so its exit does not end the task
	ExitCode *int   // nil if it never ran
	Reason   string // the container's own reason, e.g. OutOfMemoryError
	Health   string // HEALTHY, UNHEALTHY, UNKNOWN
	Ports    []int  // container ports of the definition
	Check    string // the definition's health check command, as it is typed in a shell
	Memory   int    // MiB: its hard limit, or the task's where it has none; 0 if unknown
	Arch     string // CPU architecture that the definition asks for: X86_64 (also when it names none) or ARM64
	LogGroup string // CloudWatch log group and stream of its awslogs driver; empty for other drivers
	Stream   string
	Logs     []string // last log lines, oldest first, not yet redacted

	LogRegion string // the region of the log group; empty: the service's
}

// Target is the health of one task behind a load balancer, as DescribeTargetHealth tells it.
type Target struct {
	Group       string // target group ARN
	ID          string // IP address
	Port        int
	State       string // initial, healthy, unhealthy, draining, unused, unavailable
	Reason      string // e.g. Target.ResponseCodeMismatch
	Description string // e.g. "Health checks failed with these codes: [502]"
}

// Event is one service event.
type Event struct {
	At      time.Time
	Message string
}
