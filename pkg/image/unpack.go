package image

import (
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/connect2/v2/internal/xz"
)

// compression is how content is compressed, told from its first bytes.
type compression string

const (
	plain     compression = ""
	gzipped   compression = "gzip"
	zstandard compression = "zstd"
	bzipped   compression = "bzip2"
	xzipped   compression = "xz"
)

// sniff tells compressed content from a tar, whose first bytes are a file's name: of bzip2 the block's mark counts as well.
func sniff(head []byte) compression {
	begins := func(at int, mark string) bool {
		return len(head) >= at+len(mark) && string(head[at:at+len(mark)]) == mark
	}
	switch {
	case begins(0, "\x1f\x8b"):
		return gzipped
	case begins(0, "\x28\xb5\x2f\xfd"):
		return zstandard
	case begins(0, "BZh") && begins(4, "1AY&SY"):
		return bzipped
	case begins(0, "\xfd7zXZ\x00"):
		return xzipped
	default:
		return plain
	}
}

// What unpacks to more than mostUnpacked, and to more than mostRatio times its own size, is meant to fill a disk: layers of text
// compress by ten, one of zeros by a thousand.
const (
	mostUnpacked = 4 << 30
	mostRatio    = 200
)

// most is how many bytes an archive or a layer of this size may unpack to.
func most(size int64) int64 { return max(mostUnpacked, size*mostRatio) }

// mostDictionary is how much memory unpacking xz or zstd may take, in bytes: xz -9 asks for this much, zstd -19 for 8 MiB, and the header
// of an xz stream may ask for 4 GiB.
const mostDictionary = 64 << 20

// unpacker reads what a compressed stream unpacks to. It tells a stream that is damaged or goes on beyond a bound from one that could
// not be read.
type unpacker struct {
	decoder io.ReadCloser
	from    *noting
	how     compression
	size    int64 // of the stream
	most    int64 // of what it unpacks to
	cut     error // what a stream that breaks off is told as
	n       int64
}

// newUnpacker begins to unpack a stream of size bytes.
func newUnpacker(from io.Reader, how compression, size, most int64, cut error) (*unpacker, error) {
	u := &unpacker{from: &noting{from: from}, how: how, size: size, most: most, cut: cut}
	var err error
	if u.decoder, err = reading(u.from, how); err != nil {
		return nil, u.told(err)
	}
	return u, nil
}

// Read implements io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.decoder.Read(p)
	u.n += int64(n)
	if u.n > u.most {
		return 0, fmt.Errorf("%w: its %d bytes unpack to more than %d, %d times as much", errHostile, u.size, u.most, u.most/max(u.size, 1))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = u.told(err)
	}
	return n, err
}

// told is what an error of the decoder means.
func (u *unpacker) told(err error) error {
	tooLarge, isTooLarge := errors.AsType[*xz.DictionaryError](err)
	switch {
	case u.from.err != nil:
		return u.from.err
	case errors.Is(err, errHostile), errors.Is(err, errDamaged):
		return err
	case isTooLarge:
		return fmt.Errorf("%w: unpacking its xz takes a dictionary of %d MiB, and at most %d MiB are given, as xz -9 needs: compress it with "+
			"xz -9 or less, with gzip, or with zstd", errHostile, tooLarge.Asked>>20, tooLarge.Most>>20)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("%w: unpacking its zstd takes a window of more than the %d MiB that are given: compress it with zstd -19 or less, "+
			"without --long", errHostile, mostDictionary>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the %s stream breaks off after %d unpacked bytes", u.cut, u.how, u.n)
	default:
		return fmt.Errorf("%w: unpacking %s, after %d bytes: %w", errDamaged, u.how, u.n, err)
	}
}

// Close frees the decoder.
func (u *unpacker) Close() error { return u.decoder.Close() }

// noting passes a stream on and knows afterwards whether it could not be read.
type noting struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (r *noting) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// reading returns a reader of what is compressed.
func reading(from io.Reader, packed compression) (io.ReadCloser, error) {
	switch packed {
	case gzipped:
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		return z, nil
	case bzipped:
		return io.NopCloser(bzip2.NewReader(from)), nil
	case zstandard:
		return unzstd(from)
	case xzipped:
		return io.NopCloser(xz.NewReader(from, mostDictionary)), nil
	default:
		return io.NopCloser(from), nil
	}
}
