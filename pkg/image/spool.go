package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// spool is a temporary file without a name: nothing of it is left behind, however the process ends. It can be read, by several
// readers, while it is still written.
type spool struct {
	file *os.File

	mu    sync.Mutex
	more  sync.Cond
	size  int64
	ended bool
	err   error // why it ended too early
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "connect2-layer-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file (TMPDIR says where): %w", err)
	}
	// Where an open file cannot be removed (Windows), it stays until the system cleans its folder.
	_ = os.Remove(f.Name())
	s := &spool{file: f}
	s.more.L = &s.mu
	return s, nil
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.mu.Lock()
	s.size += int64(n)
	s.more.Broadcast()
	s.mu.Unlock()
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("no space left in %s for a layer (set TMPDIR to a folder with room): %w", os.TempDir(), err)
	}
	return n, err
}

// end says that nothing more is written: all is there, or err says why not.
func (s *spool) end(err error) {
	s.mu.Lock()
	s.ended, s.err = true, err
	s.more.Broadcast()
	s.mu.Unlock()
}

// Close frees the space.
func (s *spool) Close() error { return s.file.Close() }

// open starts reading at the beginning; a reader waits for what is not written yet.
func (s *spool) open(context.Context) (io.ReadCloser, error) { return &spoolReader{from: s}, nil }

// blob returns what was written as a blob; it can be read until the spool is closed.
func (s *spool) blob(d v1.Descriptor) Blob { return Blob{Descriptor: d, Open: s.open} }

// spoolReader reads a spool from its beginning to its end, which may be still to come.
type spoolReader struct {
	from   *spool
	at     int64
	closed bool // guarded by the spool's lock
}

// Read implements io.Reader.
func (r *spoolReader) Read(p []byte) (int, error) {
	s := r.from
	s.mu.Lock()
	for r.at == s.size && !s.ended && !r.closed {
		s.more.Wait()
	}
	size, ended, err, closed := s.size, s.ended, s.err, r.closed
	s.mu.Unlock()
	switch {
	case closed:
		return 0, os.ErrClosed
	case err != nil:
		return 0, err
	case r.at == size && ended:
		return 0, io.EOF
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), size-r.at)], r.at)
	r.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close implements io.Closer; it wakes a Read that waits.
func (r *spoolReader) Close() error {
	r.from.mu.Lock()
	r.closed = true
	r.from.more.Broadcast()
	r.from.mu.Unlock()
	return nil
}
