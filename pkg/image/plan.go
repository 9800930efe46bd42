package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/internal/sorted"
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
	Also   []*Plan // the same push to other destinations; executing this plan executes them too

	codec      Codec
	mounts     []string    // names of repositories of To's registry that may have what it lacks
	beside     []neighbour // others that were found by its name
	before     func(context.Context, Result) error
	asked      v1.Hash          // the image's digest, where the repository was asked for it
	streamFrom int64            // see the constant of this name
	there      bool             // the repository has the whole image under its digest
	known      *knownLayers     // of all destinations together
	seen       *earlier         // images of the repository
	has        map[v1.Hash]bool // blobs that the repository was asked for

	along    *along             // what refers to the image and goes with it, to all destinations together
	met      map[*referrer]bool // of it: what the repository has, or keeps as it is
	metOn    v1.Hash            // the image's digest when the repository was asked for that
	unlisted bool               // the registry lists nothing that refers to a manifest: a tag does
}

// knownLayers are the layers that need not be compressed, since a registry has them compressed, by their uncompressed digests.
type knownLayers struct {
	stored map[v1.Hash]v1.Descriptor
	holder map[v1.Hash]*Destination // who has it
}

func (k *knownLayers) add(found map[v1.Hash]v1.Descriptor, in *Destination) {
	for diffID, d := range found {
		if _, ok := k.stored[diffID]; !ok {
			k.stored[diffID], k.holder[diffID] = d, in
		}
	}
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
	MountFrom string         // a repository of the same registry to mount blobs from; empty: none but the source's own
	Codec     Codec          // the form of all layers; empty: what is not compressed yet gets gzip, and the rest stays
	Also      []*Destination // where the same image is pushed to as well
	Referrers Referrers      // what happens to what refers to the image
	Attach    []Attachment   // files to attach to the image
	// Before is called when every destination has the image, before the first tag moves. Its error stops the push.
	Before func(context.Context, Result) error
}

// NewPlan finds out what a push will do. It reads from the registries and from the source, and writes nothing. All that stands in
// the way is reported together: tags that are not tags, and tags that are immutable and belong to another image.
func NewPlan(ctx context.Context, src *Source, to *Destination, o PlanOptions) (*Plan, error) {
	var tags []TagMove
	var problems []error
	for _, tag := range o.Tags {
		if err := CheckTag(tag); err != nil {
			problems = append(problems, err)
		} else if !slices.ContainsFunc(tags, func(m TagMove) bool { return m.Tag == tag }) {
			tags = append(tags, TagMove{Tag: tag})
		}
	}
	if len(tags) > mostTags {
		problems = append(problems, fmt.Errorf("%d tags for one image: ECR takes %d", len(tags), mostTags))
	}
	files, err := readAttachments(o.Attach)
	if err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if o.Codec != "" {
		if err := src.root.inCodec(ctx, o.Codec); err != nil {
			return nil, err
		}
	}
	src.root.nameLayers(cmp.Or(o.Codec, Gzip))
	shared := &knownLayers{stored: map[v1.Hash]v1.Descriptor{}, holder: map[v1.Hash]*Destination{}}
	along := &along{files: files}
	var all []*Plan
	for _, to := range append([]*Destination{to}, o.Also...) {
		q := &Plan{Source: src, To: to, Tags: slices.Clone(tags), codec: cmp.Or(o.Codec, Gzip), known: shared, streamFrom: streamFrom,
			has: map[v1.Hash]bool{}, seen: &earlier{repo: to.Repository}, along: along}
		if o.MountFrom != "" {
			q.mounts = append(q.mounts, o.MountFrom)
		}
		all = append(all, q)
	}
	p := all[0]
	p.Also, p.before = all[1:], o.Before
	if err := p.lookAround(ctx, all, o.Referrers); err != nil {
		return nil, err
	}
	for _, q := range all {
		problems = append(problems, q.decideTags())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return p, p.admit(ctx)
}

// lookAround finds out what the destinations have, and what of the image's referrers.
func (p *Plan) lookAround(ctx context.Context, all []*Plan, how Referrers) error {
	var found []*referrer
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.look(groupCtx) })
	group.Go(func() (err error) {
		found, err = p.findReferrers(groupCtx, how)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if err := p.keepReferrers(found, how); err != nil {
		return err
	}
	for _, q := range all {
		if err := q.lookForReferrers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// mostTags is how many tags ECR lets one image have.
const mostTags = 1000

// look finds out what the destinations have. The first that has the whole image decides about its bytes, and the first of all
// about those of single layers.
func (p *Plan) look(ctx context.Context) error {
	all := append([]*Plan{p}, p.Also...)
	group, groupCtx := errgroup.WithContext(ctx)
	for _, q := range all {
		if !q.To.Missing {
			group.Go(func() error { return q.readTags(groupCtx) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	root := p.Source.root
	wanted := root.toCompress()
	for i, q := range all {
		if root.raw != nil {
			break
		}
		if err := q.lookBack(ctx, wanted, i == 0); err != nil {
			return err
		}
	}
	if err := p.lookBeside(ctx, wanted); err != nil {
		return err
	}
	if root.raw == nil && left(wanted, p.known.stored) == 0 {
		root.finish(p.known.stored) // nothing has to be compressed: the digest is known now
	}
	if root.raw == nil {
		return nil
	}
	for _, q := range all {
		if err := q.lookForRoot(ctx); err != nil {
			return err
		}
	}
	return nil
}

// toCompress returns how many bytes the layers have that must be compressed, by their uncompressed digests.
func (n *node) toCompress() map[v1.Hash]int64 {
	bytes := map[v1.Hash]int64{}
	n.walk(func(n *node) {
		for _, l := range n.layers {
			if l.mustCompress() {
				bytes[l.diffID] = l.uncompressed
			}
		}
	})
	return bytes
}

// readTags reads what the tags point at now, and at the same time what else is asked for first.
func (p *Plan) readTags(ctx context.Context) error {
	root := p.Source.root
	var ask []string
	for _, move := range p.Tags {
		ask = append(ask, move.Tag)
	}
	switch {
	case root.raw != nil:
		ask = append(ask, root.desc.Digest.String())
	case p.To.client != nil || len(ask) < 2: // costs no request of its own, or a single one
		ask = append(ask, "latest")
	}
	slices.Sort(ask)
	found, err := p.To.ahead(ctx, slices.Compact(ask))
	if err != nil {
		return err
	}
	var images []*manifest
	for i, move := range p.Tags {
		if m := found[move.Tag]; m != nil {
			p.Tags[i].From = m.Digest.String()
			images = append(images, m)
		}
	}
	if root.raw != nil {
		p.asked = root.desc.Digest
		p.there = found[p.asked.String()] != nil
	}
	p.seen.add(ctx, p.To, append(images, found["latest"]), root.raw == nil)
	return ctx.Err()
}

// lookBack finds what earlier images tell: the whole image, or the one that has the same configuration. The configuration names the
// digest of every uncompressed layer, so such an image is the same, whoever compressed it. Else the layers that are wanted.
func (p *Plan) lookBack(ctx context.Context, wanted map[v1.Hash]int64, layers bool) error {
	look := func(e *earlier, in *Destination) bool { return p.learn(ctx, e, in, wanted, layers) }
	if !p.To.Missing {
		if look(p.seen, p.To) {
			return ctx.Err()
		}
		p.seen.add(ctx, p.To, p.To.recent(ctx, p.seen.seen), true)
		if look(p.seen, p.To) {
			return ctx.Err()
		}
	}
	for _, name := range p.mounts {
		if p.To.Missing && p.To.host == "" {
			break // which registry it will be in is not known yet
		}
		from, err := p.To.sibling(name)
		if err != nil {
			return err
		}
		e := &earlier{repo: from.Repository}
		e.add(ctx, from, from.recent(ctx, nil), true)
		if look(e, from) {
			break
		}
	}
	return ctx.Err()
}

// learn takes what earlier images tell, and says whether that is enough.
func (p *Plan) learn(ctx context.Context, e *earlier, in *Destination, wanted map[v1.Hash]int64, layers bool) (done bool) {
	if whole, ok := e.whole(p.Source.root.config.Digest, p.codec); ok && p.Source.root.raw == nil && p.takeWhole(whole, in) {
		return true
	}
	if !layers {
		return false
	}
	rest := map[v1.Hash]int64{}
	for diffID, size := range wanted {
		if _, ok := p.known.stored[diffID]; !ok {
			rest[diffID] = size
		}
	}
	p.known.add(e.layers(ctx, rest, p.codec), in)
	return left(wanted, p.known.stored) < worthLooking && len(p.known.stored) > len(wanted)/2
}

// takeWhole takes an image for the source's own, bytes and all. One of another repository is only a hint to its layers: it has to be
// stored here first.
func (p *Plan) takeWhole(e earlierImage, in *Destination) bool {
	root := p.Source.root
	if len(e.doc.Layers) != len(root.layers) {
		return false
	}
	found := map[v1.Hash]v1.Descriptor{}
	for i, l := range root.layers {
		if l.mustCompress() {
			found[l.diffID] = e.doc.Layers[i]
		} else if l.Digest != e.doc.Layers[i].Digest {
			return false
		}
	}
	p.known.stored, p.known.holder = map[v1.Hash]v1.Descriptor{}, map[v1.Hash]*Destination{}
	p.known.add(found, in)
	if in == p.To {
		root.raw, root.desc.Digest, root.desc.Size, root.desc.MediaType = e.Raw, e.Digest, int64(len(e.Raw)), e.MediaType
		p.there = true
	}
	return true
}

// lookForRoot looks for the image by its digest, where that was not done with the tags.
func (p *Plan) lookForRoot(ctx context.Context) error {
	digest := p.Source.root.desc.Digest
	switch {
	case p.there || p.To.Missing || p.asked == digest:
		return nil
	case p.seen.seen[digest], slices.ContainsFunc(p.Tags, func(m TagMove) bool { return m.From == digest.String() }):
		p.there = true
		return nil
	}
	found, err := p.To.behind(ctx, []string{digest.String()})
	p.there = found[digest.String()] != nil
	return err
}

// admit makes sure that the push may begin, before anything happens: the token for writing is there. What the repository has is asked
// for while the first uploads begin, which saves a round trip.
func (p *Plan) admit(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, q := range append([]*Plan{p}, p.Also...) {
		if q.To.Missing || q.To.token == nil || q.Unchanged() {
			continue
		}
		group.Go(func() error {
			_, err := q.To.token.header(ctx)
			return err
		})
	}
	return group.Wait()
}

// Check asks every destination for the blobs that the image consists of. Executing a plan does so by itself, while it goes on; it is
// for who wants to tell beforehand.
func (p *Plan) Check(ctx context.Context) error {
	for _, q := range append([]*Plan{p}, p.Also...) {
		if err := q.check(ctx); err != nil {
			return err
		}
	}
	p.forget()
	return nil
}

func (p *Plan) check(ctx context.Context) error {
	if p.there || p.To.Missing || p.To.fresh() {
		return nil
	}
	digests := p.unasked()
	missing, err := p.To.missingBlobs(ctx, digests)
	for _, d := range digests {
		if err == nil {
			p.has[d] = !missing[d]
		}
	}
	return err
}

// forget drops compressed layers that their repository has lost: they have to be compressed again.
func (p *Plan) forget() {
	for diffID, d := range p.known.stored {
		if has, asked := p.has[d.Digest]; p.known.holder[diffID] == p.To && asked && !has {
			delete(p.known.stored, diffID)
			delete(p.known.holder, diffID)
			p.Source.root.raw = nil
		}
	}
}

// unasked returns the digests of the image's blobs that the repository was not asked for.
func (p *Plan) unasked() (digests []v1.Hash) {
	for _, j := range p.jobs() {
		if _, asked := p.has[j.Digest]; !asked && j.Digest != (v1.Hash{}) {
			digests = append(digests, j.Digest)
		}
	}
	return digests
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

// NoChange says whether there is nothing to do, at any destination.
func (p *Plan) NoChange() bool {
	return p.Unchanged() && !slices.ContainsFunc(p.Also, func(q *Plan) bool { return !q.Unchanged() })
}

// Unchanged says whether there is nothing to do at this destination.
func (p *Plan) Unchanged() bool {
	return p.there && p.complete() && !slices.ContainsFunc(p.Tags, func(m TagMove) bool { return !m.Keep })
}

// Work is how much a push sends, in blobs and bytes.
type Work struct {
	Send, Compress, Reuse int // blobs sent as they are, layers compressed first, and blobs that the repository has
	SendBytes             int64
	CompressBytes         int64 // before compression
	ReuseBytes            int64
}

// Work returns how much the push sends to this destination, as far as that is known: Check finds out more.
func (p *Plan) Work() Work {
	var w Work
	if p.there {
		return w
	}
	for _, j := range p.jobs() {
		switch {
		case p.likely(j.Digest):
			w.Reuse, w.ReuseBytes = w.Reuse+1, w.ReuseBytes+j.Size
		case j.Digest == (v1.Hash{}):
			w.Compress, w.CompressBytes = w.Compress+1, w.CompressBytes+j.uncompressed
		default:
			w.Send, w.SendBytes = w.Send+1, w.SendBytes+j.Size
		}
	}
	return w
}

// likely says whether the repository has a blob: it said so, or an image of it names the blob.
func (p *Plan) likely(digest v1.Hash) bool {
	has, asked := p.has[digest]
	return has || !asked && digest != (v1.Hash{}) && p.seen.names(digest)
}

// job is one blob to have in the repositories. One that has to be compressed has a digest where a registry has it compressed.
type job struct {
	layer
	holder *Destination // who has it compressed; nil for what is in the source as it is stored
}

// jobs lists every blob of the image once, the largest first: the longest work begins before the short ones fill the gaps.
func (p *Plan) jobs() []job {
	var jobs []job
	seen := map[v1.Hash]bool{}
	add := func(l layer) {
		j := job{layer: l}
		key := l.Digest
		if l.mustCompress() {
			key = l.diffID
			d := p.known.stored[l.diffID] // nothing where no registry has it
			j.Digest, j.Size, j.holder = d.Digest, d.Size, p.known.holder[l.diffID]
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
	sorted.Stable(jobs, func(a, b job) int { return cmp.Compare(max(b.Size, b.uncompressed), max(a.Size, a.uncompressed)) })
	return jobs
}
