package clock

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Random returns a number from 0 up to, but not including, 1, by which waits are spread. It comes from the clock where that has a
// source of its own, as those of Seeded have: then the same waits follow from the same seed.
func Random(c Clock) float64 {
	if r, ok := c.(interface{ Random() float64 }); ok {
		return r.Random()
	}
	return rand.Float64()
}

// Spread returns d, or a wait that is shorter or longer than d by a share of it at most. Those who began together do not go on
// together then.
func Spread(c Clock, d time.Duration, share float64) time.Duration {
	return d + time.Duration((2*Random(c)-1)*share*float64(d))
}

// Seeded returns a clock that tells the time of c, and whose random numbers follow from a seed.
func Seeded(c Clock, seed uint64) Clock {
	return &seeded{Clock: Or(c), random: rand.New(rand.NewPCG(seed, 0x636c6f636b))}
}

type seeded struct {
	Clock
	mu     sync.Mutex
	random *rand.Rand
}

// Random returns the next number of the seed.
func (s *seeded) Random() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Float64()
}
