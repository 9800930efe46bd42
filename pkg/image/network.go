package image

import (
	"net/http"
	"sync"
	"time"
)

// silence is how long a registry may take nothing and send nothing. It is long, since one that has got a large layer puts it
// together before it answers.
const silence = 2 * time.Minute

// networkTransport is how registries are reached where no transport is given.
var networkTransport = sync.OnceValue(func() http.RoundTripper { return forUploads(http.DefaultTransport) })

// forUploads returns a transport tuned for large bodies, where it is one that can be. It keeps to HTTP/1.1: parallel uploads
// then have a connection each, where HTTP/2 would put them all through the flow control of one.
func forUploads(transport http.RoundTripper) http.RoundTripper {
	t, ok := transport.(*http.Transport)
	if !ok {
		return transport
	}
	t = t.Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.MaxIdleConnsPerHost = 2 * lookups
	t.WriteBufferSize, t.ReadBufferSize = 64<<10, 64<<10
	return t
}
