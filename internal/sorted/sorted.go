// Package sorted sorts lists of large values in a program whose size is bounded: slices.SortFunc is compiled again for each type, into
// 6 to 24 KB.
package sorted

import "sort"

// Stable sorts a list by how two of its values compare, as slices.SortStableFunc does.
func Stable[E any](list []E, compare func(a, b E) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
