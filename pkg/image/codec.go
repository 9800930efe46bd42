package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/org/connect2/v2/internal/deflate"
)

// Codec is how the layers of an image are compressed.
type Codec string

// The codecs. Everything that runs containers reads gzip. Zstandard takes fewer bytes and less time on both sides; Fargate from
// platform version 1.4, containerd from 1.5, Docker from 23 and Podman read it.
const (
	Gzip Codec = "gzip"
	Zstd Codec = "zstd"
)

// of says whether a layer of this media type is compressed with the codec.
func (c Codec) of(t types.MediaType) bool {
	if c == Zstd {
		return t == types.OCILayerZStd
	}
	return t == types.OCILayer || t == types.DockerLayer
}

// mediaType is what a layer of an OCI manifest is called in the codec.
func (c Codec) mediaType() types.MediaType {
	if c == Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// uncompressedKey is the annotation of a layer's descriptor that names the digest of its uncompressed content, as containerd and
// BuildKit spell it. Who reads a manifest with it knows under which digest each layer is stored without reading the configuration.
const uncompressedKey = "containerd.io/uncompressed"

// uncompressedOf returns the uncompressed digest that a descriptor names in its annotation, or the zero value.
func uncompressedOf(d v1.Descriptor) v1.Hash {
	h, err := v1.NewHash(d.Annotations[uncompressedKey])
	if err != nil {
		return v1.Hash{}
	}
	return h
}

// packer compresses one block after another, each for itself.
type packer interface {
	// pack appends the compressed block to out. The window is what stands before it, which the block may refer to.
	pack(out *bytes.Buffer, block, window []byte)
}

// deflater makes gzip's blocks.
type deflater struct {
	encoder *deflate.Encoder
	content []byte // the window and the block, one behind the other
}

func newDeflater() packer {
	return &deflater{encoder: deflate.NewEncoder(), content: make([]byte, 0, windowSize+gzipBlock)}
}

func (d *deflater) pack(out *bytes.Buffer, block, window []byte) {
	d.content = append(append(d.content[:0], window...), block...)
	out.Write(d.encoder.Append(out.AvailableBuffer(), d.content, len(window)))
}

// framer makes Zstandard's frames. They stand for themselves, one after the other, which every reader of the format takes.
type framer struct{ w *zstd.Encoder }

func newFramer() packer {
	w, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), // fails for bad options alone
		zstd.WithWindowSize(zstdBlock), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	return framer{w}
}

func (f framer) pack(out *bytes.Buffer, block, _ []byte) {
	out.Write(f.w.EncodeAll(block, out.AvailableBuffer()))
}

// unzstd reads what is compressed with Zstandard, in bounded memory.
func unzstd(from io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostUnpacked),
		zstd.WithDecoderMaxWindow(mostDictionary))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// inCodec prepares an image to be stored with all its layers in one codec: those in another are unpacked and compressed anew. Its
// configuration stays, and with it the image's ID; its digest does not. So the images of an index are not taken: other documents
// name their digests.
func (n *node) inCodec(ctx context.Context, codec Codec) error {
	other := 0
	var firstDigest v1.Hash
	n.walk(func(n *node) {
		for _, l := range n.layers {
			if l.mustCompress() || codec.of(l.MediaType) || !l.MediaType.IsLayer() {
				continue
			}
			if other++; other == 1 {
				firstDigest = l.Digest
			}
		}
	})
	switch {
	case other == 0:
		return nil
	case len(n.children) > 0:
		return &CodecError{Codec: codec, Digest: firstDigest.String(), Layers: other}
	}
	config, err := readAll(ctx, n.config)
	if err != nil {
		return err
	}
	diffIDs, _, err := configOf(config)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", n.config.Digest, err)
	}
	if len(diffIDs) != len(n.layers) {
		return fmt.Errorf("%w: the configuration %s counts %d layers, the manifest has %d to store", errDamaged, n.config.Digest, len(diffIDs),
			len(n.layers))
	}
	for i, l := range n.layers {
		n.layers[i].diffID = diffIDs[i]
		if l.mustCompress() || codec.of(l.MediaType) {
			continue
		}
		packed := l.Blob
		how := gzipped
		if l.MediaType == types.OCILayerZStd {
			how = zstandard
		}
		n.layers[i].Blob = Blob{Descriptor: v1.Descriptor{Annotations: l.Annotations}, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return openUnpacked(ctx, packed, how)
		}}
		n.layers[i].uncompressed, n.layers[i].proof = max(1, packed.Size), nil // it is checked where it is compressed anew
	}
	if n.raw != nil {
		n.template, n.raw = n.raw, nil
	}
	n.desc.Digest, n.desc.Size = v1.Hash{}, 0
	return nil
}

// openUnpacked reads a compressed blob as what it unpacks to, up to the bounds of that.
func openUnpacked(ctx context.Context, b Blob, how compression) (io.ReadCloser, error) {
	from, err := b.Open(ctx)
	if err != nil {
		return nil, err
	}
	z, err := newUnpacker(&checkedReader{from: from, want: b.Descriptor}, how, b.Size, most(b.Size), errDamaged)
	if err != nil {
		from.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{z, closers{z, from}}, nil
}

type closers []io.Closer

// Close closes all of them.
func (c closers) Close() error {
	var all []error
	for _, one := range c {
		all = append(all, one.Close())
	}
	return errors.Join(all...)
}

// CodecError says that an index cannot be stored in a codec.
type CodecError struct {
	Codec  Codec
	Digest string // of the first layer in another codec
	Layers int    // how many there are
}

// Error says what to do instead.
func (e *CodecError) Error() string {
	return fmt.Sprintf("%d layers of the index, first %s, are not compressed with %s, and the digests of an index's images cannot change: "+
		"build them so (buildx: --output type=image,compression=%s,force-compression=true), or push one platform", e.Layers, e.Digest,
		e.Codec, e.Codec)
}
