package engine

import (
	"errors"
	"io"
	"time"
)

// Image is what a registry knows of an image reference.
type Image struct {
	Digest    string            // "sha256:…" of the index or manifest that the reference names
	Tags      []string          // all that point at the digest: a pinned reference has none, and a behaviour may be set for one
	Platforms []string          // "linux/amd64", "linux/arm64"; empty: any
	Index     bool              // whether the reference names an index; an image of one platform starts anywhere and fails there
	Labels    map[string]string // of the config that Fargate would run

	// Save writes the image of a platform as an archive that `docker load` reads, under a name. nil: the registry does not
	// keep the content. It is called at any time, from any goroutine.
	Save func(w io.Writer, name, platform string) error
}

// Errors of Images.Resolve. Any other error is taken as a registry that cannot be reached.
var (
	ErrImageNotFound      = errors.New("image not found")
	ErrRepositoryNotFound = errors.New("repository not found")
	ErrImageDenied        = errors.New("not authorised to pull")
)

// Images resolves image references ("HOST/REPOSITORY:TAG", "HOST/REPOSITORY@sha256:…"). The host is not compared, so
// that a sandbox can be addressed by any name.
type Images interface {
	Resolve(ref string) (Image, error)
}

// Logs receives what containers with the awslogs driver write.
type Logs interface {
	GroupExists(group string) bool
	// Append adds a line. The stream, and the group of a container with awslogs-create-group, come into being with it.
	Append(group, stream string, at time.Time, message string)
}

// Secrets is asked before a task's containers are pulled.
type Secrets interface {
	// Read returns the value of the secret or parameter that valueFrom names. If it cannot be read, the error's text
	// becomes the task's stopped reason: as it is if it begins with "ResourceInitializationError", else after ECS's own
	// words ("… execution resource retrieval failed: ").
	Read(valueFrom string) (string, error)
}

// Health is the state of a target, in the words of DescribeTargetHealth.
type Health struct {
	State       string // initial, healthy, unhealthy, draining
	Reason      string // "Target.ResponseCodeMismatch"; empty for healthy
	Description string // "Health checks failed with these codes: [503]"
}

// States of a target that the engine sets.
const (
	TargetInitial   = "initial"
	TargetHealthy   = "healthy"
	TargetUnhealthy = "unhealthy"
)

// TargetSettings is how a target group checks and drains its targets. Zero fields mean the defaults of Elastic Load
// Balancing: every 30 s, 5 passed or 2 failed checks, 300 s of draining.
type TargetSettings struct {
	Interval            time.Duration
	HealthyThreshold    int
	UnhealthyThreshold  int
	DeregistrationDelay time.Duration
	NoDelay             bool // the deregistration delay is really 0
}

// Targets are the target groups of the load balancers, by ARN.
type Targets interface {
	Exists(group string) bool
	Settings(group string) TargetSettings
	Register(group, ip string, port int, at time.Time)
	SetHealth(group, ip string, port int, h Health)
	// Deregister begins the draining of a target at the given time; it is gone after the group's deregistration delay.
	Deregister(group, ip string, port int, at time.Time)
}

// Error is a refusal in the API's own terms. The API layer adds the protocol.
type Error struct {
	Code    string // "ClientException", "InvalidParameterException", …
	Message string
}

// Error returns "Code: Message".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, message string) error { return &Error{Code: code, Message: message} }
