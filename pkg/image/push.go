package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/internal/outlive"
)

// Result is what a push did, also one that failed.
type Result struct {
	Digest   string   // of the image; empty when it was not reached
	Moved    []string // tags that point at the image now and did not before
	Kept     []string // tags that pointed at it already
	Stored   bool     // the image is in the repository, with or without tags
	Created  bool     // the repository was created
	Blobs    []BlobResult
	Sent     int64 // bytes of blobs that were uploaded
	Reused   int64 // bytes of blobs that were there, or mounted
	Unpacked int64 // bytes before compression of the layers that were compressed
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

// Execute pushes: blobs, then the manifests of an index's images, then the image by its digest, and when that resolves, the
// tags. An error before the tags leaves every tag where it was. The result tells what was done in either case. The error of a
// cancelled context is its cause, wrapped.
func (p *Plan) Execute(ctx context.Context) (Result, error) {
	var r Result
	if p.To.Missing {
		if err := p.To.Create(ctx); err != nil {
			return r, err
		}
		r.Created = true
	}
	root := p.Source.root
	if !p.there {
		if err := p.sendBlobs(ctx, &r); err != nil {
			return r, err
		}
		if err := p.putManifests(ctx); err != nil {
			return r, err
		}
		r.Stored = true
	}
	r.Digest = root.desc.Digest.String()
	if err := p.verify(ctx, r.Digest); err != nil {
		return r, err
	}
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	return r, p.moveTags(ctx, &r)
}

// sendBlobs has every blob of the image in the repository when it returns without error, and the digest known.
func (p *Plan) sendBlobs(ctx context.Context, r *Result) error {
	var (
		mu       sync.Mutex
		pack     = newCompressor()
		stored   = map[v1.Hash]v1.Descriptor{}
		group, c = errgroup.WithContext(ctx)
	)
	group.SetLimit(transfers)
	for _, j := range p.jobs() {
		if j.reuse {
			if j.diffID != (v1.Hash{}) {
				mu.Lock()
				stored[j.diffID] = j.Descriptor
				mu.Unlock()
			}
			p.note(&mu, r, BlobResult{Digest: j.Digest.String(), MediaType: string(j.MediaType), Size: j.Size, How: Reused})
			continue
		}
		group.Go(func() error {
			if !j.mustCompress() {
				b, err := p.send(c, j.Blob, 0)
				if err == nil {
					p.note(&mu, r, b)
				}
				return err
			}
			spooled, err := newSpool()
			if err != nil {
				return err
			}
			defer spooled.Close()
			packed, err := p.pack(c, pack, j.layer, spooled)
			if err != nil {
				return err
			}
			b, err := p.send(c, packed.blob, packed.read)
			if err != nil {
				return err
			}
			mu.Lock()
			stored[j.diffID] = packed.blob.Descriptor
			mu.Unlock()
			p.note(&mu, r, b)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if p.Source.root.raw == nil {
		p.Source.root.finish(stored)
	}
	return nil
}

// packedLayer is a layer that was compressed.
type packedLayer struct {
	blob Blob
	read int64
}

// pack compresses a layer into a spool and checks that what was read is the layer that the configuration names.
func (p *Plan) pack(ctx context.Context, c *compressor, l layer, to *spool) (packedLayer, error) {
	began := time.Now()
	from, err := l.Open(ctx)
	if err != nil {
		return packedLayer{}, fmt.Errorf("reading layer %s: %w", l.diffID, err)
	}
	defer from.Close()
	out, err := c.compress(ctx, to, from)
	if err != nil {
		return packedLayer{}, fmt.Errorf("compressing layer %s: %w", l.diffID, err)
	}
	if l.diffID.Algorithm == "sha256" && out.DiffID != l.diffID {
		return packedLayer{}, fmt.Errorf("%w: the configuration names the layer %s, but its %d bytes hash to %s", errDamaged,
			l.diffID, out.Read, out.DiffID)
	}
	d := l.Descriptor
	d.Digest, d.Size = out.Digest, out.Size
	p.To.observe(Event{Kind: Compressed, Digest: d.Digest.String(), Size: d.Size, Read: out.Read, Took: time.Since(began)})
	return packedLayer{to.blob(d), out.Read}, nil
}

// send has one blob in the repository. A layer that was just compressed may be there under this digest, from an image that was
// not looked at.
func (p *Plan) send(ctx context.Context, b Blob, read int64) (BlobResult, error) {
	began := time.Now()
	out := BlobResult{Digest: b.Digest.String(), MediaType: string(b.MediaType), Size: b.Size, Read: read, How: Uploaded}
	if _, asked := p.has[b.Digest]; !asked && !p.To.fresh() {
		found, err := p.To.hasBlob(ctx, b.Digest)
		if err != nil {
			return out, err
		}
		if found {
			out.How = Reused
			return out, nil
		}
	}
	mounted, err := p.To.upload(ctx, b, p.mountFrom)
	if mounted {
		out.How = Mounted
	}
	out.Took = time.Since(began)
	return out, err
}

// note adds a blob to the result and tells the observer.
func (p *Plan) note(mu *sync.Mutex, r *Result, b BlobResult) {
	mu.Lock()
	r.Blobs = append(r.Blobs, b)
	r.Unpacked += b.Read
	if b.How == Uploaded {
		r.Sent += b.Size
	} else {
		r.Reused += b.Size
	}
	mu.Unlock()
	p.To.observe(Event{Kind: b.How, Digest: b.Digest, Size: b.Size, Read: b.Read, Took: b.Took})
}

// putManifests stores the manifests by their digests, those of an index's images before the index.
func (p *Plan) putManifests(ctx context.Context) error {
	root := p.Source.root
	var err error
	root.walk(func(n *node) {
		if err != nil {
			return
		}
		m := &manifest{Digest: n.desc.Digest, MediaType: n.desc.MediaType, Raw: n.raw}
		if n != root && !p.To.fresh() {
			var found bool
			if _, found, err = p.To.hasManifest(ctx, m.Digest.String()); found || err != nil {
				return
			}
		}
		if err = p.To.putManifest(ctx, m.Digest.String(), m); err == nil {
			p.To.observe(Event{Kind: Put, Digest: m.Digest.String(), Size: int64(len(m.Raw)), Text: string(m.MediaType)})
		}
	})
	return err
}

// verify asks the registry whether a tag or digest resolves to the image.
func (p *Plan) verify(ctx context.Context, tagOrDigest string) error {
	want := p.Source.root.desc.Digest.String()
	got, found, err := p.To.hasManifest(ctx, tagOrDigest)
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
		err := p.To.putManifest(ctx, move.Tag, m)
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
			err = p.verify(ctx, move.Tag)
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
