package iamtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// leastLeft is how many of the characters of a managed policy have to be left: names in another account may be longer than those of the
// recorded environments.
const leastLeft = 100

// roomOf returns how many characters a managed policy has left: white space is not counted.
func roomOf(document []byte) int {
	return mostCharacters - utf8.RuneCountInString(strings.Join(strings.Fields(string(document)), ""))
}

// TestRoomInPolicies says how many characters each policy of the recorded environments has left, the fullest last.
func TestRoomInPolicies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.policies.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	type room struct {
		policy string
		left   int
	}
	var all []room
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var roles map[string]struct{ Policies []json.RawMessage }
		if err := json.Unmarshal(text, &roles); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		before := len(all)
		for role, holds := range roles {
			for i, document := range holds.Policies {
				var compact bytes.Buffer // as AWS counts, and as Terraform sends it
				if err := json.Compact(&compact, document); err != nil {
					t.Fatalf("%s: %s: %v", file, role, err)
				}
				environment, _, _ := strings.Cut(filepath.Base(file), ".")
				all = append(all, room{fmt.Sprintf("%s: %s, %d of %d", environment, role, i+1, len(holds.Policies)), roomOf(compact.Bytes())})
			}
		}
		if len(all) == before {
			t.Errorf("%s holds no policy", file)
		}
	}
	slices.SortFunc(all, func(a, b room) int {
		return cmp.Or(cmp.Compare(b.left, a.left), cmp.Compare(a.policy, b.policy))
	})
	for _, r := range all {
		t.Logf("%d of %d characters are left: %s", r.left, mostCharacters, r.policy)
		if r.left < leastLeft {
			t.Errorf("%s has %d characters left, want at least %d: give what it holds in more policies", r.policy, r.left, leastLeft)
		}
	}
	least := all[len(all)-1]
	t.Logf("least: %d, of %s", least.left, least.policy)
}

// TestRoomOf counts characters, and neither bytes nor white space.
func TestRoomOf(t *testing.T) {
	for text, want := range map[string]int{"": 6144, "{ }\n\t": 6142, `"é"`: 6141, strings.Repeat("x", 6145): -1} {
		if got := roomOf([]byte(text)); got != want {
			t.Errorf("%.10q: %d, want %d", text, got, want)
		}
	}
}
