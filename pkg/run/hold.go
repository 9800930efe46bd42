package run

import "sync"

// held keeps WithSignals from ending the process: see HoldSignals.
var held struct {
	sync.Mutex
	again chan struct{} // nil: not held
}

// HoldSignals keeps a second signal from ending this process until release is called: what is under way would be lost with
// it. Each signal after the first one is told on the channel instead, in a terminal; a runner's signals are not the user's
// words and are told nobody.
func HoldSignals() (again <-chan struct{}, release func()) {
	held.Lock()
	defer held.Unlock()
	c := make(chan struct{}, 1)
	held.again = c
	return c, func() {
		held.Lock()
		defer held.Unlock()
		if held.again == c {
			held.again = nil
		}
	}
}

// signalAgain hands a further signal to whoever holds, and says whether anybody does.
func signalAgain() bool {
	held.Lock()
	defer held.Unlock()
	if held.again == nil {
		return false
	}
	select {
	case held.again <- struct{}{}:
	default:
	}
	return true
}
