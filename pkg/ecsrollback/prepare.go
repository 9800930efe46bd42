package ecsrollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// previous is the value of the input to that goes by history.
const previous = "previous"

// Rollback is a rollback that was checked and can be executed.
type Rollback struct {
	env        *action.Env
	conn       *awsconn.Conn
	in         Inputs
	client     *ecs.Client
	registries *image.Registries

	service     types.Service
	before      ecsview.Snapshot
	deployments []history.Deployment // newest first; empty where they cannot be read
	unread      error                // why they cannot be read
	rejected    []history.Rejected   // what was looked at and not chosen

	plan     plan
	why      string            // the plan's reason
	stop     string            // ARN of the service deployment to stop
	revision *taskdef.Revision // what is gone back to
	document taskdef.Document  // its content with every image pinned to what ran
	digest   string
}

// plan is what a rollback does.
type plan string

const (
	stopRunning plan = "stop"   // stop the deployment that is in progress, with a rollback
	awaitOther  plan = "await"  // a rollback is in progress already: follow it
	update      plan = "update" // update the service to an earlier revision
	stay        plan = "stay"   // that revision is in force already
)

// Prepare reads the service and its history and decides what to do. It changes nothing. Where there is nothing to go back to
// without being told, the error has the outcome Invalid and says what `to` could be.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Rollback, error) {
	r := &Rollback{env: env, conn: conn, in: in, client: ecs.NewFromConfig(conn.Config)}
	r.registries = image.NewRegistries(conn.Config, conn.Transport)
	r.registries.Mask = env.Log.Mask
	if r.in.To = strings.TrimSpace(in.To); r.in.To == "" {
		r.in.To = previous
	}
	if err := r.prepare(ctx); err != nil {
		return nil, awsconn.Refuse(ctx, "The rollback was not started: nothing was changed", err)
	}
	return r, nil
}

func (r *Rollback) prepare(ctx context.Context) error {
	var err error
	if r.service, err = ecsview.Lookup(ctx, r.client, r.in.Cluster, r.in.Service); err != nil {
		return err
	}
	r.before = ecsview.SnapshotOf(r.service)
	r.deployments, err = history.Read(ctx, r.client, r.in.Cluster, r.in.Service)
	if err != nil && !awserr.IsUnsupported(err) && !awserr.Optional(r.env.Log.Sink(), "The history of deployments", err) {
		return err
	}
	r.unread = err
	if r.in.To == previous {
		return r.decidePrevious(ctx)
	}
	return r.decideNamed(ctx)
}

// decidePrevious goes by what happens now, and by history where nothing does.
func (r *Rollback) decidePrevious(ctx context.Context) error {
	primary := r.before.Primary()
	running := slices.IndexFunc(r.deployments, history.Deployment.Running)
	switch {
	case running >= 0 && r.deployments[running].RolledBack():
		r.plan, r.stop = awaitOther, r.deployments[running].ARN
		r.why = fmt.Sprintf("The deployment of %s is being rolled back already.", r.deployments[running].Name())
		return nil
	case running >= 0:
		r.plan, r.stop = stopRunning, r.deployments[running].ARN
		r.why = fmt.Sprintf("A deployment of %s is in progress: it is stopped with a rollback.", r.deployments[running].Name())
		return nil
	case primary.InProgress() && primary.TakesBack():
		r.plan, r.why = awaitOther, "A rollback is in progress already."
		return nil
	case primary.InProgress() && r.before.Worked() != primary.TaskDefinition:
		r.why = fmt.Sprintf("A deployment of %s is in progress, and what it replaces is complete.", arn.Revision(primary.TaskDefinition))
		return r.goTo(ctx, r.before.Worked(), nil)
	}
	return r.chooseByHistory(ctx)
}

func (r *Rollback) chooseByHistory(ctx context.Context) error {
	current := r.before.TaskDefinition
	unusable := map[string]string{}
	for _, candidate := range history.Candidates(r.deployments, current) {
		why, err := r.unusable(ctx, candidate)
		if err != nil {
			return err
		}
		if why == "" {
			break // the newest that is usable is chosen: the older ones need not be looked at
		}
		unusable[candidate.TaskDefinition] = why
	}
	choice := history.Choose(r.deployments, current, unusable)
	r.why, r.rejected = choice.Why, choice.Rejected
	if choice.Refusal != history.Chosen {
		return r.refused(choice)
	}
	return r.goTo(ctx, choice.Target.TaskDefinition, &choice.Target)
}

// refused is the error of a rollback that has to be told where to go.
func (r *Rollback) refused(choice history.Choice) error {
	advice := "Say where to go with the input `to`: a revision number, an ARN or a digest."
	if known := r.known(); len(known) > 0 {
		advice += " These succeeded: " + strings.Join(known, "; ") + "."
	}
	if len(r.deployments) == 0 {
		advice += " The history needs ecs:ListServiceDeployments and ecs:DescribeServiceRevisions."
	}
	text := choice.Why
	for _, rejected := range choice.Rejected {
		text += fmt.Sprintf(" %s: %s.", rejected.Deployment.Name(), rejected.Why)
	}
	err := fmt.Errorf("rolling back service %s to the previous version: %s", r.in.Service, text)
	if r.unread != nil { // then it is not that there are no deployments
		err = fmt.Errorf("rolling back service %s to the previous version, which its history would tell: %w", r.in.Service, awserr.Explain(r.unread))
	}
	return &action.Error{
		Outcome: action.Invalid,
		Title:   "Nothing was changed: it is not clear what to go back to",
		Advice:  advice,
		Err:     err,
	}
}

// known lists what succeeded, newest first, once each, without what runs now.
func (r *Rollback) known() []string {
	var names []string
	seen := map[string]bool{r.before.TaskDefinition: true}
	for _, d := range r.deployments {
		if d.Succeeded() && d.TaskDefinition != "" && !seen[d.TaskDefinition] && len(names) < 10 {
			seen[d.TaskDefinition] = true
			names = append(names, d.Name()+" ("+d.Created.UTC().Format("2006-01-02 15:04 MST")+")")
		}
	}
	return names
}

// unusable returns why a candidate cannot be run any more, or "".
func (r *Rollback) unusable(ctx context.Context, candidate history.Deployment) (string, error) {
	revision, err := taskdef.Describe(ctx, r.client, candidate.TaskDefinition)
	if errors.Is(err, taskdef.ErrNotFound) {
		return "its task definition was deleted", nil
	}
	if err != nil {
		return "", err
	}
	return r.missingImage(ctx, revision.Document, candidate.Digests())
}

// missingImage says which image of the document is gone from ECR, if one is. digests are those that ran, by container.
func (r *Rollback) missingImage(ctx context.Context, doc taskdef.Document, digests map[string]string) (string, error) {
	for _, container := range doc.Containers() {
		ref, err := image.ParseReference(doc.Image(container))
		if err != nil || !r.registries.IsECR(ref.Registry) {
			continue // other registries are for ECS to reach
		}
		if digest := digests[container]; digest != "" {
			ref = ref.WithDigest(digest)
		}
		_, err = r.registries.Resolve(ctx, ref)
		var missing *image.NotFoundError
		switch {
		case err == nil:
		case errors.As(err, &missing):
			return "its image is gone: " + missing.Error(), nil
		case awserr.IsNotFound(err):
			return "the repository of its image is gone", nil
		case awserr.Optional(r.env.Log.Sink(), "Whether the image is still there", err):
		default:
			return "", err
		}
	}
	return "", nil
}

// decideNamed goes where the input says, whatever happens now.
func (r *Rollback) decideNamed(ctx context.Context) error {
	found, err := history.Find(r.deployments, r.in.To, r.before.TaskDefinition)
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	r.why = "It was asked for."
	return r.goTo(ctx, found.TaskDefinition, found.Deployment)
}

// goTo plans the update to a task definition. Every image is pinned to the digest that ran then: its tag may mean another
// image by now.
func (r *Rollback) goTo(ctx context.Context, taskDefinition string, ran *history.Deployment) error {
	revision, err := taskdef.Describe(ctx, r.client, taskDefinition)
	if errors.Is(err, taskdef.ErrNotFound) {
		return fmt.Errorf("to: there is no task definition %s", arn.Revision(taskDefinition))
	}
	if err != nil {
		return err
	}
	digests := map[string]string{}
	if ran != nil {
		digests = ran.Digests()
	}
	if why, err := r.missingImage(ctx, revision.Document, digests); err != nil || why != "" {
		if err != nil {
			return err
		}
		return fmt.Errorf("to: %s cannot run any more: %s", revision.Name(), why)
	}
	r.revision = revision
	if r.document, err = pinned(revision.Document, digests); err != nil {
		return err
	}
	for _, container := range r.document.Containers() {
		if _, digest, ok := strings.Cut(r.document.Image(container), "@"); ok && r.digest == "" {
			r.digest = digest
		}
	}
	primary := r.before.Primary()
	r.plan = update
	if primary != nil && primary.TaskDefinition == revision.ARN && r.before.Settled() {
		r.plan, r.why = stay, revision.Name()+" is in force already."
	}
	return nil
}

// pinned returns the document with each image that is given by tag alone pinned to the digest that ran.
func pinned(doc taskdef.Document, digests map[string]string) (taskdef.Document, error) {
	for _, container := range doc.Containers() {
		digest := digests[container]
		ref, err := image.ParseReference(doc.Image(container))
		if err != nil || digest == "" || ref.Digest != "" {
			continue
		}
		if doc, err = doc.WithImage(container, ref.WithDigest(digest).String()); err != nil {
			return doc, err
		}
	}
	return doc, nil
}

// needsCopy reports whether the revision cannot be deployed as it is: ECS refuses an INACTIVE one, and an image that is
// given by tag may have moved.
func (r *Rollback) needsCopy() bool {
	return !r.revision.Active || !taskdef.Equal(r.revision.Document, r.document)
}

func (r *Rollback) serviceARN() string { return aws.ToString(r.service.ServiceArn) }
