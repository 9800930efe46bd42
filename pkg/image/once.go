package image

import "sync/atomic"

// once returns a function that asks one time and gives everybody the same answer. Who waits for it waits on a channel, which virtual
// time knows of, unlike sync.OnceValues' lock.
func once[T any](ask func() (T, error)) func() (T, error) {
	var begun atomic.Bool
	var answer T
	var err error
	done := make(chan struct{})
	return func() (T, error) {
		if begun.CompareAndSwap(false, true) {
			answer, err = ask()
			close(done)
		}
		<-done
		return answer, err
	}
}

// turn is a lock that is held over requests; who waits for it waits on a channel.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take() { t <- struct{}{} }

func (t turn) end() { <-t }
