package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/internal/outlive"
)

// Result is what a push did, also one that failed.
type Result struct {
	Digest    string   // of the image; empty when it was not reached
	Moved     []string // tags that point at the image now and did not before
	Kept      []string // tags that pointed at it already
	Stored    bool     // the image is in the repository, with or without tags
	Created   bool     // the repository was created
	Begun     bool     // the registry began an upload or mounted a blob, whatever came of it
	Blobs     []BlobResult
	Sent      int64      // bytes of blobs that were uploaded
	Reused    int64      // bytes of blobs that were there, or mounted
	Unpacked  int64      // bytes before compression of the layers that were compressed
	Referrers []Referrer // what refers to the image in the repository, of what the source has or was attached
	Also      []Result   // of the other destinations, in their order
}

// BlobResult is how one blob came into the repository.
type BlobResult struct {
	Digest    string
	MediaType string
	Size      int64     // bytes as stored
	Read      int64     // bytes before compression, for layers that were compressed
	How       EventKind // Reused, Mounted or Uploaded
	Took      time.Duration
}

// Changed says whether the push changed anything in the repository.
func (r Result) Changed() bool { return r.Created || r.Sent > 0 || len(r.Moved) > 0 || r.Stored }

// tagGrace is how long moving tags may go on after a cancellation, so that it does not stop between two of them.
const tagGrace = 5 * time.Second

// Execute pushes to all destinations: blobs, then the manifests of an index's images, then the image by its digest, and when every
// registry has confirmed that, the tags. An error before the tags leaves every tag where it was. The result tells what was done in
// either case. The error of a cancelled context is its cause, wrapped.
func (p *Plan) Execute(ctx context.Context) (Result, error) {
	all := append([]*Plan{p}, p.Also...)
	results := make([]Result, len(all))
	err := p.execute(ctx, all, results)
	for i, q := range all {
		results[i].Begun = q.To.Repository != nil && q.To.opened.Load()
	}
	results[0].Also = results[1:]
	return results[0], p.Source.blame(err)
}

func (p *Plan) execute(ctx context.Context, all []*Plan, results []Result) error {
	for i, q := range all {
		if !q.To.Missing {
			continue
		}
		if err := q.To.Create(ctx); err != nil {
			return err
		}
		q.seen.repo, results[i].Created = q.To.Repository, true
	}
	if slices.ContainsFunc(all, func(q *Plan) bool { return !q.there }) {
		if err := p.sendBlobs(ctx, all, results); err != nil {
			return err
		}
	}
	for i, q := range all {
		if !q.there {
			if err := q.putManifests(ctx); err != nil {
				return err
			}
			results[i].Stored = true
		}
		results[i].Digest = q.Source.root.desc.Digest.String()
		if err := q.sendReferrers(ctx, &results[i]); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.before != nil {
		if err := p.before(ctx, results[0]); err != nil {
			return err
		}
	}
	for i, q := range all {
		if err := q.moveTags(ctx, &results[i]); err != nil {
			return err
		}
	}
	return nil
}

// streamFrom is from how many uncompressed bytes on a layer is sent while it is compressed. A smaller one is compressed first, which
// takes no time to speak of: then the repository can be asked whether it has it already, from a push that was broken off. That is done
// with all layers from when one was found to be there.
const streamFrom = 48 << 20

// sending has the blobs of an image in the repositories.
type sending struct {
	plans   []*Plan
	whole   context.Context // that of the push: it does not end when a blob fails
	pack    *compressor
	missing []func() (map[v1.Hash]bool, error) // by plan: which of the digests known beforehand the repository does not have

	mu      sync.Mutex
	results []Result
	stored  map[v1.Hash]v1.Descriptor // by uncompressed digest
	changed bool                      // a layer was compressed to another digest than was expected

	again atomic.Bool // a layer turned out to be there once it was compressed: a push was broken off, and more may be there
}

// sendBlobs has every blob of the image in the repositories when it returns without error, and the digest known.
func (p *Plan) sendBlobs(ctx context.Context, all []*Plan, results []Result) error {
	s := &sending{plans: all, whole: ctx, pack: newCompressor(p.codec), results: results, stored: map[v1.Hash]v1.Descriptor{}}
	group, c := errgroup.WithContext(ctx)
	for _, q := range all {
		s.missing = append(s.missing, once(func() (map[v1.Hash]bool, error) {
			return q.To.missingBlobs(c, q.unasked())
		}))
	}
	group.SetLimit(transfers)
	for _, j := range p.jobs() {
		group.Go(func() error { return s.do(c, j) })
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if p.Source.root.raw == nil || s.changed {
		p.Source.root.finish(s.stored)
	}
	return nil
}

// do has one blob where it is wanted.
func (s *sending) do(ctx context.Context, j job) error {
	var lacking []*target
	for i, q := range s.plans {
		if !q.there {
			lacking = append(lacking, &target{plan: q, i: i})
		}
	}
	if j.Digest == (v1.Hash{}) {
		return s.compress(ctx, j, lacking)
	}
	blob := j.Blob
	if j.mustCompress() {
		// The bytes are in a registry alone, and what is there may be lost.
		holder := j.holder
		if there, err := s.holds(ctx, holder, j.Digest); err != nil || !there {
			if err != nil {
				return err
			}
			return s.compress(ctx, j, lacking)
		}
		blob.Open = func(ctx context.Context) (io.ReadCloser, error) { return holder.openBlob(ctx, j.Digest) }
		s.mu.Lock()
		d := j.Descriptor
		s.stored[j.diffID] = d
		s.mu.Unlock()
	}
	var send []*target
	known := true // that what is there is the layer that the configuration names
	for _, t := range lacking {
		there, err := s.has(ctx, t, j.Digest)
		if err != nil {
			return err
		}
		if there {
			known = known && (j.proof == nil || t.plan.seen.pairs(ctx, j.Digest, j.diffID))
			s.note(t, BlobResult{Digest: j.Digest.String(), MediaType: string(j.MediaType), Size: j.Size, How: Reused})
			continue
		}
		send = append(send, t)
	}
	if j.proof != nil && !j.mustCompress() && (len(send) > 0 || !known) {
		return s.prove(ctx, j.proof, func(ctx context.Context, proven func(context.Context) error) error {
			return s.each(send, func(t *target) error { return s.send(ctx, t, blob, nil, proven) })
		})
	}
	var err error
	if len(send) > 1 && (j.holder != nil || s.plans[0].Source.from != nil) { // it comes from far: once is enough
		var spooled *spool
		if spooled, err = newSpool(); err != nil {
			return err
		}
		defer spooled.Close()
		err = s.fetch(ctx, blob, spooled, func(b Blob) error {
			return s.each(send, func(t *target) error { return s.send(ctx, t, b, j.holder, nil) })
		})
	} else {
		err = s.each(send, func(t *target) error { return s.send(ctx, t, blob, j.holder, nil) })
	}
	if j.mustCompress() && (denied(err) || notFound(err)) { // by who has it: then there is still the source
		return s.compress(ctx, j, send)
	}
	return err
}

// prove checks a layer while it is sent; no upload of it is closed before it is known to be whole, and none goes on once it is not. As
// many are checked at once as there are processors.
func (s *sending) prove(ctx context.Context, p *proof, send func(context.Context, func(context.Context) error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	checked := make(chan struct{})
	var bad error
	go func() {
		defer close(checked)
		select {
		case s.pack.slots <- struct{}{}:
			defer func() { <-s.pack.slots }()
			bad = p.check(ctx)
		case <-ctx.Done():
			bad = context.Cause(ctx)
		}
		if bad != nil {
			cancel(bad)
		}
	}()
	proven := func(ctx context.Context) error {
		select {
		case <-checked:
			return bad
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := send(ctx, proven)
	if err != nil {
		cancel(err)
	}
	<-checked
	return context.Cause(ctx) // what failed first; nil where nothing did
}

// target is one destination of a blob.
type target struct {
	plan *Plan
	i    int
}

// each does something for several targets at once.
func (s *sending) each(targets []*target, do func(*target) error) error {
	var group errgroup.Group
	for _, t := range targets {
		group.Go(func() error { return do(t) })
	}
	return group.Wait()
}

// holds says whether the repository that is said to have a layer has it.
func (s *sending) holds(ctx context.Context, holder *Destination, digest v1.Hash) (bool, error) {
	for i, q := range s.plans {
		if q.To == holder {
			return s.has(ctx, &target{plan: q, i: i}, digest)
		}
	}
	return true, nil // of another repository: a manifest there names it
}

// has says whether a repository has a blob, as far as it is worth waiting for the answer: false where no image that is known names it.
func (s *sending) has(_ context.Context, t *target, digest v1.Hash) (bool, error) {
	has, asked := t.plan.has[digest]
	switch {
	case asked, t.plan.To.fresh():
		return has, nil
	case !t.plan.seen.names(digest):
		return false, nil
	}
	missing, err := s.missing[t.i]()
	return !missing[digest], err
}

// fetch reads a blob once, while the readers of the spool send it on.
func (s *sending) fetch(ctx context.Context, b Blob, to *spool, send func(Blob) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		from, err := b.Open(ctx)
		if err == nil {
			_, err = io.Copy(to, &checkedReader{from: from, want: b.Descriptor})
			from.Close()
		}
		if err != nil {
			err = fatal{fmt.Errorf("reading blob %s: %w", b.Digest, err)}
		}
		to.end(err)
	})
	defer cancel()
	return send(to.blob(b.Descriptor))
}

// send has one blob of known digest in one repository; holder is who has it, nil for the source alone. The upload is not closed before
// proven agrees, where that is given.
func (s *sending) send(ctx context.Context, t *target, b Blob, holder *Destination, proven func(context.Context) error) error {
	u := upload{blob: b, open: s.whole, proven: proven}
	if holder != nil && holder.Registry == t.plan.To.Registry && holder.Name != t.plan.To.Name {
		u.from = holder.Name
	}
	if from := t.plan.Source.from; u.from == "" && from != nil && from.Registry == t.plan.To.Registry && from.Name != t.plan.To.Name {
		u.from = from.Name
	}
	if u.from == "" && len(t.plan.mounts) > 0 {
		u.from = t.plan.mounts[0]
	}
	if u.from == "" {
		u.from = t.plan.mountOf(b.Digest)
	}
	if _, asked := t.plan.has[b.Digest]; !asked && !t.plan.To.fresh() && !t.plan.seen.names(b.Digest) {
		u.there = func(ctx context.Context) (bool, error) {
			missing, err := s.missing[t.i]()
			return !missing[b.Digest], err
		}
	}
	began := time.Now()
	how, err := t.plan.To.upload(ctx, u)
	if err != nil {
		return err
	}
	out := BlobResult{Digest: b.Digest.String(), MediaType: string(b.MediaType), Size: b.Size, How: how}
	if how != Reused {
		out.Took = time.Since(began)
	}
	s.note(t, out)
	return nil
}

// packing is a layer that is being compressed.
type packing struct {
	spool *spool
	ready chan struct{}
	blob  Blob // complete when ready
	read  int64
	err   error
}

// wait waits until the layer is compressed.
func (p *packing) wait(ctx context.Context) (v1.Descriptor, error) {
	select {
	case <-p.ready:
		return p.blob.Descriptor, p.err
	case <-ctx.Done():
		return v1.Descriptor{}, context.Cause(ctx)
	}
}

// broke returns why compressing failed, where it did.
func (p *packing) broke() error {
	select {
	case <-p.ready:
		return p.err
	default:
		return nil
	}
}

// compress compresses a layer once and sends it wherever it is wanted, a large one while it is compressed.
func (s *sending) compress(ctx context.Context, j job, to []*target) error {
	spooled, err := newSpool()
	if err != nil {
		return err
	}
	defer spooled.Close()
	ctx, cancel := context.WithCancel(ctx)
	p := &packing{spool: spooled, ready: make(chan struct{}), blob: Blob{Open: spooled.open}}
	go func() {
		defer close(p.ready)
		p.blob.Descriptor, p.read, p.err = s.packInto(ctx, j.layer, spooled)
		spooled.end(p.err)
	}()
	defer func() {
		cancel()
		<-p.ready
	}()
	if j.uncompressed < s.plans[0].streamFrom || s.again.Load() {
		if _, err := p.wait(ctx); err != nil {
			return err
		}
	}
	if err := s.each(to, func(t *target) error { return s.sendPacked(ctx, t, p) }); err != nil {
		if broken := p.broke(); broken != nil {
			return broken
		}
		return err
	}
	if _, err := p.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = s.changed || j.Digest != (v1.Hash{}) && j.Digest != p.blob.Digest
	if known, ok := s.plans[0].known.stored[j.diffID]; ok && known.Digest != p.blob.Digest {
		s.changed = true
	}
	s.stored[j.diffID] = p.blob.Descriptor
	return nil
}

// packInto compresses a layer and checks that what was read is the layer that the configuration names.
func (s *sending) packInto(ctx context.Context, l layer, to *spool) (v1.Descriptor, int64, error) {
	began := time.Now()
	from, err := l.Open(ctx)
	if err != nil {
		return v1.Descriptor{}, 0, fmt.Errorf("reading %s: %w", l.label(), err)
	}
	defer from.Close()
	out, err := s.pack.compress(ctx, to, from)
	if err != nil {
		return v1.Descriptor{}, 0, fmt.Errorf("compressing %s: %w", l.label(), err)
	}
	if err := l.holds(out.DiffID, out.Read); err != nil {
		return v1.Descriptor{}, 0, err
	}
	d := l.Descriptor
	d.Digest, d.Size = out.Digest, out.Size
	s.plans[0].To.observe(Event{Kind: Compressed, Digest: d.Digest.String(), Size: d.Size, Read: out.Read, Took: time.Since(began)})
	return d, out.Read, nil
}

// errThere stops sending a layer that the repository turns out to have.
var errThere = errors.New("the repository has it")

// sendPacked sends a layer that was compressed, or is being compressed. It may be there under this digest, from an image that was not
// looked at or from a push that was broken off.
func (s *sending) sendPacked(ctx context.Context, t *target, p *packing) error {
	began := time.Now()
	to := t.plan.To
	there := func(ctx context.Context) (bool, error) { return to.hasBlob(ctx, p.blob.Digest) }
	var closing atomic.Bool // from here on what is found may be our own
	u := upload{blob: Blob{Open: p.spool.open}, broke: p.broke, open: s.whole}
	u.later = func(ctx context.Context) (v1.Descriptor, error) {
		d, err := p.wait(ctx)
		closing.Store(true)
		return d, err
	}
	select {
	case <-p.ready:
		u = upload{blob: p.blob, open: s.whole}
		if !to.fresh() {
			u.there = there
		}
	default:
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var asking sync.WaitGroup
	if u.later != nil && !to.fresh() {
		asking.Go(func() {
			if _, err := p.wait(ctx); err == nil {
				if found, _ := there(ctx); found && !closing.Load() { // a failure costs nothing: it is sent
					cancel(errThere)
				}
			}
		})
	}
	how, err := to.upload(ctx, u)
	if errors.Is(err, errThere) {
		how, err = Reused, nil
	}
	cancel(nil)
	asking.Wait()
	if err != nil {
		return err
	}
	if how == Reused {
		s.again.Store(true)
	}
	out := BlobResult{Digest: p.blob.Digest.String(), MediaType: string(p.blob.MediaType), Size: p.blob.Size, Read: p.read, How: how}
	if how != Reused {
		out.Took = time.Since(began)
	}
	s.note(t, out)
	return nil
}

// note adds a blob to a result and tells the observer.
func (s *sending) note(t *target, b BlobResult) {
	s.mu.Lock()
	r := &s.results[t.i]
	r.Blobs = append(r.Blobs, b)
	r.Unpacked += b.Read
	if b.How == Uploaded {
		r.Sent += b.Size
	} else {
		r.Reused += b.Size
	}
	s.mu.Unlock()
	t.plan.To.observe(Event{Kind: b.How, Digest: b.Digest, Size: b.Size, Read: b.Read, Took: b.Took})
}

// putManifests stores the manifests by their digests, those of an index's images before the index.
func (p *Plan) putManifests(ctx context.Context) error {
	for _, floor := range p.Source.root.floors() {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(lookups)
		for _, n := range floor {
			group.Go(func() error {
				m := &manifest{Digest: n.desc.Digest, MediaType: n.desc.MediaType, Raw: n.raw}
				stored, err := p.To.putManifest(ctx, m.Digest.String(), m)
				if err == nil {
					err = p.confirm(ctx, m.Digest.String(), m.Digest.String(), stored)
				}
				if err == nil {
					p.To.observe(Event{Kind: Put, Digest: m.Digest.String(), Size: int64(len(m.Raw)), Text: string(m.MediaType)})
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// floors returns a node and all below it, each digest once, in groups that may be stored in this order.
func (n *node) floors() (floors [][]*node) {
	at := map[v1.Hash]int{} // on which floor
	n.walk(func(n *node) {
		floor := 0
		for _, c := range n.children {
			floor = max(floor, at[c.desc.Digest]+1)
		}
		at[n.desc.Digest] = floor
		for len(floors) <= floor {
			floors = append(floors, nil)
		}
		floors[floor] = append(floors[floor], n)
	})
	return floors
}

// confirm makes sure that a tag or digest resolves to what was stored under it: by the registry's answer to storing it, or where that
// did not say, by asking.
func (p *Plan) confirm(ctx context.Context, tagOrDigest, want, stored string) error {
	got, found := stored, true
	var err error
	if got == "" {
		got, found, err = p.To.hasManifest(ctx, tagOrDigest)
	}
	if err == nil && found && got == "" { // the answer to a HEAD need not tell
		var m *manifest
		if m, err = p.To.manifest(ctx, tagOrDigest); err == nil {
			got = m.Digest.String()
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("verifying the push: %w", err)
	case !found:
		return fmt.Errorf("verifying the push: the registry took %s and does not have it", p.To.Ref(tagOrDigest))
	case got != want:
		return fmt.Errorf("verifying the push: %s is %s, not %s; something else pushes as well", p.To.Ref(tagOrDigest), got, want)
	}
	return nil
}

// TagsError says that moving tags stopped in the middle.
type TagsError struct {
	Moved []string
	Left  []string
	Err   error
}

// Error says which tags moved and which did not.
func (e *TagsError) Error() string {
	if len(e.Moved) == 0 {
		return fmt.Sprintf("no tag was moved: %v", e.Err)
	}
	return fmt.Sprintf("the tags %q were moved and %q were not: %v", e.Moved, e.Left, e.Err)
}

// Unwrap returns what stopped it.
func (e *TagsError) Unwrap() error { return e.Err }

// moveTags points the tags at the image, in the order in which they were given.
func (p *Plan) moveTags(ctx context.Context, r *Result) error {
	ctx, cancel := outlive.Answer(ctx, tagGrace)
	defer cancel()
	root := p.Source.root
	m := &manifest{Digest: root.desc.Digest, MediaType: root.desc.MediaType, Raw: root.raw}
	for i, move := range p.Tags {
		if move.Keep {
			r.Kept = append(r.Kept, move.Tag)
			continue
		}
		stored, err := p.To.putManifest(ctx, move.Tag, m)
		if refusedTag(err) {
			// Somebody else was there first, perhaps a run of the same commit.
			now, readErr := p.To.manifest(ctx, move.Tag)
			if readErr == nil && now.Digest == m.Digest {
				r.Kept = append(r.Kept, move.Tag)
				continue
			}
			if readErr == nil {
				err = fmt.Errorf("%w (%w)", &ImmutableTagError{Repository: p.To.URI, Tag: move.Tag, Has: now.Digest.String(),
					Wanted: m.Digest.String()}, err)
			}
		}
		if err == nil {
			err = p.confirm(ctx, move.Tag, m.Digest.String(), stored)
		}
		if err != nil {
			var left []string
			for _, l := range p.Tags[i:] {
				if !l.Keep {
					left = append(left, l.Tag)
				}
			}
			return &TagsError{Moved: slices.Clone(r.Moved), Left: left, Err: err}
		}
		r.Moved = append(r.Moved, move.Tag)
		p.To.observe(Event{Kind: Tagged, Digest: r.Digest, Text: move.Tag})
	}
	return nil
}

// refusedTag says whether the registry refused to move an immutable tag.
func refusedTag(err error) bool {
	var refusal *RegistryError
	return errors.As(err, &refusal) && (refusal.Code == "TAG_INVALID" || refusal.Status == 409)
}
