package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Transport answers requests in this process: it calls the handler directly, whatever host is addressed. There is no
// socket and no goroutine, so it works inside a testing/synctest bubble, where the time of the client and of the sandbox
// are then the same.
func (s *Sandbox) Transport() http.RoundTripper { return transport{s} }

// Onlooker is a Transport for whoever looks on from outside: its calls may do everything, meet no fault and no limit, and are in no
// journal.
func (s *Sandbox) Onlooker() http.RoundTripper { return onlooker{transport{s}} }

type onlooker struct{ transport }

func (o onlooker) RoundTrip(request *http.Request) (*http.Response, error) {
	return o.transport.RoundTrip(request.WithContext(wire.Onlooker(request.Context())))
}

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(request *http.Request) (response *http.Response, err error) {
	if request.Body != nil {
		defer request.Body.Close()
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == any(http.ErrAbortHandler): // the handler cuts the connection
			response, err = nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		default:
			panic(p)
		}
	}()
	inbound := request.Clone(request.Context())
	inbound.RequestURI = request.URL.RequestURI()
	if inbound.Host == "" {
		inbound.Host = request.URL.Host
	}
	if inbound.Body == nil {
		inbound.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}}
	t.handler.ServeHTTP(w, inbound)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return w.response(request), nil
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	status int
	sent   http.Header // the header as it was when the status was written
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(data)
}

func (w *recorder) response(request *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	length := int64(w.body.Len())
	if request.Method == http.MethodHead {
		w.body.Reset()
		if _, err := fmt.Sscan(w.sent.Get("Content-Length"), &length); err != nil && !errors.Is(err, io.EOF) {
			length = -1
		}
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: request,
		Body: io.NopCloser(&w.body), ContentLength: length,
	}
}
