// Package nearest finds the name that a misspelt one was meant to be.
package nearest

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// One returns the candidate with the fewest edits from what was written, or "" where none is near enough to be meant. Of several it is the
// one that begins most like it: people rarely miss a word's beginning.
func One(written string, candidates []string) string {
	best, distance := "", len(written)/3+2 // two edits in a short word, more in a long one
	for _, candidate := range candidates {
		d := edits(written, candidate)
		if d < distance || d == distance && best != "" && common(written, candidate) > common(written, best) {
			best, distance = candidate, d
		}
	}
	return best
}

// common is how many bytes two words begin with in common.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// Typo returns the one candidate that what was written can only be a misspelling of: it differs in the case of letters alone, in words of
// four letters and more by one edit, and in those of eight and more by two. It returns "" where there is none, or several are as near.
func Typo(written string, candidates []string) string {
	most := 0
	switch {
	case len(written) >= 8:
		most = 2
	case len(written) >= 4:
		most = 1
	}
	var near []string
	for _, candidate := range candidates {
		switch d := edits(written, candidate); {
		case d < most, d == most && near == nil:
			near, most = []string{candidate}, d
		case d == most:
			near = append(near, candidate)
		}
	}
	if len(near) != 1 {
		return ""
	}
	return near[0]
}

// Some returns up to n of the candidates that are closest to what was written, best first: those that share its beginning
// or its end, or differ in few letters. Candidates with nothing in common are left out.
func Some(written string, candidates []string, n int) []string {
	type scored struct {
		name     string
		distance int
	}
	var found []scored
	for _, c := range candidates {
		distance := edits(written, c)
		if c != "" && (strings.HasPrefix(c, written) || strings.HasPrefix(written, c) || strings.HasSuffix(c, written)) {
			distance = min(distance, 1)
		}
		if c != "" && distance <= max(2, len(written)/3) {
			found = append(found, scored{c, distance})
		}
	}
	sort.Slice(found, func(i, j int) bool { // 8 KB less than slices.SortFunc, which is compiled anew for each type
		a, b := found[i], found[j]
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name)) < 0
	})
	var out []string
	for _, s := range found {
		if len(out) < n && !slices.Contains(out, s.name) {
			out = append(out, s.name)
		}
	}
	return out
}

// edits counts the insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment). Upper and lower case, and "_" and "-", are the same letter: mixing them up is not a misspelling of the word.
func edits(a, b string) int {
	x, y := []byte(a), []byte(b)
	for _, s := range [][]byte{x, y} {
		for i, c := range s {
			switch {
			case c >= 'A' && c <= 'Z':
				s[i] = c + 'a' - 'A'
			case c == '_', c == ' ':
				s[i] = '-'
			}
		}
	}
	before, last, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(y)]
}
