package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// ids makes the identifiers of one history. The forms are those of published captures.
type ids struct{ random *rand.Rand }

func newIDs(seed uint64) ids { return ids{rand.New(rand.NewPCG(seed, 0x65637320656e67))} }

func (g ids) pick(n int, alphabet string) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[g.random.IntN(len(alphabet))])
	}
	return b.String()
}

func (g ids) hex(n int) string { return g.pick(n, "0123456789abcdef") }

func (g ids) digits(n int) string { return g.pick(1, "123456789") + g.pick(n-1, "0123456789") }

// task is 32 hex digits.
func (g ids) task() string { return g.hex(32) }

// deployment is the id of an entry of services[].deployments, which is also the startedBy of its tasks.
func (g ids) deployment() string { return "ecs-svc/" + g.digits(19) }

// serviceDeployment is the last part of a service deployment's ARN.
func (g ids) serviceDeployment() string {
	return g.pick(21, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
}

func (g ids) uuid() string {
	h := g.hex(32)
	return fmt.Sprintf("%s-%s-4%s-%s%s-%s", h[:8], h[8:12], h[13:16], g.pick(1, "89ab"), h[17:20], h[20:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
