package deflate

import (
	"math/bits"
	"slices"
)

// code is what stands for a symbol.
type code struct {
	bits uint32 // the first one lowest
	n    uint32 // how many there are
}

// assigner makes Huffman codes.
type assigner struct {
	sorted []uint64
	work   [lengthSymbols]uint32
}

// assign gives the symbols that occur a code of at most limit bits, and of two symbols at least, since a code of one is not complete.
func (a *assigner) assign(to []code, often []uint32, limit int) {
	a.sorted = a.sorted[:0]
	for s, n := range often {
		to[s] = code{}
		if n > 0 {
			a.sorted = append(a.sorted, uint64(n)<<16|uint64(s))
		}
	}
	for s := 0; len(a.sorted) < 2; s++ {
		if often[s] == 0 {
			a.sorted = append(a.sorted, uint64(s))
		}
	}
	slices.Sort(a.sorted)
	work := a.work[:len(a.sorted)]
	for i, s := range a.sorted {
		work[i] = uint32(s >> 16)
	}
	var count [lengthSymbols]int // of codes, by their bits
	bestLengths(work, &count)
	limitLengths(&count, len(work), limit)
	i := 0
	for n := limit; n > 0; n-- {
		for range count[n] {
			to[a.sorted[i]&0xffff].n = uint32(n)
			i++
		}
	}
	var next [16]uint32
	for n := 2; n <= limit; n++ {
		next[n] = (next[n-1] + uint32(count[n-1])) << 1
	}
	for s := range often {
		if n := to[s].n; n > 0 {
			to[s].bits = bits.Reverse32(next[n]) >> (32 - n)
			next[n]++
		}
	}
}

// bestLengths counts how many codes of each length the best code has for symbols that occur so often: two at least, the rarest first.
// It is the method of Moffat and Katajainen, which writes over its argument.
func bestLengths(a []uint32, count *[lengthSymbols]int) {
	n := len(a)
	a[0] += a[1]
	root, leaf := 0, 2
	for next := 1; next < n-1; next++ {
		if leaf >= n || a[root] < a[leaf] {
			a[next] = a[root]
			a[root] = uint32(next)
			root++
		} else {
			a[next] = a[leaf]
			leaf++
		}
		if leaf >= n || root < next && a[root] < a[leaf] {
			a[next] += a[root]
			a[root] = uint32(next)
			root++
		} else {
			a[next] += a[leaf]
			leaf++
		}
	}
	a[n-2] = 0
	for next := n - 3; next >= 0; next-- {
		a[next] = a[a[next]] + 1
	}
	open, root := 1, n-2
	for depth := 0; open > 0; depth++ {
		inner := 0
		for root >= 0 && a[root] == uint32(depth) {
			inner++
			root--
		}
		count[depth] += open - inner
		open = 2 * inner
	}
}

// limitLengths makes codes that are too long shorter, and as few others longer as that takes.
func limitLengths(count *[lengthSymbols]int, symbols, limit int) {
	for n := limit + 1; n < symbols; n++ {
		count[limit] += count[n]
		count[n] = 0
	}
	space := 0
	for n := 1; n <= limit; n++ {
		space += count[n] << (limit - n)
	}
	for ; space > 1<<limit; space-- {
		n := limit - 1
		for count[n] == 0 {
			n--
		}
		count[n]--
		count[n+1] += 2
		count[limit]--
	}
}
