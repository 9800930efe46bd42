package ecsdeploy

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/bake"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/schedule"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// A deployment goes through phases, and each is a value that the one before it returns: request, current, source, plan, Deployment,
// candidate, started, ended. Each holds those before it, so that what is not known yet cannot be asked for.

// request is what is asked of a run, and by what it asks AWS.
type request struct {
	env        *action.Env
	conn       *awsconn.Conn
	in         Inputs
	client     *ecs.Client
	registries *image.Registries
	images     *resolved // what was looked up for other services; nil: this is the only one
}

// current is the service as it was read before anything was changed.
type current struct {
	request
	service types.Service
	before  ecsview.Snapshot
	hold    hold.Hold     // what must not be deployed
	family  string        // that releases of the service are registered in
	first   int           // tasks that the first release of an empty service starts; 0: it is not a first release
	limit   time.Duration // how long the deployment may take
}

// base is what a revision is rendered from.
type base struct {
	document taskdef.Document
	name     string            // where it is from, for people
	tags     map[string]string // those of people are handed on to the new revision
	exact    *taskdef.Revision // the revision that was asked for as it is; nil: one is rendered
}

// source is what a revision is rendered from, and what is registered already.
type source struct {
	current
	base    base
	running *taskdef.Revision // what the service is at; nil where it may not be described
	newest  *described        // the family's newest revision, where it was read
}

// plan is the task definition that is to run.
type plan struct {
	source
	container string
	image     image.Reference
	manifest  image.Descriptor // of the image, where it was read
	others    []sidecar        // the other containers that get an image
	rendered  taskdef.Document
	existing  *taskdef.Revision // the registered revision that has the rendered content already; nil: there is none
	failing   bool              // tasks of it fail, though its deployment is complete
}

// Deployment is a deployment that was checked and can be executed.
type Deployment struct {
	plan
	schedules *schedule.Set // what goes along; nil where nothing does
	earlier   bake.Before   // how alarms and probe were before
}

// membership is what a deployment is in a release of several services. That of one service alone is empty.
type membership struct {
	tags         map[string]string // of what is registered
	replaces     string            // FAMILY:NUMBER that an earlier attempt at this release has replaced; "": there was none
	sharing      []user            // the other services of the release that run the same family
	retiresLater bool              // older revisions are deregistered once all services of the release have arrived
}

// candidate is a revision that is to be deployed.
type candidate struct {
	*Deployment
	membership
	revision *taskdef.Revision // nil while it is not registered
	fresh    bool              // it was registered by this run
}

// started is a deployment that ECS has begun.
type started struct {
	candidate
	target rollout.Target
	joined bool      // it was under way already
	held   hold.Hold // as it was right before the update
}

// ended is how a deployment was left.
type ended struct {
	candidate
	result     rollout.Result // of following it; empty where it was not followed
	arrived    bool           // the deployment was complete, whatever its bake said
	disposable bool           // the revision was made for this release, so that it is taken away if it failed
	noted      hold.Rollback  // what was written down of its way back; the zero value: nothing was
}
