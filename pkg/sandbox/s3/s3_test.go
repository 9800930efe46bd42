package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func put(s *Service, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPut, "/state/key", strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestChunkedUploadsAreStoredWithoutTheirFraming(t *testing.T) {
	for _, test := range []struct {
		name, body, length string
		want               string
		status             int
	}{
		{"a trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "hello", 200},
		{"signed chunks", "5;chunk-signature=aa\r\nhello\r\n6;chunk-signature=bb\r\n world\r\n0;chunk-signature=cc\r\n\r\n",
			"11", "hello world", 200},
		{"line breaks within", "4\r\na\r\nb\r\n0\r\n\r\n", "4", "a\r\nb", 200},
		{"cut short", "5\r\nhel", "5", "", 400},
		{"longer than its size", "2\r\nhello\r\n0\r\n\r\n", "2", "", 400},
		{"another length", "5\r\nhello\r\n0\r\n\r\n", "6", "", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(time.Now)
			if err := s.CreateBucket("state"); err != nil {
				t.Fatal(err)
			}
			w := put(s, test.body, map[string]string{
				"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length": test.length,
				"Content-Encoding": "aws-chunked",
			})
			body, _ := io.ReadAll(w.Body)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, body)
			}
			if got, _ := s.Object("state", "key"); string(got) != test.want {
				t.Errorf("%q is stored, want %q", got, test.want)
			}
		})
	}
}

func TestConditionalWrites(t *testing.T) {
	s := New(time.Now)
	if err := s.CreateBucket("state"); err != nil {
		t.Fatal(err)
	}
	absent := map[string]string{"If-None-Match": "*"}
	if w := put(s, "first", absent); w.Code != 200 {
		t.Fatalf("the first: %d %s", w.Code, w.Body)
	}
	if w := put(s, "second", absent); w.Code != http.StatusPreconditionFailed {
		t.Fatalf("the second: %d %s", w.Code, w.Body)
	}
	if got, _ := s.Object("state", "key"); string(got) != "first" {
		t.Errorf("%q is stored", got)
	}
}
