package ecsrollback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// shown is how many versions are looked at and shown, the newest first.
const shown = 10

// copyTag is the tag of a revision that a rollback registered as a copy of another one.
const copyTag = "connect2:copy-of"

// view is what there is to go back to.
type view struct {
	plan      history.Plan // of a rollback to the previous version
	versions  []history.Version
	revisions map[string]*taskdef.Revision // that could be described, by ARN
}

// consider looks at the versions that could be gone back to, and decides about a rollback to the previous one.
func (r *Rollback) consider(ctx context.Context, seen read) (view, error) {
	known := history.KnownOf(seen.hold)
	known.Met = r.met
	plan := history.Decide(seen.Seen, known)
	if plan.Choice.Refusal == history.NoHistory || plan.Choice.Refusal == history.NoneBefore {
		known.Replaced = r.replaced(ctx, seen, plan.Left)
		plan = history.Decide(seen.Seen, known)
	}
	options := plan.Choice.Options
	wanted := append(taskDefinitions(options[:min(len(options), shown)]), plan.Left)
	failed := ""
	if len(seen.Deployments) > 0 && !seen.Deployments[0].Succeeded() && seen.Deployments[0].TaskDefinition != "" {
		failed = seen.Deployments[0].TaskDefinition
		wanted = append(wanted, failed)
	}
	v := view{revisions: history.Describe(ctx, r.client, wanted)}
	if left := v.revisions[plan.Left]; left != nil {
		known.Copy = left.Tags[copyTag]
	}
	if revision := v.revisions[failed]; revision != nil && !revision.Active {
		known.Failed = map[string]bool{failed: true}
	}
	var checked map[string]bool
	known.Unusable, checked = r.unusable(ctx, options[:min(len(options), shown)], v.revisions)
	for {
		v.plan = history.Decide(seen.Seen, known)
		target := v.plan.Choice.Target
		if v.plan.Choice.Refusal != history.Chosen || v.plan.Do != history.Update || checked[target.TaskDefinition] {
			break
		}
		checked[target.TaskDefinition] = true
		why, err := r.whyUnusable(ctx, target, nil)
		if err != nil {
			return v, err
		}
		if why != "" {
			known.Unusable[target.TaskDefinition] = why
		}
	}
	for _, option := range v.plan.Choice.Options {
		v.versions = append(v.versions, history.VersionOf(option, v.revisions[option.Deployment.TaskDefinition]))
	}
	return v, nil
}

// replaced returns what the first deployment of a version replaced. It is read where the list does not reach back that far.
func (r *Rollback) replaced(ctx context.Context, seen read, taskDefinition string) []history.Deployment {
	deployment := history.FirstOf(seen.Deployments, taskDefinition)
	if deployment == "" {
		deployment = seen.Service.Current
	}
	if deployment == "" {
		return nil
	}
	all, err := history.Replaced(ctx, r.client, deployment)
	if err != nil && !awserr.Optional(r.env.Events, "What the running deployment replaced", err) {
		r.env.Events.Debugf("what the running deployment replaced is not known: %v", err)
	}
	return all
}

// unusable says which options cannot be run any more, by ARN, and which were checked. Those that could not be are left out.
func (r *Rollback) unusable(ctx context.Context, options []history.Option,
	revisions map[string]*taskdef.Revision) (found map[string]string, checked map[string]bool) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	found, checked = map[string]string{}, map[string]bool{}
	for _, option := range options {
		revision := revisions[option.Deployment.TaskDefinition]
		if revision == nil {
			continue
		}
		wg.Go(func() {
			why, err := r.whyUnusable(ctx, option.Deployment, revision)
			mu.Lock()
			defer mu.Unlock()
			checked[option.Deployment.TaskDefinition] = err == nil
			if why != "" {
				found[option.Deployment.TaskDefinition] = why
			}
		})
	}
	wg.Wait()
	return found, checked
}

// whyUnusable says why a version cannot be run any more, or "". revision is nil where it is to be read.
func (r *Rollback) whyUnusable(ctx context.Context, ran history.Deployment, revision *taskdef.Revision) (why string, err error) {
	if revision == nil {
		revision, err = taskdef.Describe(ctx, r.client, ran.TaskDefinition)
	}
	if errors.Is(err, taskdef.ErrNotFound) {
		return "its task definition was deleted", nil
	}
	if err != nil {
		return "", err
	}
	return r.missingImage(ctx, revision.Document, ran.Digests())
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
		case awserr.Optional(r.env.Events, "Whether the image is still there", err):
		default:
			return "", err
		}
	}
	return "", nil
}

// tagged returns the digest that a tag has in the repository of the image that runs, or "".
func (r *Rollback) tagged(ctx context.Context, v view, tag string) string {
	revision := v.revisions[v.plan.Left]
	if revision == nil {
		return ""
	}
	container, err := revision.Document.Container("")
	if err != nil {
		return ""
	}
	ref, err := image.Complete(":"+tag, revision.Document.Image(container))
	if err != nil {
		return ""
	}
	resolved, err := r.registries.Resolve(ctx, ref)
	if err != nil {
		r.env.Events.Debugf("looking for the image tag %s: %v", tag, err)
		return ""
	}
	return resolved.Reference.Digest
}

// target is an earlier version that the service is updated to.
type target struct {
	revision *taskdef.Revision
	document taskdef.Document // its content with every image pinned to what ran
	digest   string           // of the first container that has one
}

// targetOf is what a plan goes back to; revision is nil where it is still to be read. Every image is pinned to the digest that ran
// then: its tag may mean another image by now.
func (r *Rollback) targetOf(ctx context.Context, plan history.Plan, revision *taskdef.Revision) (*target, error) {
	taskDefinition, ran := plan.Back, plan.Ran
	var err error
	if revision == nil {
		revision, err = taskdef.Describe(ctx, r.client, taskDefinition)
	}
	if errors.Is(err, taskdef.ErrNotFound) {
		return nil, fmt.Errorf("to: there is no task definition %s", arn.Revision(taskDefinition))
	}
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	if ran != nil {
		digests = ran.Digests()
	}
	if why, err := r.missingImage(ctx, revision.Document, digests); err != nil || why != "" {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("to: %s cannot run any more: %s", revision.Name(), why)
	}
	document, err := pinned(revision.Document, digests)
	if err != nil {
		return nil, err
	}
	t := &target{revision: revision, document: document}
	for _, container := range document.Containers() {
		if _, digest, ok := strings.Cut(document.Image(container), "@"); ok && t.digest == "" {
			t.digest = digest
		}
	}
	return t, nil
}

// needsCopy reports whether the revision cannot be deployed as it is: ECS refuses an INACTIVE one, and an image that is
// given by tag may have moved.
func (t *target) needsCopy() bool {
	return !t.revision.Active || !taskdef.Equal(t.revision.Document, t.document)
}

func (t *target) name() string {
	if t.needsCopy() {
		return "a copy of " + t.revision.Name()
	}
	return t.revision.Name()
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
