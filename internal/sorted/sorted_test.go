package sorted

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestStable compares with the standard library's own sort: the same order, equal values left as they stood.
func TestStable(t *testing.T) {
	type value struct{ key, place int }
	random := rand.New(rand.NewPCG(1, 2))
	compare := func(a, b value) int { return cmp.Compare(a.key, b.key) }
	for length := range 200 {
		list := make([]value, length)
		for i := range list {
			list[i] = value{random.IntN(20), i}
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, compare)
		if Stable(list, compare); !slices.Equal(list, want) {
			t.Fatalf("%d values: got %v, want %v", length, list, want)
		}
	}
}
