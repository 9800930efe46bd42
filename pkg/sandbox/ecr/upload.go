package ecr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// upload is a layer on its way in. Its own lock guards it, so that several may stream while the world moves on.
type upload struct {
	mu         sync.Mutex
	repository string
	size       int64
	lastPart   int64 // size of the latest chunk
	firstChunk int64 // end of the first chunk: the Range header of every later answer stays there
	sum        hash.Hash
	memory     bytes.Buffer
	file       *os.File // instead of memory, where the registry keeps layers in a folder
}

// startUpload opens an upload for a repository; the world's lock is held.
func (s *Service) startUpload(repository string) (string, error) {
	u := &upload{repository: repository, sum: sha256.New()}
	if s.options.BlobDir != "" {
		file, err := os.CreateTemp(s.options.BlobDir, "upload-")
		if err != nil {
			return "", err
		}
		u.file = file
	}
	id := s.options.NewID()
	s.uploads[id] = u
	return id, nil
}

// write appends what it reads to the upload.
func (u *upload) write(from io.Reader) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var to io.Writer = &u.memory
	if u.file != nil {
		to = u.file
	}
	n, err := io.Copy(io.MultiWriter(to, u.sum), from)
	if u.size == 0 {
		u.firstChunk = n
	}
	u.size, u.lastPart = u.size+n, n
	return err
}

// digest is that of everything written so far.
func (u *upload) digest() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return "sha256:" + hex.EncodeToString(u.sum.Sum(nil))
}

// finish moves the upload into the blob store. The upload is over afterwards, whatever happened.
func (s *Service) finish(u *upload, digest string) (err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	h, err := v1.NewHash(digest)
	if err != nil {
		return err
	}
	content := io.NopCloser(&u.memory)
	if u.file != nil {
		defer os.Remove(u.file.Name())
		if _, err := u.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		content = u.file
	}
	return s.blobs.Put(context.Background(), u.repository, h, content)
}

// content opens a blob of a repository.
func (s *Service) content(digest string) (io.ReadCloser, error) {
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	return s.blobs.Get(context.Background(), "", h)
}
