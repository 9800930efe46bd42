package ecrpush

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

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
