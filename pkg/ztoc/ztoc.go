// Package ztoc writes the table of contents of a gzip-compressed layer with which it can be read from the middle, as the SOCI
// snapshotter (github.com/awslabs/soci-snapshotter, ztoc 0.9) reads it: AWS Fargate starts a container before its layers are there.
package ztoc

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	flatbuffers "github.com/google/flatbuffers/go"
)

// SpanSize is how many uncompressed bytes lie between two places from which reading can begin.
const SpanSize = 4 << 20

// Window is how many bytes before such a place deflate may refer back to.
const Window = 32 << 10

// ErrEntry says that a layer has an entry of a kind that cannot be read lazily.
var ErrEntry = errors.New("it has an entry that cannot be read lazily")

// checkpoint is a place in the stream from which reading can begin.
type checkpoint struct {
	in, out int64 // offsets in the compressed and in the uncompressed stream
	window  []byte
}

// Recorder sees a layer's compressed stream while it is written, and its content while it is read. Its methods are called by one
// goroutine each: Mark and Write by the writer, the content by Content's reader.
type Recorder struct {
	tool   string
	points []checkpoint
	spans  []string // digests
	span   hash.Hash
	in     int64

	content *io.PipeWriter
	toc     chan toc
}

type toc struct {
	files []file
	size  int64
	err   error
}

// file is an entry of the layer's tar.
type file struct {
	header *tar.Header
	kind   string
	at     int64 // where its content begins in the uncompressed stream
}

// NewRecorder returns a recorder; tool names the program that writes the table.
func NewRecorder(tool string) *Recorder {
	from, to := io.Pipe()
	r := &Recorder{tool: tool, content: to, toc: make(chan toc, 1)}
	go func() {
		t := list(from)
		_, _ = io.Copy(io.Discard, from) // what stands behind the tar's end
		_ = from.CloseWithError(t.err)
		r.toc <- t
	}()
	return r
}

// Content returns a reader that passes the layer's uncompressed content on while it is listed.
func (r *Recorder) Content(from io.Reader) io.Reader { return io.TeeReader(from, quiet{r.content}) }

// quiet takes everything, also what its pipe does not want any more: the listing's own error is told at its end.
type quiet struct{ to io.Writer }

// Write implements io.Writer.
func (q quiet) Write(p []byte) (int, error) {
	_, _ = q.to.Write(p)
	return len(p), nil
}

// Mark notes that a deflate block begins at a byte's boundary of what was written so far. out is the offset of its content, window what
// stands before that, up to 32 KiB of it.
func (r *Recorder) Mark(out int64, window []byte) {
	r.endSpan()
	r.points = append(r.points, checkpoint{r.in, out, slices.Clone(window)})
	r.span = sha256.New()
}

func (r *Recorder) endSpan() {
	if r.span != nil {
		r.spans = append(r.spans, "sha256:"+hex.EncodeToString(r.span.Sum(nil)))
	}
}

// Write takes the next bytes of the compressed stream.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.span != nil {
		r.span.Write(p)
	}
	r.in += int64(len(p))
	return len(p), nil
}

// Close ends the recording of a layer that is not compressed to its end.
func (r *Recorder) Close() { _ = r.content.Close() }

// Finish returns the table, after the last byte was written and read.
func (r *Recorder) Finish() ([]byte, error) {
	_ = r.content.Close()
	t := <-r.toc
	switch {
	case t.err != nil:
		return nil, t.err
	case len(r.points) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrEntry)
	}
	r.endSpan()
	r.span = nil
	return r.encode(t), nil
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// kinds are the names of tar's entries.
var kinds = map[byte]string{tar.TypeLink: "hardlink", tar.TypeSymlink: "symlink", tar.TypeDir: "dir", tar.TypeReg: "reg",
	tar.TypeChar: "char", tar.TypeBlock: "block", tar.TypeFifo: "fifo"}

// list reads the entries of a tar.
func list(from io.Reader) (t toc) {
	at := &counter{from: from}
	reader := tar.NewReader(at)
	for {
		h, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			t.size = at.n
			return t
		case err != nil:
			return toc{err: fmt.Errorf("listing the layer's files: %w", err)}
		case kinds[h.Typeflag] == "":
			return toc{err: fmt.Errorf("%w: %s is of the kind %q", ErrEntry, h.Name, h.Typeflag)}
		}
		t.files = append(t.files, file{h, kinds[h.Typeflag], at.n})
	}
}

// checkpoints is the form in which zlib's reader wants them: the number and the span's size, then each with its offsets, the bits of a
// byte that it begins in (none here) and its window. https://github.com/awslabs/soci-snapshotter/blob/main/ztoc/compression/gzip_zinfo.h
func (r *Recorder) checkpoints() []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(r.points)))
	out = binary.LittleEndian.AppendUint64(out, SpanSize)
	for _, p := range r.points {
		out = binary.LittleEndian.AppendUint64(out, uint64(p.in))
		out = binary.LittleEndian.AppendUint64(out, uint64(p.out))
		out = append(out, 0)
		out = append(out, make([]byte, Window-len(p.window))...)
		out = append(out, p.window...)
	}
	return out
}

// encode writes the table by the published schema: https://github.com/awslabs/soci-snapshotter/blob/main/ztoc/fbs/ztoc.fbs. The numbers
// of the slots are the places of the fields in its tables.
func (r *Recorder) encode(t toc) []byte {
	b := flatbuffers.NewBuilder(len(r.points)*(Window+64) + len(t.files)*256)
	version, tool := b.CreateString("0.9"), b.CreateString(r.tool)

	files := make([]flatbuffers.UOffsetT, len(t.files))
	for i, f := range t.files {
		files[i] = encodeFile(b, f)
	}
	metadata := vector(b, files)
	b.StartObject(1) // TOC
	b.PrependUOffsetTSlot(0, metadata, 0)
	contents := b.EndObject()

	points := b.CreateByteVector(r.checkpoints())
	digests := make([]flatbuffers.UOffsetT, len(r.spans))
	for i, d := range r.spans {
		digests[i] = b.CreateString(d)
	}
	spans := vector(b, digests)
	b.StartObject(4)                                 // CompressionInfo
	b.PrependInt32Slot(1, int32(len(r.points)-1), 0) // the first slot, the algorithm, is gzip where it is left out
	b.PrependUOffsetTSlot(2, spans, 0)
	b.PrependUOffsetTSlot(3, points, 0)
	info := b.EndObject()

	b.StartObject(6) // Ztoc
	b.PrependUOffsetTSlot(0, version, 0)
	b.PrependUOffsetTSlot(1, tool, 0)
	b.PrependInt64Slot(2, r.in, 0)
	b.PrependInt64Slot(3, t.size, 0)
	b.PrependUOffsetTSlot(4, contents, 0)
	b.PrependUOffsetTSlot(5, info, 0)
	b.Finish(b.EndObject())
	return b.FinishedBytes()
}

func vector(b *flatbuffers.Builder, all []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(flatbuffers.SizeUOffsetT, len(all), flatbuffers.SizeUOffsetT)
	for _, one := range slices.Backward(all) {
		b.PrependUOffsetT(one)
	}
	return b.EndVector(len(all))
}

// encodeFile writes a FileMetadata. All PAX records are kept, under the name that the schema has for them, xattrs.
func encodeFile(b *flatbuffers.Builder, f file) flatbuffers.UOffsetT {
	h := f.header
	name, kind, link := b.CreateString(h.Name), b.CreateString(f.kind), b.CreateString(h.Linkname)
	user, group := b.CreateString(h.Uname), b.CreateString(h.Gname)
	at, _ := h.ModTime.MarshalText() // fails for years that a tar does not have
	if len(at) == 0 {
		at, _ = time.Unix(0, 0).UTC().MarshalText()
	}
	modified := b.CreateString(string(at))
	var records []flatbuffers.UOffsetT
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		k, v := b.CreateString(key), b.CreateString(h.PAXRecords[key])
		b.StartObject(2) // Xattr
		b.PrependUOffsetTSlot(0, k, 0)
		b.PrependUOffsetTSlot(1, v, 0)
		records = append(records, b.EndObject())
	}
	xattrs := vector(b, records)
	b.StartObject(14) // FileMetadata
	b.PrependUOffsetTSlot(0, name, 0)
	b.PrependUOffsetTSlot(1, kind, 0)
	b.PrependInt64Slot(2, f.at, 0)
	b.PrependInt64Slot(3, h.Size, 0)
	b.PrependUOffsetTSlot(4, link, 0)
	b.PrependInt64Slot(5, h.Mode, 0)
	b.PrependUint32Slot(6, uint32(h.Uid), 0)
	b.PrependUint32Slot(7, uint32(h.Gid), 0)
	b.PrependUOffsetTSlot(8, user, 0)
	b.PrependUOffsetTSlot(9, group, 0)
	b.PrependUOffsetTSlot(10, modified, 0)
	b.PrependInt64Slot(11, h.Devmajor, 0)
	b.PrependInt64Slot(12, h.Devminor, 0)
	b.PrependUOffsetTSlot(13, xattrs, 0)
	return b.EndObject()
}
