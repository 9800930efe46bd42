package image

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/org/connect2/v2/internal/test/programs"
)

// fixedXZ is what xz -9 writes of a short text: it asks for 64 MiB, whatever it holds.
const fixedXZ = "fd377a585a000004e6d6b446020021011c00000010cf58cc010008616e20696d6167" +
	"650a0000000041813924d6a249f8000121096c18c5d51fb6f37d010000000004595a"

// xzHeader returns the beginning of a stream of xz whose first block asks for a dictionary of this size, as the format encodes it.
func xzHeader(bits byte, sized bool) []byte {
	head := []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46")
	block := []byte{0, 0, 0x21, 1, bits}
	if sized {
		block = []byte{0, 0xc0, 0x80, 0x80, 0x04, 0x80, 0x80, 0x80, 0x08, 0x21, 1, bits}
	}
	for len(block)%4 != 0 {
		block = append(block, 0)
	}
	block[0] = byte(len(block) / 4) // with the checksum
	return append(append(head, block...), binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(block))...)
}

// A header may ask for any amount of memory. What xz -9 asks for is given, and nothing beyond it.
func TestDictionaries(t *testing.T) {
	for bits, want := range map[byte]int64{0: 4 << 10, 1: 6 << 10, 22: 8 << 20, 27: 48 << 20, 28: 64 << 20, 29: 96 << 20, 30: 128 << 20,
		37: 1536 << 20, 39: 3 << 30, 40: 1<<32 - 1} {
		for _, sized := range []bool{false, true} {
			head := xzHeader(bits, sized)
			err := unpack(io.Discard, bytes.NewReader(head), xzipped, int64(len(head)), mostUnpacked)
			switch {
			case want > mostDictionary && (!errors.Is(err, errHostile) || !strings.Contains(err.Error(), "at most 64 MiB")):
				t.Errorf("a dictionary of %d bytes: %v", want, err)
			case want <= mostDictionary && !errors.Is(err, errCutShort):
				t.Errorf("a dictionary of %d bytes: %v", want, err)
			}
		}
	}
	err := unpack(io.Discard, bytes.NewReader(xzHeader(37, true)), xzipped, 100, mostUnpacked)
	if err == nil || !strings.Contains(err.Error(), "of 1536 MiB") || !Hopeless(err) {
		t.Errorf("a dictionary of 1.5 GiB: %v", err)
	}
	// A later block asks for more than the first.
	packed := xzOf(t, "-1")
	err = unpack(io.Discard, bytes.NewReader(append(packed, xzHeader(40, false)...)), xzipped, 100, mostUnpacked)
	if packed != nil && (!errors.Is(err, errHostile) || !strings.Contains(err.Error(), "dictionary of 4095 MiB")) {
		t.Errorf("a second stream with a larger dictionary: %v", err)
	}
}

// xzOf returns a short text as xz packs it; nil where xz is not installed.
func xzOf(t *testing.T, options ...string) []byte {
	t.Helper()
	cmd := exec.Command("xz", append(options, "-c")...)
	cmd.Stdin = strings.NewReader("an image\n")
	packed, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatalf("xz %s: %v", options, err)
	}
	return packed
}

// What xz writes is read, however it was called.
func TestXZ(t *testing.T) {
	fixed, err := hex.DecodeString(fixedXZ)
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string][]byte{"as it is kept here": fixed}
	for _, options := range []string{"-0", "-9 -T2 --block-size=4", "-0 --check=none", "-0 --check=crc32", "-0 --check=sha256"} {
		if packed := xzOf(t, strings.Fields(options)...); packed != nil {
			streams[options] = packed
		}
	}
	if small := streams["-0"]; small != nil {
		streams["two streams"] = slices.Concat(small, small)
		streams["two streams and padding"] = slices.Concat(small, make([]byte, 8), small)
	}
	for name, packed := range streams {
		want := "an image\n"
		if strings.HasPrefix(name, "two") {
			want += want
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var got bytes.Buffer
		err := unpack(&got, iotest.HalfReader(bytes.NewReader(packed)), xzipped, int64(len(packed)), mostUnpacked)
		runtime.ReadMemStats(&after)
		if err != nil || got.String() != want {
			t.Errorf("%s: %q, %v", name, &got, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > mostDictionary+8<<20 && !programs.Race {
			t.Errorf("%s: %d MiB were taken", name, took>>20)
		}
		for n := 7; n < len(packed); n += 9 {
			if err := unpack(io.Discard, bytes.NewReader(packed[:n]), xzipped, int64(n), mostUnpacked); name == "-0" && !Hopeless(err) {
				t.Errorf("%s, cut after %d bytes: %v", name, n, err)
			}
		}
	}
}

// A stream that cannot be read is not taken for one that is damaged, and what it is written to that is full not either.
func TestUnpackTellsFailuresApart(t *testing.T) {
	broken := errors.New("the disk broke")
	fixed, _ := hex.DecodeString(fixedXZ)
	text := []byte("an image\n")
	for how, packed := range map[compression][]byte{gzipped: gzipOf(text), zstandard: zstdOf(text), xzipped: fixed} {
		for _, n := range []int{0, 5, len(packed) - 2} {
			from := io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(broken))
			if err := unpack(io.Discard, from, how, 100, mostUnpacked); !errors.Is(err, broken) || Hopeless(err) {
				t.Errorf("%s that fails after %d bytes: %v", how, n, err)
			}
		}
		if err := unpack(failingWriter{broken}, bytes.NewReader(packed), how, 100, mostUnpacked); !errors.Is(err, broken) || Hopeless(err) {
			t.Errorf("%s into a full disk: %v", how, err)
		}
	}
}
