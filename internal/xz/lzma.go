package xz

// What LZMA's decoder goes by (https://tukaani.org/xz/, and the LZMA specification of the LZMA SDK).
const (
	states      = 12
	lenStates   = 4 // distances of matches of 2, 3, 4 and more bytes have models of their own
	endOfModel  = 14
	fullDist    = 1 << (endOfModel / 2)
	alignBits   = 4
	shortest    = 2 // of a match
	probBits    = 11
	moveBits    = 5
	half        = 1 << (probBits - 1)
	top         = 1 << 24
	rangeBytes  = 5 // that a chunk of LZMA begins with
	mostLiteral = 4 // of lc and lp together, in LZMA2
)

type prob = uint16

// lengths is the model of the lengths of matches.
type lengths struct {
	choice, choice2 prob
	low, mid        [16][8]prob
	high            [256]prob
}

func (l *lengths) reset() {
	l.choice, l.choice2 = half, half
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

func fill(probs []prob) {
	for i := range probs {
		probs[i] = half
	}
}

// decoder decodes the chunks of LZMA2 into its dictionary. Reading beyond a chunk yields zeros and is noticed at the chunk's end.
type decoder struct {
	dict   []byte // a ring
	at     int    // where the next byte goes
	full   bool   // the ring has been filled
	buffer []byte // of the chunk, as it is compressed
	in     []byte // what is left of it
	beyond bool   // it was read beyond its end

	rng, code          uint32
	lc, lp, pb         uint
	state              uint
	rep                [4]uint32
	literal            []prob
	isMatch, isRepLong [states << 4]prob
	isRep, isRep0      [states]prob
	isRep1, isRep2     [states]prob
	slots              [lenStates][64]prob
	special            [fullDist]prob
	align              [1 << alignBits]prob
	match, repeat      lengths
}

// properties takes the byte that says how the models depend on what stands before.
func (d *decoder) properties(b byte) bool {
	if b >= 9*5*5 {
		return false
	}
	d.lc, d.lp, d.pb = uint(b%9), uint(b/9%5), uint(b/45)
	if d.lc+d.lp > mostLiteral {
		return false
	}
	if n := 0x300 << (d.lc + d.lp); len(d.literal) != n {
		d.literal = make([]prob, n)
	}
	return true
}

// reset forgets all that was learned.
func (d *decoder) reset() {
	d.state, d.rep = 0, [4]uint32{}
	fill(d.literal)
	fill(d.isMatch[:])
	fill(d.isRepLong[:])
	for _, p := range [][]prob{d.isRep[:], d.isRep0[:], d.isRep1[:], d.isRep2[:], d.special[:], d.align[:]} {
		fill(p)
	}
	for i := range d.slots {
		fill(d.slots[i][:])
	}
	d.match.reset()
	d.repeat.reset()
}

func (d *decoder) next() byte {
	if len(d.in) == 0 {
		d.beyond = true
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

// begin reads what the range coder starts with; the first byte is always 0.
func (d *decoder) begin() bool {
	first := d.next()
	d.rng, d.code = 0xffffffff, 0
	for range rangeBytes - 1 {
		d.code = d.code<<8 | uint32(d.next())
	}
	return first == 0
}

func (d *decoder) bit(p *prob) uint32 {
	if d.rng < top {
		d.rng, d.code = d.rng<<8, d.code<<8|uint32(d.next())
	}
	bound := d.rng >> probBits * uint32(*p)
	if d.code < bound {
		d.rng = bound
		*p += (1<<probBits - *p) >> moveBits
		return 0
	}
	d.rng -= bound
	d.code -= bound
	*p -= *p >> moveBits
	return 1
}

func (d *decoder) tree(probs []prob, bits uint) uint32 {
	m := uint32(1)
	for range bits {
		m = m<<1 | d.bit(&probs[m])
	}
	return m - 1<<bits
}

// reverse reads a number from its lowest bit on; the models begin at 1.
func (d *decoder) reverse(probs []prob, bits uint) (v uint32) {
	m := uint32(1)
	for i := range bits {
		b := d.bit(&probs[m])
		m = m<<1 | b
		v |= b << i
	}
	return v
}

func (d *decoder) direct(bits uint) (v uint32) {
	for range bits {
		if d.rng < top {
			d.rng, d.code = d.rng<<8, d.code<<8|uint32(d.next())
		}
		d.rng >>= 1
		b := uint32(0)
		if d.code >= d.rng {
			d.code -= d.rng
			b = 1
		}
		v = v<<1 | b
	}
	return v
}

func (d *decoder) length(l *lengths, position uint) int {
	switch {
	case d.bit(&l.choice) == 0:
		return shortest + int(d.tree(l.low[position][:], 3))
	case d.bit(&l.choice2) == 0:
		return shortest + 8 + int(d.tree(l.mid[position][:], 3))
	default:
		return shortest + 16 + int(d.tree(l.high[:], 8))
	}
}

func (d *decoder) distance(length int) uint32 {
	slot := d.tree(d.slots[min(length-shortest, lenStates-1)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := uint(slot/2 - 1)
	dist := (2 | slot&1) << bits
	if slot < endOfModel {
		return dist + d.reverse(d.special[dist-slot:], bits)
	}
	return dist + d.direct(bits-alignBits)<<alignBits + d.reverse(d.align[:], alignBits)
}

// put adds a byte to the dictionary.
func (d *decoder) put(b byte) {
	d.dict[d.at] = b
	if d.at++; d.at == len(d.dict) {
		d.at, d.full = 0, true
	}
}

// has says whether the dictionary reaches this far back; 0 is the last byte.
func (d *decoder) has(back uint32) bool {
	return d.full && uint64(back) < uint64(len(d.dict)) || uint64(back) < uint64(d.at)
}

func (d *decoder) byteAt(back uint32) byte {
	i := d.at - int(back) - 1
	if i < 0 {
		i += len(d.dict)
	}
	return d.dict[i]
}

// literalByte decodes a byte that is no match; position counts the bytes since the dictionary was emptied.
func (d *decoder) literalByte(position uint64) {
	before := byte(0)
	if d.at > 0 || d.full {
		before = d.byteAt(0)
	}
	probs := d.literal[0x300*(uint(position)&(1<<d.lp-1)<<d.lc+uint(before)>>(8-d.lc)):]
	m := uint32(1)
	if d.state >= 7 {
		match := uint32(d.byteAt(d.rep[0]))
		for m < 0x100 {
			match <<= 1
			expected := match & 0x100
			b := d.bit(&probs[0x100+expected+m])
			m = m<<1 | b
			if expected>>8 != b {
				break
			}
		}
	}
	for m < 0x100 {
		m = m<<1 | d.bit(&probs[m])
	}
	d.put(byte(m))
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// step decodes a literal, which it puts, or a match, of which it returns the length; the match's distance is the first of the repeated.
// It is not ok where the stream makes no sense.
func (d *decoder) step(position uint64) (length int, ok bool) {
	pos := uint(position) & (1<<d.pb - 1)
	if d.bit(&d.isMatch[d.state<<4+pos]) == 0 {
		if d.state >= 7 && !d.has(d.rep[0]) {
			return 0, false
		}
		d.literalByte(position)
		return 0, true
	}
	after := func(literal, other uint) {
		if d.state < 7 {
			d.state = literal
		} else {
			d.state = other
		}
	}
	if d.bit(&d.isRep[d.state]) == 0 {
		d.rep[3], d.rep[2], d.rep[1] = d.rep[2], d.rep[1], d.rep[0]
		length = d.length(&d.match, pos)
		d.rep[0] = d.distance(length)
		after(7, 10)
		return length, d.has(d.rep[0])
	}
	switch {
	case d.bit(&d.isRep0[d.state]) == 0:
		if d.bit(&d.isRepLong[d.state<<4+pos]) == 0 {
			after(9, 11)
			return 1, d.has(d.rep[0])
		}
	case d.bit(&d.isRep1[d.state]) == 0:
		d.rep[0], d.rep[1] = d.rep[1], d.rep[0]
	case d.bit(&d.isRep2[d.state]) == 0:
		d.rep[0], d.rep[1], d.rep[2] = d.rep[2], d.rep[0], d.rep[1]
	default:
		d.rep[0], d.rep[1], d.rep[2], d.rep[3] = d.rep[3], d.rep[0], d.rep[1], d.rep[2]
	}
	length = d.length(&d.repeat, pos)
	after(8, 11)
	return length, d.has(d.rep[0])
}

// finished says whether a chunk ended where it was to end.
func (d *decoder) finished() bool {
	if d.rng < top { // the encoder wrote the byte for it
		d.rng, d.code = d.rng<<8, d.code<<8|uint32(d.next())
	}
	return d.code == 0 && len(d.in) == 0 && !d.beyond
}
