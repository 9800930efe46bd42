package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/org/connect2/v2/internal/test/programs"
)

// mixed returns content that compresses about as layers do: text, repeated structures, and what is compressed already.
func mixed(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = fmt.Appendf(nil, "%x.%s ", rng.Uint32(), []string{"python", "site-packages", "import", "self", "__init__"}[i%5])
	}
	out := make([]byte, 0, size+64)
	for len(out) < size {
		switch rng.IntN(4) {
		case 0:
			for range 64 {
				out = append(out, byte(rng.Uint32()))
			}
		default:
			for range 24 {
				out = append(out, words[int(float64(len(words))*rng.Float64()*rng.Float64())]...)
			}
		}
	}
	return out[:size]
}

func TestCompress(t *testing.T) {
	for codec, block := range map[Codec]int{Gzip: gzipBlock, Zstd: zstdBlock} {
		t.Run(string(codec), func(t *testing.T) { compressAndReadBack(t, codec, block) })
	}
}

func compressAndReadBack(t *testing.T, codec Codec, block int) {
	c := newCompressor(codec)
	several := 5
	if programs.Race { // two are at work beside each other as well, and each takes a second
		several = 2
	}
	for _, size := range []int{0, 1, 511, windowSize, block - 1, block, block + 1, several*block + 77} {
		content := mixed(uint64(size), size)
		var out bytes.Buffer
		got, err := c.compress(t.Context(), &out, bytes.NewReader(content))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if want := sum(out.Bytes()); got.Digest != want || got.Size != int64(out.Len()) {
			t.Errorf("%d bytes: told %s and %d bytes, wrote %s and %d", size, got.Digest, got.Size, want, out.Len())
		}
		if want := sum(content); got.DiffID != want || got.Read != int64(size) {
			t.Errorf("%d bytes: told content %s of %d bytes, read %s of %d", size, got.DiffID, got.Read, want, size)
		}
		// Judged by the standard library's reader, not by the codec that wrote it; it has none for Zstandard.
		var r io.Reader
		if r, err = gzip.NewReader(bytes.NewReader(out.Bytes())); codec == Zstd {
			r, err = unzstd(&out)
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		back, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(back, content) {
			t.Errorf("%d bytes: reads back as %d bytes, %v", size, len(back), err)
		}
	}
}

// The digest must not depend on how many processors there are, on how the content arrives, or on what was compressed before.
func TestCompressIsDeterministic(t *testing.T) {
	for _, codec := range []Codec{Gzip, Zstd} {
		t.Run(string(codec), func(t *testing.T) { compressIsDeterministic(t, codec) })
	}
}

func compressIsDeterministic(t *testing.T, codec Codec) {
	blocks := 4
	if programs.Race { // as above
		blocks = 2
	}
	content := mixed(7, blocks*gzipBlock+1234)
	digest := func(c *compressor, r io.Reader) string {
		got, err := c.compress(t.Context(), io.Discard, r)
		if err != nil {
			t.Fatal(err)
		}
		return got.Digest.String()
	}
	alone, used := newCompressor(codec), newCompressor(codec)
	alone.slots, used.slots = make(chan struct{}, 1), make(chan struct{}, 8)
	want := digest(alone, bytes.NewReader(content))
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			digest(used, bytes.NewReader(mixed(uint64(i), blocks*gzipBlock/2)))
			if got := digest(used, iotest.HalfReader(bytes.NewReader(content))); got != want {
				t.Errorf("run %d gives %s, want %s", i, got, want)
			}
		})
	}
	wg.Wait()
}

func TestCompressStops(t *testing.T) {
	c := newCompressor(Gzip)
	broken := errors.New("the disk broke")
	if _, err := c.compress(t.Context(), io.Discard,
		io.MultiReader(bytes.NewReader(make([]byte, 3*gzipBlock)), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails gave %v", err)
	}
	if _, err := c.compress(t.Context(), failingWriter{broken}, bytes.NewReader(make([]byte, 64*gzipBlock))); !errors.Is(err, broken) {
		t.Errorf("a writer that fails gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.compress(ctx, io.Discard, bytes.NewReader(make([]byte, 64*gzipBlock))); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gave %v", err)
	}
	// Nothing may be held after failures: all slots are free for the next layer.
	if _, err := c.compress(t.Context(), io.Discard, bytes.NewReader(make([]byte, 9*gzipBlock))); err != nil {
		t.Error(err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// Memory is bounded by the blocks in work, not by the layer: 128 MiB pass through in less than half of that.
func TestCompressMemory(t *testing.T) {
	if programs.Race {
		t.Skip("the detector holds memory of its own; whether this races, the tests above see")
	}
	for _, codec := range []Codec{Gzip, Zstd} {
		t.Run(string(codec), func(t *testing.T) { compressInMemory(t, codec) })
	}
}

func compressInMemory(t *testing.T, codec Codec) {
	const size = 128 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as in a release, whatever the environment says
	c := newCompressor(codec)
	var peak, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&peak)
	base := peak.HeapAlloc
	var most uint64
	watch := writerFunc(func(p []byte) (int, error) {
		if runtime.ReadMemStats(&now); now.HeapAlloc > most {
			most = now.HeapAlloc
		}
		return len(p), nil
	})
	if _, err := c.compress(t.Context(), watch, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if most > base+48<<20 {
		t.Errorf("compressing %d MiB held %d MiB at once; want at most 48", size>>20, (most-base)>>20)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkCompress(b *testing.B) {
	content := mixed(1, 64<<20)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	c := newCompressor(Gzip)
	var got compressed
	for b.Loop() {
		var err error
		if got, err = c.compress(b.Context(), io.Discard, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(got.Size)/float64(got.Read), "ratio")
}

func BenchmarkHash(b *testing.B) {
	content := mixed(1, 16<<20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		sha256.Sum256(content)
	}
}
