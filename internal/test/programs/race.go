//go:build race

package programs

// Race says whether the race detector watches the test: what it cannot see, such as the programs that a test links, needs no second run.
const Race = true
