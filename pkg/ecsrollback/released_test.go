package ecsrollback

import (
	"slices"
	"testing"
	"time"
)

// TestReleased has a row for each condition that flips it alone.
func TestReleased(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name string
		all  []running
		want []bool
	}{
		{"all of one release", []running{{"b", at(5), at(1)}, {"b", at(6), at(1)}}, []bool{true, true}},
		{"one that it has not changed", []running{{"b", at(5), at(1)}, {"a", at(1), at(0)}}, []bool{true, false}},
		{"one that was deployed alone since", []running{{"b", at(5), at(1)}, {"", at(7), at(5)}}, []bool{false, true}},
		{"none by a release of several", []running{{"", at(5), at(4)}, {"", at(1), at(0)}}, []bool{true, true}},
		{"the order does not matter", []running{{"a", at(1), at(0)}, {"b", at(5), at(1)}}, []bool{false, true}},
		{"the name of an earlier release", []running{{"a", at(9), at(5)}, {"a", at(1), at(0)}}, []bool{true, false}},
		{"at the very moment", []running{{"a", at(9), at(5)}, {"a", at(5), at(0)}}, []bool{true, true}},
		{"what it replaced is not known", []running{{"a", at(9), time.Time{}}, {"a", at(1), at(0)}}, []bool{true, true}},
	} {
		if got := released(tt.all); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}
