package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A megabyte over 20 ms and 100 Mbit/s takes what it takes, also beside another; a word and its answer take one round trip.
func TestLink(t *testing.T) {
	for _, c := range []struct {
		name         string
		connections  int
		bytes        int
		least, bound time.Duration
	}{
		{"one byte", 1, 1, 20 * time.Millisecond, 21 * time.Millisecond},
		{"a megabyte", 1, 1_000_000, 100 * time.Millisecond, 102 * time.Millisecond},
		{"two at once", 2, 1_000_000, 180 * time.Millisecond, 182 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &link{rtt: 20 * time.Millisecond, rate: 100e6 / 8}
			began := time.Now()
			var all sync.WaitGroup
			for range c.connections {
				near, inner := net.Pipe()
				outer, far := net.Pipe()
				go l.join(inner, outer)
				all.Go(func() {
					if _, err := io.CopyN(io.Discard, far, int64(c.bytes)); err != nil {
						t.Error(err)
					}
					_, _ = far.Write([]byte{1})
					far.Close()
				})
				all.Go(func() {
					_, _ = near.Write(make([]byte, c.bytes))
					if n, err := io.ReadFull(near, make([]byte, 1)); n != 1 {
						t.Error(err)
					}
					near.Close()
				})
			}
			all.Wait()
			if took := time.Since(began); took < c.least || took > c.bound {
				t.Errorf("%s: %v, want %v to %v", c.name, took, c.least, c.bound)
			}
		})
	}
}
