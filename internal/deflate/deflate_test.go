package deflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// readBack unpacks what Append wrote, by the standard library.
func readBack(t *testing.T, packed, before []byte) []byte {
	t.Helper()
	back, err := io.ReadAll(flate.NewReaderDict(io.MultiReader(bytes.NewReader(packed), bytes.NewReader([]byte{3, 0})), before))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func random(seed uint64, size, alphabet int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.IntN(alphabet))
	}
	return b
}

// words are of a few hundred, with changes of what they are.
func words(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	var b []byte
	for len(b) < size {
		if rng.IntN(400) == 0 {
			b = append(b, random(rng.Uint64(), 6000, 256)...)
		}
		b = fmt.Appendf(b, "%x ", rng.IntN(300)*rng.IntN(9)*7919)
	}
	return b[:size]
}

// contents are of every kind that the format has a form for.
func contents() map[string][]byte {
	all := map[string][]byte{"zeros": make([]byte, 700_000), "noise": random(3, 200_000, 256), "words": words(1, 700_000)}
	for _, n := range []int{0, 1, 2, 7, 8, 9, 11, 259, 5000} {
		all[fmt.Sprintf("%d bytes", n)] = words(uint64(n), n)
	}
	for _, n := range []int{2, 5, 7, 9, 15, 44, 79} {
		all[fmt.Sprintf("alphabet of %d", n)] = random(uint64(n), 60_000, n)
	}
	all["far"] = bytes.Repeat(random(4, maxDistance, 256), 3)
	all["farther"] = bytes.Repeat(random(5, maxDistance+1, 256), 3)
	all["2^16 apart"] = append(append(random(6, 70, 256), make([]byte, 1<<16)...), random(6, 70, 256)...)
	return all
}

func TestReadsBack(t *testing.T) {
	e := NewEncoder()
	for name, content := range contents() {
		for _, start := range []int{0, 1, len(content) / 2, len(content)} {
			if start > len(content) {
				continue
			}
			prefix := []byte("what stands there")
			packed := e.Append(prefix[:len(prefix):len(prefix)], content, start)
			packed, ok := bytes.CutPrefix(packed, prefix)
			if back := readBack(t, packed, content[max(0, start-1<<15):start]); !ok || !bytes.Equal(back, content[start:]) {
				t.Errorf("%s from %d: reads back as %d bytes of %d", name, start, len(back), len(content)-start)
			}
		}
	}
}

// Where a block's form is known, so is the size. Five bytes are those of the end.
func TestForms(t *testing.T) {
	sixteen := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(sixteen), func(i, j int) { sixteen[i], sixteen[j] = sixteen[j], sixteen[i] })
	for _, c := range []struct {
		name        string
		content     []byte
		least, most int
	}{
		{"nothing", nil, 5, 5},
		{"stored", random(1, 4000, 256), 4010, 4010},
		{"stored in two parts", random(1, 70_000, 256), 70_015, 70_015},
		{"without a table", []byte("hello"), 7 + 4, 7 + 4},
		{"four bits for each", sixteen, 8000, 8200},
		{"one match after another", make([]byte, 258*1000), 5 + 250, 5 + 300},
	} {
		if n := len(NewEncoder().Append(nil, c.content, 0)); n < c.least || n > c.most {
			t.Errorf("%s: %d bytes, want %d to %d", c.name, n, c.least, c.most)
		}
	}
}

// The window is used: what stands in it costs next to nothing when it comes again.
func TestWindow(t *testing.T) {
	content := random(9, 20_000, 256)
	if n := len(NewEncoder().Append(nil, append(content, content...), len(content))); n > 500 {
		t.Errorf("%d bytes for a repetition of the window", n)
	}
}

// docker push compresses by the standard library at level 6. What people have in images must not take more bytes than that: here
// program text, documentation and machine code.
func TestNoLargerThanTheStandardLibrary(t *testing.T) {
	text := map[string][]byte{}
	for _, name := range []string{"text", "program"} { // documentation and Go, as they once were: an edit of today decides nothing
		packed, err := os.Open(filepath.Join("testdata", name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		z, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		if text[name], err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	text["machine code"] = binary[:min(len(binary), 3<<20)]
	for name, content := range text {
		content = content[:min(len(content), 2<<20)]
		var theirs bytes.Buffer
		w, _ := flate.NewWriter(&theirs, 6)
		w.Write(content)
		w.Close()
		ours := NewEncoder().Append(nil, content, 0)
		t.Logf("%s: %d bytes give %d, the standard library's level 6 %d (%.2f %%)", name, len(content), len(ours), theirs.Len(),
			100*float64(len(ours))/float64(theirs.Len()))
		if len(content) < 300_000 || len(ours) > theirs.Len() {
			t.Errorf("%s: %d bytes give %d, the standard library's level 6 gives %d", name, len(content), len(ours), theirs.Len())
		}
	}
}

// An image's digest depends on every byte: a change here makes every layer of old look new, so it is made on purpose or not at all.
func TestTheBytesStay(t *testing.T) {
	e, h := NewEncoder(), sha256.New()
	for _, seed := range []uint64{1, 2} { // the second time after other content
		h.Reset()
		h.Write(e.Append(nil, words(1, 600_000), 40_000))
		const want = "86606de79bef8c5d6d220851d3dc0bfd22b80da398c2a9e5a0de9820a47b1af5"
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("sha256 %s, want %s", got, want)
		}
		e.Append(nil, words(seed+10, 100_000), 0)
	}
}

// Codes are complete, within their limit, and no longer than they have to be.
func TestAssign(t *testing.T) {
	fibonacci := []uint32{1, 1}
	for len(fibonacci) < 30 {
		n := len(fibonacci)
		fibonacci = append(fibonacci, fibonacci[n-1]+fibonacci[n-2])
	}
	even := slices.Repeat([]uint32{1}, 19)
	for _, c := range []struct {
		name    string
		often   []uint32
		limit   int
		limited bool // the best code has longer ones
	}{
		{"none", make([]uint32, 30), 15, false},
		{"one", []uint32{0, 0, 5}, 15, false},
		{"two", []uint32{3, 0, 5}, 15, false},
		{"three", []uint32{3, 9, 5}, 15, false},
		{"even", even, 7, false},
		{"fibonacci of 15 bits", fibonacci[:16], 15, false},
		{"fibonacci of 16 bits in 15", fibonacci[:17], 15, true},
		{"fibonacci of 18 bits in 5", fibonacci[:19], 5, true},
	} {
		var a assigner
		to := make([]code, len(c.often))
		a.assign(to, c.often, c.limit)
		space, cost := 0, uint64(0)
		for s, one := range to {
			if one.n > uint32(c.limit) || one.n == 0 && c.often[s] > 0 {
				t.Errorf("%s: symbol %d has %d bits", c.name, s, one.n)
			}
			if one.n > 0 {
				space += 1 << (c.limit - int(one.n))
			}
			cost += uint64(c.often[s]) * uint64(one.n)
		}
		if best := bestCost(c.often); space != 1<<c.limit || cost < best || (cost > best) != c.limited {
			t.Errorf("%s: %d of %d codes, %d bits in all, the best are %d", c.name, space, 1<<c.limit, cost, best)
		}
	}
}

// bestCost joins the two rarest until one is left, as Huffman said it.
func bestCost(often []uint32) (cost uint64) {
	var all []uint64
	for _, n := range often {
		if n > 0 {
			all = append(all, uint64(n))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	for len(all) > 1 {
		slices.Sort(all)
		all[1] += all[0]
		cost += all[1]
		all = all[1:]
	}
	return cost
}

func FuzzDeflate(f *testing.F) {
	for _, content := range contents() {
		f.Add(content[:min(len(content), 3000)], uint16(len(content)/3))
	}
	e := NewEncoder()
	f.Fuzz(func(t *testing.T, content []byte, start uint16) {
		content = append(content, content...) // has repetitions, at least
		at := int(start) % (len(content) + 1)
		if back := readBack(t, e.Append(nil, content, at), content[max(0, at-1<<15):at]); !bytes.Equal(back, content[at:]) {
			t.Errorf("%d bytes read back as %d others", len(content)-at, len(back))
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	content := words(1, 1<<20)
	e := NewEncoder()
	b.SetBytes(int64(len(content)))
	var out []byte
	for b.Loop() {
		out = e.Append(out[:0], content, 0)
	}
	b.ReportMetric(float64(len(out))/float64(len(content)), "ratio")
}
