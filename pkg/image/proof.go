package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// proof says whether a layer that the source has compressed unpacks to what the configuration names. An archive of docker save names
// no digest of the layer as it is stored: a damaged one would be pushed under the digest of its damage.
type proof struct {
	layer layer // as the source has it
	how   compression
}

// check unpacks the layer.
func (p *proof) check(ctx context.Context) error {
	from, err := openUnpacked(ctx, p.layer.Blob, p.how)
	if err != nil {
		return fmt.Errorf("checking %s: %w", p.layer.label(), err)
	}
	defer from.Close()
	content := sha256.New()
	n, err := io.Copy(content, &unlessDone{ctx, from})
	if err != nil {
		return fmt.Errorf("checking %s: %w", p.layer.label(), err)
	}
	return p.layer.holds(v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(content.Sum(nil))}, n)
}

// holds says whether a layer's uncompressed content of n bytes, which hashes to got, is the one that the configuration names.
func (l layer) holds(got v1.Hash, n int64) error {
	switch {
	case got == l.diffID:
		return nil
	case l.diffID.Algorithm != got.Algorithm:
		return fmt.Errorf("%w: the configuration names the %s by another algorithm than %s, the one by which layers are checked when a "+
			"container starts", errDamaged, l.label(), got.Algorithm)
	default:
		return fmt.Errorf("%w: the configuration names the %s, but its %d uncompressed bytes hash to %s", errDamaged, l.label(), n, got)
	}
}

// label names a layer in a message: by its uncompressed digest, and by its file where the source has it under a name.
func (l layer) label() string {
	if l.name == "" {
		return "layer " + l.diffID.String()
	}
	return fmt.Sprintf("layer %s (%s)", l.diffID, l.name)
}

// unlessDone reads as long as nobody has lost interest.
type unlessDone struct {
	ctx  context.Context
	from io.Reader
}

// Read implements io.Reader.
func (r *unlessDone) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.from.Read(p)
}

// pairs says whether an image of the repository has the layer of this uncompressed digest stored under this digest: by its manifest's
// word, or by its configuration's, which is read for that. What cannot be read says nothing.
func (e *earlier) pairs(ctx context.Context, digest, diffID v1.Hash) bool {
	e.reading.Lock()
	defer e.reading.Unlock()
	for _, image := range e.images { // others read them at the same time
		at := slices.IndexFunc(image.doc.Layers, func(l v1.Descriptor) bool { return l.Digest == digest })
		if at < 0 {
			continue
		}
		if own := uncompressedOf(image.doc.Layers[at]); own != (v1.Hash{}) {
			return own == diffID
		}
		diffIDs, read := e.configured[image.Digest]
		if !read && image.doc.Config.MediaType.IsConfig() {
			if raw, err := e.repo.readBlob(ctx, *image.doc.Config); err == nil {
				diffIDs, _, _ = configOf(raw)
			}
			if e.configured == nil {
				e.configured = map[v1.Hash][]v1.Hash{}
			}
			e.configured[image.Digest] = diffIDs
		}
		if len(diffIDs) == len(image.doc.Layers) {
			return diffIDs[at] == diffID
		}
	}
	return false
}
