package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// link is a way to a registry that takes time, where the kernel has no netem: every connection to it is led on, and all of them share
// its bandwidth, each direction its own.
type link struct {
	rtt      time.Duration
	rate     float64 // bytes a second, in each direction
	up, down lane
}

// lane is one direction.
type lane struct {
	mu   sync.Mutex
	free time.Time // when what was sent so far has left
}

// leaves returns when so many bytes have left that are handed over now.
func (l *lane) leaves(n int, rate float64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / rate * float64(time.Second)))
	return l.free
}

// listen leads connections on to an address, until the context ends; it returns where it listens.
func (l *link) listen(ctx context.Context, to string) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				time.Sleep(l.rtt) // of TCP's handshake, whose other half the kernel answers at once
				onward, err := new(net.Dialer).DialContext(ctx, "tcp", to)
				if err != nil {
					from.Close()
					return
				}
				l.join(from, onward)
			}()
		}
	}()
	return listener.Addr().String(), nil
}

// join passes on what the two say, until both have ended.
func (l *link) join(near, far net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { l.pass(far, near, &l.up) })
	both.Go(func() { l.pass(near, far, &l.down) })
	both.Wait()
	near.Close()
	far.Close()
}

// parcel is what arrives at a moment.
type parcel struct {
	content []byte
	at      time.Time
}

// pass carries one direction. What is on its way is bounded, as it is by a window of 2 MB.
func (l *link) pass(to io.Writer, from io.Reader, on *lane) {
	const size = 16 << 10
	way := make(chan parcel, 2<<20/size)
	go func() {
		defer close(way)
		for {
			content := make([]byte, size)
			n, err := from.Read(content)
			if n > 0 {
				leaves := on.leaves(n, l.rate)
				way <- parcel{content[:n], leaves.Add(l.rtt / 2)}
				time.Sleep(time.Until(leaves)) // the others have their turn meanwhile
			}
			if err != nil {
				return
			}
		}
	}()
	var failed error
	for p := range way {
		if failed == nil {
			time.Sleep(time.Until(p.at))
			_, failed = to.Write(p.content)
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
