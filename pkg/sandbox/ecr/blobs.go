package ecr

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// minPart is the smallest part of a chunked upload that is not its last (service quotas).
const minPart = 5 << 20

func (s *Service) statBlob(w http.ResponseWriter, _ *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		size, ok := repo.layers[rt.reference]
		if !ok {
			return s.layerNotFound(repo, rt.reference)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Docker-Content-Digest", rt.reference)
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// redirectToBlob sends the client to the layer's download address, as ECR sends it to a bucket. The status is unconfirmed.
func (s *Service) redirectToBlob(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		if _, ok := repo.layers[rt.reference]; !ok {
			return s.layerNotFound(repo, rt.reference)
		}
		w.Header().Set("Location", downloadURL(r, rt.reference))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	})
}

// ServeLayer answers the download addresses; like presigned URLs they ask for no login.
func (s *Service) ServeLayer(w http.ResponseWriter, hr *http.Request) {
	s.options.Server.Stamp(w)
	content, err := s.content(strings.TrimPrefix(hr.URL.Path, DownloadPath))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if seeker, ok := content.(io.ReadSeeker); ok {
		http.ServeContent(w, hr, "", time.Time{}, seeker)
		return
	}
	_, _ = io.Copy(w, content) // a client that has gone needs no answer
}

func (s *Service) beginUpload(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		query := r.HTTP.URL.Query()
		if digest := query.Get("mount"); digest != "" && s.mount(repo, digest, query.Get("from")) {
			w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/blobs/"+digest)
			w.Header().Set("Docker-Content-Digest", digest)
			w.WriteHeader(http.StatusCreated)
			return nil
		}
		id, err := s.startUpload(repo.name)
		if err != nil {
			return err
		}
		s.writeUpload(w, r, rt.repository, id, "0-0", http.StatusAccepted)
		return nil
	})
}

// mount takes a layer over from another repository: only with the account setting, and only if an image there uses it.
func (s *Service) mount(to *repository, digest, from string) bool {
	source := s.repositories[from]
	if !s.options.BlobMounting || source == nil {
		return false
	}
	for _, img := range source.images {
		if slices.Contains(img.layers, digest) {
			to.layers[digest] = source.layers[digest]
			return true
		}
	}
	return false
}

func (s *Service) writeUpload(w http.ResponseWriter, r *wire.Request, repository, id, span string, status int) {
	w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repository+"/blobs/uploads/"+id)
	w.Header().Set("Docker-Upload-Uuid", id)
	w.Header().Set("Range", span)
	w.WriteHeader(status)
}

// open finds the upload that a request continues and checks that its content goes where the upload ends.
func (s *Service) open(r *wire.Request, rt route) (u *upload, err error) {
	err = s.with(rt, func(repo *repository) error {
		u, err = s.uploadOf(repo, rt.reference)
		return err
	})
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	first, _, ranged := strings.Cut(r.HTTP.Header.Get("Content-Range"), "-")
	if start, err := strconv.ParseInt(strings.TrimPrefix(first, "bytes "), 10, 64); ranged && err == nil && start != u.size {
		return nil, &wire.Error{Code: "BLOB_UPLOAD_INVALID", Status: http.StatusRequestedRangeNotSatisfiable,
			Message: fmt.Sprintf("First byte of the layer part is %d instead of %d", start, u.size)}
	}
	return u, nil
}

// receivePart takes a chunk. The answer is ECR's: 201 where the specification has 202, and a Range that stays at the end
// of the first chunk.
func (s *Service) receivePart(w http.ResponseWriter, r *wire.Request, rt route) error {
	u, err := s.open(r, rt)
	if err != nil {
		return err
	}
	if u.lastPart > 0 && u.lastPart < minPart {
		// status and wording unconfirmed
		return &wire.Error{Code: "BLOB_UPLOAD_INVALID",
			Message: fmt.Sprintf("Layer part is too small: %d bytes, at least %d", u.lastPart, minPart)}
	}
	if err := u.write(r.HTTP.Body); err != nil {
		return err
	}
	s.writeUpload(w, r, rt.repository, rt.reference, fmt.Sprintf("0-%d", max(u.firstChunk-1, 0)), http.StatusCreated)
	return nil
}

func (s *Service) completeUpload(w http.ResponseWriter, r *wire.Request, rt route) error {
	u, err := s.open(r, rt)
	if err != nil {
		return err
	}
	if err := u.write(r.HTTP.Body); err != nil {
		return err
	}
	return s.with(rt, func(repo *repository) error {
		digest := r.HTTP.URL.Query().Get("digest")
		if digest != u.digest() {
			return wire.Errorf("InvalidLayerException", "None of the provided layer digests match the calculated layer digest")
		}
		delete(s.uploads, rt.reference)
		if err := s.finish(u, digest); err != nil {
			return err
		}
		repo.layers[digest] = u.size
		w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/blobs/"+digest)
		w.Header().Set("Docker-Content-Digest", digest)
		w.WriteHeader(http.StatusCreated)
		return nil
	})
}
