package ecrpush

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/org/connect2/v2/internal/dockerengine"
	"github.com/org/connect2/v2/pkg/image"
)

// A host that does not answer is told by its name; AWS is blamed for its own alone.
func TestSilentHosts(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, test := range []struct {
		err    error
		title  string
		advice string
	}{
		{&url.Error{Op: "Get", URL: "https://ghcr.io/v2/", Err: refused}, "No answer from ghcr.io", "the registry's name"},
		{&url.Error{Op: "Get", URL: "https://1.dkr.ecr.eu-west-1.amazonaws.com/v2/", Err: refused}, "No answer from AWS", "the registry's name"},
		{fmt.Errorf("source docker://api: %w", &dockerengine.UnansweredError{Host: "unix:///run/docker.sock",
			Err: &url.Error{Op: "Get", URL: "http://docker/_ping", Err: &net.OpError{Op: "dial", Net: "unix", Err: syscall.ENOENT}}}),
			"No answer from Docker", "Start Docker"},
		{&dockerengine.UnansweredError{Err: syscall.EACCES}, "No answer from Docker", "who may use Docker"},
		{fmt.Errorf("source image.tar: %w", &fs.PathError{Op: "open", Path: "image.tar", Err: syscall.ENOENT}), "The source is not usable", ""},
		{errors.New("gzip: invalid checksum"), "The push failed", ""},
		{&image.RegistryError{Status: 503}, "The registry answered 503", ""},
		{&image.RegistryError{Status: 429}, "The registry is throttling", ""},
		{&image.RegistryError{Status: 400}, "The registry answered 400", ""},
	} {
		if got := titleOf(test.err); got != test.title {
			t.Errorf("%v: %q, want %q", test.err, got, test.title)
		}
		if got := adviceOf(test.err); !strings.Contains(got, test.advice) || test.advice == "" && got != "" {
			t.Errorf("%v: advice %q", test.err, got)
		}
	}
}

// What another try does not mend is not tried again: each row differs from a passing failure in what it names.
func TestHopeless(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string // "" where another try may help
	}{
		{&image.RegistryError{Status: 500}, ""},
		{&image.RegistryError{Status: 503}, ""},
		{&image.RegistryError{Status: 429, Message: "Rate limit exceeded"}, ""},
		{&image.RegistryError{Status: 403, Message: "Your authorization token has expired."}, ""},
		{&url.Error{Op: "Put", URL: "https://ghcr.io/v2/", Err: io.ErrUnexpectedEOF}, ""},
		{errors.New("connection reset by peer"), ""},
		{&image.RegistryError{Status: 400, Code: "MANIFEST_INVALID"}, "ends in the same way"},
		{&image.RegistryError{Status: 404, Code: "NAME_UNKNOWN"}, "ends in the same way"},
		{&image.RegistryError{Status: 413}, "4,200 parts"},
		{&image.RegistryError{Status: 403, Message: "The repository's image quota is reached"}, "Service Quotas"},
		{&image.RegistryError{Status: 405, Message: "Tag limit was exceeded"}, "1,000 tags"},
		{&image.RegistryError{Status: 405, Message: "The limit is fine"}, "ends in the same way"},
		{fmt.Errorf("x: %w", &image.ImmutableTagError{Tag: "v1"}), "new tag"},
		{&fs.PathError{Op: "write", Path: "/tmp/x", Err: syscall.ENOSPC}, "TMPDIR"},
		{&net.DNSError{Name: "ghcr.oi", IsNotFound: true}, "no such host"},
		{&net.DNSError{Name: "ghcr.io", IsTimeout: true}, ""},
	} {
		if got := hopeless(test.err); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
