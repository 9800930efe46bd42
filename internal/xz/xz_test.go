package xz_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/org/connect2/v2/internal/xz"
)

// fixed is "an image\n" as xz -9 writes it.
const fixed = "fd377a585a000004e6d6b446020021011c00000010cf58cc010008616e20696d" +
	"6167650a0000000041813924d6a249f8000121096c18c5d51fb6f37d010000000004595a"

// pack compresses with the xz of this machine; the test is skipped where there is none.
func pack(t testing.TB, content []byte, options ...string) []byte {
	t.Helper()
	cmd := exec.Command("xz", append(options, "-c")...)
	cmd.Stdin = bytes.NewReader(content)
	packed, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("xz is not installed")
	}
	if err != nil {
		t.Fatalf("xz %s: %v", options, err)
	}
	return packed
}

// content is text, structure, noise and zeros, so that every kind of chunk and match is there.
func content(size int) []byte {
	rng := rand.New(rand.NewPCG(7, 1))
	var out []byte
	for len(out) < size {
		switch rng.IntN(8) {
		case 0:
			for range 700 {
				out = append(out, byte(rng.Uint32()))
			}
		case 1:
			out = append(out, make([]byte, rng.IntN(3_000))...)
		case 2, 3:
			if n := len(out); n > 10 {
				at := rng.IntN(n)
				out = append(out, out[at:min(n, at+rng.IntN(900))]...)
			}
		default:
			out = fmt.Appendf(out, "line %d of a file: %x\n", rng.IntN(900), rng.Uint64N(1<<20))
		}
	}
	return out[:size]
}

// What xz writes reads back, whatever it was told.
func TestRead(t *testing.T) {
	whole := content(90_000)
	noise := make([]byte, 70_000) // is stored in chunks that are not compressed
	for i, rng := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(rng.Uint32())
	}
	for _, tt := range []struct {
		content []byte
		options string
	}{
		{nil, "-0"}, {[]byte("x"), "-0"}, {whole, "-0"}, {whole, "-3 --check=none"}, {whole, "-1 --check=crc32"}, {whole, "-1 --check=sha256"},
		{whole, "-1 -T2 --block-size=20000"}, {whole, "--lzma2=preset=1,lc=0,lp=4,pb=0"}, {whole, "--lzma2=preset=1,lc=4,lp=0,pb=4"},
		{whole, "--lzma2=preset=1,lc=2,lp=2,pb=1"}, {whole, "--lzma2=preset=1,dict=4KiB"}, {whole, "--lzma2=preset=6,dict=96KiB,nice=273"},
		{noise, "-0"}, {append(bytes.Clone(whole), noise...), "--lzma2=preset=1,dict=64KiB"},
	} {
		packed := pack(t, tt.content, strings.Fields(tt.options)...)
		got, err := io.ReadAll(xz.NewReader(iotest.HalfReader(bytes.NewReader(packed)), 16<<20))
		if err != nil || !bytes.Equal(got, tt.content) {
			t.Errorf("%s of %d bytes: %d bytes, %v", tt.options, len(tt.content), len(got), err)
		}
	}
	one, two := pack(t, []byte("one"), "-0"), pack(t, []byte("two"), "-0", "--check=crc32")
	for name, stream := range map[string][]byte{"one after the other": append(bytes.Clone(one), two...),
		"zeros between": append(append(bytes.Clone(one), make([]byte, 12)...), two...)} {
		if got, err := io.ReadAll(iotest.OneByteReader(xz.NewReader(bytes.NewReader(stream), 1<<20))); err != nil || string(got) != "onetwo" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A bit that is not as it was written, and a stream that is cut anywhere, are noticed.
func TestDamage(t *testing.T) {
	text := bytes.Repeat([]byte("an image, "), 15)
	streams := [][]byte{pack(t, text, "-0"), pack(t, text, "-0", "--check=sha256"), pack(t, text, "-0", "-T2", "--block-size=70")}
	for _, packed := range streams {
		for n := range packed {
			if got, err := io.ReadAll(xz.NewReader(bytes.NewReader(packed[:n]), 1<<20)); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("cut after %d of %d bytes: %d bytes, %v", n, len(packed), len(got), err)
			}
			flipped := bytes.Clone(packed)
			flipped[n] ^= 1 << (n % 8)
			if got, err := io.ReadAll(xz.NewReader(bytes.NewReader(flipped), 1<<20)); err == nil {
				t.Fatalf("bit %d of byte %d is flipped: %d bytes, and no error", n%8, n, len(got))
			}
		}
		for _, tail := range []string{"\x00", "\x00\x00\x00", "garbage", "\x00\x00\x00\x00garb"} {
			if _, err := io.ReadAll(xz.NewReader(strings.NewReader(string(packed)+tail), 1<<20)); err == nil {
				t.Errorf("%q behind it is taken", tail)
			}
		}
	}
	if _, err := io.ReadAll(xz.NewReader(bytes.NewReader(pack(t, text, "--x86", "--lzma2=preset=0")), 1<<20)); err == nil ||
		!strings.Contains(err.Error(), "filtered") {
		t.Errorf("filtered: %v", err)
	}
}

// No more memory is taken than is given, and what is asked for is told.
func TestDictionary(t *testing.T) {
	packed, err := hex.DecodeString(fixed)
	if err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int64]string{64 << 20: "an image\n", 64<<20 - 1: ""} {
		got, err := io.ReadAll(xz.NewReader(bytes.NewReader(packed), most))
		tooLarge, is := errors.AsType[*xz.DictionaryError](err)
		if string(got) != want || (err == nil) != (want != "") || err != nil && (!is || tooLarge.Asked != 64<<20 || tooLarge.Most != most) {
			t.Errorf("with %d bytes: %q, %v", most, got, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	packed, _ := hex.DecodeString(fixed)
	f.Add(packed)
	f.Add(pack(f, content(3_000), "-0"))
	f.Add(pack(f, content(900), "-0", "--block-size=300", "-T2"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		n, err := io.Copy(io.Discard, io.LimitReader(xz.NewReader(bytes.NewReader(stream), 1<<20), 1<<20))
		if err == nil && n < 1<<20 && len(stream) < 32 {
			t.Errorf("%d bytes of %q", n, stream)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	whole := content(8 << 20)
	packed := pack(b, whole, "-6")
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		if n, err := io.Copy(io.Discard, xz.NewReader(bytes.NewReader(packed), 16<<20)); n != int64(len(whole)) || err != nil {
			b.Fatal(n, err)
		}
	}
}
