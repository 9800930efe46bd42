package sandbox

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// ids makes identifiers that look like AWS's. One seed and stream give one sequence.
type ids struct {
	mu     sync.Mutex
	random *rand.Rand
}

// Streams keep sequences apart, so that one more request does not change the names in the world.
const (
	worldIDs = iota + 1
	requestIDs
	faultDice
)

func newIDs(seed, stream uint64) *ids {
	return &ids{random: rand.New(rand.NewPCG(seed, stream))}
}

// UUID makes a random (version 4) UUID.
func (i *ids) UUID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	a, b := i.random.Uint64(), i.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// Suffix makes the six letters and digits that end a secret's ARN.
func (i *ids) Suffix() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var out [6]byte
	for n := range out {
		out[n] = letters[i.random.IntN(len(letters))]
	}
	return string(out[:])
}

// Float is between 0 and 1.
func (i *ids) Float() float64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.random.Float64()
}
