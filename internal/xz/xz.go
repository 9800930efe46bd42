// Package xz reads what xz has compressed (https://tukaani.org/xz/xz-file-format.txt), in memory that its caller bounds: an archive of
// LZMA2 alone, as xz writes it unless it is told to filter programs first. All that an archive has to tell damage by is checked.
//
// It is written by hand because the readers that there are bound no memory, or link five times as much.
package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"
)

const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	lzma2       = 0x21
)

// ErrCorrupt is in the chain of every error about what a stream holds, but for one that is cut: that is io.ErrUnexpectedEOF.
var ErrCorrupt = errors.New("xz: the data is damaged")

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }

// DictionaryError says that a stream asks for more memory than it gets.
type DictionaryError struct{ Asked, Most int64 } // bytes

// Error names both.
func (e *DictionaryError) Error() string {
	return fmt.Sprintf("xz: a dictionary of %d bytes is asked for, and at most %d are given", e.Asked, e.Most)
}

// Reader reads streams, one after the other, as what they unpack to.
type Reader struct {
	from  *counter
	most  int64
	err   error
	begun bool // the first stream

	flags   byte // of the stream: the kind of check
	records hash.Hash
	blocks  uint64

	block block
	d     decoder
}

// block is what is known of the block that is being read.
type block struct {
	open             bool
	header           uint64 // bytes
	began            uint64 // where its data begins
	packed, unpacked uint64 // as the header says; unknown where it does not
	n                uint64 // bytes unpacked so far
	check            hash.Hash
	position         uint64 // bytes since the dictionary was emptied
	left             int    // bytes to come of the chunk
	match            int    // and of its last match
	lzma             bool   // the chunk is one of LZMA
	emptied, set     bool   // the dictionary and the properties were there
}

const unknown = 1<<64 - 1

// counter counts what is read, and lets bytes be read one by one.
type counter struct {
	*bufio.Reader
	n uint64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += uint64(n)
	return n, err
}

// ReadByte implements io.ByteReader.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// NewReader returns a reader that gives a stream's dictionary most bytes of memory, once it asks for them.
func NewReader(from io.Reader, most int64) *Reader {
	return &Reader{from: &counter{Reader: bufio.NewReader(from)}, most: most, records: sha256.New()}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (n int, err error) {
	for r.err == nil && n < len(p) {
		if !r.block.open {
			r.err = r.next()
			continue
		}
		var k int
		k, r.err = r.unpack(p[n:])
		r.block.check.Write(p[n : n+k])
		n += k
		r.block.n += uint64(k)
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, r.err
}

// next begins a block, or ends a stream and begins the next one with it.
func (r *Reader) next() error {
	if !r.begun {
		r.begun = true
		return r.header(make([]byte, 0, 12))
	}
	size, err := r.from.ReadByte()
	switch {
	case err != nil:
		return cut(err)
	case size != 0:
		return r.begin(int(size))
	}
	if err := r.index(); err != nil {
		return err
	}
	return r.another()
}

// header reads the header of a stream; what was read of it is given.
func (r *Reader) header(head []byte) error {
	n := len(head)
	head = head[:12]
	if _, err := io.ReadFull(r.from, head[n:]); err != nil {
		return cut(err)
	}
	switch {
	case string(head[:6]) != headerMagic:
		return corrupt("it does not begin as a stream")
	case binary.LittleEndian.Uint32(head[8:]) != crc32.ChecksumIEEE(head[6:8]), head[6] != 0:
		return corrupt("the header")
	}
	r.flags, r.blocks = head[7], 0
	r.records.Reset()
	if newCheck(r.flags) == nil {
		return corrupt(fmt.Sprintf("the check %#x is not known", r.flags))
	}
	return nil
}

// another ends at the end, or begins the next stream, before which may be zeros.
func (r *Reader) another() error {
	head := make([]byte, 4, 12)
	for {
		n, err := io.ReadFull(r.from, head)
		switch {
		case err == io.EOF:
			return io.EOF
		case err == io.ErrUnexpectedEOF && bytes.Count(head[:n], []byte{0}) == n:
			return corrupt("its padding")
		case err != nil:
			return cut(err)
		case !bytes.Equal(head, make([]byte, 4)):
			return r.header(head)
		}
	}
}

// nothing is the check of a stream that has none.
type nothing struct{ hash.Hash }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Sum(b []byte) []byte         { return b }

var ecma = crc64.MakeTable(crc64.ECMA)

// newCheck returns what checks the content of a block; nil where the kind is not known.
func newCheck(kind byte) hash.Hash {
	switch kind {
	case 0:
		return nothing{}
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(ecma)
	case 10:
		return sha256.New()
	}
	return nil
}

// begin reads the header of a block; size is its first byte.
func (r *Reader) begin(size int) error {
	head := make([]byte, (size+1)*4)
	head[0] = byte(size)
	if _, err := io.ReadFull(r.from, head[1:]); err != nil {
		return cut(err)
	}
	body := head[:len(head)-4]
	if binary.LittleEndian.Uint32(head[len(body):]) != crc32.ChecksumIEEE(body) {
		return corrupt("the header of a block")
	}
	flags, rest := body[1], bytes.NewReader(body[2:])
	b := block{open: true, header: uint64(len(head)), packed: unknown, unpacked: unknown, check: newCheck(r.flags)}
	var err error
	if flags&0x40 != 0 {
		b.packed, err = binary.ReadUvarint(rest)
	}
	if flags&0x80 != 0 && err == nil {
		b.unpacked, err = binary.ReadUvarint(rest)
	}
	filter := [3]byte{}
	if err == nil {
		_, err = io.ReadFull(rest, filter[:])
	}
	padding, _ := io.ReadAll(rest)
	switch {
	case err != nil:
		return corrupt("the header of a block")
	case flags&3 != 0 || filter[0] != lzma2:
		return corrupt("it is filtered, as by --x86, and not by LZMA2 alone")
	case flags&0x3c != 0 || filter[1] != 1 || filter[2] > 40 || len(bytes.Trim(padding, "\x00")) > 0:
		return corrupt("the header of a block")
	}
	asked := dictionary(filter[2])
	if asked > r.most {
		return &DictionaryError{Asked: asked, Most: r.most}
	}
	if int64(len(r.d.dict)) < asked {
		r.d.dict = nil // so that both are not there at once
		r.d.dict = make([]byte, asked)
	}
	b.began = r.from.n
	r.block = b
	return nil
}

// dictionary decodes the size of a dictionary, in bytes.
func dictionary(b byte) int64 {
	if b == 40 {
		return 1<<32 - 1
	}
	return int64(2|b&1) << (b/2 + 11)
}

// unpack reads on in a block.
func (r *Reader) unpack(p []byte) (n int, err error) {
	b, d := &r.block, &r.d
	if b.left == 0 {
		return 0, r.chunk()
	}
	p = p[:min(len(p), b.left)]
	if !b.lzma {
		n, err := io.ReadFull(r.from, p)
		for _, c := range p[:n] {
			d.put(c)
		}
		b.left -= n
		b.position += uint64(n)
		return n, cut(err)
	}
	for n < len(p) {
		if b.match == 0 {
			var ok bool
			if b.match, ok = d.step(b.position); !ok || b.match > b.left-n {
				return n, corrupt("a match")
			}
			if b.match == 0 {
				p[n] = d.byteAt(0)
				n++
				b.position++
			}
			continue
		}
		k := min(b.match, len(p)-n)
		for range k {
			c := d.byteAt(d.rep[0])
			d.put(c)
			p[n] = c
			n++
		}
		b.match -= k
		b.position += uint64(k)
	}
	if b.left -= n; b.left == 0 && !d.finished() {
		return n, corrupt("the end of a chunk")
	}
	return n, nil
}

// chunk begins a chunk of LZMA2, or ends the block.
func (r *Reader) chunk() error {
	b, d := &r.block, &r.d
	control, err := r.from.ReadByte()
	if err != nil {
		return cut(err)
	}
	if control == 0 {
		return r.end()
	}
	var sizes [4]byte
	head := sizes[:2]
	b.lzma = control >= 0x80
	if b.lzma {
		head = sizes[:4]
	} else if control > 2 {
		return corrupt("a chunk")
	}
	if _, err := io.ReadFull(r.from, head); err != nil {
		return cut(err)
	}
	b.left = int(binary.BigEndian.Uint16(sizes[:])) + 1
	if control == 1 || control >= 0xe0 {
		d.at, d.full, b.position, b.emptied = 0, false, 0, true
	}
	if !b.emptied {
		return corrupt("a chunk before the dictionary")
	}
	if !b.lzma {
		return nil
	}
	b.left += int(control&0x1f) << 16
	if control >= 0xc0 {
		properties, err := r.from.ReadByte()
		if err != nil {
			return cut(err)
		}
		if !d.properties(properties) {
			return corrupt("the properties of a chunk")
		}
		b.set = true
	}
	if !b.set {
		return corrupt("a chunk without properties")
	}
	if control >= 0xa0 {
		d.reset()
	}
	in := slices.Grow(d.buffer[:0], 1<<16)[:int(binary.BigEndian.Uint16(sizes[2:]))+1]
	if _, err := io.ReadFull(r.from, in); err != nil {
		return cut(err)
	}
	d.buffer, d.in, d.beyond = in, in, false
	if len(in) < rangeBytes || !d.begin() {
		return corrupt("the beginning of a chunk")
	}
	return nil
}

// end ends a block: its padding, its check and its sizes.
func (r *Reader) end() error {
	b := &r.block
	packed := r.from.n - b.began
	sum := b.check.Sum(nil)
	if r.flags != 10 {
		slices.Reverse(sum) // the checksums stand with their lowest byte first
	}
	tail := make([]byte, -packed&3+uint64(len(sum)))
	if _, err := io.ReadFull(r.from, tail); err != nil {
		return cut(err)
	}
	padding, check := tail[:-packed&3], tail[-packed&3:]
	if b.packed != unknown && b.packed != packed || b.unpacked != unknown && b.unpacked != b.n {
		return corrupt("the size of a block")
	}
	if len(bytes.Trim(padding, "\x00")) > 0 || !bytes.Equal(check, sum) {
		return corrupt("the check of a block")
	}
	r.record(b.header+packed+uint64(len(sum)), b.n)
	b.open = false
	return nil
}

// record notes what the index has to say of a block.
func (r *Reader) record(packed, unpacked uint64) {
	r.blocks++
	r.records.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, packed), unpacked))
}

// index reads the index of a stream, and the footer behind it.
func (r *Reader) index() error {
	began := r.from.n - 1
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	from := &summing{r.from, sum}
	blocks, err := binary.ReadUvarint(from)
	if err != nil {
		return cutOr(err, "the index")
	}
	want, had := r.records.Sum(nil), r.blocks
	if blocks != had {
		return corrupt("the index counts other blocks")
	}
	r.records.Reset()
	for range blocks {
		packed, err := binary.ReadUvarint(from)
		if err == nil {
			var unpacked uint64
			unpacked, err = binary.ReadUvarint(from)
			r.record(packed, unpacked)
		}
		if err != nil {
			return cutOr(err, "the index")
		}
	}
	for (r.from.n-began)%4 != 0 {
		b, err := from.ReadByte()
		if err != nil {
			return cut(err)
		}
		if b != 0 {
			return corrupt("the index")
		}
	}
	var tail [16]byte // the checksum of the index, and the footer
	if _, err := io.ReadFull(r.from, tail[:]); err != nil {
		return cut(err)
	}
	footer := tail[4:]
	size := r.from.n - began - uint64(len(footer))
	switch {
	case !bytes.Equal(r.records.Sum(nil), want), binary.LittleEndian.Uint32(tail[:]) != sum.Sum32():
		return corrupt("the index")
	case string(footer[10:]) != footerMagic, binary.LittleEndian.Uint32(footer) != crc32.ChecksumIEEE(footer[4:10]),
		footer[8] != 0, footer[9] != r.flags, (uint64(binary.LittleEndian.Uint32(footer[4:]))+1)*4 != size:
		return corrupt("the footer")
	}
	return nil
}

// summing sums up the bytes that are read.
type summing struct {
	from io.ByteReader
	sum  hash.Hash32
}

// ReadByte implements io.ByteReader.
func (s *summing) ReadByte() (byte, error) {
	b, err := s.from.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

// cut is the error of a stream that ends where it should go on.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutOr is cut, for what also fails where a number is too large.
func cutOr(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return corrupt(what + ": " + err.Error())
}
