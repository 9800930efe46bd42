package deflate

import "math/bits"

// chains finds where bytes occurred before: for every hash of five bytes a chain of the positions that had it, the newest first, and
// for every hash of three bytes the newest position. Positions are kept modulo 2^16. What has long gone out of reach looks like
// something near then; it is compared in vain.
type chains struct {
	newest3 [1 << 15]uint16
	newest5 [1 << 16]uint16
	before  [1 << 15]uint16 // by position modulo its size: the one before it in its chain
}

func (c *chains) reset() { *c = chains{} }

func hash3(v uint64) uint32 { return uint32(v<<40>>32) * 0x1E35A7BD >> 17 }
func hash5(v uint64) uint16 { return uint16(v << 24 * 0x9E3779B185EBCA87 >> 48) }

// enter notes the positions from from on and before to, as far as they can be.
//
//go:norace
func (c *chains) enter(data []byte, from, to int) {
	to = min(to, len(data)-tail)
	for pos := from; pos < to; pos++ {
		v := load64(data, pos)
		c.newest3[hash3(v)&(1<<15-1)] = uint16(pos)
		h := hash5(v)
		c.before[pos&(1<<15-1)] = c.newest5[h]
		c.newest5[h] = uint16(pos)
	}
}

// find notes a position that has 8 bytes and more behind it, and returns the longest match there that is longer than best, the nearest
// of those: or best and 0.
//
//go:norace
func (c *chains) find(data []byte, pos, best int, how effort) (length, distance int) {
	v := load64(data, pos)
	h3, h5 := hash3(v)&(1<<15-1), hash5(v)
	near, candidate := c.newest3[h3], c.newest5[h5]
	c.newest3[h3], c.newest5[h5] = uint16(pos), uint16(pos)
	c.before[pos&(1<<15-1)] = candidate

	longest := min(maxMatch, len(data)-pos)
	if best >= longest {
		return best, 0
	}
	enough := min(how.nice, longest)
	reach := min(pos, maxDistance)
	if best < 7 {
		if d := int(uint16(pos) - near); d > 0 && d <= reach {
			if n := bits.TrailingZeros64(load64(data, pos-d)^v) >> 3; n > best && n >= 3 {
				best, distance = n, d // 8, where all are equal
			}
		}
	}
	here := data[pos : pos+longest]
	at := max(best-3, 0) // the four bytes that a longer match has to have
	ends := load32(data, pos+at)
	for last, depth := 0, how.depth; depth > 0; depth-- {
		d := int(uint16(pos) - candidate)
		if d <= last || d > reach {
			break
		}
		last = d
		if p := pos - d; load32(data, p+at) == ends && load32(data, p) == uint32(v) {
			if n := equal(data, p, here); n > best {
				best, distance = n, d
				if n >= enough {
					break
				}
				at = n - 3
				ends = load32(data, pos+at)
			}
		}
		candidate = c.before[candidate&(1<<15-1)]
	}
	return best, distance
}

// equal counts the bytes that are the same, of which the first four are known to be.
//
//go:norace
func equal(data []byte, p int, here []byte) int {
	n := 4
	for ; n+8 <= len(here); n += 8 {
		if x := load64(data, p+n) ^ load64(here, n); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
	}
	for n < len(here) && data[p+n] == here[n] {
		n++
	}
	return n
}
