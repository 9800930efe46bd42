package ecrpush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// Execute pushes, and tells what it did. A failure before the tags has the outcome Failed and says that none moved; one between
// two tags is Stuck and says which did.
func (p *Push) Execute(ctx context.Context) (Outputs, error) {
	if p.nothing {
		p.told.nothing(p)
		return Outputs{Outputs: action.Outputs{Outcome: action.NoChange}, Repository: p.Repository()}, nil
	}
	began := time.Now()
	p.told.plan(p)
	if p.in.DryRun {
		return p.dryRun(), nil
	}
	end := p.env.Events.Group("Push to " + p.plan.To.Name)
	r, err := p.plan.Execute(ctx)
	end()
	out := p.outputs(r)
	if err != nil {
		return out, p.failure(ctx, r, err)
	}
	out.Outcome = action.Succeeded
	if !out.Changed {
		out.Outcome = action.NoChange
	}
	p.told.done(p, r, time.Since(began))
	return out, nil
}

// outputs returns what is known of a push, whether it came to its end or not.
func (p *Push) outputs(r image.Result) Outputs {
	out := Outputs{Digest: r.Digest, Repository: p.plan.To.URI, Changed: r.Changed(), BytesUploaded: int(r.Sent), BytesReused: int(r.Reused),
		Tags: strings.Join(inOrder(p.plan.Tags, r), ",")}
	if r.Digest != "" && p.plan.To.URI != "" {
		out.Image = p.plan.To.URI + "@" + r.Digest
	}
	var images []string
	for i, one := range append([]image.Result{r}, r.Also...) {
		to := p.to
		if i > 0 {
			to = p.also[i-1]
			out.Changed = out.Changed || one.Changed()
			out.BytesUploaded, out.BytesReused = out.BytesUploaded+int(one.Sent), out.BytesReused+int(one.Reused)
		}
		if one.Digest != "" && to.URI != "" {
			images = append(images, to.URI+"@"+one.Digest)
		}
	}
	out.Images = strings.Join(images, "\n")
	out.Referrers = referrersOutput(r.Referrers)
	for _, b := range r.Blobs {
		if b.How == image.Uploaded {
			out.LayersUploaded++
		} else {
			out.LayersReused++
		}
	}
	return out
}

// inOrder lists the tags that point at the image, as they were given.
func inOrder(tags []image.TagMove, r image.Result) []string {
	var names []string
	for _, t := range tags {
		if slices.Contains(r.Moved, t.Tag) || slices.Contains(r.Kept, t.Tag) {
			names = append(names, t.Tag)
		}
	}
	return names
}

// dryRun returns what is known without pushing.
func (p *Push) dryRun() Outputs {
	out := Outputs{Outputs: action.Outputs{Outcome: action.Succeeded}, Repository: p.plan.To.URI}
	if p.plan.NoChange() {
		out.Outcome = action.NoChange
	}
	if digest, ok := p.plan.Digest(); ok {
		out.Digest = digest
		if p.plan.To.URI != "" {
			out.Image = p.plan.To.URI + "@" + digest
		}
	}
	for _, t := range p.plan.Tags {
		if t.Keep {
			out.Tags = strings.TrimPrefix(out.Tags+","+t.Tag, ",")
		}
	}
	return out
}

// notAllowed says whether a push ended because the repository may not be asked for its layers, before the first upload had begun: that
// is as good as a check before. It is asked beside the first uploads, which may have begun by then.
func notAllowed(r image.Result, err error) bool {
	var look *image.LookError
	return errors.As(err, &look) && awserr.IsDenied(err) &&
		!slices.ContainsFunc(append([]image.Result{r}, r.Also...), func(r image.Result) bool { return r.Changed() || r.Begun })
}

// failure says how a push ended that did not come to its end: the outcome is decided by whether a tag moved.
func (p *Push) failure(ctx context.Context, r image.Result, err error) error {
	f := &action.Error{Outcome: action.Failed, Title: titleOf(err), Advice: adviceOf(err), Err: awserr.Explain(err)}
	if f.Advice == "" {
		f.Advice = hopeless(err)
	}
	if notAllowed(r, err) {
		f.Outcome, f.Advice = action.Invalid, adviceOf(err)
		return f
	}
	if ctx.Err() != nil {
		f.Outcome, f.Title = action.OutcomeOf(ctx.Err()), "The push was stopped"
	}
	var denied *image.RegistryError
	if r.Created && errors.As(err, &denied) {
		f.Advice = strings.TrimSpace(f.Advice + " The repository " + p.plan.To.Name + " was created.")
	}
	if slices.ContainsFunc(append([]image.Result{r}, r.Also...), func(r image.Result) bool { return len(r.Moved) > 0 }) {
		f.Outcome = action.Stuck
		f.Title = "Only some tags were moved"
		if f.Advice == "" {
			f.Advice = "Run it again: what was sent is kept, and tags that are right are left alone."
		}
		return f
	}
	var tags *image.TagsError // says so itself
	if !errors.As(err, &tags) {
		f.Err = fmt.Errorf("no tag was moved: %w", f.Err)
	}
	if f.Advice == "" {
		f.Advice = "Run it again: layers that were sent are not sent twice."
	}
	return f
}
