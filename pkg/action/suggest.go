package action

// Nearest returns the candidate with the fewest edits from what was written, or "" where none is near enough to be meant.
func Nearest(written string, candidates []string) string {
	best, distance := "", len(written)/3+2 // two edits in a short word, more in a long one
	for _, candidate := range candidates {
		if d := Edits(written, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// Edits counts the insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment). Upper and lower case, and "_" and "-", are the same letter: mixing them up is no misspelling of the word.
func Edits(a, b string) int {
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
