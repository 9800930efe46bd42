package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob is content that can be read as often as needed: a layer as it is stored, or an image's configuration.
type Blob struct {
	v1.Descriptor
	Open func(context.Context) (io.ReadCloser, error)
}

// checkedReader passes a blob on and knows afterwards whether it was what its descriptor says. The transport may still be
// reading when the answer is there, hence the lock.
type checkedReader struct {
	from  io.Reader
	want  v1.Descriptor
	open  bool // the content is only counted: what it is to be is not known yet
	count func(int64)

	mu   sync.Mutex
	n    int64
	hash hash.Hash
	bad  error
}

// Read implements io.Reader.
func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		if c.hash == nil {
			c.hash = sha256.New()
		}
		c.hash.Write(p[:n])
	}
	c.n += int64(n)
	if c.count != nil {
		c.count(int64(n))
	}
	switch {
	case c.open:
		return n, err
	case c.n > c.want.Size:
		c.bad = fmt.Errorf("%w: blob %s goes on after its %d bytes", errDamaged, c.want.Digest, c.want.Size)
	case err == io.EOF && c.n < c.want.Size:
		c.bad = fmt.Errorf("%w: blob %s ends after %d of %d bytes", errDamaged, c.want.Digest, c.n, c.want.Size)
	case c.n == c.want.Size && c.want.Digest.Algorithm == "sha256":
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.want.Digest.Hex {
			c.bad = fmt.Errorf("%w: the content of blob %s hashes to sha256:%s", errDamaged, c.want.Digest, got)
		}
	}
	if c.bad != nil {
		return 0, c.bad
	}
	return n, err
}

// damage returns what was wrong with the content that was read so far, or nil.
func (c *checkedReader) damage() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bad
}

func (c *checkedReader) done() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
