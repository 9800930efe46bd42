package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// then plans a step of the task's present course. It is void if the course changes before.
func (t *Task) then(d time.Duration, step func()) {
	epoch := t.epoch
	t.engine.after(d, func() {
		if t.epoch == epoch {
			step()
		}
	})
}

func (t *Task) become(status string) {
	t.LastStatus = status
	t.Version++
}

// launch plans the start of a task, up to RUNNING or to what keeps it from that (developer guide, task-lifecycle-explanation).
func (t *Task) launch() {
	e, timing := t.engine, t.engine.options.Timing
	for _, c := range t.Containers {
		e.meet(t, c)
	}
	t.then(timing.Provision, func() {
		t.Interface.Status = "ATTACHED"
		t.become(Pending)
	})
	t.then(timing.Provision+time.Second, func() { t.Connectivity, t.ConnectivityAt = "CONNECTED", e.now })
	t.then(timing.Prepare, t.prepare)
}

// meet finds out how a container of this image behaves. It is that of the digest which the deployment's first task resolved, unless the
// container's versionConsistency is disabled (developer guide, deployment-type-ecs).
func (e *Engine) meet(t *Task, c *Container) {
	ref := c.Image
	if t.Deployment != nil && c.definition.Consistency != "disabled" {
		if digest := t.Deployment.Revision.digestOf(c.Name); digest != "" {
			ref = pinned(ref, digest)
		}
	}
	c.resolved, c.failure = e.options.Images.Resolve(ref)
	c.behaviour = e.behaviourOf(c.Image, c.resolved).of(c.definition.Command)
}

// behaviourOf looks an image up among the behaviours that were set, then in its own label. A label that cannot be read
// makes the start fail in words, since a healthy container would hide the mistake.
func (e *Engine) behaviourOf(ref string, image Image) Behaviour {
	for _, key := range imageKeys(ref, image) {
		b, ok := e.behaviours[key]
		if !ok {
			continue
		}
		return e.limited(key, b)
	}
	label, ok := image.Labels[BehaviourLabel]
	if !ok {
		return Behaviour{}
	}
	b, err := ParseBehaviour([]byte(label))
	if err != nil {
		return Behaviour{Start: ExecError, Reason: fmt.Sprintf("connect2 sandbox: the image label %s cannot be read: %v", BehaviourLabel, err)}
	}
	return e.limited(image.Digest, b)
}

// limited follows a behaviour as often as it says.
func (e *Engine) limited(key string, b Behaviour) Behaviour {
	if b.Times > 0 {
		if e.acted[key] >= b.Times {
			return Behaviour{Run: b.Run}
		}
		e.acted[key]++
	}
	return b
}

// imageKeys are the names under which an image's behaviour may be set, the most exact first. The tag that the reference was
// written with comes before those that point at its digest now.
func imageKeys(ref string, image Image) []string {
	name, pin, _ := strings.Cut(ref, "@")
	digest := image.Digest
	if digest == "" {
		digest = pin
	}
	local := name
	if host, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		local = rest
	}
	repository, tag := local, ""
	if slash, colon := strings.LastIndexByte(local, '/'), strings.LastIndexByte(local, ':'); colon > slash {
		repository, tag = local[:colon], local[colon+1:]
	}
	keys := []string{ref, digest, repository + "@" + digest}
	if tag != "" {
		keys = []string{ref, local, digest, repository + "@" + digest, tag}
	}
	for _, other := range image.Tags {
		if other != tag {
			keys = append(keys, repository+":"+other, other)
		}
	}
	keys = append(keys, repository, "*")
	return slices.DeleteFunc(keys, func(key string) bool { return key == "" || key == repository+"@" })
}

// noCapacity says whether Fargate has no room for tasks of a revision.
func (e *Engine) noCapacity(r *Revision) bool {
	for _, c := range r.Spec.Definition.Definition.Containers {
		if e.lacksCapacity(c.Image, r.digestOf(c.Name)) {
			return true
		}
	}
	return false
}

func (e *Engine) lacksCapacity(ref, digest string) bool {
	exact := ref
	if digest != "" {
		exact = pinned(ref, digest)
	}
	image, missing := e.options.Images.Resolve(exact)
	for _, key := range imageKeys(ref, image) {
		if b, ok := e.behaviours[key]; ok {
			return b.Start == NoCapacity && e.limited(key, b).Start == NoCapacity
		}
	}
	if missing != nil {
		return false
	}
	b, err := ParseBehaviour([]byte(image.Labels[BehaviourLabel]))
	return err == nil && b.Start == NoCapacity && e.limited(image.Digest, b).Start == NoCapacity
}

// prepare is what precedes the pull: secrets and registry credentials are fetched. Where that fails there are no times of a pull
// (unconfirmed).
func (t *Task) prepare() {
	e, timing := t.engine, t.engine.options.Timing
	t.become(Activating)
	for _, c := range t.Containers {
		if reason := t.secretFailure(c); reason != "" {
			t.then(2*time.Second, func() { t.failStart(c, reason) })
			return
		}
	}
	t.then(timing.PullStart-timing.Prepare, func() {
		t.PullStartedAt = e.now
		t.pull()
	})
}

func (t *Task) secretFailure(c *Container) string {
	switch c.behaviour.Start {
	case MissingSecret:
		return c.reasonOr(secretFrame + missingSecret(c))
	case NoNetwork:
		return c.reasonOr(noRoute(t.engine.options.Region))
	}
	values := []string{}
	for _, s := range c.definition.Secrets {
		values = append(values, s.ValueFrom)
	}
	if c.definition.Log != nil {
		for _, s := range c.definition.Log.Secrets {
			values = append(values, s.ValueFrom)
		}
	}
	for _, valueFrom := range values {
		if _, err := t.engine.options.Secrets.Read(valueFrom); err != nil {
			return unreadableSecret(err)
		}
	}
	return ""
}

// reasonOr prefers the reason that the behaviour gives.
func (c *Container) reasonOr(modelled string) string {
	if c.behaviour.Reason != "" {
		return c.behaviour.Reason
	}
	return modelled
}

// pull resolves and fetches the images, or fails after the retries, about two minutes later (measured).
func (t *Task) pull() {
	e, timing := t.engine, t.engine.options.Timing
	longest := timing.Pull
	for _, c := range t.Containers {
		e.refresh(t, c)
		if reason := t.pullFailure(c); reason != "" {
			t.then(timing.PullRetries, func() {
				t.PullStoppedAt = e.now
				t.failStart(c, reason)
			})
			return
		}
		if c.behaviour.PullTime > 0 {
			longest = max(longest, time.Duration(c.behaviour.PullTime))
		}
	}
	if t.forReal() {
		t.fetch()
		return
	}
	t.then(longest, t.pulled)
}

// pulled is the moment at which all images are there.
func (t *Task) pulled() {
	timing := t.engine.options.Timing
	t.PullStoppedAt = t.engine.now
	for _, c := range t.Containers {
		c.ImageDigest = c.resolved.Digest
		if t.Deployment != nil && c.definition.Consistency != "disabled" {
			t.Deployment.Revision.pin(c.Name, c.ImageDigest)
		}
	}
	t.create(max(0, timing.Run-timing.PullStart-timing.Pull))
}

// refresh resolves an image again at the time of the pull, in case that it came or went since the launch.
func (e *Engine) refresh(t *Task, c *Container) {
	ref := c.Image
	if c.resolved.Digest != "" && t.Deployment != nil && t.Deployment.Revision.digestOf(c.Name) != "" {
		ref = pinned(ref, c.resolved.Digest)
	}
	was := c.failure
	c.resolved, c.failure = e.options.Images.Resolve(ref)
	if was != nil && c.failure == nil {
		c.behaviour = e.behaviourOf(c.Image, c.resolved).of(c.definition.Command)
	}
}

func (t *Task) pullFailure(c *Container) string {
	ref := c.Image
	if t.Deployment != nil && c.definition.Consistency != "disabled" {
		if digest := t.Deployment.Revision.digestOf(c.Name); digest != "" {
			ref = pinned(ref, digest)
		}
	}
	switch {
	case c.behaviour.Start == PullError:
		return c.reasonOr(imageMissing(ref))
	case c.behaviour.Start == WrongArch && (c.resolved.Index || c.behaviour.Reason != ""):
		return c.reasonOr(platformMissing(t.Definition.Definition.platform()))
	case c.failure == nil:
	case errors.Is(c.failure, ErrImageNotFound):
		return imageMissing(ref)
	case errors.Is(c.failure, ErrRepositoryNotFound):
		return repositoryMissing(ref)
	case errors.Is(c.failure, ErrImageDenied):
		return imageDenied(ref)
	default:
		return pullUnreachable(ref, c.failure)
	}
	if c.resolved.Index && !c.runs(t) {
		return platformMissing(t.Definition.Definition.platform())
	}
	return ""
}

// runs says whether the image has the platform that the task runs on.
func (c *Container) runs(t *Task) bool {
	if len(c.resolved.Platforms) == 0 {
		return true
	}
	want := t.Definition.Definition.platform()
	return slices.ContainsFunc(c.resolved.Platforms, func(p string) bool { return p == want || strings.HasPrefix(p, want+"/") })
}

// platform is the one that the task runs on, in the words of OCI.
func (d Definition) platform() string {
	if d.Platform.CPUArchitecture == "ARM64" {
		return "linux/arm64"
	}
	return "linux/amd64"
}

// create makes the containers out of the pulled images: the log driver opens its stream, the command is looked up.
func (t *Task) create(wait time.Duration) {
	for _, c := range t.Containers {
		if group, _, ok := t.LogStream(c); ok && c.definition.Log.Options["awslogs-create-group"] != "true" &&
			!t.engine.options.Logs.GroupExists(group) {
			t.then(2*time.Second, func() { t.failStart(c, logGroupMissing) })
			return
		}
		if c.behaviour.Start == ExecError {
			t.then(2*time.Second, func() { t.failStart(c, c.reasonOr(commandMissing(t.Command(c.Name)))) })
			return
		}
	}
	if t.stage == fetched {
		t.then(wait, t.begin)
		return
	}
	t.then(wait, t.run)
}

// failStart ends a task that never ran: it skips RUNNING and DEACTIVATING (developer guide, task-lifecycle-explanation), has no startedAt,
// and its service says that it was unable to place a task, though it was placed (measured).
func (t *Task) failStart(culprit *Container, reason string) {
	e, timing := t.engine, t.engine.options.Timing
	t.epoch++
	t.discard()
	t.DesiredStatus, t.StopCode, t.StoppedReason = Stopped, TaskFailedToStart, reason
	t.Version++
	culprit.Reason = reason[:min(len(reason), 1024)] // API model, Container.reason
	t.then(timing.Exited, func() {
		t.StoppingAt = e.now
		t.become(Deprovisioning)
		for _, c := range t.Containers {
			c.LastStatus = Stopped
		}
		if s := t.Service; s != nil {
			s.complain("(service %s) was unable to place a task. Reason: %s.", s.Name, strings.TrimSuffix(reason, "."))
			s.backOffAfter(t)
		}
		t.then(timing.Deprovision, t.end)
	})
}

// backOffAfter delays the next start of a deployment whose tasks do not reach RUNNING, and says so after a while (developer guide,
// service-throttle-logic; after how many is unconfirmed).
func (s *Service) backOffAfter(t *Task) {
	d := t.Deployment
	d.badStarts++
	if d.badStarts == 5 {
		s.complain("(service %s) is unable to consistently start tasks successfully.", s.Name)
	}
	s.hold(d, s.engine.options.Timing.React+backOff(d.badStarts, !t.PullStartedAt.IsZero() &&
		strings.HasPrefix(t.StoppedReason, "CannotPull")))
}

// run is the moment at which the containers' processes begin.
func (t *Task) run() {
	e, timing := t.engine, t.engine.options.Timing
	t.StartedAt = e.now
	t.become(Running)
	for _, c := range t.Containers {
		c.LastStatus, c.StartedAt = Running, e.now
	}
	for _, c := range t.Containers {
		t.live(c)
	}
	if t.Service == nil {
		return
	}
	if len(t.targets) > 0 {
		t.then(timing.Register, t.Service.registerDue)
	}
	if grace := time.Duration(t.Service.Grace) * time.Second; grace > 0 {
		t.then(grace, func() { t.Service.wake(0) })
	}
	if !t.checked() {
		t.then(timing.Steady, func() { t.Service.wake(0) })
	}
}

// checked says whether anything looks after the task's health.
func (t *Task) checked() bool {
	return len(t.targets) > 0 || slices.ContainsFunc(t.Containers, func(c *Container) bool {
		return c.definition.HealthCheck != nil && c.definition.essential()
	})
}
