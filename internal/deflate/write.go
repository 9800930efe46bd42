package deflate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	endOfBlock    = 256
	lengthSymbols = 286 // literals, the end and lengths
	distances     = 30
	literalLimit  = 14 // bits of a code, so that four literals fit into what the writer holds
	distanceLimit = 15
	outerLimit    = 7
	maxStored     = 65535
)

var (
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
		258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	lengthCode  = lengthCodes()
	outerOrder  = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	outerExtra  = [19]uint8{16: 2, 17: 3, 18: 7}
)

func lengthCodes() (of [maxMatch + 1]uint8) {
	for i, base := range lengthBase {
		for n := int(base); n < len(of); n++ {
			of[n] = uint8(i)
		}
	}
	return of
}

// distanceCode returns the code of a distance, and how many bits go with it.
func distanceCode(distance int) (code, extra uint) {
	d := uint(distance - 1)
	if d < 4 {
		return d, 0
	}
	n := uint(bits.Len(d)) - 1
	return 2*n + d>>(n-1)&1, n - 1
}

// stats counts the symbols of a block.
type stats struct {
	literals  [lengthSymbols]uint32
	distances [32]uint32
}

func (s *stats) match(length, distance int) {
	s.literals[257+uint(lengthCode[length])]++
	code, _ := distanceCode(distance)
	s.distances[code&31]++
}

// codes are those of a block.
type codes struct {
	assigner
	literals  [lengthSymbols]code
	distances [32]code
	lengths   [maxMatch + 1]code // those of lengths with the bits that go with them
	outer     [19]code           // of the lengths of the other codes
	runs      []uint16           // symbols of outer, the bits that go with them above
	bits      int                // what the table takes
	counts    [3]int             // of literals, distances and outer, as they are written
}

// write writes a block in the form that takes the fewest bits.
func (e *Encoder) write(content []byte) {
	e.stats.literals[endOfBlock]++
	c, w := &e.codes, &e.out
	c.make(&e.stats)
	dynamic, fixed := 3+c.bits, 3
	for s, n := range e.stats.literals {
		extra := 0
		if s > endOfBlock {
			extra = int(lengthExtra[s-endOfBlock-1])
		}
		dynamic += int(n) * (int(c.literals[s].n) + extra)
		fixed += int(n) * (int(fixedLiteral(s).n) + extra)
	}
	for s, n := range e.stats.distances[:distances] {
		extra := max(0, s/2-1)
		dynamic += int(n) * (int(c.distances[s].n) + extra)
		fixed += int(n) * (5 + extra)
	}
	stored := 8*len(content) + (len(content)+maxStored-1)/maxStored*5*8
	switch {
	case stored <= min(dynamic, fixed):
		w.stored(content)
		return
	case fixed <= dynamic:
		w.grow(fixed)
		w.put(1<<1, 3)
		for s := range c.literals {
			c.literals[s] = fixedLiteral(s)
		}
		for s := range c.distances {
			c.distances[s] = code{bits.Reverse32(uint32(s)) >> 27, 5}
		}
	default:
		w.grow(dynamic)
		w.put(2<<1, 3)
		w.table(c)
	}
	e.symbols(content)
}

// make makes the codes for what was counted, and the table of them.
func (c *codes) make(s *stats) {
	c.assign(c.literals[:], s.literals[:], literalLimit)
	c.assign(c.distances[:], s.distances[:distances], distanceLimit)
	c.counts = [3]int{used(c.literals[:], 257), used(c.distances[:distances], 1), 19}
	var lengths [lengthSymbols + distances]uint8
	all := lengths[:0]
	for _, one := range c.literals[:c.counts[0]] {
		all = append(all, uint8(one.n))
	}
	for _, one := range c.distances[:c.counts[1]] {
		all = append(all, uint8(one.n))
	}
	c.runs = runs(c.runs[:0], all)
	var often [19]uint32
	for _, r := range c.runs {
		often[r&31]++
	}
	c.assign(c.outer[:], often[:], outerLimit)
	for c.counts[2] > 4 && c.outer[outerOrder[c.counts[2]-1]].n == 0 {
		c.counts[2]--
	}
	c.bits = 14 + 3*c.counts[2]
	for s, n := range often {
		c.bits += int(n) * (int(c.outer[s].n) + int(outerExtra[s]))
	}
}

// used is how many of the codes are written: those up to the last one, and no fewer than least.
func used(all []code, least int) int {
	n := len(all)
	for n > least && all[n-1].n == 0 {
		n--
	}
	return n
}

// runs writes the lengths of codes down as the format does, repetitions as such.
func runs(to []uint16, lengths []uint8) []uint16 {
	for i := 0; i < len(lengths); {
		length, n := uint16(lengths[i]), 1
		for i+n < len(lengths) && lengths[i+n] == lengths[i] {
			n++
		}
		i += n
		for length == 0 && n >= 11 {
			k := min(n, 138)
			to = append(to, 18|uint16(k-11)<<5)
			n -= k
		}
		if length == 0 && n >= 3 {
			to = append(to, 17|uint16(n-3)<<5)
			n = 0
		}
		if n >= 4 {
			to = append(to, length)
			n--
			for n >= 3 {
				k := min(n, 6)
				to = append(to, 16|uint16(k-3)<<5)
				n -= k
			}
		}
		for range n {
			to = append(to, length)
		}
	}
	return to
}

// fixedLiteral is the code of a literal or length in blocks without a table.
func fixedLiteral(s int) code {
	switch {
	case s < 144:
		return code{bits.Reverse32(uint32(0x30+s)) >> 24, 8}
	case s < 256:
		return code{bits.Reverse32(uint32(0x190+s-144)) >> 23, 9}
	case s < 280:
		return code{bits.Reverse32(uint32(s-256)) >> 25, 7}
	}
	return code{bits.Reverse32(uint32(0xc0+s-280)) >> 24, 8}
}

// writer writes bits, the lowest first. Fewer than 8 of them wait between calls.
type writer struct {
	b    []byte
	bits uint64
	n    uint
}

// grow makes room for so many bits, and for what is written beyond the last of them.
func (w *writer) grow(n int) { w.b = slices.Grow(w.b, n/8+64) }

// put writes at most 56 bits.
func (w *writer) put(v uint64, n uint) {
	w.bits |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
	}
}

// stored writes content as it is, and ends on a byte's boundary; of nothing a block is written too.
func (w *writer) stored(content []byte) {
	for first := true; first || len(content) > 0; first = false {
		n := min(len(content), maxStored)
		w.put(0, 3)
		if w.n > 0 {
			w.put(0, 8-w.n)
		}
		w.b = binary.LittleEndian.AppendUint16(w.b, uint16(n))
		w.b = binary.LittleEndian.AppendUint16(w.b, ^uint16(n))
		w.b = append(w.b, content[:n]...)
		content = content[n:]
	}
}

// table writes the codes of a block.
func (w *writer) table(c *codes) {
	w.put(uint64(c.counts[0]-257)|uint64(c.counts[1]-1)<<5|uint64(c.counts[2]-4)<<10, 14)
	for _, s := range outerOrder[:c.counts[2]] {
		w.put(uint64(c.outer[s].n), 3)
	}
	for _, r := range c.runs {
		one := c.outer[r&31]
		w.put(uint64(one.bits)|uint64(r>>5)<<one.n, uint(one.n)+uint(outerExtra[r&31]))
	}
}

// run is a stretch of a writer's bytes whose room was made before: grow was called with what it takes.
type run struct {
	out  []byte
	at   int
	held uint64
	n    uint // bits of held; fewer than 8 after flush
}

// code adds a code. Between two calls of flush at most 56 bits are added.
func (r *run) code(c code) {
	r.held |= uint64(c.bits) << r.n
	r.n += uint(c.n)
}

// flush writes the whole bytes that are held.
func (r *run) flush() {
	binary.LittleEndian.PutUint64(r.out[r.at:], r.held)
	r.at += int(r.n >> 3)
	r.held >>= r.n &^ 7
	r.n &= 7
}

// symbols writes what a block consists of. grow was called with what it takes.
//
//go:norace
func (e *Encoder) symbols(content []byte) {
	c, w := &e.codes, &e.out
	for length := 3; length <= maxMatch; length++ {
		k := lengthCode[length]
		one := c.literals[endOfBlock+1+int(k)]
		c.lengths[length] = code{one.bits | uint32(length-int(lengthBase[k]))<<one.n, one.n + uint32(lengthExtra[k])}
	}
	o := run{out: w.b[len(w.b):cap(w.b)], held: w.bits, n: w.n}
	for i := range e.matches {
		m := &e.matches[i]
		literals := content[:m.literals]
		for ; len(literals) >= 4; literals = literals[4:] {
			for _, b := range (*[4]byte)(literals) {
				o.code(c.literals[b])
			}
			o.flush()
		}
		for _, b := range literals {
			o.code(c.literals[b])
		}
		o.flush()
		if m.length == 0 {
			break
		}
		o.code(c.lengths[m.length])
		d, extra := distanceCode(int(m.distance))
		o.code(c.distances[d&31])
		o.code(code{(uint32(m.distance) - 1) & (1<<extra - 1), uint32(extra)})
		o.flush()
		content = content[int(m.literals)+int(m.length):]
	}
	w.b, w.bits, w.n = w.b[:len(w.b)+o.at], o.held, o.n
	w.put(uint64(c.literals[endOfBlock].bits), uint(c.literals[endOfBlock].n))
}
