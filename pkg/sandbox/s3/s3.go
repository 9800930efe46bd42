// Package s3 is the sandbox's S3: as much of it as a Terraform state needs, conditional writes included. Objects are kept in
// memory by an S3 fake (gofakes3); this package puts before it what that lacks: the chunked
// uploads of today's SDKs, buckets' owners and their settings.
package s3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Service answers S3's REST API, addressed by path (http://HOST/BUCKET/KEY). It is safe for concurrent use.
type Service struct {
	backend gofakes3.Backend
	handler http.Handler
	account string // "": requests that expect an owner are taken
	buckets buckets
}

// New makes an empty S3; now is the virtual time.
func New(now func() time.Time) *Service {
	backend := s3mem.New(s3mem.WithTimeSource(source(now)))
	fake := gofakes3.New(backend, gofakes3.WithTimeSource(source(now)), gofakes3.WithTimeSkewLimit(0))
	return &Service{backend: backend, handler: fake.Server()}
}

// Owner names the account that the buckets belong to: requests that expect another owner are refused from then on.
func (s *Service) Owner(account string) { s.account = account }

// source gives the fake the sandbox's time.
type source func() time.Time

func (s source) Now() time.Time                  { return s() }
func (s source) Since(t time.Time) time.Duration { return s().Sub(t) }

// CreateBucket makes a bucket.
func (s *Service) CreateBucket(name string) error { return s.backend.CreateBucket(name) }

// Object returns an object's content; ok is false where there is none.
func (s *Service) Object(bucket, key string) (content []byte, ok bool) {
	object, err := s.backend.GetObject(bucket, key, nil)
	if err != nil {
		return nil, false
	}
	defer object.Contents.Close()
	content, err = io.ReadAll(object.Contents)
	return content, err == nil
}

// Is says whether a request is for S3: its signature's scope names the service.
func Is(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") ||
		strings.Contains(r.URL.Query().Get("X-Amz-Credential"), "/s3/aws4_request")
}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isChunked(r) {
		body, err := decode(r.Body)
		want := r.Header.Get("X-Amz-Decoded-Content-Length")
		if err == nil && want != "" && want != strconv.Itoa(len(body)) {
			err = fmt.Errorf("%d bytes were sent, and x-amz-decoded-content-length says %s", len(body), want)
		}
		if err != nil {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "<Error><Code>IncompleteBody</Code><Message>%s</Message></Error>", err)
			return
		}
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Del("X-Amz-Decoded-Content-Length")
		r.Header.Del("Content-Encoding")
	}
	if s.serveBucket(w, r) {
		return
	}
	if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 { // a client in the same process sends no such line
		r = r.Clone(r.Context())
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	s.handler.ServeHTTP(w, r)
}

func isChunked(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") ||
		strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked")
}

// decode takes the framing off an aws-chunked body: SIZE[;chunk-signature=…] CRLF DATA CRLF, until a size of 0, then trailers
// such as the checksum. Source: Amazon S3 API reference, "Signature calculations for the Authorization header: transferring
// payload in multiple chunks".
func decode(body io.Reader) ([]byte, error) {
	r := bufio.NewReader(body)
	var out bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the body ends where a chunk is due: %w", err)
		}
		text, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(text, 16, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("%q is not a size of a chunk", text)
		}
		if size == 0 {
			return out.Bytes(), nil
		}
		if _, err := io.CopyN(&out, r, size); err != nil {
			return nil, fmt.Errorf("a chunk of %d bytes is cut short: %w", size, err)
		}
		if end, err := r.ReadString('\n'); err != nil || strings.TrimSpace(end) != "" {
			return nil, errors.New("a chunk is longer than its size")
		}
	}
}
