package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/bake"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/schedule"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// familyOf returns the family that releases of the service are registered in: that of the revision that runs, which is the
// template itself until the first release.
func familyOf(runningFamily string) string {
	return strings.TrimSuffix(runningFamily, taskdef.TemplateSuffix)
}

// Deployment is a deployment that was checked and can be executed.
type Deployment struct {
	env        *action.Env
	conn       *awsconn.Conn
	in         Inputs
	client     *ecs.Client
	registries *image.Registries

	service   types.Service
	earlier   bake.Before // how alarms and probe were before
	hold      hold.Hold   // what must not be deployed
	first     int         // tasks that the first release of an empty service starts; 0: it is not a first release
	before    ecsview.Snapshot
	limit     time.Duration     // how long the deployment may take
	newest    *described        // the family's newest revision, where it was read
	running   *taskdef.Revision // what the service is at; nil where it may not be described
	base      taskdef.Document  // what is rendered
	baseName  string            // where the base is from, for people
	baseTags  map[string]string // of the base; those of people are handed on to the new revision
	exact     *taskdef.Revision // a revision that was asked for as it is
	container string
	family    string
	image     image.Reference
	rendered  taskdef.Document
	existing  *taskdef.Revision // the registered revision that has the rendered content already
	failing   bool              // tasks of it fail, though its deployment is complete
	manifest  image.Descriptor  // of the image, where it was read
	others    []sidecar         // the other containers that get an image
	schedules *schedule.Set     // what goes along; nil where nothing does

	images   *resolved         // what was looked up for other services; nil: this is the only one
	release  map[string]string // tags of what is registered for a release of several services
	replaces string            // FAMILY:NUMBER that an earlier attempt at this release has replaced; "": there was none
	fresh    bool              // the revision was registered by this run
	arrived  bool              // the deployment was complete, whatever its bake said
	result   rollout.Result    // of following it

	sharing      []*Deployment // the other services of the release that run the same family
	retiresLater bool          // older revisions are deregistered once all services of the release have arrived
}

// Prepare reads the service, the template and the image, and checks what can be checked. It changes nothing. All problems are
// returned at once, as one *action.Error with the outcome Invalid.
//
// A release whose image is not pushed yet prepares with ImageLater, and calls SetImage before Execute.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Deployment, error) {
	return prepare(ctx, env, conn, in, nil)
}

func prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs, images *resolved) (*Deployment, error) {
	d := &Deployment{env: env, conn: conn, in: in, images: images, client: ecs.NewFromConfig(awsconn.Patient(conn.Config, in.Timeout))}
	d.registries = image.NewRegistries(conn.Config, conn.Transport)
	env.Conceal(slices.Collect(maps.Values(in.Environment))...)
	d.registries.Mask = env.Hide

	// What does not need the service is read first, so that its problems are told even if the service is not there.
	var problems []error
	problems = append(problems, d.readBaseFile()...)
	if err := d.readService(ctx); err != nil {
		problems = append(problems, err)
	} else if err := d.readBase(ctx); err != nil {
		problems = append(problems, err)
	} else if err := d.refuseOlder(); err != nil {
		problems = append(problems, err)
	} else if !d.base.IsZero() {
		problems = append(problems, d.render(ctx, in.Image)...)
	}
	problems = append(problems, d.openSchedules(ctx)...)
	if err := d.refuseScaled(ctx); err != nil {
		problems = append(problems, err)
	}
	if !d.rendered.IsZero() {
		problems = append(problems, d.verify(ctx)...)
		problems = append(problems, d.lookBefore(ctx)...)
	}
	if err := awsconn.Refuse(ctx, refused, problems...); err != nil {
		return nil, err
	}
	return d, nil
}

// refused is the title of several problems, or of one that has none.
const refused = "The deployment was not started: nothing was changed"

// readService reads the service and refuses those that cannot be served.
func (d *Deployment) readService(ctx context.Context) error {
	service, err := ecsview.Lookup(ctx, d.client, d.in.Cluster, d.in.Service, hold.Unread(d.env.Events))
	if err != nil {
		return err
	}
	d.service, d.before, d.hold = service, ecsview.SnapshotOf(service), hold.Of(service)
	d.family = familyOf(arn.Family(d.before.TaskDefinition))
	if d.limit, err = rollout.TimeFor(d.in.Timeout, d.before); err != nil && d.in.Wait {
		return fmt.Errorf("timeout: %w", err)
	}
	return d.readFirst()
}

// readBaseFile reads the base where the input names a file.
func (d *Deployment) readBaseFile() []error {
	name := d.in.TaskDefinition
	if !isFile(name) {
		return nil
	}
	doc, err := taskdef.ReadFile(name)
	if err != nil {
		return []error{fmt.Errorf("task-definition: %w", err)}
	}
	d.base, d.baseName, d.baseTags = doc, name, doc.Tags()
	return checkFile(d.env.Events, name, doc)
}

// isFile reports whether the input task-definition means a file: it is one, or nothing else can be written like that. The
// ARN of a task definition has a slash too, but a family has neither slash nor dot.
func isFile(name string) bool {
	if name == "" || strings.HasPrefix(name, "arn:") {
		return false
	}
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return true
	}
	return strings.ContainsAny(name, "/.\\")
}

// readBase reads what is rendered and the revision that runs.
func (d *Deployment) readBase(ctx context.Context) error {
	running, err := d.readRunning(ctx)
	switch {
	case err == nil:
		d.running = running
	case d.base.IsZero() || !awserr.Optional(d.env.Events, "What is registered already", err):
		return err // with a file, nothing else has to be read
	}
	switch {
	case isFile(d.in.TaskDefinition):
		return nil
	case d.in.TaskDefinition != "":
		return d.readNamedBase(ctx)
	}
	template, err := taskdef.Describe(ctx, d.client, d.family+taskdef.TemplateSuffix)
	switch {
	case err == nil:
		d.base, d.baseName, d.baseTags = template.Document, template.Name(), template.Tags
	case errors.Is(err, taskdef.ErrNotFound):
		d.base, d.baseName, d.baseTags = running.Document, running.Name(), running.Tags
	default:
		return err
	}
	return nil
}

// readRunning reads the revision that the service is at. Where nothing else is asked for, it is the family's newest as a rule, which is
// needed besides: that is read first, and taken for both.
func (d *Deployment) readRunning(ctx context.Context) (*taskdef.Revision, error) {
	if d.in.TaskDefinition == "" || isFile(d.in.TaskDefinition) {
		newest, err := taskdef.Describe(ctx, d.client, d.family)
		d.newest = &described{newest, err}
		if err == nil && newest.ARN == d.before.TaskDefinition {
			return newest, nil
		}
	}
	return taskdef.Describe(ctx, d.client, d.before.TaskDefinition)
}

// described is what came of describing a task definition.
type described struct {
	revision *taskdef.Revision
	err      error
}

// readNewest returns the newest revision of the family, as it was read for this preparation or is now.
func (d *Deployment) readNewest(ctx context.Context) (*taskdef.Revision, error) {
	if read := d.newest; read != nil {
		return read.revision, read.err
	}
	return taskdef.Describe(ctx, d.client, d.family)
}

// readNamedBase reads the family or revision that the input task-definition names. A revision of the service's own family,
// with nothing to change in it, is deployed as it is.
func (d *Deployment) readNamedBase(ctx context.Context) error {
	name := d.in.TaskDefinition
	revision, err := taskdef.Describe(ctx, d.client, name)
	if errors.Is(err, taskdef.ErrNotFound) {
		return fmt.Errorf("task-definition: %q is neither a file nor a task definition in %s of account %s", name, d.conn.Region,
			d.conn.AccountID)
	}
	if err != nil {
		return err
	}
	d.base, d.baseName, d.baseTags = revision.Document, revision.Name(), revision.Tags
	asIs := !d.in.changesDocument() && revision.Family == d.family
	if asIs && !revision.Active {
		return fmt.Errorf("task-definition: %s is INACTIVE and cannot be deployed; give an image to render it into a new revision",
			revision.Name())
	}
	if asIs {
		d.exact = revision
	}
	return nil
}

// SetImage renders the deployment with another image, which must be in its registry by now. The reference is completed like
// the input image.
func (d *Deployment) SetImage(ctx context.Context, ref string) error {
	d.exact, d.newest, d.in.Image, d.in.ImageLater = nil, nil, ref, false // others may have registered some meanwhile
	return awsconn.Refuse(ctx, refused, d.render(ctx, ref)...)
}

// render makes the task definition that is to run, and looks whether it is registered already.
func (d *Deployment) render(ctx context.Context, ref string) []error {
	var problems []error
	container, err := d.base.Container(d.in.Container)
	if err != nil {
		return []error{fmt.Errorf("container: %w", err)}
	}
	d.container = container
	doc := d.base.WithFamily(d.family)
	var pinned string
	if !d.in.ImageLater {
		pinned, err = d.pin(ctx, ref)
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("image: %w", err))
	} else if d.exact == nil && pinned != "" {
		if doc, err = doc.WithImage(container, pinned); err != nil {
			problems = append(problems, fmt.Errorf("image: %w", err))
			doc = d.base.WithFamily(d.family)
		}
	}
	doc, others := d.withImages(ctx, doc, ref != "")
	problems = append(problems, others...)
	doc, edits := d.in.edited(doc, container)
	problems = append(problems, edits...)
	if ecsview.OnFargate(d.service) {
		for _, problem := range doc.Check() {
			problems = append(problems, fmt.Errorf("the task definition from %s: %s", d.baseName, problem))
		}
	}
	for _, problem := range named(d.service, doc) {
		problems = append(problems, fmt.Errorf("the task definition from %s: %s", d.baseName, problem))
	}
	d.rendered = doc.Registrable()
	if len(problems) == 0 && !d.in.ImageLater {
		if err := d.findExisting(ctx); err != nil {
			problems = append(problems, err)
		} else if err := d.readFailing(ctx); err != nil {
			problems = append(problems, err)
		}
	}
	if err := d.refuseHeld(); len(problems) == 0 && err != nil {
		problems = append(problems, err)
	}
	return problems
}

// refuseHeld refuses what the service was rolled back from, unless that is in force or being deployed all the same. Before
// the image is known, only a hold of every release is refused.
func (d *Deployment) refuseHeld() error {
	if todo := d.todo(); d.in.OverrideHold || !d.in.ImageLater && (todo == nothing || todo == follow) {
		return nil
	}
	err := d.hold.Refuse(d.in.Service, d.image.Digest)
	var held *record.Failure
	if !errors.As(err, &held) {
		return err
	}
	return &action.Error{Outcome: action.Invalid, Title: held.Title, Err: err,
		Advice: "Choose another image; or go on in spite of the hold with override-hold: true."}
}

// findExisting looks for a registered revision with the rendered content: the one that runs, then the family's newest.
func (d *Deployment) findExisting(ctx context.Context) error {
	d.existing = nil
	if d.exact != nil {
		d.existing = d.exact
		return nil
	}
	if d.running != nil && d.running.Holds(d.rendered) && (d.running.Active || d.serves(d.running.ARN)) {
		d.existing = d.running
		return nil
	}
	newest, err := d.readNewest(ctx)
	switch {
	case err == nil && newest.Active && newest.Holds(d.rendered):
		d.existing = newest
	case err == nil, errors.Is(err, taskdef.ErrNotFound), awserr.Optional(d.env.Events, "What is registered already", err):
	default:
		return err
	}
	return nil
}

// serves reports whether a revision is in force or being deployed. One that was deregistered since goes on running, and so is not deployed
// once more for its content.
func (d *Deployment) serves(revision string) bool {
	todo := decide(d.before, revision, d.in.Force, false)
	return todo == nothing || todo == follow
}

// pin returns the image to run, with the digest that its reference resolves to. An empty ref is the image that runs, or the
// base's own where the base is not the template.
func (d *Deployment) pin(ctx context.Context, ref string) (string, error) {
	d.image, d.manifest = image.Reference{}, image.Descriptor{}
	written := ref != "" && ref != Running // by somebody who takes a short name for a tag
	switch ref {
	case Running:
		ref = d.runningImage(d.container)
	case "":
		ref = d.defaultImage()
	}
	if ref == "" {
		return "", fmt.Errorf("the service runs none in container %s", d.container)
	}
	complete := func(ref string) (image.Reference, error) {
		return image.Complete(ref, d.base.Image(d.container), d.runningImage(d.container))
	}
	if !written { // a short name in a task definition means Docker Hub: it is not a reference to complete
		complete = image.ParseReference
	}
	reference, err := complete(ref)
	if err != nil {
		return "", err
	}
	d.image = reference
	if reference.Tag == "" && reference.Digest == "" {
		return ref, nil
	}
	pinned, found, err := d.resolve(ctx, reference)
	d.image, d.manifest = found.Reference, found
	return pinned, err
}

// resolve returns a reference with the digest that it resolves to, and what was read of it. Where it cannot be read here, and ECS may
// read it all the same, it is returned as it is.
func (d *Deployment) resolve(ctx context.Context, reference image.Reference) (string, image.Descriptor, error) {
	found, err := d.images.once(reference.String(), func() (image.Descriptor, error) { return d.registries.Resolve(ctx, reference) })
	unread := image.Descriptor{Reference: reference}
	var missing *image.NotFoundError
	switch {
	case err == nil:
		if err := d.CheckPlatforms(found.Platforms); err != nil {
			return "", found, fmt.Errorf("%s: %w", found.Reference, err)
		}
		return found.Reference.String(), found, nil
	case errors.As(err, &missing):
		return "", unread, err
	case awserr.Optional(d.env.Events, "The digest of the image (it is deployed as it is written)", err):
		return reference.String(), unread, nil
	case !d.registries.IsECR(reference.Registry) && ctx.Err() == nil: // only ECS may be able to read a private registry elsewhere
		d.env.Events.Warnf("Image not pinned", "%s could not be resolved to a digest, so it is deployed as it is written: %v", reference, err)
		return reference.String(), unread, nil
	default:
		return "", unread, err
	}
}

// withImages sets the images of further containers, pinned to their digests. main says that the container of the release has one.
func (d *Deployment) withImages(ctx context.Context, doc taskdef.Document, main bool) (taskdef.Document, []error) {
	var problems []error
	note := func(err error) { problems = append(problems, fmt.Errorf("images: %w", err)) }
	d.others = nil
	for _, container := range slices.Sorted(maps.Keys(d.in.Images)) {
		if _, err := doc.Container(container); err != nil {
			note(err)
			continue
		}
		if container == d.container && (main || d.in.ImageLater) {
			note(fmt.Errorf("%s gets its image already, by the input image or by the push", container))
			continue
		}
		reference, err := image.Complete(d.in.Images[container], d.base.Image(container), d.runningImage(container))
		if err != nil {
			note(fmt.Errorf("%s: %w", container, err))
			continue
		}
		pinned, found, err := d.resolve(ctx, reference)
		if err != nil {
			note(fmt.Errorf("%s: %w", container, err))
			continue
		}
		if doc, err = doc.WithImage(container, pinned); err != nil {
			note(err)
			continue
		}
		if container == d.container {
			d.image, d.manifest = found.Reference, found
			continue
		}
		d.others = append(d.others, sidecar{container, found})
	}
	return doc, problems
}

// sidecar is another container of the task with an image of this release.
type sidecar struct {
	container string
	image     image.Descriptor
}

// defaultImage returns the image where none is given. Of a file, or of a revision that was named, it is its own; of the
// template, the one that runs: it is the release that a changed template is rolled out with.
func (d *Deployment) defaultImage() string {
	named := d.in.TaskDefinition != "" && !strings.HasSuffix(d.base.Family(), taskdef.TemplateSuffix)
	if running := d.runningImage(d.container); !named && running != "" {
		return running
	}
	return d.base.Image(d.container)
}

// runningImage returns the image of a container in the revision that the service is at; "" where it may not be read, or has no such
// container.
func (d *Deployment) runningImage(container string) string {
	if d.running == nil {
		return ""
	}
	return d.running.Document.Image(container)
}

// CheckPlatforms refuses an image that has nothing for the tasks' platform, as far as its platforms are known.
func (d *Deployment) CheckPlatforms(has []string) error { return d.base.CheckPlatforms(has) }
