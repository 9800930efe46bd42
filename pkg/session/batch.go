package session

import (
	"net"
	"sync"
	"time"
)

// batched is a connection whose writes are gathered: what is written while the network is busy goes out with one call. A message
// of a kilobyte each would cost a system call, and so would its acknowledgement.
//
// Write never waits. What is pending is bounded by what may be unacknowledged (see Channel), on both ends.
type batched struct {
	net.Conn
	mu      sync.Mutex
	work    sync.Cond
	pending []byte
	closed  bool
	err     error
	done    chan struct{}
}

// lastWords is how long what is pending may take to go out once the connection is closed.
const lastWords = 2 * time.Second

func newBatched(conn net.Conn) *batched {
	b := &batched{Conn: conn, done: make(chan struct{})}
	b.work.L = &b.mu
	go b.flush()
	return b
}

func (b *batched) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.closed:
		return 0, net.ErrClosed
	}
	b.pending = append(b.pending, data...)
	b.work.Signal()
	return len(data), nil
}

func (b *batched) flush() {
	defer close(b.done)
	var out []byte
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.pending) == 0 && !b.closed {
			b.work.Wait()
		}
		if len(b.pending) == 0 || b.err != nil {
			return
		}
		out, b.pending = b.pending, out[:0]
		b.mu.Unlock()
		_, err := b.Conn.Write(out)
		b.mu.Lock()
		if err != nil {
			b.err, b.pending = err, nil
		}
	}
}

// Close sends what is pending, and closes the connection.
func (b *batched) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.work.Signal()
	b.mu.Unlock()
	if first {
		_ = b.Conn.SetWriteDeadline(time.Now().Add(lastWords)) // a connection that is gone has none
	}
	<-b.done
	return b.Conn.Close()
}
