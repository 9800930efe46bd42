package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// How many registry requests are made at once: small ones, and layers being compressed or sent.
const (
	lookups   = 8
	transfers = 6
)

// Plan is a push that was looked into and not begun: nothing has been written so far. A plan is executed once.
type Plan struct {
	Source *Source
	To     *Destination
	Tags   []TagMove

	mountFrom string
	there     bool                      // the repository has the whole image under its digest
	stored    map[v1.Hash]v1.Descriptor // uncompressed to stored layers that the repository has
	has       map[v1.Hash]bool          // blobs that the repository has
}

// TagMove is what a push does to one tag.
type TagMove struct {
	Tag  string
	From string // the digest that it has, empty where there is none
	Keep bool   // it has the image's digest already: nothing is sent
}

// PlanOptions says how to push.
type PlanOptions struct {
	Tags      []string
	MountFrom string // a repository of the same registry to mount blobs from; empty: every blob is sent
}

// NewPlan finds out what a push will do. It reads from the registry and from the source, and writes nothing. All that stands in
// the way is reported together: tags that are no tags, and tags that are immutable and belong to another image.
func NewPlan(ctx context.Context, src *Source, to *Destination, o PlanOptions) (*Plan, error) {
	p := &Plan{Source: src, To: to, mountFrom: o.MountFrom, stored: map[v1.Hash]v1.Descriptor{}, has: map[v1.Hash]bool{}}
	var problems []error
	for _, tag := range o.Tags {
		if err := CheckTag(tag); err != nil {
			problems = append(problems, err)
		} else if !slices.ContainsFunc(p.Tags, func(m TagMove) bool { return m.Tag == tag }) {
			p.Tags = append(p.Tags, TagMove{Tag: tag})
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if to.Missing {
		return p, nil
	}

	current, err := p.readTags(ctx)
	if err != nil {
		return nil, err
	}
	earlier := &earlier{repo: to.Repository, newest: to.newest, known: current}
	if err := p.findWhole(ctx, earlier); err != nil {
		return nil, err
	}
	if !p.there {
		if err := p.findLayers(ctx, earlier); err != nil {
			return nil, err
		}
	}
	return p, p.decideTags()
}

// readTags reads what the tags point at now.
func (p *Plan) readTags(ctx context.Context) ([]*manifest, error) {
	found := make([]*manifest, len(p.Tags))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, move := range p.Tags {
		group.Go(func() error {
			m, err := p.To.manifest(ctx, move.Tag)
			if notFound(err) {
				return nil
			}
			found[i] = m
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, m := range found {
		if m != nil {
			p.Tags[i].From = m.Digest.String()
		}
	}
	return slices.DeleteFunc(found, func(m *manifest) bool { return m == nil }), nil
}

// findWhole looks for the whole image in the repository: by its digest, or, where that is not known before compressing, an
// image with the same configuration. The configuration names the digest of every uncompressed layer, so such an image is
// the same, whoever compressed it.
func (p *Plan) findWhole(ctx context.Context, earlier *earlier) error {
	root := p.Source.root
	if root.raw != nil {
		return p.lookForRoot(ctx)
	}
	images, err := earlier.images(ctx)
	if err != nil {
		return err
	}
	for _, e := range images {
		if e.doc.Config.Digest == root.config.Digest {
			root.raw, root.desc.Digest, root.desc.Size, root.desc.MediaType = e.Raw, e.Digest, int64(len(e.Raw)), e.MediaType
			p.there = true
			return nil
		}
	}
	return nil
}

func (p *Plan) lookForRoot(ctx context.Context) error {
	digest := p.Source.root.desc.Digest.String()
	if slices.ContainsFunc(p.Tags, func(m TagMove) bool { return m.From == digest }) {
		p.there = true
		return nil
	}
	_, found, err := p.To.hasManifest(ctx, digest)
	p.there = found
	return err
}

// findLayers finds out which blobs the repository has. For layers that would have to be compressed, the images of before tell
// under which digest they are stored.
func (p *Plan) findLayers(ctx context.Context, earlier *earlier) error {
	wanted := map[v1.Hash]bool{} // uncompressed digests
	ask := map[v1.Hash]bool{}    // stored digests
	p.Source.root.walk(func(n *node) {
		if n.config.Open != nil {
			ask[n.config.Digest] = true
		}
		for _, l := range n.layers {
			if l.mustCompress() {
				wanted[l.diffID] = true
			} else {
				ask[l.Digest] = true
			}
		}
	})
	mapped := map[v1.Hash]v1.Descriptor{}
	if len(wanted) > 0 {
		var err error
		if mapped, err = earlier.layers(ctx, wanted); err != nil {
			return err
		}
		for _, d := range mapped {
			ask[d.Digest] = true
		}
	}
	if err := p.askForBlobs(ctx, ask); err != nil {
		return err
	}
	whole := len(wanted) > 0
	for diffID := range wanted {
		if d, ok := mapped[diffID]; ok && p.has[d.Digest] {
			p.stored[diffID] = d
		} else {
			whole = false
		}
	}
	if whole { // nothing has to be compressed: the digest is known now
		p.Source.root.finish(p.stored)
		return p.lookForRoot(ctx)
	}
	return nil
}

func (p *Plan) askForBlobs(ctx context.Context, digests map[v1.Hash]bool) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for digest := range digests {
		group.Go(func() error {
			found, err := p.To.hasBlob(ctx, digest)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			p.has[digest] = found
			return nil
		})
	}
	return group.Wait()
}

// decideTags decides what happens to each tag, and refuses a push that would move immutable ones.
func (p *Plan) decideTags() error {
	root := p.Source.root
	image := "image ID " + root.imageID()
	if root.raw != nil {
		image = root.desc.Digest.String()
	}
	var problems []error
	for i, move := range p.Tags {
		p.Tags[i].Keep = root.raw != nil && move.From == root.desc.Digest.String()
		if move.From != "" && !p.Tags[i].Keep && !p.To.Rules.Movable(move.Tag) {
			problems = append(problems, &ImmutableTagError{Repository: p.To.URI, Tag: move.Tag, Has: move.From, Wanted: image})
		}
	}
	return errors.Join(problems...)
}

// ImmutableTagError says that a tag cannot be moved to another image.
type ImmutableTagError struct {
	Repository string // its URI
	Tag        string
	Has        string // the digest behind the tag
	Wanted     string // the digest of the image pushed, or its ID where it is not compressed yet
}

// Error names both images.
func (e *ImmutableTagError) Error() string {
	return fmt.Sprintf("the tag %s of %s is immutable and belongs to %s; the source is another image, %s: push under a new tag",
		e.Tag, e.Repository, e.Has, e.Wanted)
}

// Digest returns the digest of the image, if it is known before the push.
func (p *Plan) Digest() (digest string, ok bool) { return p.Source.Digest() }

// NoChange says whether there is nothing to do.
func (p *Plan) NoChange() bool {
	return p.there && !slices.ContainsFunc(p.Tags, func(m TagMove) bool { return !m.Keep })
}

// Work is how much a push sends, in blobs and bytes.
type Work struct {
	Send, Compress, Reuse int // blobs sent as they are, layers compressed first, and blobs that the repository has
	SendBytes             int64
	CompressBytes         int64 // before compression
	ReuseBytes            int64
}

// Work returns how much the push sends.
func (p *Plan) Work() Work {
	var w Work
	if p.there {
		return w
	}
	for _, j := range p.jobs() {
		switch {
		case j.reuse:
			w.Reuse, w.ReuseBytes = w.Reuse+1, w.ReuseBytes+j.Size
		case j.mustCompress():
			w.Compress, w.CompressBytes = w.Compress+1, w.CompressBytes+j.uncompressed
		default:
			w.Send, w.SendBytes = w.Send+1, w.SendBytes+j.Size
		}
	}
	return w
}

// job is one blob to have in the repository.
type job struct {
	layer
	reuse bool
}

// jobs lists every blob of the image once, the largest first: the longest work begins before the short ones fill the gaps.
func (p *Plan) jobs() []job {
	var jobs []job
	seen := map[v1.Hash]bool{}
	add := func(l layer) {
		j := job{layer: l, reuse: p.has[l.Digest]}
		key := l.Digest
		if l.mustCompress() {
			key = l.diffID
			if d, ok := p.stored[l.diffID]; ok {
				j.Digest, j.Size, j.reuse = d.Digest, d.Size, true
			}
		}
		if !seen[key] {
			seen[key] = true
			jobs = append(jobs, j)
		}
	}
	p.Source.root.walk(func(n *node) {
		for _, l := range n.layers {
			add(l)
		}
		if n.config.Open != nil {
			add(layer{Blob: n.config})
		}
	})
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(max(b.Size, b.uncompressed), max(a.Size, a.uncompressed)) })
	return jobs
}
