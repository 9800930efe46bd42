package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// familyOf returns the family that releases of the service are registered in: that of the revision that runs, which is the
// template itself until the first release.
func familyOf(runningFamily string) string {
	return strings.TrimSuffix(runningFamily, taskdef.TemplateSuffix)
}

// Prepare reads the service, the template and the image, and checks what can be checked. It changes nothing. All problems are
// returned at once, as one *action.Error with the outcome Invalid.
//
// A release whose images are not pushed yet prepares with ImageLater or ImagesLater, and calls SetImages before Execute.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Deployment, error) {
	return prepare(ctx, env, conn, in, nil)
}

func prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs, images *resolved) (*Deployment, error) {
	asked := request{env: env, conn: conn, in: in, images: images, client: ecs.NewFromConfig(awsconn.Patient(conn.Config, in.Timeout)),
		registries: image.NewRegistries(conn.Config, conn.Transport)}
	env.Conceal(slices.Collect(maps.Values(in.Environment))...)
	asked.registries.Mask = env.Hide

	// What does not need the service is read first, so that its problems are told even if the service is not there.
	file, problems := asked.readBaseFile()
	d, more := asked.check(ctx, file)
	if err := awsconn.Refuse(ctx, refused, append(problems, more...)...); err != nil {
		return nil, err
	}
	return d, nil
}

// check reads the service and what goes along with it, renders what is to run, and returns all that speaks against it.
func (r *request) check(ctx context.Context, file base) (*Deployment, []error) {
	now, problems := r.readService(ctx)
	if now == nil {
		return nil, problems
	}
	d := &Deployment{}
	from, err := now.readSource(ctx, file)
	more := one(err)
	if err == nil && !from.base.document.IsZero() { // it is where the file that was named cannot be read
		d.plan, more = from.render(ctx)
	}
	problems = append(problems, more...)
	d.schedules, more = now.openSchedules(ctx)
	problems = slices.Concat(problems, more, one(now.refuseScaled(ctx)))
	if of := r.in.OfFile; !d.rendered.IsZero() && of != nil && len(of.Members) > 0 && (len(of.Containers) > 0 || of.Partial) {
		problems = append(problems, strangers(r.in, d.rendered.Containers())...)
	}
	if !d.rendered.IsZero() {
		problems = append(problems, d.verify(ctx)...)
		d.earlier, more = now.lookBefore(ctx)
		problems = append(problems, more...)
	}
	return d, problems
}

// one is a list of an error, if it is one.
func one(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// refused is the title of several problems, or of one that has none.
const refused = "The deployment was not started: nothing was changed"

// readService reads the service, and says what cannot be done with it; nil is one that cannot be read.
func (r *request) readService(ctx context.Context) (*current, []error) {
	service, err := ecsview.Lookup(ctx, r.client, r.in.Cluster, r.in.Service, hold.Unread(r.env.Events))
	if err != nil {
		return nil, []error{err}
	}
	c := &current{request: *r, service: service, before: ecsview.SnapshotOf(service), hold: hold.Of(service)}
	c.family = familyOf(arn.Family(c.before.TaskDefinition))
	var problems []error
	if c.limit, err = rollout.TimeFor(r.in.Timeout, c.before); err != nil && r.in.Wait {
		problems = append(problems, fmt.Errorf("timeout: %w", err))
	}
	c.first, err = firstCount(service, c.before, r.in)
	return c, append(problems, one(err)...)
}

// readBaseFile reads the base where the input names a file.
func (r *request) readBaseFile() (base, []error) {
	name := r.in.TaskDefinition
	if !isFile(name) {
		return base{}, nil
	}
	doc, err := taskdef.ReadFile(name)
	if err != nil {
		return base{}, []error{fmt.Errorf("task-definition: %w", err)}
	}
	return base{document: doc, name: name, tags: doc.Tags()}, checkFile(r.env.Events, name, doc)
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

// readSource reads what is rendered and the revision that runs, and refuses a commit that is older than that.
func (c *current) readSource(ctx context.Context, file base) (*source, error) {
	s := &source{current: *c}
	var err error
	s.running, s.newest, err = c.readRunning(ctx)
	if err != nil && (file.document.IsZero() || !awserr.Optional(c.env.Events, "What is registered already", err)) {
		return nil, err // with a file, nothing else has to be read
	}
	switch {
	case isFile(c.in.TaskDefinition):
		s.base, err = file, nil
	case c.in.TaskDefinition != "":
		s.base, err = c.readNamedBase(ctx)
	default:
		s.base, err = c.readTemplate(ctx, s.running)
	}
	if err != nil {
		return nil, err
	}
	return s, s.refuseOlder()
}

// readTemplate reads the family's template. Where there is none, it is the revision that runs.
func (c *current) readTemplate(ctx context.Context, running *taskdef.Revision) (base, error) {
	template, err := taskdef.Describe(ctx, c.client, c.family+taskdef.TemplateSuffix)
	switch {
	case err == nil:
		return baseOf(template), nil
	case errors.Is(err, taskdef.ErrNotFound):
		return baseOf(running), nil
	}
	return base{}, err
}

func baseOf(revision *taskdef.Revision) base {
	return base{document: revision.Document, name: revision.Name(), tags: revision.Tags}
}

// readRunning reads the revision that the service is at; none where it may not be read. Where nothing else is asked for, it is the
// family's newest as a rule, which is needed besides: that is read first, and taken for both.
func (c *current) readRunning(ctx context.Context) (running *taskdef.Revision, newest *described, err error) {
	if c.in.TaskDefinition == "" || isFile(c.in.TaskDefinition) {
		revision, err := taskdef.Describe(ctx, c.client, c.family)
		newest = &described{revision, err}
		if err == nil && revision.ARN == c.before.TaskDefinition {
			return revision, newest, nil
		}
	}
	running, err = taskdef.Describe(ctx, c.client, c.before.TaskDefinition)
	if err != nil {
		return nil, newest, err
	}
	return running, newest, nil
}

// described is what came of describing a task definition.
type described struct {
	revision *taskdef.Revision
	err      error
}

// readNewest returns the newest revision of the family, as it was read for this preparation or is now.
func (s *source) readNewest(ctx context.Context) (*taskdef.Revision, error) {
	if read := s.newest; read != nil {
		return read.revision, read.err
	}
	return taskdef.Describe(ctx, s.client, s.family)
}

// readNamedBase reads the family or revision that the input task-definition names. A revision of the service's own family,
// with nothing to change in it, is deployed as it is.
func (c *current) readNamedBase(ctx context.Context) (base, error) {
	name := c.in.TaskDefinition
	revision, err := taskdef.Describe(ctx, c.client, name)
	if errors.Is(err, taskdef.ErrNotFound) {
		return base{}, fmt.Errorf("task-definition: %q is neither a file nor a task definition in %s of account %s", name, c.conn.Region,
			c.conn.AccountID)
	}
	if err != nil {
		return base{}, err
	}
	from := baseOf(revision)
	asIs := !c.in.changesDocument() && revision.Family == c.family
	if asIs && !revision.Active {
		return base{}, fmt.Errorf("task-definition: %s is INACTIVE and cannot be deployed; give an image to render it into a new revision",
			revision.Name())
	}
	if asIs {
		from.exact = revision
	}
	return from, nil
}

// SetImages renders the deployment with the images that were to come later, by the names in ImagesLater and "" for that of ImageLater. They
// must be in their registries by now. The references are completed like the inputs image and images.
func (d *Deployment) SetImages(ctx context.Context, refs map[string]string) error {
	from := d.source
	from.in.ImagesLater, from.in.Images = nil, maps.Clone(from.in.Images)
	if from.in.Images == nil {
		from.in.Images = map[string]string{}
	}
	for key, ref := range refs {
		if key == "" {
			from.in.Image, from.in.ImageLater = ref, false
			continue
		}
		from.in.Images[key] = ref
	}
	from.base.exact, from.newest = nil, nil // others may have registered some meanwhile
	rendered, problems := from.render(ctx)
	d.plan = rendered
	return awsconn.Refuse(ctx, refused, problems...)
}

// render makes the task definition that is to run, and looks whether it is registered already.
func (s *source) render(ctx context.Context) (plan, []error) {
	p := plan{source: *s}
	var problems []error
	container, err := s.in.mainContainer(s.base.document)
	if err != nil { // what is wrong besides is told at once
		return p, append([]error{fmt.Errorf("container: %w", err)}, s.wrong(s.base.document)...)
	}
	p.container = container
	_, byName := s.in.givenFor(container)
	if byName && s.ofSeveral() { // the image is that of other services
		p.in.Image, p.in.ImageLater = "", false
	}
	doc := s.base.document.WithFamily(s.family)
	var pinned string
	if !p.in.ImageLater && !byName {
		pinned, p.manifest, err = s.pin(ctx, container)
		p.image = p.manifest.Reference
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("image: %w", err))
	} else if s.base.exact == nil && pinned != "" {
		if doc, err = doc.WithImage(container, pinned); err != nil {
			problems = append(problems, fmt.Errorf("image: %w", err))
			doc = s.base.document.WithFamily(s.family)
		}
	}
	doc, others := p.withImages(ctx, doc)
	problems = append(problems, others...)
	doc, edits := s.in.edited(doc, container)
	problems = append(problems, edits...)
	problems = append(problems, s.wrong(doc)...)
	p.rendered = doc.Registrable()
	if len(problems) == 0 && !p.in.pushesLater() {
		if p.existing, err = s.findExisting(ctx, p.rendered); err != nil {
			problems = append(problems, err)
		} else if p.failing, err = s.readFailing(ctx, p.existing); err != nil {
			problems = append(problems, err)
		}
	}
	if err := p.refuseHeld(s.hold); len(problems) == 0 && err != nil {
		problems = append(problems, err)
	}
	return p, problems
}

// wrong returns what RegisterTaskDefinition or the update of the service would refuse of a document.
func (s *source) wrong(doc taskdef.Document) (problems []error) {
	var texts []string
	if ecsview.OnFargate(s.service) {
		texts = doc.Check()
	}
	for _, text := range append(texts, named(s.service, doc)...) {
		problems = append(problems, fmt.Errorf("the task definition from %s: %s", s.base.name, text))
	}
	return problems
}

// refuseHeld refuses what the service was rolled back from, unless that is in force or being deployed all the same. Before
// the image is known, only a hold of every release is refused.
func (p *plan) refuseHeld(held hold.Hold) error {
	if todo := p.todo(); p.in.OverrideHold || !p.in.pushesLater() && (todo == nothing || todo == follow) {
		return nil
	}
	err := held.Refuse(p.in.Service, p.image.Digest)
	var failure *record.Failure
	if !errors.As(err, &failure) {
		return err
	}
	return &action.Error{Outcome: action.Invalid, Title: failure.Title, Err: err,
		Advice: "Choose another image; or go on in spite of the hold with override-hold: true."}
}

// findExisting looks for a registered revision with the rendered content: the one that runs, then the family's newest.
func (s *source) findExisting(ctx context.Context, rendered taskdef.Document) (*taskdef.Revision, error) {
	if s.base.exact != nil {
		return s.base.exact, nil
	}
	if s.running != nil && s.running.Holds(rendered) && (s.running.Active || s.serves(s.running.ARN)) {
		return s.running, nil
	}
	newest, err := s.readNewest(ctx)
	switch {
	case err == nil && newest.Active && newest.Holds(rendered):
		return newest, nil
	case err == nil, errors.Is(err, taskdef.ErrNotFound), awserr.Optional(s.env.Events, "What is registered already", err):
		return nil, nil
	}
	return nil, err
}

// serves reports whether a revision is in force or being deployed. One that was deregistered since goes on running, and so is not deployed
// once more for its content.
func (c *current) serves(revision string) bool {
	todo := decide(c.before, revision, c.in.Force, false)
	return todo == nothing || todo == follow
}

// readFailing finds out whether tasks of the deployment that runs fail, where that decides: it is complete and some of its tasks
// are missing. Where the tasks may not be read, what ECS counts has to do.
func (c *current) readFailing(ctx context.Context, existing *taskdef.Revision) (bool, error) {
	if existing == nil || !hangsOnTasks(c.before, existing.ARN, c.in.Force) {
		return false, nil
	}
	stopped, err := ecsview.NewTaskReader(c.client, c.in.Cluster, c.in.Service).Stopped(ctx)
	if err != nil && !awserr.Optional(c.env.Events, "Whether tasks of the service fail", err) {
		return false, err
	}
	return fails(*c.before.Primary(), stopped, c.env.Clock().Now()), nil
}

// pin returns the image to run, with the digest that its reference resolves to. Where none is given it is the image that runs, or the
// base's own where the base is not the template.
func (s *source) pin(ctx context.Context, container string) (string, image.Descriptor, error) {
	ref := s.in.Image
	written := ref != "" && ref != Running // by somebody who takes a short name for a tag
	switch ref {
	case Running:
		ref = s.runningImage(container)
	case "":
		ref = s.defaultImage(container)
	}
	if ref == "" {
		return "", image.Descriptor{}, fmt.Errorf("the service runs none in container %s", container)
	}
	complete := func(ref string) (image.Reference, error) {
		return image.Complete(ref, s.base.document.Image(container), s.runningImage(container))
	}
	if !written { // a short name in a task definition means Docker Hub: it is not a reference to complete
		complete = image.ParseReference
	}
	reference, err := complete(ref)
	if err != nil {
		return "", image.Descriptor{}, err
	}
	if reference.Tag == "" && reference.Digest == "" {
		return ref, image.Descriptor{Reference: reference}, nil
	}
	return s.resolve(ctx, reference)
}

// resolve returns a reference with the digest that it resolves to, and what was read of it. Where it cannot be read here, and ECS may
// read it all the same, it is returned as it is.
func (s *source) resolve(ctx context.Context, reference image.Reference) (string, image.Descriptor, error) {
	found, err := s.images.once(reference.String(), func() (image.Descriptor, error) { return s.registries.Resolve(ctx, reference) })
	unread := image.Descriptor{Reference: reference}
	var missing *image.NotFoundError
	switch {
	case err == nil:
		if err := s.CheckPlatforms(found.Platforms); err != nil {
			return "", found, fmt.Errorf("%s: %w", found.Reference, err)
		}
		return found.Reference.String(), found, nil
	case errors.As(err, &missing):
		return "", unread, err
	case awserr.Optional(s.env.Events, "The digest of the image (it is deployed as it is written)", err):
		return reference.String(), unread, nil
	case !s.registries.IsECR(reference.Registry) && ctx.Err() == nil: // only ECS may be able to read a private registry elsewhere
		s.env.Events.Warnf("Image not pinned", "%s could not be resolved to a digest, so it is deployed as it is written: %v", reference, err)
		return reference.String(), unread, nil
	default:
		return "", unread, err
	}
}

// withImages sets the images of further containers, pinned to their digests.
func (p *plan) withImages(ctx context.Context, doc taskdef.Document) (taskdef.Document, []error) {
	var problems []error
	note := func(err error) { problems = append(problems, fmt.Errorf("images: %w", err)) }
	images := maps.Clone(p.in.Images)
	for _, key := range p.in.ImagesLater {
		delete(images, key)
	}
	if of := p.in.OfFile; of != nil && (len(of.Containers) > 0 || of.Partial) { // a service of several has not all containers
		main := p.in.Image
		if main != "" && main != Running && p.image.Repository != "" {
			main = p.image.String() // as it was completed
		}
		images = imagesOf(p.in.given(), of.Containers, doc.Containers(), p.container, main, p.runningImage)
	}
	if key, named := p.in.givenFor(p.container); named && slices.Contains(p.in.ImagesLater, key) && (p.in.Image != "" || p.in.ImageLater) {
		note(fmt.Errorf("%s gets its image twice: by the input image or source, and as %s of sources", p.container, key))
	}
	for _, container := range slices.Sorted(maps.Keys(images)) {
		if _, err := doc.Container(container); err != nil {
			note(err)
			continue
		}
		if container == p.container && (p.in.Image != "" || p.in.ImageLater) {
			note(fmt.Errorf("%s gets its image already, by the input image or by the push", container))
			continue
		}
		reference, err := image.Complete(images[container], p.base.document.Image(container), p.runningImage(container))
		if err != nil {
			note(fmt.Errorf("%s: %w", container, err))
			continue
		}
		pinned, found, err := p.resolve(ctx, reference)
		if err != nil {
			note(fmt.Errorf("%s: %w", container, err))
			continue
		}
		if doc, err = doc.WithImage(container, pinned); err != nil {
			note(err)
			continue
		}
		if container == p.container {
			p.image, p.manifest = found.Reference, found
			continue
		}
		p.others = append(p.others, sidecar{container, found})
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
func (s *source) defaultImage(container string) string {
	named := s.in.TaskDefinition != "" && !strings.HasSuffix(s.base.document.Family(), taskdef.TemplateSuffix)
	if running := s.runningImage(container); !named && running != "" {
		return running
	}
	return s.base.document.Image(container)
}

// runningImage returns the image of a container in the revision that the service is at; "" where it may not be read, or has no such
// container.
func (s *source) runningImage(container string) string {
	if s.running == nil {
		return ""
	}
	return s.running.Document.Image(container)
}

// CheckPlatforms refuses an image that has nothing for the tasks' platform, as far as its platforms are known.
func (s *source) CheckPlatforms(has []string) error { return s.base.document.CheckPlatforms(has) }

// CheckLater is CheckPlatforms for an image that is pushed later, by its name as in SetImages.
func (p *plan) CheckLater(name string, has []string) error {
	for _, container := range p.rendered.Containers() {
		if key, ok := p.laterKey(container); ok && key == name {
			return p.CheckPlatforms(has)
		}
	}
	return nil
}

// comesLater says whether the image of a container is not pushed yet.
func (p *plan) comesLater(container string) bool {
	_, ok := p.laterKey(container)
	return ok
}

// laterKey returns the name, as in SetImages, of the image that a container gets later, if it does.
func (p *plan) laterKey(container string) (key string, ok bool) {
	if key, named := p.in.givenFor(container); named {
		return key, slices.Contains(p.in.ImagesLater, key)
	}
	builds := p.in.builds()
	sameBuild := builds[container] != "" && builds[container] == builds[p.container]
	return "", p.in.ImageLater && (container == p.container || sameBuild)
}

// ofSeveral says whether other services are deployed along with this one.
func (r *request) ofSeveral() bool { return r.images != nil }

// Main returns the container that the release is of, and by which name its image is given (as in SetImages), where it is by one.
func (d *Deployment) Main(string) (container, key string) {
	key, _ = d.in.givenFor(d.container)
	return d.container, key
}
