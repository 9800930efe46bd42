package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// spool is a temporary file without a name: nothing of it is left behind, however the process ends.
type spool struct {
	file *os.File
	size int64
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "connect2-layer-*")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file (TMPDIR says where): %w", err)
	}
	// Where an open file cannot be removed (Windows), it stays until the system cleans its folder.
	_ = os.Remove(f.Name())
	return &spool{file: f}, nil
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("no space left in %s for a layer (set TMPDIR to a folder with room): %w", os.TempDir(), err)
	}
	return n, err
}

// Close frees the space.
func (s *spool) Close() error { return s.file.Close() }

// blob returns what was written as a blob; it can be read until the spool is closed.
func (s *spool) blob(d v1.Descriptor) Blob {
	return Blob{Descriptor: d, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(s.file, 0, s.size)), nil
	}}
}
